package gateway

import (
	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/id"
)

// describeTopic asks every partition's leader how it is.
func (s *Session) describeTopic(c call, r *protocol.DescribeTopicRequest) {
	topic, err := resolve(s.broker.Catalog(), r.Topic, r.TopicID)
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
			answer.Partitions[i] = protocol.DescribedPartition{
				Partition: int32(i), Leader: leaderNode(st), Role: st.Role.String(), Ready: st.Ready, Term: st.Term,
				LogStart: st.LogStart, HighWatermark: st.HighWatermark, Bytes: st.Log.Bytes, Segments: int64(st.Log.Segments),
				Replicas: nodesOf(topic.Partitions[i]), Problem: st.Problem,
			}
			all.done()
		})
	}
}
