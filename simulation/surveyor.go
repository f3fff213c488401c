package simulation

import (
	"time"

	"troupe/partitions/id"
)

// Surveyor is a simulated client with a connection of its own to every broker. As soon as anybody is told that another leader
// has taken a batch, it asks them all where the partition begins and ends: now is when a leader may not know that it is none any more.
type Surveyor struct {
	world *World
	// askers ask one broker each, and wait long for the answer of one that stands still.
	askers []*Consumer
	newest map[id.Partition]id.Term
}

// surveyPatience is longer than most brokers stand still.
const surveyPatience = 8 * time.Second

func newSurveyor(w *World) *Surveyor {
	s := &Surveyor{world: w, newest: map[id.Partition]id.Term{}}
	if w.several() {
		for i, b := range w.cluster.brokers {
			c := newConsumer(w, w.options.Consumers+1+i)
			c.client.home, c.patience = b, surveyPatience
			s.askers = append(s.askers, c)
		}
	}
	return s
}

// hear learns that the leader of some term has acknowledged a batch.
func (s *Surveyor) hear(t *Topic, number int32, term id.Term) {
	p := id.Partition{Topic: t.ID, Number: number}
	if term <= s.newest[p] {
		return
	}
	s.newest[p] = term
	for _, c := range s.askers {
		at := c.position(t, number)
		s.soon(c, t, 20*time.Millisecond, func() { c.list(at, func(id.Offset) {}) })
		s.soon(c, t, 200*time.Millisecond, func() { c.earliest(at) })
		s.soon(c, t, time.Second, func() { c.search(at) })
	}
}

func (s *Surveyor) soon(c *Consumer, t *Topic, within time.Duration, ask func()) {
	s.world.scheduler.At(c.client.life, time.Duration(c.random.Int64N(int64(within))), func() {
		if s.world.load && !t.Deleted && s.world.plan.turn(c.client.name) {
			ask()
		}
	})
}
