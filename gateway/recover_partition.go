package gateway

import (
	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// recoverPartition has a partition that lost its majority go on with what one replica has.
func (s *Session) recoverPartition(c call, r *protocol.RecoverPartitionRequest, known sight) {
	if !r.AcceptLoss {
		c.refuse(protocol.NewError(protocol.CodeInvalidRequest, "%s: what only the lost replicas had is lost for ever; accept_loss must say so",
			subjectPartition(r.Topic, r.Partition)))
		return
	}
	topic, err := known.resolvePartition(r.Topic, r.TopicID, r.Partition)
	if err != nil {
		c.refuse(s.refusal(subjectPartition(r.Topic, r.Partition), err))
		return
	}
	s.broker.Recover(id.Partition{Topic: topic.ID, Number: r.Partition}, r.From, func(t *catalog.Topic, err error) {
		if err != nil {
			c.refuse(s.refusal(subjectPartition(r.Topic, r.Partition), err))
			return
		}
		all := recoveries(t.Partitions[r.Partition])
		c.reply(&protocol.RecoverPartitionResponse{TopicID: t.ID, Recovery: all[len(all)-1]})
	})
}

// recoveries lists how a partition went on after it had lost its majority, oldest first.
func recoveries(a catalog.Assignment) []protocol.Recovery {
	var all []protocol.Recovery
	for _, r := range a.Recoveries {
		told := protocol.Recovery{At: r.At, Node: r.Survivor.Node, Survivor: r.Survivor.Replica, Heir: r.Heir, Assigned: r.Version}
		for _, p := range r.GivenUp {
			told.GivenUp, told.Nodes = append(told.GivenUp, p.Replica), append(told.Nodes, p.Node)
		}
		all = append(all, told)
	}
	return all
}
