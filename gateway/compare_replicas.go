package gateway

import (
	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/id"
)

// compareReplicas has one piece of a partition's replicas compared.
func (s *Session) compareReplicas(c call, r *protocol.CompareReplicasRequest, known sight) {
	topic, err := known.resolvePartition(r.Topic, r.TopicID, r.Partition)
	if err != nil {
		c.refuse(s.refusal(subjectPartition(r.Topic, r.Partition), err))
		return
	}
	at := id.Partition{Topic: topic.ID, Number: r.Partition}
	s.broker.Compare(at, partitions.Compare{From: r.From, End: r.End}, func(a partitions.Comparison) {
		if a.Err != nil {
			c.refuse(s.refusal(subjectPartition(r.Topic, r.Partition), a.Err))
			return
		}
		told := &protocol.CompareReplicasResponse{
			TopicID: topic.ID, From: a.From, Through: a.Through, End: a.End,
			LogStart: a.LogStart, HighWatermark: a.HighWatermark, Offset: a.Offset, Bytes: a.Bytes,
		}
		for _, p := range a.Replicas {
			told.Replicas = append(told.Replicas, protocol.ComparedReplica{
				Node: p.Node, Replica: p.Replica, Verdict: p.Verdict.String(), Index: p.Index, Offset: p.Offset, Reason: p.Reason,
			})
		}
		c.reply(told)
	})
}
