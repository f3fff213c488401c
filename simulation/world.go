package simulation

import (
	"errors"
	"math/rand/v2"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// World is everything of one run.
type World struct {
	streams   Streams
	realFiles bool // or else the twin keeps the logs
	options   Options
	trace     *Trace
	scheduler *Scheduler
	plan      *Plan
	marks     Marks
	cluster   *Cluster
	ledger    *Ledger
	atlas     *Atlas
	history   History
	topics    []*Topic
	deleted   map[id.Partition]bool
	producers []*Producer
	consumers []*Consumer
	surveyor  *Surveyor
	clients   int
	values    Value
	ids       map[id.Producer]bool
	loaded    time.Duration // when load began
	healed    time.Duration // when trouble ended
	// load tells clients to go on; trouble lets faults happen.
	load, trouble bool
	// broken is the first promise found broken; it ends the run.
	broken *Violation
}

// Topic is one life of a topic's name, as the clients know it.
type Topic struct {
	Name       string
	ID         id.TopicID
	Partitions int32
	Replicas   int // of each partition
	// Deleted is set when somebody begins to delete it: from then on, nothing of it need be there.
	Deleted bool
	// Gone is set when that was acknowledged: from then on, it must not be there.
	Gone bool
}

// Options are what a seed draws for its run.
type Options struct {
	Nodes        int           // brokers
	Topics       int           // that live as long as the run
	Partitions   int           // at most, of each
	Producers    int           // at least one idempotent
	Consumers    int           //
	Pace         time.Duration // mean time between two things a client does
	Patience     time.Duration // how long a client waits for an answer
	ValueBits    int           // a record's value has at most 2 to the power of this many bytes
	SegmentBytes int           // of a log
	Checkpoint   int           // bytes applied between two checkpoints
	Tail         int           // bytes of applied entries kept in memory
	SlowDisk     time.Duration // the longest storage job
	CrashEvery   time.Duration // mean
	CutEvery     time.Duration // mean time between two cut connections
	DiskCrash    int           // in 10,000 storage steps: the broker dies inside
	DiskError    int           // in 10,000 storage steps: a write or sync fails
	TrimEvery    time.Duration // mean time between two deletions of old records; 0: none
	Damage       int           // in 100 power losses: something durable is damaged
	FullEvery    time.Duration // mean time between two times in which the disk is full; 0: none
	RestAfter    time.Duration // without writes, until a log rests
	PauseEvery   time.Duration // mean time between two brokers that stand still
	ClockEvery   time.Duration // mean time between two clocks that go wrong
	PanicEvery   time.Duration // mean time between two panics of an actor
	RestartEvery time.Duration // mean time between two rolling restarts, and between two power losses of all
	WipeEvery    time.Duration // mean time between two brokers that lose their disks
	ReplaceAfter time.Duration // without a broker, until its replicas are made anew elsewhere
	GossipEvery  time.Duration // mean time between two errors of somebody's view
	Weather      Weather       // of the network between brokers
	ScrubBytes   int64         // of old segments verified in a second; 0: none
	RoughBirth   bool          // faults happen from the first moment, while the cluster is founded
	Faults       FaultSet      // that may happen
}

// drawNodes draws how many brokers there are.
func drawNodes(r *rand.Rand) int {
	switch {
	case chance(r, 35):
		return 1
	case chance(r, 70):
		return 3
	}
	return 5
}

func drawOptions(r *rand.Rand) Options {
	o := Options{
		Topics: between(r, 1, 2), Partitions: between(r, 1, 3), Producers: between(r, 2, 5), Consumers: between(r, 1, 3),
		Pace: time.Duration(between(r, 10, 60)) * time.Millisecond, Patience: time.Duration(between(r, 100, 1500)) * time.Millisecond,
		ValueBits: between(r, 3, 11), SegmentBytes: 1 << between(r, 11, 18), Checkpoint: 1 << between(r, 12, 18), Tail: 1 << between(r, 10, 18),
		SlowDisk:   time.Duration(between(r, 5, 400)) * time.Millisecond,
		CrashEvery: time.Duration(between(r, 1500, 6000)) * time.Millisecond,
		CutEvery:   time.Duration(between(r, 500, 4000)) * time.Millisecond,
		DiskCrash:  r.IntN(60), DiskError: r.IntN(40), RoughBirth: chance(r, 30),
	}
	if chance(r, 80) {
		o.TrimEvery = time.Duration(between(r, 100, 1200)) * time.Millisecond
	}
	if chance(r, 50) {
		o.FullEvery = time.Duration(between(r, 3000, 10_000)) * time.Millisecond
	}
	o.PauseEvery = time.Duration(between(r, 4000, 20_000)) * time.Millisecond
	o.ClockEvery = time.Duration(between(r, 2000, 20_000)) * time.Millisecond
	o.PanicEvery = time.Duration(between(r, 5000, 30_000)) * time.Millisecond
	o.RestartEvery = time.Duration(between(r, 10_000, 60_000)) * time.Millisecond
	o.WipeEvery = time.Duration(between(r, 4000, 20_000)) * time.Millisecond
	o.ReplaceAfter = time.Duration(between(r, 4000, 40_000)) * time.Millisecond
	o.GossipEvery = time.Duration(between(r, 1000, 8000)) * time.Millisecond
	o.RestAfter = time.Duration(between(r, 50, 3000)) * time.Millisecond
	if chance(r, 30) {
		o.ScrubBytes = 1 << between(r, 12, 18)
	}
	return o
}

func (w *World) newClient(name string) *Client {
	w.clients++
	return &Client{world: w, name: name, life: &Life{}, random: w.streams.Named(name + "'s brokers")}
}

func (w *World) newValue() Value {
	w.values++
	return w.values
}

func (w *World) newTopic(name string, topic id.TopicID, partitions int32, replicas int) *Topic {
	t := &Topic{Name: name, ID: topic, Partitions: partitions, Replicas: replicas}
	w.topics = append(w.topics, t)
	w.trace.event("catalog", "topic", "%s is %v with %d partitions of %d replicas", name, topic, partitions, replicas)
	return t
}

// several tells that there are other brokers: then one may answer that does not know the newest.
func (w *World) several() bool { return len(w.cluster.brokers) > 1 }

// unsettled tells that a broker may not know yet what others do: there are several, and there is or was trouble just now.
func (w *World) unsettled() bool {
	return w.several() && (w.trouble || w.load || w.scheduler.Now() < w.healed+settleTime)
}

// settleTime is how long after the last fault everybody knows everything.
const settleTime = 10 * time.Second

// newProducerID holds the broker to giving each producer id once.
func (w *World) newProducerID(p id.Producer) {
	if w.ids[p] {
		w.violate(violation("producer-id-reused", "producer id %d was given twice", p))
	}
	w.ids[p] = true
}

// violate notes a broken promise. The first one counts, and ends the run after this step.
func (w *World) violate(v *Violation) {
	if v != nil && w.broken == nil {
		w.broken = v
		w.trace.event("invariant", "BROKEN", "%v", v)
	}
}

// acknowledged notes that a client was told that its batch is durable.
func (w *World) acknowledged(s *Send) {
	w.trace.mix(uint64(s.Values[0]))
	w.trace.event("producer-"+string(rune('a'+s.Client)), "acknowledged", "%v at %d: %d records from value %d, after %d tries",
		s.Partition, s.Base, len(s.Values), s.Values[0], s.Tries)
}

func (w *World) polled(p *Poll) {
	w.history.Polls = append(w.history.Polls, p)
	if len(p.Records) == 0 {
		return
	}
	if p.Completed-p.Invoked > 50*time.Millisecond {
		w.marks.count(MarkParked)
	}
	w.trace.event("consumer-"+string(rune('a'+p.Client)), "read", "%v from %d: %d records, high watermark %d",
		p.Partition, p.Offset, len(p.Records), p.HighWatermark)
}

// answered looks at a refusal.
func (w *World) answered(t *Topic, err error) {
	switch {
	case errors.Is(err, protocol.CodeOutcomeUnknown):
		w.marks.count(MarkOutcomeUnknown)
	case errors.Is(err, protocol.CodeNotReady), errors.Is(err, protocol.CodeNotLeader):
		w.marks.count(MarkNotReady)
	case errors.Is(err, protocol.CodeDiskFull):
		w.marks.count(MarkRefusedFull)
	case errors.Is(err, protocol.CodeOutOfOrderSequence):
		w.marks.count(MarkSequenceRefused)
	case errors.Is(err, protocol.CodeUnknownTopic), errors.Is(err, protocol.CodeTopicRecreated):
		if !t.Deleted && !w.unsettled() {
			w.violate(violation("topic-lost", "%s (%v) was created and never deleted, and a client is told: %v", t.Name, t.ID, err))
		}
	case errors.Is(err, protocol.CodeInternal), errors.Is(err, protocol.CodeMalformed), errors.Is(err, protocol.CodeInvalidRequest),
		errors.Is(err, protocol.CodeInvalidBatch):
		w.violate(violation("refused", "a correct request to %s is answered: %v", t.Name, err))
	}
}
