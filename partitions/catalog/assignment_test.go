package catalog

import (
	"errors"
	"fmt"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// moves is a story about one partition with replicas 2, 3 and 4 on nodes 1, 2 and 3.
type moves struct {
	*story
	partition id.Partition
}

func newMoves(t *testing.T) *moves {
	s := booted(t)
	s.want(CreateTopic{Name: "orders", Partitions: 1, Placements: PlaceOn(1, 1, 2, 3), At: 1234}, nil)
	return &moves{story: s, partition: id.Partition{Topic: 16}}
}

func (m *moves) assignment() Assignment {
	a, ok := m.fold.State().Assignment(m.partition)
	if !ok {
		m.t.Fatal("the partition is gone")
	}
	return a
}

// assign proposes nodes for the partition, whatever its assignment is.
func (m *moves) assign(err error, replace []id.Replica, nodes ...id.Node) {
	m.t.Helper()
	m.want(Assign{Partition: m.partition, Nodes: nodes, Replace: replace, If: AnyVersion}, err)
}

// moved tells that the leader has arrived, and that replicas are gone.
func (m *moves) moved(gone ...id.Replica) {
	m.t.Helper()
	m.want(Moved{Partition: m.partition, Version: m.assignment().Version, Gone: gone}, nil)
}

// expect compares the assignment with "replica@node ... leaving ... ruined ... doomed ...".
func (m *moves) expect(want string) {
	m.t.Helper()
	a := m.assignment()
	got := ""
	for _, p := range a.Replicas {
		got += fmt.Sprintf("%d@%d ", p.Replica, uint64(p.Node))
	}
	for i, p := range a.Leaving {
		if i == 0 {
			got += "leaving "
		}
		got += fmt.Sprintf("%d@%d ", p.Replica, uint64(p.Node))
	}
	for i, r := range a.Ruined {
		if i == 0 {
			got += "ruined "
		}
		got += fmt.Sprintf("%d ", r)
	}
	for i, d := range m.fold.State().Doomed {
		if i == 0 {
			got += "doomed "
		}
		got += fmt.Sprintf("%d@%d ", d.Replica, uint64(d.Node))
	}
	if d := cmp.Diff(want, got[:len(got)-1]); d != "" {
		m.t.Fatalf("assignment (-want +got):\n%s", d)
	}
}

func TestMove(t *testing.T) {
	m := newMoves(t)
	m.expect("2@1 3@2 4@3")
	before := m.fold.State()
	m.assign(nil, nil, 4, 1, 3)
	m.expect("5@4 2@1 4@3 leaving 3@2")
	if m.assignment().Version != m.next-1 {
		t.Fatalf("assigned at %d by the record at %d", m.assignment().Version, m.next-1)
	}
	if a, _ := before.Assignment(m.partition); len(a.Leaving) != 0 {
		t.Fatal("a state that was handed out changed")
	}
	// Only the leader's word that it has arrived lets bytes go.
	m.want(Moved{Partition: m.partition, Version: 1, Gone: []id.Replica{3}}, ErrAssignmentChanged)
	m.want(Moved{Partition: m.partition, Version: m.assignment().Version, Gone: []id.Replica{3, 5}}, ErrInvalidCommand)
	m.moved()
	m.expect("5@4 2@1 4@3 leaving 3@2")
	version := m.assignment().Version
	m.moved(3)
	m.expect("5@4 2@1 4@3 doomed 3@2")
	m.moved(3) // said again: nothing happens
	m.expect("5@4 2@1 4@3 doomed 3@2")
	if m.assignment().Version != version {
		t.Fatal("a move that ended counts as another assignment")
	}
	founders := []partitions.Placed{{Replica: 2, Node: 1}, {Replica: 3, Node: 2}, {Replica: 4, Node: 3}}
	if d := cmp.Diff(founders, m.assignment().Founders); d != "" {
		t.Fatalf("founders (-want +got):\n%s", d)
	}
}

func TestAssignmentWithoutAMove(t *testing.T) {
	m := newMoves(t)
	version := m.assignment().Version
	m.assign(nil, nil, 1, 2, 3) // what it is already
	if m.assignment().Version != version {
		t.Fatal("the same nodes in the same order count as another assignment")
	}
	m.assign(nil, nil, 3, 1, 2) // another preferred leader
	m.expect("4@3 2@1 3@2")
	if m.assignment().Version == version {
		t.Fatal("another preferred leader is another assignment")
	}
	m.assign(nil, nil, 3) // 3 → 1
	m.expect("4@3 leaving 2@1 3@2")
}

func TestAssignRefuses(t *testing.T) {
	m := newMoves(t)
	m.want(Enlist{Node: 9}, nil)
	m.want(Dismiss{Node: 9}, nil)
	kept, version := m.fold.Snapshot(), m.fold.State().Version
	p := m.partition
	for _, r := range []struct {
		c   Command
		err error
	}{
		{Assign{Partition: id.Partition{Topic: 99}, Nodes: []id.Node{1}, If: AnyVersion}, partitions.ErrUnknownTopic},
		{Assign{Partition: id.Partition{Topic: 16, Number: 1}, Nodes: []id.Node{1}, If: AnyVersion}, partitions.ErrUnknownTopic},
		{Assign{Partition: p, Nodes: []id.Node{1}, If: 0}, ErrAssignmentChanged},
		{Assign{Partition: p, If: AnyVersion}, ErrInvalidAssignment},
		{Assign{Partition: p, Nodes: []id.Node{1, 2}, If: AnyVersion}, ErrInvalidAssignment},
		{Assign{Partition: p, Nodes: []id.Node{1, 2, 3, 4, 5, 6, 7}, If: AnyVersion}, ErrInvalidAssignment},
		{Assign{Partition: p, Nodes: []id.Node{1, 2, 1}, If: AnyVersion}, ErrInvalidAssignment},
		{Assign{Partition: p, Nodes: []id.Node{1, 2, 0}, If: AnyVersion}, ErrInvalidAssignment},
		{Assign{Partition: p, Nodes: []id.Node{9}, If: AnyVersion}, ErrUnknownNode},
		{Assign{Partition: p, Nodes: []id.Node{1, 2, 3}, Replace: []id.Replica{5}, If: AnyVersion}, ErrInvalidAssignment},
		{Assign{Partition: p, Nodes: []id.Node{1, 2, 3}, Replace: []id.Replica{2, 2}, If: AnyVersion}, ErrInvalidAssignment},
		{Moved{Partition: id.Partition{Topic: 99}}, partitions.ErrUnknownTopic},
	} {
		m.want(r.c, r.err)
		now := *m.fold.State()
		now.Version = version
		if d := cmp.Diff(kept, now.encode()); d != "" {
			t.Fatalf("%#v changed the state", r.c)
		}
	}
	m.want(Assign{Partition: p, Nodes: []id.Node{1}, If: m.assignment().Version}, nil)
}

// A move is under way until the leader has said that nobody is left to go, also where replicas are only added.
func TestAMoveIsSettledByItsLeader(t *testing.T) {
	m := newMoves(t)
	expect := func(moving bool) {
		t.Helper()
		if a := m.assignment(); a.Moving() != moving {
			t.Fatalf("moving %v, settled at %d of %d", a.Moving(), a.Settled, a.Version)
		}
	}
	expect(false)
	m.assign(nil, nil, 3, 2, 1) // another preferred leader
	expect(false)
	m.assign(nil, nil, 3, 2, 1, 4, 5)
	expect(true)
	m.assign(nil, nil, 2, 3, 1, 4, 5) // does not settle what is under way
	expect(true)
	m.moved()
	expect(false)
	m.assign(nil, nil, 3)
	m.moved(2, 3)
	expect(true)
	m.moved(5, 6)
	expect(false)
}

func TestAMoveIsCancelledOrWaitedFor(t *testing.T) {
	m := newMoves(t)
	m.assign(nil, nil, 1, 2, 4)
	m.expect("2@1 3@2 5@4 leaving 4@3")
	m.assign(ErrMoveUnderWay, nil, 1, 2, 6) // another target
	m.assign(ErrMoveUnderWay, nil, 2, 1, 4) // another order
	m.assign(ErrMoveUnderWay, nil, 1, 3, 6) // returns, and takes more
	m.assign(nil, nil, 1, 2, 3)
	m.expect("2@1 3@2 4@3 leaving 5@4") // 5 may have become a member: the leader tells
	m.moved(5)
	m.expect("2@1 3@2 4@3 doomed 5@4")
	m.assign(nil, nil, 1, 2, 4)
	m.expect("2@1 3@2 6@4 leaving 4@3 doomed 5@4") // an id never comes twice
}

// A replica that lost its log gets another id on the node where it was, or elsewhere, and never comes back; also while the
// partition moves, or it would wait for a dead node for ever.
func TestReplace(t *testing.T) {
	m := newMoves(t)
	m.assign(nil, []id.Replica{4}, 1, 2, 3)
	m.expect("2@1 3@2 5@3 leaving 4@3 ruined 4")
	m.assign(nil, []id.Replica{5}, 1, 2, 6)
	m.expect("2@1 3@2 6@6 leaving 4@3 5@3 ruined 4 5")
	m.assign(ErrMoveUnderWay, nil, 1, 2, 3)
	m.moved(5)
	m.expect("2@1 3@2 6@6 leaving 4@3 ruined 4 doomed 5@3")
	m.moved(4)
	m.expect("2@1 3@2 6@6 doomed 4@3 5@3")
	m.assign(nil, nil, 1, 2, 3)
	m.expect("2@1 3@2 7@3 leaving 6@6 doomed 4@3 5@3")
}

func TestRepairsOfRepairsEnd(t *testing.T) {
	m := newMoves(t)
	for range maxLeaving {
		m.assign(nil, []id.Replica{m.assignment().Replicas[2].Replica}, 1, 2, 3)
	}
	m.assign(ErrMoveUnderWay, []id.Replica{m.assignment().Replicas[2].Replica}, 1, 2, 3)
	if n := len(m.assignment().Leaving); n != maxLeaving {
		t.Fatalf("%d leave", n)
	}
	m.want(DeleteTopic{Topic: 16}, nil)
	if n := len(m.fold.State().Doomed); n != maxLeaving+3 {
		t.Fatalf("%d doomed with their topic, want those that were leaving as well", n)
	}
}

func TestTheCatalogItselfMoves(t *testing.T) {
	m := &moves{story: booted(t), partition: Partition()}
	m.assign(nil, nil, 7, 8, 9)
	m.expect("1@7 2@8 3@9")
	m.assign(nil, nil, 8, 9, 10)
	m.expect("2@8 3@9 4@10 leaving 1@7")
	m.moved(1)
	m.expect("2@8 3@9 4@10 doomed 1@7")
	restored := NewFold()
	if err := restored.Restore(m.fold.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m.fold.State(), restored.State()); d != "" {
		t.Fatalf("restored (-want +got):\n%s", d)
	}
}

func TestCreateTopicTakesOnlyWholePlacements(t *testing.T) {
	s := booted(t)
	create := func(placements [][]id.Node, replicas string, err error) {
		t.Helper()
		c := CreateTopic{Name: "a", Partitions: 2, Placements: placements}
		if replicas != "" {
			c.Settings = map[string]string{"replicas": replicas}
		}
		s.want(c, err)
	}
	create(PlaceOn(1, 7), "", ErrInvalidCommand)
	create(PlaceOn(3, 7), "", ErrInvalidCommand)
	create([][]id.Node{{7}, {}}, "", ErrInvalidAssignment)
	create([][]id.Node{{7}, {7, 8}}, "", ErrInvalidAssignment)
	create([][]id.Node{{7}, {7, 8, 7}}, "", ErrInvalidAssignment)
	create(PlaceOn(2, 7), "3", ErrInvalidAssignment)
	create(PlaceOn(2, 7, 8, 9), "1", ErrInvalidAssignment)
	if s.fold.State().NextReplica != 2 {
		t.Fatalf("refused topics took replica ids: the next is %d", s.fold.State().NextReplica)
	}
	create(PlaceOn(2, 7, 8, 9), "3", nil)
	want := [][]partitions.Placed{
		{{Replica: 2, Node: 7}, {Replica: 3, Node: 8}, {Replica: 4, Node: 9}},
		{{Replica: 5, Node: 8}, {Replica: 6, Node: 9}, {Replica: 7, Node: 7}},
	}
	for i, a := range s.fold.State().Topic("a").Partitions {
		if d := cmp.Diff(want[i], a.Replicas); d != "" {
			t.Errorf("partition %d (-want +got):\n%s", i, d)
		}
	}
	if err := (CreateTopic{Name: "a", Partitions: 1, Settings: map[string]string{"replicas": "4"}}).Validate(); !errors.Is(err, ErrInvalidSetting) {
		t.Errorf("4 replicas: %v", err)
	}
}
