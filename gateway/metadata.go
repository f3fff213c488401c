package gateway

import (
	"slices"
	"sort"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// metadata answers from what this broker knows, without asking anyone: where it heard that a partition's leader is, is where
// a client does best to go, and any other broker forwards.
func (s *Session) metadata(c call, r *protocol.MetadataRequest, seen sight) {
	view := s.broker.Cluster()
	if n := listed(seen.State, r.Topics); n > catalog.MaxPartitionsInAll {
		c.refuse(protocol.NewError(protocol.CodeInvalidRequest,
			"Metadata: the topics named have %d partitions together, at most %d are told at a time; name each once", n, catalog.MaxPartitionsInAll))
		return
	}
	// Made when it is written: the answers that a client does not read cost nothing.
	c.replyWith(func() (protocol.Message, *protocol.Error) { return s.describeRoutes(seen, view, r), nil })
}

// listed counts the partitions that the answer tells of; no names stand for all topics.
func listed(state *catalog.State, names []string) (n int) {
	if len(names) == 0 {
		_, n = state.Count()
	}
	for _, name := range names {
		if t := state.Topic(id.Topic(name)); t != nil {
			n += len(t.Partitions)
		}
	}
	return n
}

// metadataBytes bounds what the answer takes. A cluster's partitions have as many replicas as it has nodes at most.
func (s *Session) metadataBytes(r *protocol.MetadataRequest, state *catalog.State) int {
	topics, replicas := len(r.Topics), min(len(s.broker.Cluster().Nodes), 5)
	if topics == 0 {
		topics, _ = state.Count()
	}
	return answerBytes*topics + (routeBytes+replicas*replicaBytes)*min(listed(state, r.Topics), catalog.MaxPartitionsInAll)
}

// describeRoutes makes the answer.
func (s *Session) describeRoutes(seen sight, view partitions.ClusterView, r *protocol.MetadataRequest) *protocol.MetadataResponse {
	answer := &protocol.MetadataResponse{Cluster: view.Cluster, Catalog: seen.Version, Nodes: make([]protocol.MetadataNode, len(view.Nodes))}
	alive := make(map[id.Node]bool, len(view.Nodes))
	for i, n := range view.Nodes {
		answer.Nodes[i] = protocol.MetadataNode{Node: n.Node, Gateway: n.Gateway, Alive: n.Alive}
		alive[n.Node] = n.Alive
	}
	names := r.Topics
	if len(names) == 0 {
		names = userTopics(seen.State)
	}
	answer.Topics = make([]protocol.MetadataTopic, len(names))
	for i, name := range names {
		topic, err := seen.resolve(name, 0)
		if err != nil {
			answer.Topics[i] = protocol.MetadataTopic{Topic: name, Err: s.readRefusal(subject(name), err)}
			continue
		}
		answer.Topics[i] = protocol.MetadataTopic{Topic: name, TopicID: topic.ID, Partitions: s.routes(topic, alive)}
	}
	return answer
}

// userTopics lists the names of all topics that are not the broker's own, sorted.
func userTopics(state *catalog.State) []string {
	names := make([]string, 0, len(state.Topics))
	for _, t := range state.Topics { // any order: sorted below
		if !internal(t) {
			names = append(names, string(t.Name))
		}
	}
	sort.Strings(names)
	return names
}

// routes tells for each partition where its replicas are and who leads it: where nobody has told of a leader, the first
// living replica is a guess, of term 0.
func (s *Session) routes(topic *catalog.Topic, alive map[id.Node]bool) []protocol.MetadataPartition {
	list := make([]protocol.MetadataPartition, len(topic.Partitions))
	for i, a := range topic.Partitions {
		p := &list[i]
		*p = protocol.MetadataPartition{Partition: int32(i), Replicas: nodesOf(a)}
		if p.Leader, p.Term = s.broker.Leader(id.Partition{Topic: topic.ID, Number: int32(i)}); p.Leader != 0 {
			continue
		}
		p.Term = 0
		if first := slices.IndexFunc(p.Replicas, func(n id.Node) bool { return alive[n] }); first >= 0 {
			p.Leader = p.Replicas[first]
		}
	}
	return list
}

func nodesOf(a catalog.Assignment) []id.Node {
	nodes := make([]id.Node, len(a.Replicas))
	for i, r := range a.Replicas {
		nodes[i] = r.Node
	}
	return nodes
}
