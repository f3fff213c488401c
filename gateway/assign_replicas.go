package gateway

import (
	"fmt"
	"slices"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// assignReplicas proposes other brokers for a partition's replicas. The broker's own topics move like others. Brokers that
// nobody has seen are refused here: the catalog takes them, since it knows less.
func (s *Session) assignReplicas(c call, r *protocol.AssignReplicasRequest, known sight) {
	topic, err := known.resolvePartition(r.Topic, r.TopicID, r.Partition)
	if err == nil {
		err = s.seen(known.State, r.Nodes)
	}
	if err != nil {
		c.refuse(s.refusal(subjectPartition(r.Topic, r.Partition), err))
		return
	}
	command := catalog.Assign{
		Partition: id.Partition{Topic: topic.ID, Number: r.Partition}, Nodes: r.Nodes, Replace: r.Replace, If: r.If,
	}
	s.broker.Assign(command, func(t *catalog.Topic, err error) {
		if err != nil {
			c.refuse(s.refusal(subjectPartition(r.Topic, r.Partition), err))
			return
		}
		a := t.Partitions[r.Partition]
		c.reply(&protocol.AssignReplicasResponse{TopicID: t.ID, Assigned: a.Version, Replicas: nodesOf(a)})
	})
}

// seen tells whether every node is one that gossip or the catalog knows: ErrUnknownNode if not.
func (s *Session) seen(state *catalog.State, nodes []id.Node) error {
	view := s.broker.Cluster().Nodes
	for _, n := range nodes {
		if state.Nodes[n] == nil && !slices.ContainsFunc(view, func(v partitions.NodeView) bool { return v.Node == n }) {
			return fmt.Errorf("broker %v was never seen in this cluster: %w", n, catalog.ErrUnknownNode)
		}
	}
	return nil
}
