package actors

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// behind is a cluster of two whose second broker hears nothing of the catalog, nor of who leads what, until the test lets it;
// and a partition on the first that was made meanwhile.
func behind(t *testing.T) (*testCluster, *testBroker, id.Partition) {
	c := newCluster(t, 2, Limits{})
	c.hold = func(_, to id.Node, frame []byte) bool {
		kind, what := kindOf(frame)
		return to == 2 && (kind == frameAnswer && what == askFetch || kind == frameLeaders)
	}
	var got answers[error]
	var topic *catalog.Topic
	c.brokers[0].node.Router().CreateTopic(catalog.CreateTopic{Name: "orders", Partitions: 1, Placements: [][]id.Node{{1}}},
		func(t *catalog.Topic, err error) {
			topic = t
			got.take(err)
		})
	c.run()
	if err := got.only(t); err != nil {
		t.Fatal(err)
	}
	if c.brokers[1].node.Router().Catalog().Topic("orders") != nil {
		t.Fatal("the second broker knows the topic already")
	}
	return c, c.brokers[1], at(topic, 0)
}

// questions counts the requests of one kind that brokers send to others.
func (c *testCluster) questions(kind byte) *int {
	n := 0
	c.lose = func(_, _ id.Node, frame []byte) bool {
		if k, what := kindOf(frame); k == frameRequest && what == kind {
			n++
		}
		return false
	}
	return &n
}

func (b *testBroker) refresh() *answers[error] {
	a := &answers[error]{}
	b.node.Router().Refresh(a.take)
	return a
}

// What this broker has not heard of yet is waited for, in the order in which it was asked for.
func TestUnknownUntilHeard(t *testing.T) {
	c, b, p := behind(t)
	asked := c.questions(askOffsets)
	var sent []*answers[partitions.ProduceAnswer]
	for _, v := range []string{"a", "b", "c"} {
		sent = append(sent, b.send(p, v))
		c.run()
	}
	refreshed := b.refresh()
	c.run()
	for i, a := range sent {
		if len(a.all) != 0 {
			t.Fatalf("produce %d, before this broker knows the topic: %+v", i, a.all)
		}
	}
	if len(refreshed.all) != 0 {
		t.Fatalf("refreshed while the catalog is behind: %v", refreshed.all)
	}
	c.letGo()
	if err := refreshed.only(t); err != nil {
		t.Error(err)
	}
	if *asked != 4 {
		t.Errorf("%d questions for 4 that came one after the other", *asked)
	}
	for i, a := range sent {
		if got := a.only(t); got.Err != nil || got.Base != id.Offset(i) {
			t.Errorf("produce %d: %+v", i, got)
		}
	}
	if d := cmp.Diff([]string{"a", "b", "c"}, values(t, b.fetch(p, 0).Batches)); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	if n := b.node.stage.leaders.route(p).flying.Load(); n != 0 {
		t.Errorf("%d produces are under way", n)
	}
}

// Nothing overtakes a produce that waits, though it would know the way.
func TestWaitingIsNotOvertaken(t *testing.T) {
	c, b, p := behind(t)
	first := b.send(p, "a")
	c.run()
	b.node.stage.leaders.learn(p, 1, 1)
	if a := b.send(p, "b").only(t); !errors.Is(a.Err, partitions.ErrNotReady) {
		t.Errorf("behind one that waits: %+v", a)
	}
	c.letGo()
	if a := first.only(t); a.Err != nil || a.Base != 0 {
		t.Errorf("%+v", a)
	}
	if a := b.produce(p, "c"); a.Err != nil || a.Base != 1 {
		t.Errorf("afterwards: %+v", a)
	}
}

// Those who wait for a route go on in their order; what comes between them, and knows the way already, does not.
func TestEmbarkInOrder(t *testing.T) {
	l, p := newLeaders(), id.Partition{Topic: 16}
	r := l.wait(p)
	l.wait(p)
	l.wait(p)
	if !l.embark(r, 1) || l.depart(r, 1) {
		t.Error("the second one, which still waits, is overtaken")
	}
	if l.embark(r, 2) || !l.embark(r, 1) {
		t.Error("under way to two brokers at a time")
	}
	if !l.depart(r, 1) || r.flying.Load() != 3 || r.waiting != 0 {
		t.Errorf("%d under way, %d wait", r.flying.Load(), r.waiting)
	}
}

// A partition that the catalog does not have is unknown, whoever is asked.
func TestReallyUnknown(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	topic := c.create(c.brokers[0], "orders", 1, c.brokers...)
	for _, p := range []id.Partition{{Topic: 99}, at(topic, 1), {Topic: topic.ID, Number: -1}} {
		for _, b := range c.brokers {
			if a := b.produce(p, "x"); !errors.Is(a.Err, partitions.ErrUnknownTopic) || errors.Is(a.Err, partitions.ErrNotReady) {
				t.Errorf("broker %d, %v: %v", b.id, p, a.Err)
			}
			if f := b.fetch(p, 0); !errors.Is(f.Err, partitions.ErrUnknownTopic) {
				t.Errorf("broker %d, %v: %v", b.id, p, f.Err)
			}
			if n := b.node.stage.leaders.route(p).flying.Load(); n != 0 {
				t.Errorf("%d produces are under way", n)
			}
		}
	}
}

// A broker that cannot ask the catalog's leader, or does not hear what it has, does not know that there is no such topic: it
// says so, in time, and once.
func TestCatalogOutOfReach(t *testing.T) {
	for _, l := range []struct {
		name string
		lose func(kind, what byte) bool
		cut  bool
		most time.Duration
	}{
		{"no link", nil, true, 0},
		{"the question is lost", func(kind, what byte) bool { return kind == frameRequest && what == askOffsets }, false, DefaultLimits.ForwardWait},
		{"the answer is lost", func(kind, what byte) bool { return kind == frameAnswer && what == askOffsets }, false, DefaultLimits.ForwardWait},
		{"the news is lost", func(kind, what byte) bool { return kind == frameAnswer && what == askFetch }, false, DefaultLimits.ForwardWait},
	} {
		t.Run(l.name, func(t *testing.T) {
			c, b, p := behind(t)
			if l.lose != nil {
				c.lose = func(_, _ id.Node, frame []byte) bool { return l.lose(kindOf(frame)) }
			}
			if l.cut {
				c.split(c.brokers[0], b, true)
			}
			sent, refreshed := b.send(p, "x"), b.refresh()
			c.run()
			c.pass(l.most / 2)
			late := b.refresh() // shares no question with them
			c.pass(l.most/2 + 100*time.Millisecond)
			if a := sent.only(t); !errors.Is(a.Err, partitions.ErrNotReady) || errors.Is(a.Err, partitions.ErrUnknownTopic) {
				t.Errorf("produce: %v", a.Err)
			}
			if err := refreshed.only(t); !errors.Is(err, partitions.ErrNotReady) {
				t.Errorf("refresh: %v", err)
			}
			c.pass(l.most)
			if err := late.only(t); !errors.Is(err, partitions.ErrNotReady) {
				t.Errorf("a later one: %v", err)
			}
			if n := len(b.node.stage.leaders.routes); n > 0 && b.node.stage.leaders.route(p).flying.Load() != 0 {
				t.Error("the produce counts as under way")
			}
		})
	}
}

// Those who come while a question is under way share the next one: its answer may be older than they.
func TestRefreshesShareQuestions(t *testing.T) {
	c := newCluster(t, 2, Limits{})
	b, asked := c.brokers[1], c.questions(askOffsets)
	c.hold = only(frameAnswer, askOffsets, 1)
	all := []*answers[error]{b.refresh()}
	c.run()
	for range 50 {
		all = append(all, b.refresh())
	}
	c.run()
	if *asked != 1 {
		t.Errorf("%d questions at a time", *asked)
	}
	c.letGo()
	for i, a := range all {
		if err := a.only(t); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if *asked != 2 {
		t.Errorf("asked %d times, want 2", *asked)
	}
}

// A broker that stops, or whose catalog's actor is broken, tells everyone who waits, once.
func TestRefreshOfABrokerThatStops(t *testing.T) {
	for _, broken := range []bool{false, true} {
		c, b, p := behind(t)
		sent, refreshed := b.send(p, "x"), b.refresh()
		c.run()
		stopped := 0
		if broken {
			b.node.stage.send(b.node.catalog, settled{address: nil}) // no address: a bug
		} else {
			b.node.Stop(func() { stopped++ })
		}
		c.run()
		if err := refreshed.only(t); !errors.Is(err, partitions.ErrUnavailable) {
			t.Errorf("broken %v: %v", broken, err)
		}
		if a := sent.only(t); !errors.Is(a.Err, partitions.ErrUnavailable) {
			t.Errorf("broken %v: %v", broken, a.Err)
		}
		c.letGo()
		c.pass(time.Minute)
		refreshed.only(t)
		if err := b.refresh().only(t); !errors.Is(err, partitions.ErrUnavailable) {
			t.Errorf("broken %v, later: %v", broken, err)
		}
	}
}

// A broker alone knows all there is.
func TestRefreshAlone(t *testing.T) {
	w := newWorld(t)
	got := &answers[error]{}
	w.node.Router().Refresh(got.take)
	if err := got.only(t); err != nil {
		t.Fatal(err)
	}
}
