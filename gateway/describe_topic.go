package gateway

import (
	"slices"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// describeTopic asks every partition's leader how it is.
func (s *Session) describeTopic(c call, r *protocol.DescribeTopicRequest, seen sight) {
	topic, err := seen.resolve(r.Topic, r.TopicID)
	if err != nil {
		c.refuse(s.readRefusal(subject(r.Topic), err))
		return
	}
	answer := &protocol.DescribeTopicResponse{
		Topic: string(topic.Name), TopicID: topic.ID, Created: topic.Created, Settings: topic.Settings,
		Partitions: make([]protocol.DescribedPartition, len(topic.Partitions)),
	}
	all := newGather(len(topic.Partitions), func() { c.reply(answer) })
	for i := range topic.Partitions {
		s.broker.Describe(id.Partition{Topic: topic.ID, Number: int32(i)}, func(st partitions.Status) {
			a := topic.Partitions[i]
			answer.Partitions[i] = protocol.DescribedPartition{
				Partition: int32(i), Leader: st.LeaderNode, Role: st.Role.String(), Ready: st.Ready, Term: st.Term,
				LogStart: st.LogStart, HighWatermark: st.HighWatermark, Bytes: st.Log.Bytes, Segments: int64(st.Log.Segments),
				Replicas: nodesOf(a), Problem: st.Problem, Assigned: a.Version, Settled: st.Settled && len(a.Leaving) == 0,
				Members: members(a, st), Recoveries: recoveries(a),
			}
			all.done()
		})
	}
}

// describedBytes bounds what the answer takes.
func describedBytes(t *catalog.Topic) int {
	n := answerBytes * len(t.Partitions)
	for i := range t.Partitions {
		n += memberBytes * (len(t.Partitions[i].Replicas) + len(t.Partitions[i].Leaving) + 2*len(t.Partitions[i].Recoveries))
	}
	return n
}

// members describes every replica that is assigned, or that the replica that answered knows as a member.
func members(a catalog.Assignment, st partitions.Status) []protocol.DescribedReplica {
	all := a.All()
	for _, p := range slices.Concat(st.Voters, st.Learners) { // of a configuration that follows an older assignment
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	list := make([]protocol.DescribedReplica, len(all))
	for i, p := range all {
		list[i] = protocol.DescribedReplica{Replica: p.Replica, Node: p.Node, Role: memberRole(p, a, st)}
		at := slices.IndexFunc(st.Peers, func(peer partitions.PeerStatus) bool { return peer.Replica == p.Replica })
		switch {
		case p.Replica == st.Replica:
			list[i].Match = st.Last
		case at >= 0 && st.Peers[at].Active:
			list[i].State, list[i].Match = st.Peers[at].State, st.Peers[at].Match
		case at >= 0:
			list[i].State, list[i].Match = "away", st.Peers[at].Match
		}
	}
	return list
}

// memberRole is what a replica is in its partition, as protocol.DescribedReplica words it.
func memberRole(p partitions.Placed, a catalog.Assignment, st partitions.Status) string {
	switch {
	case p.Replica == st.Leader:
		return "leader"
	case !slices.Contains(a.Replicas, p):
		return "leaving"
	case slices.Contains(st.Voters, p):
		return "voter"
	case slices.Contains(st.Learners, p):
		return "learner"
	case len(st.Voters) > 0:
		return "joining"
	}
	return ""
}
