package actors

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// The preview shows the whole plan, does nothing, and tells what is held back and for whom.
func TestPreviewShowsWhatIsToMove(t *testing.T) {
	w := newTown(t, 1, 2, 3)
	w.settle()
	w.create("t", 24, map[string]string{"replicas": "1"})
	w.settle()
	w.come(4)
	w.round() // 4 is enlisted
	w.planner.moves = 1
	before := w.fold.State().Version
	p := w.planner.preview(w.outlook())
	if len(p.Next) < 6 || len(p.Held)+len(p.Moving)+len(p.Away) > 0 || w.fold.State().Version != before {
		t.Fatalf("with a new broker: %+v", p)
	}
	for _, m := range p.Next {
		a, _ := w.fold.State().Assignment(m.Partition)
		if d := cmp.Diff(nodesOf(a.Replicas), m.From); d != "" || slices.Equal(m.From, m.To) || m.Assigned != a.Version {
			t.Errorf("%+v: %s", m, d)
		}
	}
	w.goes(2)
	held := w.planner.preview(w.outlook())
	if len(held.Next) > 0 || len(held.Held) == 0 || !slices.Equal(held.Away, []id.Node{2}) {
		t.Errorf("with one away: %+v", held)
	}
	for _, m := range held.Held {
		if slices.Contains(slices.Concat(m.From, m.To), 2) {
			t.Errorf("broker 2 is away, and there is held: %+v", m)
		}
	}
	m := held.Held[0]
	if r := w.apply(catalog.Assign{Partition: m.Partition, Nodes: m.To, If: m.Assigned}); r.Err != nil {
		t.Fatal(r.Err)
	}
	going := w.planner.preview(w.outlook()).Moving
	if len(going) != 1 || going[0].Partition != m.Partition || !slices.Equal(going[0].To, m.To) {
		t.Errorf("%+v was ordered, and on the move are %+v", m, going)
	}
	w.come(2)
	w.settle()
	if d := cmp.Diff(partitions.MovePlan{}, w.planner.preview(w.outlook())); d != "" {
		t.Errorf("when all is done: %s", d)
	}
}
