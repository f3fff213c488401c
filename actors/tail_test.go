package actors

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// sameCatalog waits until a broker shows what the first one shows.
func (c *testCluster) sameCatalog(b *testBroker) {
	c.t.Helper()
	want := c.brokers[0].node.Router().Catalog()
	c.until("the same catalog", func() bool { return b.node.Router().Catalog().Version == want.Version })
	if d := cmp.Diff(want, b.node.Router().Catalog()); d != "" {
		c.t.Fatalf("broker %d sees another catalog (-first +its):\n%s", b.id, d)
	}
}

func TestProposalsThroughAnyBroker(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	seen := map[id.Producer]bool{}
	for _, b := range c.brokers {
		var got answers[error]
		b.node.Router().InitProducer(func(p id.Producer, _ int16, err error) {
			if seen[p] {
				t.Errorf("producer %d is given twice", p)
			}
			seen[p] = true
			got.take(err)
		})
		c.run()
		if err := got.only(t); err != nil {
			t.Errorf("broker %d: %v", b.id, err)
		}
	}
	through := c.brokers[2]
	topic := c.create(through, "orders", 1, c.brokers[1])
	var again answers[error]
	through.node.Router().CreateTopic(catalog.CreateTopic{Name: "orders", Partitions: 1, Placements: [][]id.Node{{2}}},
		func(there *catalog.Topic, err error) {
			if there != through.node.Router().Catalog().Topic("orders") {
				t.Errorf("the topic that is there: %+v", there)
			}
			again.take(err)
		})
	var altered, deleted answers[error]
	through.node.Router().AlterTopic(catalog.AlterTopic{Topic: topic.ID, Set: map[string]string{"max.message.bytes": "4096"}},
		func(there *catalog.Topic, err error) {
			if err == nil && there.Effective().MaxBatchBytes != 4096 {
				t.Errorf("altered: %+v", there)
			}
			altered.take(err)
		})
	c.run()
	if err := again.only(t); !errors.Is(err, catalog.ErrTopicExists) {
		t.Errorf("again: %v", err)
	}
	if err := altered.only(t); err != nil {
		t.Errorf("alter: %v", err)
	}
	through.node.Router().DeleteTopic(topic.ID, func(err error) {
		if through.node.Router().Catalog().Topic("orders") != nil {
			t.Error("the broker that deleted it still shows it")
		}
		deleted.take(err)
	})
	c.run()
	if err := deleted.only(t); err != nil {
		t.Errorf("delete: %v", err)
	}
	c.pass(time.Second)
	for _, b := range c.brokers {
		c.sameCatalog(b)
	}
	if d := c.brokers[0].node.Router().Catalog().Doomed; len(d) != 0 || len(c.brokers[1].disk.removed) != 1 {
		t.Errorf("doomed %v, removed %v", d, c.brokers[1].disk.removed)
	}
}

// A broker that comes when the catalog's log does not reach back to its beginning loads the state whole.
func TestCatalogLoadedWhole(t *testing.T) {
	c := newCluster(t, 2, Limits{})
	for i := range 5 {
		c.create(c.brokers[i%2], id.Topic(fmt.Sprint("t", i)), 3, c.brokers[i%2])
	}
	own := c.brokers[0].node.router.find(catalog.Partition())
	got := &answers[partitions.DeleteAnswer]{}
	own.ask(&deleteRequest{
		DeleteRecords: partitions.DeleteRecords{Request: own.next(), Before: partitions.EverythingSoFar}, done: got.take,
	})
	c.run()
	if a := got.only(t); a.Err != nil || a.LogStart == 0 {
		t.Fatalf("%+v", a)
	}
	late := &testBroker{cluster: c, id: 3, disk: newMemoryDisk()}
	c.brokers = append(c.brokers, late)
	late.start()
	c.until("ready", func() bool { return len(late.ready) == 1 })
	c.sameCatalog(late)
	c.create(late, "more", 1, late)
	c.sameCatalog(c.brokers[1])
	if a := c.brokers[1].produce(at(late.node.Router().Catalog().Topic("more"), 0), "x"); a.Err != nil {
		t.Fatal(a.Err)
	}
}

// So does one that was away for too long.
func TestCatalogLoadedWholeLater(t *testing.T) {
	c := newCluster(t, 2, Limits{})
	c.split(c.brokers[0], c.brokers[1], true)
	var got answers[error]
	c.brokers[0].node.Router().CreateTopic(catalog.CreateTopic{Name: "orders", Partitions: 1, Placements: [][]id.Node{{1}}},
		func(_ *catalog.Topic, err error) { got.take(err) })
	c.run()
	if err := got.only(t); err != nil {
		t.Fatal(err)
	}
	own := c.brokers[0].node.router.find(catalog.Partition())
	own.ask(&deleteRequest{
		DeleteRecords: partitions.DeleteRecords{Request: own.next(), Before: partitions.EverythingSoFar},
		done:          func(a partitions.DeleteAnswer) { got.take(a.Err) },
	})
	c.run()
	if len(got.all) != 2 || got.all[1] != nil {
		t.Fatalf("%v", got.all)
	}
	c.split(c.brokers[0], c.brokers[1], false)
	c.sameCatalog(c.brokers[1])
}

// Without the catalog's leader brokers go on, restart, and find their partitions again.
func TestCatalogAway(t *testing.T) {
	c := newCluster(t, 4, Limits{RoundsEvery: time.Hour}) // the catalog stays where it is
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers[1:]...), 0)
	c.leader(p)
	c.brokers[0].kill()
	var refused answers[error]
	c.brokers[1].node.Router().CreateTopic(catalog.CreateTopic{Name: "x", Partitions: 1, Placements: [][]id.Node{{2}}},
		func(_ *catalog.Topic, err error) { refused.take(err) })
	c.pass(time.Second)
	if err := refused.only(t); !errors.Is(err, partitions.ErrNotReady) {
		t.Errorf("create without the catalog: %v", err)
	}
	for i, b := range c.brokers[1:] {
		b.kill()
		b.start()
		c.until("ready", func() bool { return len(b.ready) == 1 && b.ready[0] == nil })
		c.leader(p)
		if a := b.produce(p, fmt.Sprint(i)); a.Err != nil {
			t.Fatalf("broker %d: %v", b.id, a.Err)
		}
	}
	c.brokers[0].start()
	c.until("ready", func() bool { return len(c.brokers[0].ready) == 1 && c.brokers[0].ready[0] == nil })
	c.create(c.brokers[3], "x", 1, c.brokers[0])
}

// A decision is concluded when the broker that asked shows it, or says that it cannot tell.
func TestDecisionsWaitForTheTail(t *testing.T) {
	c := newCluster(t, 2, Limits{})
	hold := true
	c.hold = func(_, to id.Node, frame []byte) bool {
		kind, what := kindOf(frame)
		return hold && to == 2 && kind == frameAnswer && what == askFetch
	}
	var created answers[error]
	create := func(name id.Topic) {
		c.brokers[1].node.Router().CreateTopic(catalog.CreateTopic{Name: name, Partitions: 1, Placements: [][]id.Node{{1}}},
			func(_ *catalog.Topic, err error) { created.take(err) })
	}
	create("orders")
	c.pass(time.Second)
	if len(created.all) != 0 {
		t.Fatalf("before this broker knows it: %v", created.all)
	}
	c.letGo()
	if err := created.only(t); err != nil {
		t.Fatal(err)
	}
	created = answers[error]{}
	c.lose = func(_, to id.Node, frame []byte) bool {
		kind, what := kindOf(frame)
		return to == 2 && kind == frameAnswer && what == askFetch
	}
	create("late")
	c.pass(DefaultLimits.ForwardWait - time.Second)
	if len(created.all) != 0 {
		t.Fatalf("before this broker knows it: %v", created.all)
	}
	c.pass(2 * time.Second)
	if err := created.only(t); !errors.Is(err, partitions.ErrOutcomeUnknown) {
		t.Fatal(err)
	}
}

// A partition's leadership moves before its broker stops, and nobody waits for an election.
func TestStopHandsOver(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers...), 0)
	first := c.leader(p)
	first.produce(p, "a")
	other := c.brokers[first.id%3]
	began := c.now
	stopped := 0
	first.node.Stop(func() { stopped++ })
	c.until("another leader", func() bool { node, _ := leaderOf(other, p); return node != first.id })
	if c.now-began > 200 {
		t.Errorf("it took %d ms", c.now-began)
	}
	c.until("stopped", func() bool { return stopped == 1 })
	if c.now-began > 1000 {
		t.Errorf("the stop took %d ms", c.now-began)
	}
	first.kill()
	if a := other.produce(p, "b"); a.Err != nil || a.Base != 1 {
		t.Errorf("afterwards: %+v", a)
	}
}

// A broker that starts alone says what it waits for, and goes on by itself. Links that begin before it does are used.
func TestStartAlone(t *testing.T) {
	c := newCluster(t, 2, Limits{})
	c.brokers[0].kill()
	c.brokers[1].kill()
	alone := c.brokers[1]
	alone.start()
	c.pass(time.Minute)
	if p := alone.node.Problems(); len(alone.ready) != 0 || len(p) != 1 {
		t.Fatalf("started: %v, problems: %q", alone.ready, p)
	}
	if a := alone.produce(id.Partition{Topic: 16}, "x"); !errors.Is(a.Err, partitions.ErrNotReady) {
		t.Errorf("before it knows the catalog: %v", a.Err)
	}
	c.brokers[0].start()
	c.until("ready", func() bool { return len(alone.ready) == 1 && alone.ready[0] == nil })
	if p := alone.node.Problems(); len(p) != 0 {
		t.Errorf("problems: %q", p)
	}
}

// A broker whose replica of the catalog is damaged follows the catalog all the same.
func TestDamagedCatalogReplica(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	held := func() int {
		return len(c.brokers[0].node.Router().Catalog().Topics[catalog.TopicID].Partitions[0].Replicas)
	}
	c.until("on three brokers", func() bool { return held() == 3 && len(c.brokers[1].disk.Replicas(catalog.Partition())) == 1 })
	c.pass(5 * time.Second)
	second := c.brokers[1]
	second.kill()
	second.disk.replicas[second.disk.Replicas(catalog.Partition())[0]].damage = &partitions.Damage{
		Kind: partitions.DamageHole, Index: 2, Reason: "a test damaged it",
	}
	second.start()
	c.until("ready", func() bool { return len(second.ready) == 1 && second.ready[0] == nil })
	for i := range 3 {
		c.create(c.brokers[2], id.Topic(fmt.Sprint("t", i)), 1, c.brokers[2])
		c.sameCatalog(second)
		c.pass(3 * time.Second)
	}
}

// A topic that is created can be used at once, through the broker that was asked.
func TestCreatedTopicsHaveLeaders(t *testing.T) {
	c := newCluster(t, 4, Limits{})
	for i := range 4 {
		topic := c.create(c.brokers[i], id.Topic(fmt.Sprint("t", i)), 3, c.brokers[1:]...)
		for n := range int32(3) {
			a := c.brokers[i].send(at(topic, n), "x")
			c.run()
			if got := a.only(t); got.Err != nil {
				t.Errorf("through broker %d: %v", i+1, got.Err)
			}
		}
	}
}
