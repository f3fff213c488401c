package simulation

import (
	"math/rand/v2"
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
	// producingRecords sends records instead of a batch, once.
	producingRecords
	// producingExpecting says where its batch is to go, and sends again until it knows: at most one can have been taken.
	producingExpecting
	producingKinds
)

var producingNames = [producingKinds]string{
	producingIdempotent: "idempotent", producingOnce: "once", producingRepeats: "repeats", producingLeader: "leader",
	producingQuiet: "quiet", producingRecords: "records", producingExpecting: "expecting",
}

// String returns the kind's name.
func (p producing) String() string { return producingNames[p] }

// inFlight is Kafka's bound of batches that an idempotent producer may have unanswered in a partition.
const inFlight = 5

// inFlight is how many batches it may have unanswered in a partition. Who expects an end must know what became of the last.
func (p *Producer) inFlight() int {
	if p.kind == producingExpecting {
		return 1
	}
	return inFlight
}

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
	probed     bool // Probe has sent everything
}

func newProducer(w *World, number int, kind producing) *Producer {
	p := &Producer{world: w, kind: kind, number: number, random: w.streams.Named("producer " + kind.String() + string(rune('a'+number)))}
	p.client = w.newClient("producer-" + string(rune('a'+number)))
	if kind != producingRecords && chance(p.random, 30) {
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
		p.init(p.Start)
		return
	}
	p.later(p.produce)
}

func (p *Producer) later(f func()) {
	p.world.scheduler.At(p.client.life, time.Duration(p.random.Int64N(int64(2*p.world.options.Pace))), f)
}

// ready goes on once the producer has its id.
func (p *Producer) ready(then func()) {
	if p.id == 0 {
		p.init(func() { p.ready(then) })
		return
	}
	then()
}

// renew begins again under a new id, as a client does that is restarted. What it wrote under the one before must be known yet.
func (p *Producer) renew() {
	p.id = 0
	for _, s := range p.streams {
		s.next = 0
	}
	p.Start()
}

// init gets an id, if that is answered, and goes on.
func (p *Producer) init(then func()) {
	p.client.Call(&protocol.InitProducerRequest{}, p.world.options.Patience, func(m protocol.Message, err error) {
		if r, ok := m.(*protocol.InitProducerResponse); ok && err == nil {
			p.world.newProducerID(r.Producer)
			p.id, p.epoch = r.Producer, r.Epoch
		}
		p.later(then)
	})
}

func (p *Producer) produce() {
	if !p.world.load {
		return
	}
	t := p.world.topics[p.random.IntN(len(p.world.topics))]
	s := p.stream(t, p.random.Int32N(t.Partitions))
	switch {
	case !p.world.plan.turn(p.client.name):
	case p.kind == producingIdempotent && chance(p.random, 1) && p.settled():
		p.renew()
		return
	case s.excused() && len(s.window) == 0:
	case p.kind == producingIdempotent && len(s.answered) > 0 && chance(p.random, 5) && p.world.plan.strike(FaultStaleResend, p.client.name):
		s.resendAnswered(s.answered[p.random.IntN(len(s.answered))])
	case len(s.window) < p.inFlight() && !s.topic.Deleted:
		s.send()
	}
	p.later(p.produce)
}
