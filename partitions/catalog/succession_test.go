package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

// The catalog goes on with what one replica has: under a new id, with ids that nobody can have given, and with assignments that
// leaders take for later than any they have heard of.
func TestSucceed(t *testing.T) {
	m := newMoves(t)
	m.partition = Partition()
	m.assign(nil, nil, 7, 1, 2)
	m.moved()
	m.partition = id.Partition{Topic: 16}
	m.assign(nil, nil, 1, 2, 4) // 5@4 is new, 4@3 leaves
	before := m.fold.State()
	const first, second = id.Epoch(1<<32 | 7), id.Epoch(2<<32 | 1)
	m.want(Succeed{Epoch: first, Survivor: 2, At: 99}, partitions.ErrNotRecoverable) // of another partition
	m.want(Succeed{Epoch: 5, Survivor: 5, At: 99}, ErrInvalidCommand)                // which follows nothing
	m.want(Succeed{Epoch: first, Survivor: 5, At: 99}, nil)
	m.want(Succeed{Epoch: first, Survivor: 5, At: 99}, ErrInvalidCommand)
	after, at := m.fold.State(), m.next-2
	if after.Epoch != first || before.Epoch != 0 {
		t.Fatalf("epochs %v and %v", before.Epoch, after.Epoch)
	}
	m.expect("2@1 3@2 7@4 leaving 4@3")
	if a := m.assignment(); a.Version != at || !a.Moving() {
		t.Errorf("a partition on the move: %+v", a)
	}

	m.partition = Partition()
	const heir = 8 + InheritedIDs
	want := Assignment{
		Founders: []partitions.Placed{{Replica: 1, Node: 7}}, Replicas: []partitions.Placed{{Replica: heir, Node: 1}},
		Leaving: []partitions.Placed{{Replica: 1, Node: 7}, {Replica: 5, Node: 1}, {Replica: 6, Node: 2}}, Ruined: []id.Replica{1, 5, 6},
		Version: at, Settled: at,
		Recoveries: []Recovery{{
			At: 99, Survivor: partitions.Placed{Replica: 5, Node: 1}, Heir: heir, Version: at,
			GivenUp: []partitions.Placed{{Replica: 1, Node: 7}, {Replica: 6, Node: 2}},
		}},
	}
	want.Settled = m.assignment().Settled
	if d := cmp.Diff(want, m.assignment()); d != "" || !m.assignment().Moving() {
		t.Fatalf("the catalog's own partition (-want +got):\n%s", d)
	}
	if got := [3]uint64{uint64(after.NextTopic - before.NextTopic), uint64(after.NextReplica - before.NextReplica), uint64(after.NextProducer - before.NextProducer)}; got !=
		[3]uint64{InheritedIDs, InheritedIDs + 1, InheritedIDs} {
		t.Errorf("ids went on by %v", got)
	}
	m.moved(1, 5, 6)
	m.expect("1099511627784@1 doomed 1@7 5@1 6@2")
	m.want(Succeed{Epoch: second, Survivor: 5, At: 99}, partitions.ErrNotRecoverable)
	m.want(Succeed{Epoch: second, Survivor: heir, At: 99}, nil)
	if s := m.fold.State(); s.Epoch != second || len(m.assignment().Recoveries) != 2 {
		t.Errorf("%v, %+v", s.Epoch, m.assignment())
	}
}

// A partition that was at rest stays so under the version that it gets.
func TestSucceedLeavesRest(t *testing.T) {
	m := newMoves(t)
	before := m.assignment()
	m.want(Succeed{Epoch: 1 << 32, Survivor: FirstReplica, At: 1}, nil)
	after := m.assignment()
	if after.Moving() || after.Version <= before.Version {
		t.Errorf("%+v, then %+v", before, after)
	}
	before.Version, before.Settled = after.Version, after.Settled
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("something else changed (-before +after):\n%s", d)
	}
}
