package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"troupe/partitions/id"
)

// Ending is how the life of a leader ends in a study of fail-over.
type Ending int

// The endings.
const (
	EndingKilled  Ending = iota // the process dies: its links break at once
	EndingPower                 // the machine dies: its links fall silent, and their ends are noticed late
	EndingStopped               // it is stopped in order, and yields before it goes
	endings
)

// Endings lists all endings.
func Endings() []Ending { return []Ending{EndingKilled, EndingPower, EndingStopped} }

var endingNames = [endings]string{"killed", "power loss", "stopped"}

// String says what became of the leader.
func (e Ending) String() string { return endingNames[e] }

// FailOver is what became of a run whose only fault is the end of a partition's leader. Three replicas, one idempotent
// producer that writes all the time, connected to another broker.
type FailOver struct {
	Seed   uint64
	Ending Ending
	// Delay is how long nobody could write: from the leader's death until the first batch made after it is acknowledged. For a
	// leader that is stopped it is the longest that any batch took around then.
	Delay     time.Duration
	Hash      string
	Violation *Violation `json:",omitempty"`
}

// In a study of fail-over:
const (
	// studySettles is how long a new cluster rests before it is disturbed.
	studySettles = 15 * time.Second
	// studyLoad is how long it is written to by then, and a random part of that longer.
	studyLoad = 2 * time.Second
	// studyWatches is how long it is watched afterwards.
	studyWatches = 30 * time.Second
	studySlack   = time.Second // before the end of a leader, in which its last batches were made
)

// StudyFailOver runs one seed of the study. Like Run, only one may run in a process at a time.
func StudyFailOver(seed uint64, nodes int, ending Ending) *FailOver {
	w := newWorld(Config{Seed: seed, Nodes: max(nodes, 3), calm: true})
	defer w.takeRandomness()()
	s := &study{world: w, random: w.streams.Named("study"), result: &FailOver{Seed: seed, Ending: ending}}
	s.run()
	s.result.Hash, s.result.Violation = fmt.Sprintf("%016x", w.trace.Hash()), w.broken
	return s.result
}

// calm takes out of the options what would disturb a study, and leaves a network and disks as slow as they are at times.
func (o *Options) calm() {
	o.Topics, o.Partitions, o.Pace, o.Patience = 1, 1, 10*time.Millisecond, time.Second
	o.SlowDisk, o.ScrubBytes, o.TrimEvery, o.RoughBirth = 20*time.Millisecond, 0, 0, false
}

type study struct {
	world    *World
	random   *rand.Rand
	result   *FailOver
	topic    *Topic
	producer *Producer
}

func (s *study) run() {
	w := s.world
	w.cluster.Start()
	admin := newAdmin(w)
	admin.place("steady-0", 1, 3, func(t *Topic) { s.topic = t })
	if !w.reach("setup", func() bool { return s.topic != nil && w.cluster.Up() }) {
		return
	}
	s.pass(studySettles)
	w.load = true
	s.producer = newProducer(w, 0, producingIdempotent)
	w.producers = append(w.producers, s.producer)
	s.producer.client.home = s.beside(s.leader())
	s.producer.Start()
	s.pass(studyLoad + time.Duration(s.random.Int64N(int64(studyLoad))))
	leader := s.leader()
	if w.over() || leader == nil || leader == s.producer.client.home {
		w.violate(violation("study", "replica %d leads, which is not where it was", w.ledger.group(s.partition()).leader))
		return
	}
	if leader.own.over = true; s.result.Ending == EndingStopped { // it does not come back
		s.stop(leader)
		return
	}
	s.kill(leader)
}

func (s *study) pass(d time.Duration) { s.world.scheduler.Run(s.world.scheduler.Now()+d, s.world.over) }

func (s *study) partition() id.Partition { return id.Partition{Topic: s.topic.ID} }

// leader is the broker that leads the partition; nil: none ever did.
func (s *study) leader() *Broker {
	node := s.world.ledger.nodeOf(s.world.ledger.group(s.partition()).leader)
	i := slices.IndexFunc(s.world.cluster.brokers, func(b *Broker) bool { return b.identity == node })
	if i < 0 {
		return nil
	}
	return s.world.cluster.brokers[i]
}

// beside draws another broker.
func (s *study) beside(b *Broker) *Broker {
	others := slices.DeleteFunc(slices.Clone(s.world.cluster.brokers), func(other *Broker) bool { return other == b })
	return others[s.random.IntN(len(others))]
}

// kill ends the leader at once, and waits until somebody can write again.
func (s *study) kill(leader *Broker) {
	w := s.world
	died, made := w.scheduler.Now(), len(w.history.Sends)
	if s.result.Ending == EndingPower {
		leader.losePower("for the study")
	} else {
		w.trace.event(leader.name, "killed", "for the study")
		leader.end(false)
	}
	resumed := func() bool {
		return slices.ContainsFunc(w.history.Sends[made:], func(b *Send) bool { return b.Outcome == OutcomeAcknowledged })
	}
	w.scheduler.Run(died+studyWatches, func() bool { return w.over() || resumed() })
	if s.result.Delay = w.scheduler.Now() - died; !resumed() {
		w.violate(violation("not-live", "nobody can write %v after the leader's end: %s", studyWatches, w.describe()))
	}
}

// stop has the leader stop in order, and looks how long batches take meanwhile.
func (s *study) stop(leader *Broker) {
	w := s.world
	since := w.scheduler.Now() - studySlack
	leader.node.Yield(func() { leader.node.Stop(func() { leader.end(false) }) })
	s.pass(studyLoad)
	w.load = false
	if !w.reach("write", s.producer.settled) {
		return
	}
	for _, b := range w.history.Sends {
		if b.Invoked >= since {
			s.result.Delay = max(s.result.Delay, b.Completed-b.Invoked)
		}
	}
	if w.cluster.brokers[leader.number].Up() {
		w.violate(violation("study", "%s has not stopped", leader.name))
	}
}

// Bar is how long writing may be impossible.
type Bar struct{ Median, P99, Most time.Duration }

// Bar returns what an ending must keep to.
func (e Ending) Bar() Bar {
	if e == EndingStopped {
		return Bar{Median: 500 * time.Millisecond, P99: 500 * time.Millisecond, Most: 500 * time.Millisecond}
	}
	return Bar{Median: 2 * time.Second, P99: 3 * time.Second, Most: 6 * time.Second}
}
