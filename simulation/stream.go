package simulation

import (
	"errors"
	"slices"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// stream is what a producer sends to one partition.
type stream struct {
	producer *Producer
	topic    *Topic
	number   int32
	next     int32      // sequence of the next record
	window   []*sending // unanswered, in order
	broken   bool       // something was lost: everything in window is sent again before anything new
	answered []*sending // the last few acknowledged, oldest first
	end      id.Offset  // of the partition, as far as a producer that expects knows
}

// sending is one batch on its way.
type sending struct {
	*Send
	bytes []byte
	// records are sent instead of bytes when there are any: what bytes must become of them.
	records protocol.Records
	tried   time.Duration // when its last try began
	// flying tells that a try waits for its answer; maybe that an earlier one was lost, and may have been done.
	flying bool
	maybe  bool
}

// send makes a new batch.
func (s *stream) send() {
	p, w := s.producer, s.producer.world
	b := &sending{Send: &Send{
		Client: p.number, Partition: id.Partition{Topic: s.topic.ID, Number: s.number}, Invoked: w.scheduler.Now(), Base: -1,
		Quiet: p.kind == producingQuiet || p.kind == producingLeader && w.several(), Repeats: p.kind == producingRepeats, Producer: p.id, Sequence: s.next,
		Expected: s.expected(),
	}}
	builder := batch.NewBuilder(p.codec)
	builder.ShareCompressor(&p.compressor)
	size := 1 << p.random.IntN(p.world.options.ValueBits+1)
	now, records := w.scheduler.rightNow(), protocol.NewRecordsWriter()
	for range 1 + p.random.IntN(8) {
		v := w.newValue()
		b.Values = append(b.Values, v)
		value := v.Encode(p.random.IntN(size))
		builder.Append(now, nil, value, nil)
		records.Append(protocol.Record{Value: value, Timestamp: now, Offset: protocol.NoOffset})
	}
	producer, epoch, sequence := batch.NoProducer, batch.NoEpoch, batch.NoSequence
	if p.id != 0 {
		producer, epoch, sequence = p.id, p.epoch, s.next
		s.next += int32(len(b.Values))
	}
	built, err := builder.Build(producer, epoch, sequence)
	if err != nil {
		w.violate(violation("workload", "building a batch: %v", err))
		return
	}
	b.bytes = slices.Clone(built)
	if p.kind == producingRecords {
		b.records = records.Records()
	}
	w.history.Sends = append(w.history.Sends, b.Send)
	s.window = append(s.window, b)
	if !s.broken {
		s.transmit(b)
	}
}

func (s *stream) transmit(b *sending) {
	b.flying, b.tried = true, s.producer.world.scheduler.Now()
	b.Tries++
	if b.maybe {
		s.producer.world.plan.count(FaultRetry)
	}
	s.call(b, func(answer *protocol.ProducedPartition, err error) {
		b.flying = false
		s.answer(b, answer, err)
	})
}

func (s *stream) call(b *sending, done func(*protocol.ProducedPartition, error)) {
	part := protocol.ProducePartition{Partition: s.number, Batch: b.bytes, ExpectEnd: b.Expected}
	if b.records.Len() > 0 {
		part.Batch, part.Records = nil, b.records
	}
	request := &protocol.ProduceRequest{
		Topic: s.topic.Name, TopicID: s.topic.ID, Acks: s.producer.acks(), Partitions: []protocol.ProducePartition{part},
	}
	s.producer.client.Send(request, [][]byte{b.bytes}, s.producer.world.options.Patience, func(m protocol.Message, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		answer := &m.(*protocol.ProduceResponse).Partitions[0]
		if answer.Err != nil {
			err = answer.Err
		}
		done(answer, err)
	})
}

func (p *Producer) acks() protocol.Acks {
	switch p.kind {
	case producingLeader:
		return protocol.AcksLeader
	case producingQuiet:
		return protocol.AcksNone
	}
	return protocol.AcksQuorum
}

// answer takes what became of one try.
func (s *stream) answer(b *sending, answer *protocol.ProducedPartition, err error) {
	marks := &s.producer.world.marks
	switch {
	case err == nil:
		if answer.Duplicate {
			marks.count(MarkDuplicateAnswered)
		}
		s.met(b, answer.BaseOffset)
		b.Term = answer.Term
		s.producer.world.surveyor.hear(s.topic, s.number, answer.Term)
		s.acknowledge(b, answer.BaseOffset)
	case outcomeOf(err) == protocol.Done:
		marks.count(MarkDuplicateForgotten)
		s.acknowledge(b, -1)
	default:
		s.refused(b, err)
	}
	if s.broken {
		s.retry()
	}
}

func (s *stream) refused(b *sending, err error) {
	b.maybe = b.maybe || outcomeOf(err) == protocol.Unknown
	s.producer.world.refused(b.Partition, s.topic, err)
	s.producer.client.moveOn()
	s.checkSequence(b, err)
	gone := s.topic.Deleted || errors.Is(err, protocol.CodeDamaged) && s.sole() || errors.Is(err, protocol.CodeTopicRecreated) || s.mismatch(b, err) ||
		s.forgotten(b, err) && s.excused() // what it acknowledged before is lost by the stated limit: no retry can fit
	again := s.producer.kind == producingIdempotent || s.producer.kind == producingExpecting ||
		s.producer.kind == producingRepeats && b.maybe
	if !again || gone {
		s.giveUp(b, err)
		return
	}
	s.broken = true
}

// checkSequence knows when a refusal is a lie: everything before the first of the window is acknowledged, so the broker
// must know this producer and expect this sequence.
func (s *stream) checkSequence(b *sending, err error) {
	if s.forgotten(b, err) && !s.excused() && !s.producer.world.unsettled() {
		s.producer.world.violate(violation("sequence-forgotten",
			"producer %d of %v has everything before sequence %d acknowledged, and is told: %v", b.Producer, b.Partition, b.Sequence, err))
	}
}

// forgotten tells that the partition does not know what the first of the window follows.
func (s *stream) forgotten(b *sending, err error) bool {
	return b == s.window[0] && (errors.Is(err, protocol.CodeOutOfOrderSequence) || errors.Is(err, protocol.CodeUnknownProducer))
}

// outcomeOf tells what an error says about the request.
func outcomeOf(err error) protocol.Outcome {
	var refused *protocol.Error
	switch {
	case errors.As(err, &refused):
		return refused.Outcome()
	case errors.Is(err, errRefused):
		return protocol.NotDone
	}
	return protocol.Unknown
}

func (s *stream) acknowledge(b *sending, base id.Offset) {
	w := s.producer.world
	b.Outcome, b.Base, b.Completed = OutcomeAcknowledged, base, w.scheduler.Now()
	w.acknowledged(b.Send)
	s.drop(b)
	if s.producer.kind == producingIdempotent {
		s.remember(b)
	}
}

// remember keeps a batch to send it again: the newest, and of half of them those that were a producer's first. Those are what a
// broker takes that has forgotten the producer.
func (s *stream) remember(b *sending) {
	s.answered = append(s.answered, b)
	if len(s.answered) > remembered {
		oldest := max(0, slices.IndexFunc(s.answered, func(b *sending) bool { return b.Sequence != 0 }))
		if oldest > remembered/2 {
			oldest = 0
		}
		s.answered = slices.Delete(s.answered, oldest, oldest+1)
	}
}

func (s *stream) giveUp(b *sending, err error) {
	b.Completed = s.producer.world.scheduler.Now()
	if !b.maybe {
		b.Outcome = OutcomeFailed
	}
	s.producer.world.trace.event(s.producer.client.name, "gave up", "%v: %d records from value %d, after %d tries: %v",
		b.Partition, len(b.Values), b.Values[0], b.Tries, err)
	s.drop(b)
}

func (s *stream) drop(b *sending) {
	s.window = slices.DeleteFunc(s.window, func(other *sending) bool { return other == b })
	if len(s.window) == 0 {
		s.broken = false
	}
}

// retry sends the whole window again, in order, once nothing of it waits for an answer any more.
func (s *stream) retry() {
	p := s.producer
	if s.flying() {
		return
	}
	p.world.scheduler.At(p.client.life, time.Duration(p.random.Int64N(int64(200*time.Millisecond))), func() {
		if !s.broken || s.flying() {
			return
		}
		s.broken = false
		for _, b := range slices.Clone(s.window) {
			s.transmit(b)
		}
	})
}

func (s *stream) flying() bool {
	return slices.ContainsFunc(s.window, func(b *sending) bool { return b.flying })
}

// sole tells that nobody else has what the partition held: its only replica was damaged.
func (s *stream) sole() bool {
	return s.producer.world.atlas.sole(id.Partition{Topic: s.topic.ID, Number: s.number}) != nil
}

// excused tells that the partition was damaged, and need not know what it acknowledged.
func (s *stream) excused() bool {
	return s.producer.world.atlas.sole(id.Partition{Topic: s.topic.ID, Number: s.number}).excuses()
}

// resendAnswered sends a batch again that was acknowledged: the answer must be the same offset, or that it is forgotten.
func (s *stream) resendAnswered(b *sending) {
	w := s.producer.world
	s.call(b, func(answer *protocol.ProducedPartition, err error) {
		switch {
		case s.excused():
		case err == nil && b.Base >= 0 && answer.BaseOffset != b.Base:
			w.violate(violation("duplicate", "producer %d of %v: sequence %d was acknowledged at offset %d; sent again, at %d",
				b.Producer, b.Partition, b.Sequence, b.Base, answer.BaseOffset))
		case err == nil:
			w.marks.count(MarkDuplicateAnswered)
		case errors.Is(err, protocol.CodeDuplicate):
			w.marks.count(MarkDuplicateForgotten)
		case w.unsettled():
		case errors.Is(err, protocol.CodeOutOfOrderSequence) || errors.Is(err, protocol.CodeUnknownProducer):
			w.violate(violation("sequence-forgotten", "producer %d of %v: sequence %d was acknowledged at offset %d; sent again: %v",
				b.Producer, b.Partition, b.Sequence, b.Base, err))
		}
	})
}
