package wal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
)

// newEmptyBench is a data directory with one replica that waits for its first snapshot.
func newEmptyBench(t *testing.T, options Options) *bench {
	t.Helper()
	b := newBench(t, options)
	must(t, b.directory.Remove(testPartition, testReplica))
	delete(b.directory.register.ids, testReplica)
	must(t, b.directory.Create(testPartition, testReplica, nil, partitions.HardState{}))
	return b
}

// TestEmpty: a replica without a checkpoint that never had one opens whole, and keeps its term and vote.
func TestEmpty(t *testing.T) {
	b := newEmptyBench(t, Options{})
	want := partitions.Recovered{Replica: testReplica, First: 1}
	for term := range 4 {
		l := b.open()
		if diff := cmp.Diff(want, l.Recovered()); diff != "" {
			t.Fatalf("recovered (-want +got):\n%s", diff)
		}
		want.HardState.Term++
		want.HardState.Vote = 5
		must(t, l.Append([]partitions.Write{{HardState: want.HardState, Changed: true}}))
		must(t, l.Sync())
		if term%2 == 0 {
			must(t, l.Rest())
			must(t, l.Close())
		}
		b.restart()
	}
	l := b.open()
	_, err := l.Entries(1, 2, 1)
	wantErr(t, err, ErrRange)
	batches, err := l.ReadBatches(0, 10, 1)
	if err != nil || len(batches) > 0 {
		t.Fatalf("%d batches, %v", len(batches), err)
	}
	_, _, found, err := l.FindTime(0, 0, 10)
	if err != nil || found {
		t.Fatalf("found %v, %v", found, err)
	}
	defer func() {
		if _, ok := recover().(*partitions.InvariantError); !ok {
			t.Fatal("an entry was taken before the snapshot")
		}
	}()
	_ = l.Append([]partitions.Write{{Entries: []partitions.Entry{{Index: 1, Term: 1, Type: partitions.EntryEmpty}}}})
}

// TestEmptyIsNotAmnesia: only a log that says so is empty; a replica that lost its checkpoint or entries has forgotten.
func TestEmptyIsNotAmnesia(t *testing.T) {
	for what, spoil := range map[string]func(path string) error{
		"its checkpoint is gone": func(path string) error { return os.Remove(filepath.Join(path, checkpointName(bornAt))) },
		"an old hard state": func(path string) error {
			return os.WriteFile(filepath.Join(path, hardStateName), NewSlots(Slot{Replica: testReplica, Phase: PhaseEmpty}), 0o640)
		},
	} {
		b := newBench(t, Options{})
		l, s := b.open(), newStory()
		s.commit(t, l, s.empty())
		must(t, l.Close())
		must(t, spoil(b.replicaPath()))
		_, err := b.directory.Open(testPartition, testReplica)
		if err == nil {
			t.Fatal(what)
		}
		wantErr(t, err, partitions.ErrDamaged)
	}
	for what, spoil := range map[string]func(path string) error{
		"its hard state is gone":  func(path string) error { return os.Remove(filepath.Join(path, hardStateName)) },
		"its segment is gone":     func(path string) error { return os.Remove(filepath.Join(path, segmentName(1))) },
		"its segment has content": func(path string) error { return os.WriteFile(filepath.Join(path, segmentName(1)), []byte("x"), 0o640) },
	} {
		b := newEmptyBench(t, Options{})
		must(t, spoil(b.replicaPath()))
		_, err := b.directory.Open(testPartition, testReplica)
		if err == nil {
			t.Fatal(what)
		}
		wantErr(t, err, partitions.ErrDamaged)
	}
}
