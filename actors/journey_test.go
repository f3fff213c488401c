package actors

import (
	"errors"
	"testing"
	"time"

	"troupe/partitions"
	"troupe/partitions/id"
)

// mislead has a broker believe that another one leads a partition.
func (b *testBroker) mislead(p id.Partition, other *testBroker) {
	_, term := leaderOf(b, p)
	b.node.stage.leaders.learn(p, term, other.id)
}

// A request that meets a broker which does not lead goes on to the one that does, if that is all that is under way.
func TestDetour(t *testing.T) {
	c := newCluster(t, 4, Limits{})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers[1:]...), 0)
	near, leads := c.brokers[0], c.leader(p)
	wrong := c.brokers[1]
	if wrong == leads {
		wrong = c.brokers[2]
	}
	near.mislead(p, wrong)
	a := near.send(p, "a")
	c.run()
	if got := a.only(t); got.Err != nil || got.Base != 0 {
		t.Errorf("produce: %+v", got)
	}
	near.mislead(p, wrong)
	f := &answers[partitions.FetchAnswer]{}
	near.node.Router().Fetch(p, partitions.Fetch{MaxBytes: 1}, f.take)
	c.run()
	if got := f.only(t); got.Err != nil || len(got.Batches) != 1 {
		t.Errorf("fetch: %+v", got)
	}
	near.mislead(p, near) // it has no replica at all
	if got := near.produce(p, "b"); got.Err != nil {
		t.Errorf("produce: %+v", got)
	}
	if n := near.node.stage.leaders.route(p).flying.Load(); n != 0 {
		t.Errorf("%d produces are under way", n)
	}
}

// A request is not sent on and on between brokers that each believe another one to lead.
func TestDetoursEnd(t *testing.T) {
	c := newCluster(t, 4, Limits{})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers[0]), 0)
	c.leader(p)
	_, term := leaderOf(c.brokers[0], p)
	for _, b := range c.brokers[1:] {
		b.node.stage.leaders.learn(p, term+1, 7-max(b.id, 3)) // 3 believes in 4, and 4 in 3
	}
	asked := 0
	c.lose = func(_, _ id.Node, frame []byte) bool {
		if kind, what := kindOf(frame); kind == frameRequest && what == askProduce {
			asked++
		}
		return false
	}
	a := c.brokers[1].send(p, "a")
	c.run()
	if got := a.only(t); !errors.Is(got.Err, partitions.ErrNotLeader) || asked != 1+detoursMost {
		t.Errorf("asked %d times, then %+v", asked, got)
	}
}

// What is sent keeps its order: while something is under way to one broker, nothing goes to another.
func TestOneRouteAtATime(t *testing.T) {
	c := newCluster(t, 4, Limits{})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers[1:]...), 0)
	near, leads := c.brokers[0], c.leader(p)
	c.hold = only(frameRequest, askProduce, 1)
	first := near.send(p, "first")
	c.run()
	second := leads
	for _, b := range c.brokers[1:] {
		if b != leads {
			second = b
		}
	}
	near.mislead(p, second)
	refused := near.send(p, "second")
	if a := refused.only(t); !errors.Is(a.Err, partitions.ErrNotReady) {
		t.Errorf("another way: %+v", a)
	}
	near.mislead(p, leads)
	same := near.send(p, "third")
	c.run()
	c.letGo()
	if a := same.only(t); a.Err != nil {
		t.Errorf("the same way: %+v", a)
	}
	c.until("the first one is answered", func() bool { return len(first.all) == 1 })
	if n := near.node.stage.leaders.route(p).flying.Load(); n != 0 {
		t.Errorf("%d produces are under way", n)
	}
}

// Whoever gives up while a request is on its way to where it waits, does not wait.
func TestGivenUpOnTheWay(t *testing.T) {
	for _, here := range []bool{false, true} {
		c, near, far, p := remote(t, Limits{})
		b := near
		if here {
			b = far
		}
		got := &answers[partitions.FetchAnswer]{}
		j := &journey{router: b.node.router, partition: p}
		j.end()
		j.start(&fetchRequest{Fetch: partitions.Fetch{MaxBytes: 1, Until: c.now + 60_000}, done: got.take})
		c.run()
		if a := got.only(t); a.Err != nil || a.Batches != nil {
			t.Errorf("here %v: %+v", here, a)
		}
	}
}

// A partition without a quorum holds requests for as long as an election takes, and refuses them from then on.
func TestNoQuorum(t *testing.T) {
	c := newCluster(t, 3, Limits{RoundsEvery: time.Hour}) // the catalog stays where it is
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers...), 0)
	c.leader(p)
	c.brokers[1].kill()
	c.brokers[2].kill()
	alone := c.brokers[0]
	alone.kill()
	alone.start()
	c.run()
	c.until("it knows the catalog", func() bool { return alone.node.Router().Catalog().Topic("orders") != nil })
	held := alone.send(p, "a")
	c.pass(2 * time.Second)
	if len(held.all) != 0 {
		t.Fatalf("while it opens: %+v", held.all)
	}
	c.pass(2 * time.Second)
	if a := held.only(t); !errors.Is(a.Err, partitions.ErrNotReady) {
		t.Errorf("held: %v", a.Err)
	}
	// It may have learnt of the partition only when it gave up waiting for the others' catalog; then that one opens now.
	c.pass(4 * time.Second)
	later := alone.send(p, "b")
	c.run()
	if a := later.only(t); !errors.Is(a.Err, partitions.ErrNotReady) && !errors.Is(a.Err, partitions.ErrNotLeader) {
		t.Errorf("later: %v", a.Err)
	}
	if len(alone.ready) != 1 || alone.ready[0] != nil {
		t.Errorf("the broker itself: %v", alone.ready)
	}
	c.brokers[1].start()
	c.leader(p)
	if a := alone.produce(p, "c"); a.Err != nil || a.Base != 0 {
		t.Errorf("with a quorum: %+v", a)
	}
}
