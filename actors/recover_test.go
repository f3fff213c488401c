package actors

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// recover asks a broker to go on with what one replica has; from 0: whichever.
func (b *testBroker) recover(p id.Partition, from id.Node) error {
	b.cluster.t.Helper()
	var got answers[error]
	b.node.Router().Recover(p, from, func(_ *catalog.Topic, err error) { got.take(err) })
	b.cluster.until("answered", func() bool { return len(got.all) > 0 })
	return got.only(b.cluster.t)
}

// values lists the records of a partition as a broker reads them, over its gaps.
func (b *testBroker) everything(p id.Partition) (all []string) {
	b.cluster.t.Helper()
	for at := id.Offset(0); ; {
		a := b.fetch(p, at)
		if a.Err != nil {
			b.cluster.t.Fatalf("broker %d, offset %d: %v", b.id, at, a.Err)
		}
		all = append(all, values(b.cluster.t, a.Batches)...)
		for _, raw := range a.Batches {
			h, err := batch.ParseHeader(raw)
			if err != nil {
				b.cluster.t.Fatal(err)
			}
			at = h.NextOffset()
		}
		switch {
		case a.Skip > at:
			at = a.Skip
		case len(a.Batches) == 0:
			return all
		}
	}
}

// lostMajority is five brokers with a partition on the last three, of whose replicas that on broker 3 alone is left, with
// some records; it has never seen what was written last, "lost" and "also lost".
func lostMajority(t *testing.T, records ...string) (c *testCluster, p id.Partition) {
	c = newCluster(t, 5, Limits{})
	c.settled("a catalog of five", func(s *catalog.State) bool {
		a, _ := s.Assignment(catalog.Partition())
		return len(a.Replicas) == 5
	})
	topic := c.create(c.brokers[0], "t", 1, c.brokers[3], c.brokers[4], c.brokers[2])
	p = id.Partition{Topic: topic.ID}
	survivor := c.brokers[2]
	c.until("led by another", func() bool { return c.leader(p) != survivor })
	for _, v := range records {
		if a := c.brokers[0].produce(p, v); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	c.until("held by all", func() bool {
		return !slices.ContainsFunc(c.brokers[2:], func(b *testBroker) bool {
			return b.node.router.find(p).status(c).HighWatermark != id.Offset(len(records))
		})
	})
	c.split(survivor, c.brokers[3], true)
	c.split(survivor, c.brokers[4], true)
	for _, v := range []string{"lost", "also lost"} {
		if a := c.brokers[0].produce(p, v); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	c.refused(c.brokers[0].recover(p, survivor.id), "it is led")
	c.brokers[3].kill()
	c.refused(c.brokers[0].recover(p, survivor.id), "a majority is there")
	c.brokers[4].kill()
	c.cut = map[[2]id.Node]bool{}
	return c, p
}

// refused makes sure that a recovery was.
func (c *testCluster) refused(err error, why string) {
	c.t.Helper()
	if !errors.Is(err, partitions.ErrNotRecoverable) {
		c.t.Fatalf("recovered though %s: %v", why, err)
	}
	c.t.Log(err)
}

// A partition goes on with what one replica has, grows again, and never has two records at one offset.
func TestRecoverLostMajority(t *testing.T) {
	c, p := lostMajority(t, "a", "b")
	before, _ := c.brokers[0].node.Router().Catalog().Assignment(p)
	_, term := leaderOf(c.brokers[0], p)
	c.refused(c.brokers[1].recover(p, c.brokers[0].id), "broker 1 has none of it")
	c.refused(c.brokers[1].recover(p, c.brokers[4].id), "broker 5 is not there")
	c.refused(c.brokers[1].recover(catalog.Partition(), 0), "the catalog decides")
	if err := c.brokers[1].recover(id.Partition{Topic: 99}, 0); !errors.Is(err, partitions.ErrUnknownTopic) {
		t.Fatal(err)
	}
	if err := c.brokers[1].recover(p, 0); err != nil {
		t.Fatal(err)
	}
	if leader := c.leader(p); leader != c.brokers[2] {
		t.Fatalf("broker %d leads", leader.id)
	}
	if _, after := leaderOf(c.brokers[0], p); after < term+partitions.InheritedTerms {
		t.Errorf("term %d follows %d", after, term)
	}
	a := c.brokers[0].produce(p, "after")
	if a.Err != nil || a.Base != 2+partitions.InheritedOffsets {
		t.Fatalf("%+v", a)
	}
	want := []string{"a", "b", "after"}
	if d := cmp.Diff(want, c.brokers[1].everything(p)); d != "" {
		t.Fatalf("records (-want +got):\n%s", d)
	}
	c.brokers[2].kill()
	c.brokers[2].start()
	c.leader(p)
	if d := cmp.Diff(want, c.brokers[1].everything(p)); d != "" {
		t.Fatalf("records after a crash (-want +got):\n%s", d)
	}

	c.brokers[3].start()
	c.brokers[4].start()
	c.settled("three replicas again", func(s *catalog.State) bool {
		a, _ := s.Assignment(p)
		return len(a.Replicas) == 3
	})
	after, _ := c.brokers[0].node.Router().Catalog().Assignment(p)
	for _, old := range before.Replicas {
		if b := c.broker(old.Node); slices.Contains(b.disk.Replicas(p), old.Replica) {
			t.Errorf("broker %d still has replica %d", b.id, old.Replica)
		}
		if slices.Contains(after.All(), old) {
			t.Errorf("replica %d came back", old.Replica)
		}
	}
	c.leader(p).kill()
	c.leader(p)
	if d := cmp.Diff(want, c.brokers[1].everything(p)); d != "" {
		t.Fatalf("records after a fail over (-want +got):\n%s", d)
	}
}

// The old majority was only cut off. It goes on among itself until it hears of the recovery; nobody who has heard of that
// believes it, and then it is gone.
func TestOldMajorityComesBack(t *testing.T) {
	c, p := lostMajority(t, "a", "b")
	if err := c.brokers[0].recover(p, 0); err != nil {
		t.Fatal(err)
	}
	c.leader(p)
	c.brokers[0].produce(p, "after")
	_, term := leaderOf(c.brokers[0], p)
	late := c.brokers[3:]
	for _, b := range late {
		for _, other := range c.brokers[:3] {
			c.cut[[2]id.Node{b.id, other.id}], c.cut[[2]id.Node{other.id, b.id}] = true, true
		}
	}
	for _, b := range late {
		b.start()
		for _, other := range c.brokers[:3] {
			c.split(b, other, true)
		}
	}
	c.until("led on the island", func() bool { node, _ := leaderOf(late[0], p); return node >= 4 })
	if a := late[0].produce(p, "on the island"); a.Err != nil || a.Term >= term {
		t.Fatalf("%+v", a) // this is what --accept-loss means
	}
	for _, b := range late {
		c.split(b, c.brokers[0], false)
	}
	late[0].node.stage.peers.to(1).post(sealed(leadersFrame([]led{{p, 999}}))) // it boasts
	c.run()
	if node, now := leaderOf(c.brokers[0], p); node != 3 || now < term {
		t.Fatalf("broker %d leads in term %d", node, now)
	}
	for _, b := range late {
		c.split(b, c.brokers[1], false)
		c.split(b, c.brokers[2], false)
	}
	c.settled("three replicas again", func(s *catalog.State) bool {
		a, _ := s.Assignment(p)
		return len(a.Replicas) == 3
	})
	for _, b := range c.brokers {
		if d := cmp.Diff([]string{"a", "b", "after"}, b.everything(p)); d != "" {
			t.Errorf("broker %d (-want +got):\n%s", b.id, d)
		}
	}
}

// An heir whose making fails at any step is finished by the next life of its broker, wherever the crash left it.
func TestHeirIsMadeInSteps(t *testing.T) {
	large := func(r string) string { return strings.Repeat(r, 900<<10) } // more, together, than is copied at once
	want := []string{large("a"), large("b"), large("c"), large("d"), large("e"), large("f")}
	failed := 0
	for more := true; more; {
		c, p := lostMajority(t, want...)
		b := c.brokers[2]
		old, steps := b.disk.Replicas(p)[0], 0
		failing := func() error {
			if steps++; steps > failed {
				return errDisk
			}
			return nil
		}
		b.disk.onCreate = func(id.Replica) error { return failing() }
		b.disk.onOpen = func(r id.Replica) error {
			if m := b.disk.replicas[r]; r != old {
				m.onAppend, m.onSync, m.onSave = failing, failing, failing
			}
			return failing()
		}
		if err := c.brokers[0].recover(p, 0); err != nil {
			t.Fatal(err)
		}
		c.until("failed, or led", func() bool { return steps > failed || b.node.router.find(p).leading() })
		more = !b.node.router.find(p).leading()
		b.kill()
		b.disk.onCreate, b.disk.onOpen = nil, nil
		for _, m := range b.disk.replicas {
			m.onAppend, m.onSync, m.onSave = nil, nil, nil
		}
		b.start()
		c.leader(p)
		if a := c.brokers[0].produce(p, "after"); a.Err != nil || a.Base != id.Offset(len(want))+partitions.InheritedOffsets {
			t.Fatalf("step %d: %+v", failed+1, a)
		}
		if d := cmp.Diff(append(slices.Clone(want), "after"), c.brokers[1].everything(p)); d != "" {
			t.Fatalf("step %d: records differ", failed+1)
		}
		failed++
	}
	if failed < 10 {
		t.Errorf("only %d steps failed", failed)
	}
}

// A partition that has recovered, and grown by changes of its configuration, loses its majority once more.
func TestRecoverTwice(t *testing.T) {
	c, p := lostMajority(t, "a", "b")
	if err := c.brokers[0].recover(p, 0); err != nil {
		t.Fatal(err)
	}
	c.leader(p)
	c.brokers[0].produce(p, "after")
	c.brokers[3].start()
	c.brokers[4].start()
	c.settled("three replicas again", func(s *catalog.State) bool {
		a, _ := s.Assignment(p)
		return len(a.Replicas) == 3
	})
	grown, _ := c.brokers[0].node.Router().Catalog().Assignment(p)
	survivor := c.broker(grown.Replicas[2].Node)
	c.until("held by the survivor", func() bool {
		s := survivor.node.router.find(p).status(c)
		return s.HighWatermark == 3+partitions.InheritedOffsets && len(s.Voters) == 3 && !s.Joint
	})
	c.leader(catalog.Partition())
	for _, r := range grown.Replicas[:2] {
		c.broker(r.Node).kill()
	}
	asked := c.brokers[slices.IndexFunc(c.brokers, func(b *testBroker) bool { return b.life != nil })]
	c.leader(catalog.Partition())
	survivor.memoryOf(p).onSave = func() error { return errDisk } // as if it crashed: what made its configuration is replayed
	if err := asked.recover(p, survivor.id); err != nil {
		t.Fatal(err)
	}
	if leader := c.leader(p); leader != survivor {
		t.Fatalf("broker %d leads", leader.id)
	}
	if a := asked.produce(p, "at last"); a.Err != nil || a.Base != 3+2*partitions.InheritedOffsets {
		t.Fatalf("%+v", a)
	}
	if d := cmp.Diff([]string{"a", "b", "after", "at last"}, asked.everything(p)); d != "" {
		t.Fatalf("records (-want +got):\n%s", d)
	}
	if a, _ := asked.node.Router().Catalog().Assignment(p); len(a.Recoveries) != 2 {
		t.Errorf("recoveries %+v", a.Recoveries)
	}
}
