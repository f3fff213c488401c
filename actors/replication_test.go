package actors

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A broker without a replica of anything learns the catalog from others, and serves every request by asking whoever leads.
func TestEveryBrokerServes(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	topic := c.create(c.brokers[2], "orders", 2, c.brokers[1])
	for i, b := range c.brokers {
		if a := b.produce(at(topic, 0), fmt.Sprint("v", i)); a.Err != nil || a.Base != id.Offset(i) {
			t.Fatalf("through broker %d: %+v", b.id, a)
		}
	}
	for _, b := range c.brokers {
		f := b.fetch(at(topic, 0), 0)
		if d := cmp.Diff([]string{"v0", "v1", "v2"}, values(t, f.Batches)); d != "" || f.Err != nil || f.HighWatermark != 3 {
			t.Errorf("broker %d: %v, %d (-want +got):\n%s", b.id, f.Err, f.HighWatermark, d)
		}
		if d := cmp.Diff(c.brokers[0].node.Router().Catalog(), b.node.Router().Catalog()); d != "" {
			t.Errorf("broker %d sees another catalog (-first +its):\n%s", b.id, d)
		}
	}
}

func TestReplicatedPartition(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	topic := c.create(c.brokers[1], "orders", 3, c.brokers...)
	for n := range int32(3) {
		p := at(topic, n)
		c.leader(p)
		for i, b := range c.brokers {
			if a := b.produce(p, fmt.Sprint("v", i)); a.Err != nil || a.Base != id.Offset(i) {
				t.Fatalf("through broker %d: %+v", b.id, a)
			}
		}
		for _, b := range c.brokers {
			if f := b.fetch(p, 0); f.Err != nil || len(f.Batches) != 3 {
				t.Errorf("%v through broker %d: %+v", p, b.id, f)
			}
		}
	}
	c.pass(time.Second)
}

// The leader dies: another one goes on with everything that was acknowledged, and every broker finds it.
func TestLeaderKilled(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers...), 0)
	var want []string
	for round := range 3 {
		first := c.leader(p)
		v := fmt.Sprint("round ", round)
		want = append(want, v)
		if a := c.brokers[(round+1)%3].produce(p, v); a.Err != nil {
			t.Fatalf("round %d: %+v", round, a)
		}
		first.kill()
		second := c.leader(p)
		if first == second {
			t.Fatalf("round %d: %d still leads", round, first.id)
		}
		v = fmt.Sprint("after ", round)
		want = append(want, v)
		if a := second.produce(p, v); a.Err != nil {
			t.Fatalf("round %d, after: %+v", round, a)
		}
		first.start()
		c.until("started", func() bool { return len(first.ready) == 1 && first.ready[0] == nil })
		for _, b := range c.brokers {
			f := b.fetch(p, 0)
			if d := cmp.Diff(want, values(t, f.Batches)); d != "" || f.Err != nil {
				t.Fatalf("round %d, broker %d: %v (-want +got):\n%s", round, b.id, f.Err, d)
			}
		}
	}
}

// The leader's disk fails: it says that it leads no more, restarts, and catches up behind another one.
func TestLeadersDiskFails(t *testing.T) {
	c := newCluster(t, 3, Limits{RestartDelay: 5 * time.Second})
	topic := c.create(c.brokers[0], "orders", 1, c.brokers...)
	p := at(topic, 0)
	first := c.leader(p)
	first.produce(p, "a")
	var own id.Replica
	for _, r := range topic.Partitions[0].Replicas {
		if r.Node == first.id {
			own = r.Replica
		}
	}
	failures := 0
	first.disk.replicas[own].onSync = func() error {
		if failures++; failures == 1 {
			return errDisk
		}
		return nil
	}
	sent := first.send(p, "b")
	c.run()
	if a := sent.only(t); !errors.Is(a.Err, partitions.ErrOutcomeUnknown) {
		t.Fatalf("%+v", a)
	}
	if first.node.router.find(p).leading() {
		t.Error("it still leads, as far as it knows")
	}
	second := c.brokers[first.id%3]
	c.until("another leads", func() bool { node, _ := leaderOf(first, p); return node != 0 && node != first.id })
	if a := first.produce(p, "c"); a.Err != nil {
		t.Errorf("through the broker whose disk failed: %v", a.Err)
	}
	c.pass(6 * time.Second)
	if problems := first.node.Problems(); len(problems) != 0 {
		t.Errorf("problems: %q", problems)
	}
	if got := first.node.router.find(p).status(c); got.HighWatermark != second.node.router.find(p).status(c).HighWatermark {
		t.Errorf("after its restart: %+v", got)
	}
}
