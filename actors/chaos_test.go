package actors

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// chaos throws everything at a broker in an order that a seed decides: requests of all kinds, failing writes, panics,
// deletions, time, and at the end a stop.
type chaos struct {
	*testWorld
	*rand.Rand
	topics []*catalog.Topic
	counts []int    // how often each completion was called
	trace  []string // the completions in the order they came
}

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{testWorld: newWorld(t), Rand: rand.New(rand.NewPCG(seed, 1))}
	c.topics = []*catalog.Topic{c.create("a", 2), c.create("b", 2)}
	for range 300 {
		c.ask()
		c.step()
	}
	done := c.expect()
	c.node.Stop(func() { done("stop", nil) })
	for range 50 {
		c.step()
	}
	c.pass(time.Minute)
	return c
}

// expect returns the completion of one more request.
func (c *chaos) expect() func(kind string, err error) {
	n := len(c.counts)
	c.counts = append(c.counts, 0)
	return func(kind string, err error) {
		c.counts[n]++
		c.trace = append(c.trace, fmt.Sprint(n, " ", kind, " ", err))
	}
}

func (c *chaos) ask() {
	r, p, done := c.node.Router(), at(c.topics[c.IntN(len(c.topics))], int32(c.IntN(3))), c.expect()
	switch c.IntN(12) {
	case 0, 1, 2, 3:
		q := partitions.Produce{Batch: testBatch(c.now, "x"), Acks: partitions.Acks(c.IntN(3) - 1), ExpectEnd: -1}
		r.Produce(p, q, func(a partitions.ProduceAnswer) { done("produce", a.Err) })
	case 4, 5:
		q := partitions.Fetch{Offset: id.Offset(c.IntN(9)), MaxBytes: 1, Until: c.now + id.Timestamp(c.IntN(3000))}
		stop := r.Fetch(p, q, func(a partitions.FetchAnswer) { done("fetch", a.Err) })
		if c.IntN(3) == 0 {
			c.step()
			stop()
		}
	case 6:
		q := partitions.ListOffsets{At: partitions.OffsetAt(1 + c.IntN(3)), Time: c.now}
		r.ListOffsets(p, q, func(a partitions.OffsetAnswer) { done("offsets", a.Err) })
	case 7:
		r.Describe(p, func(s partitions.Status) { done("describe "+s.Role.String(), nil) })
	case 8:
		r.InitProducer(func(p id.Producer, _ int16, err error) { done(fmt.Sprint("producer ", p), err) })
	case 9:
		c.breakDisk()
		done("break", nil)
	case 10:
		r.DeleteTopic(c.topics[c.IntN(len(c.topics))].ID, func(err error) { done("delete", err) })
	case 11:
		name := []id.Topic{"a", "b", "c"}[c.IntN(3)]
		r.CreateTopic(catalog.CreateTopic{Name: name, Partitions: 2}, func(t *catalog.Topic, err error) {
			if t != nil {
				c.topics = append(c.topics, t)
			}
			done("create", err)
		})
	}
}

// breakDisk makes the next syncs of some replica fail.
func (c *chaos) breakDisk() {
	m := c.disk.replicas[id.Replica(1+c.IntN(8))]
	if m == nil {
		return
	}
	left := 1 + c.IntN(3)
	m.onSync = func() error {
		if left--; left < 0 {
			return nil
		}
		if c.IntN(4) == 0 {
			panic("disk")
		}
		return errDisk
	}
}

// step lets a little happen.
func (c *chaos) step() {
	for range c.IntN(6) {
		switch n := c.IntN(10); {
		case n < 6 && len(c.actors) > 0:
			f := c.actors[0]
			c.actors = c.actors[1:]
			f()
		case n < 9 && len(c.jobs) > 0:
			c.job()
		case n == 9:
			c.holding = true
			c.pass(time.Duration(c.IntN(200)) * time.Millisecond)
			c.holding = false
		}
	}
}

func TestEveryCompletionComesOnce(t *testing.T) {
	for seed := range uint64(40) {
		c := newChaos(t, seed)
		for i, n := range c.counts {
			if n != 1 {
				t.Fatalf("seed %d: completion %d of %d came %d times", seed, i, len(c.counts), n)
			}
		}
		for r, m := range c.disk.replicas {
			if m.open != 0 {
				t.Fatalf("seed %d: replica %d stays open", seed, r)
			}
			if m.abused {
				t.Fatalf("seed %d: replica %d was written to after a failure", seed, r)
			}
		}
	}
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	for seed := range uint64(5) {
		if d := cmp.Diff(newChaos(t, seed).trace, newChaos(t, seed).trace); d != "" {
			t.Fatalf("seed %d:\n%s", seed, d)
		}
	}
}
