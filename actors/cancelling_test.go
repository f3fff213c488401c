package actors

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// at returns the assignment of the first user topic's first partition.
func (w *town) at() catalog.Assignment {
	a, _ := w.fold.State().Assignment(id.Partition{Topic: catalog.FirstUserTopic})
	return a
}

// assign moves that partition by hand.
func (w *town) assign(nodes ...id.Node) {
	w.t.Helper()
	r := w.apply(catalog.Assign{Partition: id.Partition{Topic: catalog.FirstUserTopic}, Nodes: nodes, If: catalog.AnyVersion})
	if r.Err != nil {
		w.t.Fatal(r.Err)
	}
}

// round plans once, applies it, and tells what was planned.
func (w *town) round() string {
	w.t.Helper()
	s := ""
	for _, i := range w.planner.plan(w.outlook()) {
		s += i.why + "\n"
		if r := w.apply(i.command); r.Err != nil {
			w.t.Errorf("%s: %v", i.why, r.Err)
		}
	}
	return s
}

// places lists where it is to live, in the order of brokers.
func (w *town) places() string {
	s := ""
	for _, n := range slices.Sorted(slices.Values(nodesOf(w.at().Replicas))) {
		s += fmt.Sprintf(" %d", uint64(n))
	}
	return s[1:]
}

// A broker that gossip still has alive is given nothing once its link has ended.
func TestNothingMovesToABrokerWithoutALink(t *testing.T) {
	w := newTown(t, 1, 2, 3, 4)
	w.settle()
	w.create("t", 8, nil)
	w.settle()
	if r := w.apply(catalog.Drain{Node: 3, On: true}); r.Err != nil {
		t.Fatal(r.Err)
	}
	before, _ := w.holds()
	w.dies(4)
	for range 20 {
		w.round()
		w.arrive()
	}
	if after, _ := w.holds(); after[4] > before[4] {
		t.Errorf("broker 4 is unheard of, and goes from %d to %d replicas", before[4], after[4])
	}
	w.come(4)
	w.settle()
	if replicas, _ := w.holds(); replicas[3] != 0 {
		t.Errorf("with 4 back, broker 3 still has %d replicas", replicas[3])
	}
}

// A move whose target dies is taken back when the target has been away for a while, and the rest is as it was.
func TestMoveToADeadBrokerIsTakenBack(t *testing.T) {
	w := newTown(t, 1, 2, 3, 4, 5)
	w.settle()
	w.create("t", 1, nil)
	w.settle()
	w.assign(1, 2, 3)
	w.arrive()
	w.assign(1, 2, 4)
	w.goes(4)
	w.now += 14_999
	if plan := w.round(); plan != "" {
		t.Errorf("before its time: %s", plan)
	}
	w.now++
	w.round()
	if w.places() != "1 2 3" {
		t.Fatalf("it is to live on %s", w.places())
	}
	w.arrive()
	if plan := w.round(); plan != "" {
		t.Errorf("and then: %s", plan)
	}
	w.come(4)
	w.settle()
}

// A growth is taken back likewise, by the two replicas at least that it adds.
func TestGrowthOntoADeadBrokerIsTakenBack(t *testing.T) {
	for dead, want := range map[id.Node]string{2: "1", 3: "1"} {
		w := newTown(t, 1)
		w.settle()
		w.create("t", 1, nil)
		w.come(2, 3)
		w.round()
		w.round()
		if w.places() != "1 2 3" {
			t.Fatalf("it grows onto %s", w.places())
		}
		w.goes(dead)
		w.now += 15_000
		w.round()
		if d := cmp.Diff(want, w.places()); d != "" {
			t.Errorf("%v has died: %s", dead, d)
		}
	}
}

// Where an old replica is away too, or may have lost its log, or it cannot be told which were the old ones, the move stays.
func TestMoveStaysWhereTheOldReplicasAreNotWhole(t *testing.T) {
	for name, harm := range map[string]func(w *town){
		"another is away":            func(w *town) { w.goes(2) },
		"another is dying":           func(w *town) { w.dies(3) },
		"another has lost its log":   func(w *town) { w.lost[w.at().Replicas[0].Replica] = true },
		"one that votes is away":     func(w *town) { w.come(4); w.goes(2) },
		"the move was already taken": func(w *town) { w.assign(1, 2, 3); w.come(4); w.goes(3) },
	} {
		w := newTown(t, 1, 2, 3, 4, 5)
		w.settle()
		w.create("t", 1, nil)
		w.settle()
		w.assign(1, 2, 3)
		w.arrive()
		w.assign(1, 2, 4)
		w.goes(4)
		harm(w)
		w.now += 30_000
		before := w.places()
		for _, i := range w.planner.cancel(w.outlook()) {
			t.Errorf("%s: %s is planned: %s", name, before, i.why)
		}
	}
}
