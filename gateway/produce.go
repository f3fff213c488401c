package gateway

import (
	"fmt"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// produce checks every batch at the door and hands it to its partition's leader. Partitions succeed and fail one by one;
// the answer leaves when the last is known.
func (s *Session) produce(c call, r *protocol.ProduceRequest, seen sight) {
	topic, err := seen.resolveWritable(r.Topic, r.TopicID)
	if err != nil {
		c.refuse(s.refusal(subject(r.Topic), err))
		return
	}
	answer := &protocol.ProduceResponse{TopicID: topic.ID, Partitions: make([]protocol.ProducedPartition, len(r.Partitions))}
	all := newGather(len(r.Partitions), func() { c.reply(answer) })
	for i := range r.Partitions {
		wanted, produced := &r.Partitions[i], &answer.Partitions[i]
		*produced = protocol.ProducedPartition{
			Partition: wanted.Partition, BaseOffset: protocol.NoOffset, AppendTime: protocol.NoTimestamp,
			LogStart: protocol.NoOffset, HighWatermark: protocol.NoOffset,
		}
		checked, err := s.admit(seen, topic, r.Acks, wanted)
		if err != nil {
			produced.Err = s.refuseBatch(r.Topic, wanted.Partition, err)
			all.done()
			continue
		}
		s.broker.Produce(id.Partition{Topic: topic.ID, Number: wanted.Partition}, partitions.Produce{
			Batch: checked, Acks: partitions.Acks(r.Acks), ExpectEnd: wanted.ExpectEnd,
		}, func(a partitions.ProduceAnswer) {
			if a.Err != nil {
				produced.Err = s.refuseBatch(r.Topic, wanted.Partition, a.Err)
			} else if produced.Term = a.Term; r.Acks != protocol.AcksNone {
				produced.BaseOffset, produced.AppendTime, produced.Duplicate = a.Base, a.AppendTime, a.Duplicate
				produced.LogStart, produced.HighWatermark = a.LogStart, a.HighWatermark
			}
			all.done()
		})
	}
}

// refuseBatch tells what became of a batch that was not appended.
func (s *Session) refuseBatch(topic string, number int32, err error) *protocol.Error {
	if e, ok := err.(*protocol.Error); ok {
		return e
	}
	return s.refusal(subjectPartition(topic, number), err)
}

// admit returns the batch that a partition is to get, checked. Errors: sentinels of partitions and batch, or a
// *protocol.Error.
func (s *Session) admit(seen sight, topic *catalog.Topic, acks protocol.Acks, wanted *protocol.ProducePartition) ([]byte, error) {
	if err := seen.holds(topic, wanted.Partition); err != nil {
		return nil, err
	}
	limits := s.limits.batches(topic.Effective().MaxBatchBytes)
	if wanted.Batch == nil {
		return s.build(&wanted.Records, limits)
	}
	var header batch.Header
	var err error
	if h, parsed := batch.ParseHeader(wanted.Batch); parsed == nil && h.Codec() == batch.None {
		header, err = batch.Validate(wanted.Batch, limits)
	} else {
		s.shared.inflate.with(func(d *batch.Decompressor) {
			header, err = d.Validate(wanted.Batch, limits)
		})
	}
	if err != nil {
		return nil, err
	}
	if header.Idempotent() && acks != protocol.AcksQuorum {
		return nil, protocol.NewError(protocol.CodeInvalidRequest,
			"topic %q partition %d: a batch with a producer id needs acks -1 (quorum), the request says %d", topic.Name, wanted.Partition, acks)
	}
	return wanted.Batch, nil
}

// build makes the batch of records that came one by one. Those without a time get the broker's.
func (s *Session) build(records *protocol.Records, limits batch.Limits) ([]byte, error) {
	if records.Len() > limits.Records {
		return nil, fmt.Errorf("%d records, at most %d are allowed in one batch: %w", records.Len(), limits.Records, batch.ErrTooLarge)
	}
	now, total := s.broker.Now(), 0
	builder := batch.NewBuilder(batch.None)
	var headers []batch.RecordHeader
	for rec := range records.All() {
		if total += len(rec.Headers); len(rec.Headers) > limits.RecordHeaders || total > limits.Headers {
			return nil, fmt.Errorf("record %d of %d has %d headers, all so far %d; allowed are %d and %d: %w", builder.Count(), records.Len(),
				len(rec.Headers), total, limits.RecordHeaders, limits.Headers, batch.ErrTooLarge)
		}
		headers = headers[:0]
		for _, h := range rec.Headers {
			headers = append(headers, batch.RecordHeader{Key: h.Name, Value: h.Value})
		}
		if rec.Timestamp == protocol.NoTimestamp {
			rec.Timestamp = now
		}
		builder.Append(rec.Timestamp, rec.Key, rec.Value, headers)
		if builder.Size() > limits.Bytes {
			return nil, fmt.Errorf("the first %d of %d records make a batch above %d bytes: %w", builder.Count(), records.Len(), limits.Bytes,
				batch.ErrTooLarge)
		}
	}
	return builder.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
}
