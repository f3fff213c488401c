package gateway

import (
	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/id"
)

// deleteRecords moves the log start of every partition named, all at once.
func (s *Session) deleteRecords(c call, r *protocol.DeleteRecordsRequest, seen sight) {
	answer := &protocol.DeleteRecordsResponse{Partitions: make([]protocol.DeletedRecords, len(r.Partitions))}
	all := newGather(len(r.Partitions), func() { c.reply(answer) })
	for i := range r.Partitions {
		asked, deleted := r.Partitions[i], &answer.Partitions[i]
		*deleted = protocol.DeletedRecords{
			Topic: asked.Topic, TopicID: asked.TopicID, Partition: asked.Partition,
			LogStart: protocol.NoOffset, HighWatermark: protocol.NoOffset,
		}
		topic, err := seen.resolvePartition(asked.Topic, asked.TopicID, asked.Partition)
		if err == nil {
			topic, err = seen.resolveWritable(asked.Topic, asked.TopicID)
		}
		if err != nil {
			deleted.Err = s.refusal(subjectPartition(asked.Topic, asked.Partition), err)
			all.done()
			continue
		}
		deleted.TopicID = topic.ID
		order := partitions.DeleteRecords{Before: asked.Before}
		s.broker.DeleteRecords(id.Partition{Topic: topic.ID, Number: asked.Partition}, order, func(a partitions.DeleteAnswer) {
			deleted.Err = s.refusal(subjectPartition(asked.Topic, asked.Partition), a.Err)
			if a.Err == nil {
				deleted.LogStart, deleted.HighWatermark, deleted.Term = a.LogStart, a.HighWatermark, a.Term
			}
			all.done()
		})
	}
}
