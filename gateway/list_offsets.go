package gateway

import (
	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/id"
)

// offsetsAt translates the word on the wire into the partitions' question.
var offsetsAt = [...]partitions.OffsetAt{
	protocol.OffsetEarliest: partitions.OffsetEarliest,
	protocol.OffsetLatest:   partitions.OffsetLatest,
	protocol.OffsetAtTime:   partitions.OffsetAtTime,
}

// listOffsets asks every partition named, all at once.
func (s *Session) listOffsets(c call, r *protocol.ListOffsetsRequest, seen sight) {
	answer := &protocol.ListOffsetsResponse{Partitions: make([]protocol.ListedOffset, len(r.Partitions))}
	all := newGather(len(r.Partitions), func() { c.reply(answer) })
	for i := range r.Partitions {
		asked, listed := r.Partitions[i], &answer.Partitions[i]
		*listed = protocol.ListedOffset{
			Topic: asked.Topic, TopicID: asked.TopicID, Partition: asked.Partition, Offset: protocol.NoOffset,
			Time: protocol.NoTimestamp, LogStart: protocol.NoOffset, HighWatermark: protocol.NoOffset,
		}
		topic, err := seen.resolvePartition(asked.Topic, asked.TopicID, asked.Partition)
		if err != nil {
			listed.Err = s.readRefusal(subjectPartition(asked.Topic, asked.Partition), err)
			all.done()
			continue
		}
		listed.TopicID = topic.ID
		question := partitions.ListOffsets{At: offsetsAt[asked.At], Time: asked.Time}
		s.broker.ListOffsets(id.Partition{Topic: topic.ID, Number: asked.Partition}, question, func(a partitions.OffsetAnswer) {
			listed.Err = s.readRefusal(subjectPartition(asked.Topic, asked.Partition), a.Err)
			if a.Err == nil || a.Verified {
				listed.Offset, listed.Time = a.Offset, a.Time
				listed.LogStart, listed.HighWatermark, listed.Term = a.LogStart, a.HighWatermark, a.Term
			}
			all.done()
		})
	}
}
