package actors

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// settled waits until nobody has anything left to move, and every broker knows it.
func (c *testCluster) settled(what string, so func(*catalog.State) bool) {
	c.t.Helper()
	c.until(what, func() bool {
		for _, b := range c.brokers {
			if b.life == nil {
				continue
			}
			s := b.node.Router().Catalog()
			if onTheMove(s) > 0 || !so(s) || slices.ContainsFunc(s.Doomed, func(d catalog.Doomed) bool { return c.broker(d.Node).life != nil }) {
				return false
			}
		}
		return true
	})
}

func holding(s *catalog.State, p id.Partition) string {
	a, _ := s.Assignment(p)
	return fmt.Sprint(nodesOf(a.Replicas))
}

func everywhere(n int) func(*catalog.State) bool {
	return func(s *catalog.State) bool {
		for _, at := range partitionsOf(s) {
			if a, _ := s.Assignment(at); len(a.Replicas) != n {
				return false
			}
		}
		return true
	}
}

// A cluster that has become three brokers gives its catalog, and topics that nobody chose otherwise for, three replicas.
func TestClusterGrowsByItself(t *testing.T) {
	c := newCluster(t, 1, Limits{})
	topic := c.create(c.brokers[0], "early", 2, c.brokers[0])
	p := id.Partition{Topic: topic.ID}
	c.brokers[0].produce(p, "before")
	for n := range 2 {
		b := &testBroker{cluster: c, id: id.Node(n + 2), disk: newMemoryDisk()}
		c.brokers = append(c.brokers, b)
		b.start()
	}
	c.settled("three replicas of everything", everywhere(3))
	c.leader(p).kill()
	c.leader(p)
	for _, b := range c.brokers {
		if b.life != nil {
			if a := b.produce(p, "after"); a.Err != nil {
				t.Fatalf("broker %d: %v", b.id, a.Err)
			}
		}
	}
	if a := c.leader(p).fetch(p, 0); a.HighWatermark != 3 {
		t.Errorf("high watermark %d, error %v", a.HighWatermark, a.Err)
	}
}

func TestDrainedBrokerHoldsNothing(t *testing.T) {
	c := newCluster(t, 4, Limits{})
	topic := c.create(c.brokers[3], "t", 3, c.brokers[0], c.brokers[1], c.brokers[3])
	p := id.Partition{Topic: topic.ID, Number: 1}
	c.brokers[2].produce(p, "a")
	var done answers[error]
	c.brokers[1].node.Router().Drain(catalog.Drain{Node: 4, On: true}, done.take)
	c.until("drained", func() bool { return len(done.all) > 0 })
	if err := done.only(t); err != nil {
		t.Fatal(err)
	}
	c.settled("broker 4 empty", func(s *catalog.State) bool {
		for _, at := range partitionsOf(s) {
			a, _ := s.Assignment(at)
			for _, r := range a.All() {
				if r.Node == 4 {
					return false
				}
			}
		}
		return true
	})
	for number := range int32(3) {
		at := id.Partition{Topic: topic.ID, Number: number}
		if left := c.brokers[3].disk.Replicas(at); len(left) > 0 {
			t.Errorf("%v still has replicas %v on the drained broker", at, left)
		}
	}
	if a := c.brokers[3].fetch(p, 0); a.Err != nil || a.HighWatermark != 1 {
		t.Errorf("fetched through the drained broker: high watermark %d, %v", a.HighWatermark, a.Err)
	}
}

// A replica that has lost its log says so, gets another id on the same broker, and refills; its old bytes go.
func TestAmnesicReplicaIsReplaced(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	topic := c.create(c.brokers[0], "t", 1, c.brokers...)
	p := id.Partition{Topic: topic.ID}
	c.settled("grown", everywhere(3))
	c.brokers[1].produce(p, "a", "b")
	victim := c.brokers[2]
	if c.leader(p) == victim {
		victim = c.brokers[1]
	}
	before := holding(victim.node.Router().Catalog(), p)
	old := victim.disk.Replicas(p)[0]
	victim.kill()
	victim.disk.onOpen = func(r id.Replica) error {
		if r == old {
			return fmt.Errorf("its directory is gone: %w", partitions.ErrDamaged)
		}
		return nil
	}
	victim.start()
	c.settled("replaced", func(s *catalog.State) bool {
		a, _ := s.Assignment(p)
		for _, r := range a.All() {
			if r.Replica == old {
				return false
			}
		}
		return true
	})
	if d := cmp.Diff(before, holding(victim.node.Router().Catalog(), p)); d != "" {
		t.Errorf("it moved to another broker (-before +after):\n%s", d)
	}
	c.until("refilled", func() bool {
		a := victim.node.router.find(p)
		return a != nil && a.replica != old && a.readProblem() == ""
	})
	for _, b := range c.brokers {
		if b != victim {
			b.kill()
			break
		}
	}
	if a := c.leader(p).fetch(p, 0); a.Err != nil || a.HighWatermark != 2 {
		t.Errorf("with one of the others gone: high watermark %d, %v", a.HighWatermark, a.Err)
	}
}

func TestDeadBrokersReplicasAreMadeAnew(t *testing.T) {
	c := newCluster(t, 4, Limits{ReplaceAfter: 3 * time.Second})
	topic := c.create(c.brokers[0], "t", 2, c.brokers[1], c.brokers[2], c.brokers[3])
	c.settled("grown", func(s *catalog.State) bool { return len(s.Nodes) == 4 })
	c.brokers[3].kill()
	c.settled("made anew", func(s *catalog.State) bool {
		for number := range int32(2) {
			a, _ := s.Assignment(id.Partition{Topic: topic.ID, Number: number})
			for _, r := range a.Replicas {
				if r.Node == 4 {
					return false
				}
			}
		}
		return true
	})
}

// A move to a broker that dies goes back to where it was, long before that broker's own replicas would be made anew.
func TestMoveToABrokerThatDiesIsTakenBack(t *testing.T) {
	c := newCluster(t, 4, Limits{CancelAfter: 3 * time.Second})
	topic := c.create(c.brokers[0], "t", 1, c.brokers[0], c.brokers[1], c.brokers[2])
	p := id.Partition{Topic: topic.ID}
	c.settled("grown", func(s *catalog.State) bool { return len(s.Nodes) == 4 })
	c.brokers[0].produce(p, "before")
	held := holding(c.brokers[0].node.Router().Catalog(), p)
	c.split(c.brokers[3], c.leader(p), true) // or it would have arrived by then
	var done answers[error]
	c.brokers[0].node.Router().Assign(catalog.Assign{Partition: p, Nodes: []id.Node{4, 1, 2}, If: catalog.AnyVersion},
		func(_ *catalog.Topic, err error) { done.take(err) })
	c.until("assigned", func() bool { return len(done.all) > 0 })
	if err := done.only(t); err != nil {
		t.Fatal(err)
	}
	c.brokers[3].kill()
	c.settled("back", func(s *catalog.State) bool { return holding(s, p) != fmt.Sprint([]id.Node{4, 1, 2}) })
	sorted := func(s *catalog.State) []id.Node {
		a, _ := s.Assignment(p)
		return slices.Sorted(slices.Values(nodesOf(a.Replicas)))
	}
	if d := cmp.Diff([]id.Node{1, 2, 3}, sorted(c.brokers[0].node.Router().Catalog())); d != "" {
		t.Errorf("it lived on %s (-want +got):\n%s", held, d)
	}
	if a := c.leader(p).produce(p, "after"); a.Err != nil {
		t.Fatal(a.Err)
	}
	clear(c.cut)
	c.brokers[3].start()
	c.settled("the broker's replica erased", func(*catalog.State) bool { return true })
}
