package wal

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

var update = flag.Bool("update", false, "write testdata/*.hex anew")

// golden compares bytes with a file. A difference means that logs of earlier versions cannot be read any more.
func golden(t *testing.T, name string, b []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".hex")
	got := hex.Dump(b)
	if *update {
		must(t, os.WriteFile(path, []byte(got), 0o640))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", name, diff)
	}
}

var (
	goldenEntry = partitions.Entry{
		Index: 0x1112131415161718, Term: 0x2122232425262728, Type: partitions.EntryBatch,
		AppendTime: 0x3132333435363738, Payload: []byte("payload"),
	}
	goldenSlot = Slot{
		Sequence: 0x0102030405060708, Replica: 0x1112131415161718,
		HardState: partitions.HardState{Term: 0x2122232425262728, Vote: 0x3132333435363738, Commit: 0x4142434445464748},
		Durable:   0x5152535455565758,
	}
	goldenRegistration = Registration{
		Replica: 0x0102030405060708, Partition: id.Partition{Topic: 0x1112131415161718, Number: 0x21222324}, Removed: true,
	}
	goldenLives    = []Life{{0x0102030405060708, 0x1112131415161718, 0x2122232425262728}, {0x0102030405060709, 1, 0}}
	goldenIdentity = Identity{Node: 0x0102030405060708, Cluster: 0x1112131415161718, Incarnation: 0x2122232425262728}
)

func TestGolden(t *testing.T) {
	golden(t, "entry", AppendEntry(nil, 7, goldenEntry, 0x0102030405060708))
	golden(t, "slot", goldenSlot.AppendTo(nil))
	empty := goldenSlot
	empty.Phase = PhaseEmpty
	golden(t, "slot-empty", empty.AppendTo(nil))
	installing := goldenSlot
	installing.Phase = PhaseInstalling
	golden(t, "slot-installing", installing.AppendTo(nil))
	golden(t, "hardstate", NewSlots(goldenSlot))
	c := birth()
	golden(t, "checkpoint", AppendCheckpoint(nil, 7, &c))
	golden(t, "register", goldenRegistration.AppendTo(Registration{Replica: 1}.AppendTo(nil)))
	golden(t, "identity", goldenIdentity.AppendTo(nil))
	golden(t, "lives", AppendLives(nil, goldenLives))
	recovering := goldenIdentity
	recovering.Epoch, recovering.Recovering = 0x3132333435363738, true
	golden(t, "identity-recovering", recovering.AppendTo(nil))
}

func TestFrameRoundTrip(t *testing.T) {
	f, err := ParseFrame(AppendFrame(nil, 7, goldenEntry, 5), 7)
	must(t, err)
	if diff := cmp.Diff(Frame{Entry: goldenEntry, Synced: 5}, f); diff != "" {
		t.Fatalf("frame (-want +got):\n%s", diff)
	}
	for _, b := range [][]byte{nil, make([]byte, FrameOverhead), AppendFrame(nil, 8, goldenEntry, 5)} {
		_, err := ParseFrame(b, 7)
		wantErr(t, err, partitions.ErrDamaged)
	}
	_, err = ParseFrame(AppendFrame(nil, 7, goldenEntry, goldenEntry.Index), 7)
	wantErr(t, err, partitions.ErrDamaged)
}

// TestSegmentIsTidwalls: the file that tidwall writes is what AppendEntry makes.
func TestSegmentIsTidwalls(t *testing.T) {
	b := newBench(t, Options{})
	l, s := b.open(), newStory()
	must(t, l.Append([]partitions.Write{{Entries: append([]partitions.Entry{s.empty()}, s.batches(3, 300)...)}}))
	must(t, l.Close())
	var want []byte
	for _, e := range s.entries {
		want = AppendEntry(want, testReplica, e, bornAt)
	}
	got, err := readSegment(b.replicaPath(), 2)
	must(t, err)
	if diff := cmp.Diff(hex.Dump(want), hex.Dump(got.Bytes)); diff != "" {
		t.Fatalf("segment (-want +got):\n%s", diff)
	}
}
