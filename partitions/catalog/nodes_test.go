package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

func TestNodesComeAndGo(t *testing.T) {
	s := booted(t)
	s.want(Enlist{Node: 8, Rack: "north"}, nil)
	s.want(Enlist{Node: 9}, nil)
	s.want(Drain{Node: 9, On: true}, nil)
	s.want(Enlist{Node: 9, Rack: "south"}, nil) // started again: it still drains
	want := map[id.Node]*Node{7: {State: Active}, 8: {State: Active, Rack: "north"}, 9: {State: Draining, Rack: "south"}}
	before := s.fold.State()
	if d := cmp.Diff(want, before.Nodes); d != "" {
		t.Fatalf("nodes (-want +got):\n%s", d)
	}
	s.want(Drain{Node: 9}, nil)
	s.want(Dismiss{Node: 8}, nil)
	if d := cmp.Diff(want, before.Nodes); d != "" {
		t.Fatalf("a state that was handed out changed (-want +got):\n%s", d)
	}
	want[8], want[9] = &Node{State: Gone, Rack: "north"}, &Node{State: Active, Rack: "south"}
	if d := cmp.Diff(want, s.fold.State().Nodes); d != "" {
		t.Fatalf("nodes (-want +got):\n%s", d)
	}
	s.want(Enlist{Node: 8}, ErrUnknownNode) // gone is for ever
	s.want(Dismiss{Node: 8}, ErrUnknownNode)
	s.want(Drain{Node: 10, On: true}, ErrUnknownNode)
	s.want(Dismiss{Node: 10}, ErrUnknownNode)
	s.want(Enlist{}, ErrInvalidCommand)
	s.want(Enlist{Node: 1, Rack: strings.Repeat("r", MaxRackBytes+1)}, ErrInvalidCommand)
	restored := NewFold()
	if err := restored.Restore(s.fold.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s.fold.State(), restored.State()); d != "" {
		t.Fatalf("restored (-want +got):\n%s", d)
	}
}

func TestABrokerInUseStays(t *testing.T) {
	s := booted(t)
	for _, n := range []id.Node{8, 9} {
		s.want(Enlist{Node: n}, nil)
	}
	s.want(CreateTopic{Name: "wide", Partitions: 1, Placements: PlaceOn(1, 7, 8, 9)}, nil)
	s.want(CreateTopic{Name: "narrow", Partitions: 1, Placements: PlaceOn(1, 8)}, nil)
	if r := s.want(Drain{Node: 9, On: true}, ErrNodeInUse); !strings.Contains(r.Err.Error(), "too few for wide;") {
		t.Errorf("the refusal names no topic: %v", r.Err)
	}
	s.want(Enlist{Node: 10}, nil)
	s.want(Drain{Node: 9, On: true}, nil)
	s.want(Drain{Node: 9, On: true}, nil) // said again
	if r := s.want(Dismiss{Node: 9}, ErrNodeInUse); !strings.Contains(r.Err.Error(), "replicas of wide;") {
		t.Errorf("the refusal names no topic: %v", r.Err)
	}
	p := id.Partition{Topic: 16}
	s.want(Assign{Partition: p, Nodes: []id.Node{7, 8, 10}, If: AnyVersion}, nil)
	s.want(Dismiss{Node: 9}, ErrNodeInUse) // its replica may still be a member
	a, _ := s.fold.State().Assignment(p)
	s.want(Moved{Partition: p, Version: a.Version, Gone: []id.Replica{a.Leaving[0].Replica}}, nil)
	s.want(Dismiss{Node: 9}, nil)
	if d := s.fold.State().Doomed; d != nil {
		t.Errorf("doomed on a node that is gone: %v", d)
	}
}

func TestNoMoreReplicasThanBrokersAreChosen(t *testing.T) {
	s := booted(t)
	s.want(topic("orders", 1), nil)
	three := AlterTopic{Topic: 16, Set: map[string]string{"replicas": "3"}}
	s.want(three, ErrTooFewNodes)
	s.want(Enlist{Node: 8}, nil)
	s.want(Enlist{Node: 9}, nil)
	s.want(three, nil)
	s.want(Drain{Node: 9, On: true}, ErrNodeInUse)
}

func TestApplyBoundsNodes(t *testing.T) {
	s := empty()
	for i := range maxNodes {
		s.Nodes[id.Node(i+1)] = &Node{State: Gone}
	}
	if _, err := (Enlist{Node: maxNodes + 1}).apply(s); !errors.Is(err, ErrTooMany) {
		t.Errorf("a node more than %d: %v", maxNodes, err)
	}
	if got := fmt.Sprint(Active, Draining, Gone, NodeState(9)); got != "active draining gone state 9" {
		t.Errorf("states are called %q", got)
	}
}
