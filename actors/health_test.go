package actors

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

// seen returns how one broker sees another.
func (b *testBroker) seen(n id.Node) partitions.NodeView {
	for _, v := range b.node.Cluster().Nodes {
		if v.Node == n {
			return v
		}
	}
	b.cluster.t.Fatalf("broker %d does not see broker %d", b.id, n)
	return partitions.NodeView{}
}

// Every broker knows what is wrong with every other, how old that is, and says so when it gets too old.
func TestBrokersTellEachOtherWhatIsWrong(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	asked, other := c.brokers[0], c.brokers[2]
	c.until("the first word", func() bool { return asked.seen(3).AgeMillis >= 0 })
	c.pass(20 * time.Second)
	if v := asked.seen(3); v.AgeMillis > 3000 || len(v.Problems) > 0 {
		t.Errorf("while all is well: %+v", v)
	}
	full := "the disk is full"
	other.node.board.problem.Store(&full)
	c.until("what is wrong", func() bool { return len(asked.seen(3).Problems) > 0 })
	if v := asked.seen(3); v.AgeMillis > 100 || v.Problems[0] != "catalog: "+full {
		t.Errorf("just told: %+v", v)
	}
	other.node.board.problem.Store(nil)
	c.until("that it is over", func() bool { return len(asked.seen(3).Problems) == 0 })
	c.split(asked, other, true)
	c.pass(14 * time.Second)
	if v := asked.seen(3); v.AgeMillis < 10_000 || len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "nothing of itself for 1") {
		t.Errorf("cut off for a while: %+v", v)
	}
	if v := asked.seen(1); v.AgeMillis != 0 {
		t.Errorf("itself: %+v", v)
	}
}

// What is told is bounded, and says how much more there is.
func TestHealthIsBounded(t *testing.T) {
	var all []string
	for n := range 100 {
		all = append(all, fmt.Sprintf("topic t, partition %d: %s", n, strings.Repeat("x", 2*problemBytes)))
	}
	_, r, _ := openFrame(healthFrame(all))
	got, err := r.health()
	if err != nil || len(got) != mostProblems || !strings.HasPrefix(got[mostProblems-1], "and 37 problems more") || len(got[0]) != problemBytes {
		t.Errorf("%d problems, the last %q: %v", len(got), got[len(got)-1], err)
	}
	few := slices.Clone(all[:mostProblems])
	for i := range few {
		few[i] = few[i][:20]
	}
	_, r, _ = openFrame(healthFrame(few))
	if got, err = r.health(); err != nil || cmp.Diff(few, got) != "" {
		t.Errorf("%v: %s", err, cmp.Diff(few, got))
	}
}
