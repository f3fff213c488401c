package simulation

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// producing says how a simulated producer goes about it.
type producing uint8

const (
	// producingIdempotent sends again whatever was not answered, in order, with the same sequences, and at times even what was.
	producingIdempotent producing = iota
	// producingOnce never sends anything twice: what was not answered stays unknown.
	producingOnce
	// producingRepeats sends again without idempotence.
	producingRepeats
	// producingLeader asks for acks leader, once.
	producingLeader
	// producingQuiet asks for acks none, once.
	producingQuiet
	producingKinds
)

var producingNames = [producingKinds]string{
	producingIdempotent: "idempotent", producingOnce: "once", producingRepeats: "repeats", producingLeader: "leader",
	producingQuiet: "quiet",
}

// String returns the kind's name.
func (p producing) String() string { return producingNames[p] }

// inFlight is Kafka's bound of batches that an idempotent producer may have unanswered in a partition.
const inFlight = 5

// remembered is how many acknowledged batches a producer keeps to send again out of malice: more than a broker remembers.
const remembered = 8

// Producer is a simulated client that writes.
type Producer struct {
	world      *World
	client     *Client
	kind       producing
	random     *rand.Rand
	codec      batch.Codec
	compressor batch.Compressor
	number     int
	id         id.Producer // 0: none yet, or not idempotent
	epoch      int16
	streams    []*stream
}

// stream is what a producer sends to one partition.
type stream struct {
	producer *Producer
	topic    *Topic
	number   int32
	next     int32      // sequence of the next record
	window   []*sending // unanswered, in order
	broken   bool       // something was lost: everything in window is sent again before anything new
	answered []*sending // the last few acknowledged, oldest first
}

// sending is one batch on its way.
type sending struct {
	*Send
	bytes []byte
	// flying tells that a try waits for its answer; maybe that an earlier one was lost, and may have been done.
	flying bool
	maybe  bool
}

func newProducer(w *World, number int, kind producing) *Producer {
	p := &Producer{world: w, kind: kind, number: number, random: w.streams.Named("producer " + kind.String() + string(rune('a'+number)))}
	p.client = w.newClient("producer-" + string(rune('a'+number)))
	if chance(p.random, 30) {
		p.codec = batch.Codec(p.random.IntN(int(batch.Zstd) + 1))
	}
	return p
}

// stream finds what the producer sends to a partition.
func (p *Producer) stream(t *Topic, number int32) *stream {
	for _, s := range p.streams {
		if s.topic == t && s.number == number {
			return s
		}
	}
	s := &stream{producer: p, topic: t, number: number}
	p.streams = append(p.streams, s)
	return s
}

// settled tells that nothing of the producer's is unanswered.
func (p *Producer) settled() bool {
	for _, s := range p.streams {
		if len(s.window) > 0 {
			return false
		}
	}
	return true
}

// Start begins to produce, and goes on until the world stops its load.
func (p *Producer) Start() {
	if p.kind == producingIdempotent && p.id == 0 {
		p.init()
		return
	}
	p.later(p.produce)
}

func (p *Producer) later(f func()) {
	p.world.scheduler.At(p.client.life, time.Duration(p.random.Int64N(int64(2*p.world.options.Pace))), f)
}

func (p *Producer) init() {
	p.client.Call(&protocol.InitProducerRequest{}, p.world.options.Patience, func(m protocol.Message, err error) {
		if r, ok := m.(*protocol.InitProducerResponse); ok && err == nil {
			p.world.newProducerID(r.Producer)
			p.id, p.epoch = r.Producer, r.Epoch
		}
		p.later(p.Start)
	})
}

func (p *Producer) produce() {
	if !p.world.load {
		return
	}
	t := p.world.topics[p.random.IntN(len(p.world.topics))]
	s := p.stream(t, p.random.Int32N(t.Partitions))
	switch {
	case p.kind == producingIdempotent && len(s.answered) > 0 && chance(p.random, 5):
		s.resendAnswered(s.answered[p.random.IntN(len(s.answered))])
	case len(s.window) < inFlight && !s.topic.Deleted:
		s.send()
	}
	p.later(p.produce)
}

// send makes a new batch.
func (s *stream) send() {
	p, w := s.producer, s.producer.world
	b := &sending{Send: &Send{
		Client: p.number, Partition: id.Partition{Topic: s.topic.ID, Number: s.number}, Invoked: w.scheduler.Now(), Base: -1,
		Quiet: p.kind == producingQuiet, Repeats: p.kind == producingRepeats, Producer: p.id, Sequence: s.next,
	}}
	builder := batch.NewBuilder(p.codec)
	builder.ShareCompressor(&p.compressor)
	size := 1 << p.random.IntN(p.world.options.ValueBits+1)
	for range 1 + p.random.IntN(8) {
		v := w.newValue()
		b.Values = append(b.Values, v)
		builder.Append(Clock{w.scheduler, nil}.Now(), nil, v.encode(p.random.IntN(size)), nil)
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
	w.history.Sends = append(w.history.Sends, b.Send)
	s.window = append(s.window, b)
	if !s.broken {
		s.transmit(b)
	}
}

func (s *stream) transmit(b *sending) {
	b.flying = true
	b.Tries++
	if b.maybe {
		s.producer.world.faults.count(FaultRetry)
	}
	s.call(b, func(answer *protocol.ProducedPartition, err error) {
		b.flying = false
		s.answer(b, answer, err)
	})
}

func (s *stream) call(b *sending, done func(*protocol.ProducedPartition, error)) {
	request := &protocol.ProduceRequest{
		Topic: s.topic.Name, TopicID: s.topic.ID, Acks: s.producer.acks(),
		Partitions: []protocol.ProducePartition{{Partition: s.number, Batch: b.bytes, ExpectEnd: protocol.NoOffset}},
	}
	s.producer.client.Call(request, s.producer.world.options.Patience, func(m protocol.Message, err error) {
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
	s.producer.world.answered(s.topic, err)
	s.checkSequence(b, err)
	gone := s.topic.Deleted || errors.Is(err, protocol.CodeTopicRecreated)
	again := s.producer.kind == producingIdempotent || s.producer.kind == producingRepeats && b.maybe
	if !again || gone {
		s.giveUp(b, err)
		return
	}
	s.broken = true
}

// checkSequence knows when a refusal is a lie: everything before the first of the window is acknowledged, so the broker
// must know this producer and expect this sequence.
func (s *stream) checkSequence(b *sending, err error) {
	forgotten := errors.Is(err, protocol.CodeOutOfOrderSequence) || errors.Is(err, protocol.CodeUnknownProducer)
	if forgotten && b == s.window[0] {
		s.producer.world.violate(violation("sequence-forgotten",
			"producer %d of %v has everything before sequence %d acknowledged, and is told: %v", b.Producer, b.Partition, b.Sequence, err))
	}
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
		s.answered = append(s.answered, b)
		if len(s.answered) > remembered {
			s.answered = s.answered[1:]
		}
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

// resendAnswered sends a batch again that was acknowledged: the answer must be the same offset, or that it is forgotten.
func (s *stream) resendAnswered(b *sending) {
	w := s.producer.world
	w.faults.count(FaultStaleResend)
	s.call(b, func(answer *protocol.ProducedPartition, err error) {
		switch {
		case err == nil && b.Base >= 0 && answer.BaseOffset != b.Base:
			w.violate(violation("duplicate", "producer %d of %v: sequence %d was acknowledged at offset %d; sent again, at %d",
				b.Producer, b.Partition, b.Sequence, b.Base, answer.BaseOffset))
		case err == nil:
			w.marks.count(MarkDuplicateAnswered)
		case errors.Is(err, protocol.CodeDuplicate):
			w.marks.count(MarkDuplicateForgotten)
		case errors.Is(err, protocol.CodeOutOfOrderSequence) || errors.Is(err, protocol.CodeUnknownProducer):
			w.violate(violation("sequence-forgotten", "producer %d of %v: sequence %d was acknowledged at offset %d; sent again: %v",
				b.Producer, b.Partition, b.Sequence, b.Base, err))
		}
	})
}

// encode makes a record's value: the number, and as much filling as wanted.
func (v Value) encode(filling int) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+filling), uint64(v))
	for i := range filling {
		b = append(b, byte(int(v)+i))
	}
	return b
}

func decodeValue(b []byte) (Value, bool) {
	if len(b) < 8 {
		return 0, false
	}
	v := Value(binary.BigEndian.Uint64(b))
	for i, c := range b[8:] {
		if c != byte(int(v)+i) {
			return 0, false
		}
	}
	return v, true
}
