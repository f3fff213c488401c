package wal

import (
	"os"
	"path/filepath"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"
)

// TestCommitOfChangeIsKept: when the entry that ends a change of the voters reaches the file, an fsynced slot knows that the
// change has begun. Without it, a crash would leave a replica that is elected by the voters of before.
func TestCommitOfChangeIsKept(t *testing.T) {
	for _, together := range []bool{false, true} {
		b := newBench(t, Options{system: &faulty{}})
		l := b.open()
		change := func(index id.Index) []partitions.Entry {
			return []partitions.Entry{{Index: index, Term: 1, Type: partitions.EntryConfiguration, Payload: []byte("change")}}
		}
		state := partitions.HardState{Term: 1, Vote: testReplica, Commit: 2}
		writes := []partitions.Write{{Entries: change(2)}, {Entries: change(3), HardState: state, Changed: true}}
		if together {
			must(t, l.Append(writes))
		} else {
			must(t, l.Append(writes[:1]))
			must(t, l.Sync())
			must(t, l.Append(writes[1:]))
		}
		content, err := os.ReadFile(filepath.Join(b.replicaPath(), hardStateName))
		must(t, err)
		clear(content[scratchPlace*slotBlock:])
		if kept, err := ParseSlots(content); err != nil || kept.HardState.Commit != 2 {
			t.Fatalf("together %v: the end of the change is written, and durable is %+v (%v)", together, kept, err)
		}
		must(t, l.Close())
	}
}
