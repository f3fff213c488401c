package membership

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestViewIsSortedAndKeepsTheLiving(t *testing.T) {
	given := []Member{{Node: 9}, {Node: 3, Incarnation: 1, Gateway: "old"}, {Node: 3, Incarnation: 2, Gateway: "new"}, {Node: 5}}
	v := NewView(4, given)
	want := []Member{{Node: 3, Incarnation: 2, Gateway: "new"}, {Node: 5}, {Node: 9}}
	if d := cmp.Diff(want, v.Members()); d != "" || v.Version() != 4 {
		t.Fatalf("version %d, members (-want +got):\n%s", v.Version(), d)
	}
	given[0].Node = 1
	v.Members()[0].Node = 1
	if d := cmp.Diff(want, v.Members()); d != "" {
		t.Fatalf("a view changed (-want +got):\n%s", d)
	}
	for _, m := range want {
		if got, found := v.Member(m.Node); !found || got != m {
			t.Fatalf("node %v: %+v, %v", m.Node, got, found)
		}
	}
	if _, found := v.Member(4); found {
		t.Fatal("found a node that is not there")
	}
}

func TestSingleSeesItselfAlive(t *testing.T) {
	f := Single(Member{Node: 7, Gateway: "127.0.0.1:9642"})
	want := []Member{{Node: 7, Gateway: "127.0.0.1:9642", Alive: true}}
	if d := cmp.Diff(want, f.View().Members()); d != "" {
		t.Fatalf("members (-want +got):\n%s", d)
	}
}
