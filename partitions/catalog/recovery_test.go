package catalog

import (
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// recover proposes to go on with what a replica has.
func (m *moves) recover(survivor id.Replica, err error) {
	m.t.Helper()
	m.want(Recover{Partition: m.partition, Survivor: survivor, If: m.assignment().Version, At: 99}, err)
}

func TestRecover(t *testing.T) {
	m := newMoves(t)
	before := m.fold.State()
	m.recover(3, nil)
	m.expect("5@2 leaving 2@1 3@2 4@3 ruined 2 3 4")
	a := m.assignment()
	want := []Recovery{{
		At: 99, Survivor: partitions.Placed{Replica: 3, Node: 2}, Heir: 5, Version: a.Version,
		GivenUp: []partitions.Placed{{Replica: 2, Node: 1}, {Replica: 4, Node: 3}},
	}}
	if d := cmp.Diff(want, a.Recoveries); d != "" {
		t.Fatalf("recoveries (-want +got):\n%s", d)
	}
	if got := [2]id.Replica{a.Inherits(5), a.Inherits(3)}; got != [2]id.Replica{3, 0} || !a.Moving() {
		t.Errorf("inherits %v, moving %v", got, a.Moving())
	}
	if old, _ := before.Assignment(m.partition); old.Recoveries != nil {
		t.Error("a state that was handed out has changed")
	}
	m.recover(5, partitions.ErrNotRecoverable) // nobody else may be a member
	m.assign(ErrMoveUnderWay, nil, 1, 2, 3)
	m.expect("5@2 leaving 2@1 3@2 4@3 ruined 2 3 4") // nothing of the old ones comes back, or goes yet

	m.moved(2, 3, 4)
	m.expect("5@2 doomed 2@1 3@2 4@3")
	m.assign(nil, nil, 2, 1, 4)
	m.expect("5@2 6@1 7@4 doomed 2@1 3@2 4@3")
	if d := cmp.Diff(want, m.assignment().Recoveries); d != "" {
		t.Fatalf("recoveries, after a move (-want +got):\n%s", d)
	}
	restored := NewFold()
	if err := restored.Restore(m.fold.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m.fold.State(), restored.State()); d != "" {
		t.Fatalf("restored (-want +got):\n%s", d)
	}
}

// A replica that was being made anew, one that is to leave, and one that is not there.
func TestRecoverWhileMoving(t *testing.T) {
	m := newMoves(t)
	m.assign(nil, []id.Replica{3, 4}, 1, 2, 8)
	m.expect("2@1 5@2 6@8 leaving 3@2 4@3 ruined 3 4")
	m.recover(3, partitions.ErrNotRecoverable)
	m.recover(77, partitions.ErrNotRecoverable)
	m.want(Recover{Partition: m.partition, Survivor: 2, If: m.assignment().Version - 1}, ErrAssignmentChanged)
	m.want(Recover{Partition: m.partition, Survivor: 2, If: AnyVersion}, ErrAssignmentChanged)
	m.want(Recover{Partition: id.Partition{Topic: 99}, Survivor: 2}, partitions.ErrUnknownTopic)
	m.want(Recover{Partition: Partition(), Survivor: FirstReplica}, partitions.ErrNotRecoverable)
	m.recover(2, nil)
	m.expect("7@1 leaving 2@1 3@2 4@3 5@2 6@8 ruined 2 3 4 5 6")
	if d := cmp.Diff([]partitions.Placed{{Replica: 5, Node: 2}, {Replica: 6, Node: 8}}, m.assignment().Recoveries[0].GivenUp); d != "" {
		t.Errorf("given up (-want +got):\n%s", d)
	}
}

// Only so many recoveries are remembered, the newest among them.
func TestRecoverAgain(t *testing.T) {
	m := newMoves(t)
	for range maxRecoveries + 3 {
		a := m.assignment()
		m.recover(a.Replicas[0].Replica, nil)
		var gone []id.Replica
		for _, p := range m.assignment().Leaving {
			gone = append(gone, p.Replica)
		}
		m.moved(gone...)
		m.assign(nil, nil, 1, 2, 3)
		m.moved()
	}
	a := m.assignment()
	if n := len(a.Recoveries); n != maxRecoveries || a.Recoveries[n-1].Heir != a.Replicas[0].Replica {
		t.Errorf("%d recoveries, the last of %d", n, a.Recoveries[n-1].Heir)
	}
}
