package actors

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/membership"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// town is a cluster on paper: a catalog that the planner's commands are applied to, and who is there.
type town struct {
	t       *testing.T
	fold    *catalog.Fold
	next    id.Offset
	now     id.Timestamp
	members map[id.Node]membership.Member
	away    map[id.Node]id.Timestamp
	lost    map[id.Replica]bool
	unheard map[id.Node]bool // gossip has them alive, and there is no link
	planner planner
}

func newTown(t *testing.T, brokers ...id.Node) *town {
	w := &town{
		t: t, fold: catalog.NewFold(), members: map[id.Node]membership.Member{}, away: map[id.Node]id.Timestamp{},
		lost: map[id.Replica]bool{}, unheard: map[id.Node]bool{},
		planner: planner{moves: 4, cancelAfter: 15 * time.Second, replaceAfter: time.Minute},
	}
	w.apply(catalog.Bootstrap{Cluster: 1, Node: brokers[0]})
	w.come(brokers...)
	return w
}

func (w *town) come(brokers ...id.Node) {
	for _, n := range brokers {
		w.members[n] = membership.Member{Node: n, Alive: true}
		delete(w.away, n)
		delete(w.unheard, n)
	}
}

// goes has a broker be away, as gossip and links agree; dies, one that gossip has not noticed yet.
func (w *town) goes(broker id.Node) {
	w.dies(broker)
	w.members[broker] = membership.Member{Node: broker}
	w.away[broker] = w.now
}

func (w *town) dies(broker id.Node) { w.unheard[broker] = true }

func (w *town) apply(c catalog.Command) catalog.Result {
	result := w.fold.Apply(w.next, catalog.Batch(c, w.now)).(catalog.Result)
	w.next++
	return result
}

func (w *town) outlook() *outlook {
	var members []membership.Member
	for _, m := range w.members {
		members = append(members, m)
	}
	return &outlook{state: w.fold.State(), view: membership.NewView(1, members), now: w.now, away: w.away, lost: w.lost,
		linked: func(n id.Node) bool { return !w.unheard[n] }}
}

func (w *town) create(name id.Topic, partitions int32, settings map[string]string) {
	w.t.Helper()
	c := catalog.CreateTopic{Name: name, Partitions: partitions, Settings: settings, At: w.now}
	places, err := w.outlook().placements(c)
	if err != nil {
		w.t.Fatal(err)
	}
	c.Placements = places
	if r := w.apply(c); r.Err != nil {
		w.t.Fatal(r.Err)
	}
}

// arrive lets every leader whose assignment can be reached report it.
func (w *town) arrive() {
	for _, at := range partitionsOf(w.fold.State()) {
		a, _ := w.fold.State().Assignment(at)
		if a.Moving() && !slices.ContainsFunc(nodesOf(a.Replicas), func(n id.Node) bool { return !w.outlook().here(n) }) {
			w.apply(moved(at, a))
		}
	}
}

// settle plans and arrives until nothing is left to do, and returns how many assignments were made. At no time is more on
// the move than may be.
func (w *town) settle() (assigned int) {
	w.t.Helper()
	for range 1000 {
		intents := w.planner.plan(w.outlook())
		if len(intents) == 0 && onTheMove(w.fold.State()) == 0 {
			return assigned
		}
		for _, i := range intents {
			if r := w.apply(i.command); r.Err != nil {
				w.t.Fatalf("%s: %v", i.why, r.Err)
			}
			if _, ok := i.command.(catalog.Assign); ok {
				assigned++
			}
		}
		if n := onTheMove(w.fold.State()); n > w.planner.moves+1 {
			w.t.Fatalf("%d partitions are on the move", n)
		}
		w.arrive()
	}
	w.t.Fatal("it never settles")
	return assigned
}

// holds counts the replicas of each node, those of the catalog left out, and the partitions that each is to lead.
func (w *town) holds() (replicas, leaders map[id.Node]int) {
	replicas, leaders = map[id.Node]int{}, map[id.Node]int{}
	for _, at := range partitionsOf(w.fold.State()) {
		a, _ := w.fold.State().Assignment(at)
		leaders[a.Replicas[0].Node]++
		if at.Topic < catalog.FirstUserTopic {
			continue
		}
		for _, r := range a.Replicas {
			replicas[r.Node]++
		}
	}
	return replicas, leaders
}

func (w *town) catalogHas() int {
	a, _ := w.fold.State().Assignment(catalog.Partition())
	return len(a.Replicas)
}

func TestClusterGrowsAndShrinksAgain(t *testing.T) {
	w := newTown(t, 1)
	w.settle()
	w.create("early", 6, nil)
	w.come(2)
	w.settle()
	if n := w.catalogHas(); n != 1 {
		t.Errorf("two brokers have %d replicas of the catalog", n)
	}
	w.come(3)
	w.settle()
	replicas, leaders := w.holds()
	if d := cmp.Diff(map[id.Node]int{1: 6, 2: 6, 3: 6}, replicas); d != "" || w.catalogHas() != 3 {
		t.Errorf("catalog has %d replicas, brokers hold (-want +got):\n%s", w.catalogHas(), d)
	}
	for n, led := range leaders {
		if led < 2 || led > 3 {
			t.Errorf("of 7 partitions broker %v leads %d", n, led)
		}
	}
	w.come(4, 5)
	w.settle()
	replicas, _ = w.holds()
	for n, held := range replicas {
		if held < 3 || held > 4 {
			t.Errorf("of 18 replicas broker %v has %d", n, held)
		}
	}
	if w.catalogHas() != 5 {
		t.Errorf("five brokers have %d replicas of the catalog", w.catalogHas())
	}
	for _, n := range []id.Node{1, 4} {
		if r := w.apply(catalog.Drain{Node: n, On: true}); r.Err != nil {
			t.Fatal(r.Err)
		}
		w.settle()
		if r := w.apply(catalog.Dismiss{Node: n}); r.Err != nil {
			t.Fatalf("broker %v is not empty: %v", n, r.Err)
		}
	}
	replicas, _ = w.holds()
	if d := cmp.Diff(map[id.Node]int{2: 6, 3: 6, 5: 6}, replicas); d != "" || w.catalogHas() != 3 {
		t.Errorf("catalog has %d replicas, brokers hold (-want +got):\n%s", w.catalogHas(), d)
	}
}

func TestDeadBrokerIsReplacedAfterAWhile(t *testing.T) {
	w := newTown(t, 1, 2, 3, 4)
	w.settle()
	w.create("t", 8, nil)
	w.settle()
	w.now += 1000
	w.goes(3)
	if n := w.settle(); n != 0 {
		t.Errorf("%d assignments at once", n)
	}
	w.now += 59_000
	if n := w.settle(); n != 0 {
		t.Errorf("%d assignments before its time", n)
	}
	w.now += 1000
	w.settle()
	replicas, _ := w.holds()
	if d := cmp.Diff(map[id.Node]int{1: 8, 2: 8, 4: 8}, replicas); d != "" {
		t.Errorf("brokers hold (-want +got):\n%s", d)
	}
	w.come(3)
	if w.settle() == 0 {
		t.Error("who comes back gets nothing")
	}
}

func TestNothingIsRebuiltWhileATooLargePartIsGone(t *testing.T) {
	w := newTown(t, 1, 2, 3, 4, 5)
	w.settle()
	w.create("t", 8, nil)
	w.settle()
	w.goes(4)
	w.goes(5)
	w.now += 3_600_000
	if intents := w.planner.plan(w.outlook()); len(intents) != 0 {
		t.Errorf("two of five are gone, and it plans %v", intents)
	}
}

func TestLostReplicaIsReplacedOnItsNode(t *testing.T) {
	w := newTown(t, 1, 2, 3)
	w.settle()
	w.create("t", 1, nil)
	w.settle()
	before, _ := w.fold.State().Assignment(id.Partition{Topic: catalog.FirstUserTopic})
	w.lost[before.Replicas[1].Replica] = true
	w.settle()
	after, _ := w.fold.State().Assignment(id.Partition{Topic: catalog.FirstUserTopic})
	if after.Replicas[1].Node != before.Replicas[1].Node || after.Replicas[1].Replica == before.Replicas[1].Replica {
		t.Errorf("from %v to %v", before.Replicas, after.Replicas)
	}
	w.lost[after.Replicas[0].Replica], w.lost[after.Replicas[2].Replica] = true, true
	if intents := w.planner.plan(w.outlook()); len(intents) != 0 {
		t.Errorf("a majority has forgotten, and it plans %v: nobody can know what was acknowledged", intents)
	}
}

func TestPlacementsOfANewTopic(t *testing.T) {
	w := newTown(t, 1, 2, 3)
	w.settle()
	w.goes(2)
	c := catalog.CreateTopic{Name: "t", Partitions: 4, Settings: map[string]string{"replicas": "3"}}
	if _, err := w.outlook().placements(c); err == nil {
		t.Error("three replicas on two brokers")
	}
	c.Settings = nil
	places, err := w.outlook().placements(c)
	if err != nil || len(places) != 4 {
		t.Fatalf("%v, %v", places, err)
	}
	used := map[string]int{}
	for _, nodes := range places {
		used[fmt.Sprint(nodes)]++
		if len(nodes) != 1 || slices.Contains(nodes, 2) {
			t.Errorf("placed on %v", nodes)
		}
	}
	if len(used) != 2 {
		t.Errorf("one broker gets everything: %v", used)
	}
}

func TestPlanIsTheSameWhoeverPlans(t *testing.T) {
	plan := func() string {
		w := newTown(t, 5, 3, 9, 1)
		w.settle()
		w.create("a", 7, nil)
		w.create("b", 5, map[string]string{"replicas": "1"})
		w.come(11)
		s := ""
		for _, i := range w.planner.plan(w.outlook()) {
			s += fmt.Sprintf("%+v %s\n", i.command, i.why)
		}
		return s
	}
	first := plan()
	for range 20 {
		if d := cmp.Diff(first, plan()); d != "" {
			t.Fatalf("two plans differ:\n%s", d)
		}
	}
}

// What only dead brokers could decide waits for them: no replica is ruined that a majority needs, or that is the only one.
func TestLostMajorityWaits(t *testing.T) {
	w := newTown(t, 1, 2, 3, 4, 5, 6, 7)
	w.settle()
	w.create("single", 14, map[string]string{"replicas": "1"})
	w.create("three", 14, map[string]string{"replicas": "3"})
	w.settle()
	before := w.fold.State()
	dead := []id.Node{6, 7}
	for _, n := range dead {
		w.goes(n)
	}
	w.now += id.Timestamp(2 * w.planner.replaceAfter / time.Millisecond)
	w.settle()
	waiting, replaced := 0, 0
	for _, at := range partitionsOf(before) {
		was, _ := before.Assignment(at)
		is, _ := w.fold.State().Assignment(at)
		gone := 0
		for _, r := range was.Replicas {
			if slices.Contains(dead, r.Node) {
				gone++
			}
		}
		switch {
		case 2*gone >= len(was.Replicas):
			waiting++
			if d := cmp.Diff(was, is); d != "" {
				t.Errorf("%v, of which %d replicas are dead (-before +after):\n%s", at, gone, d)
			}
		case gone > 0:
			replaced++
		}
	}
	if waiting == 0 || replaced == 0 {
		t.Errorf("%d wait, %d were replaced: nothing is tested", waiting, replaced)
	}
}
