package wal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

// TestMisnamedSegment: a segment under the name of another one of its log does not verify either. Its first frames are
// taken for part of the damage: so few bytes cannot have held the entries that are missing.
func TestMisnamedSegment(t *testing.T) {
	w := newWreck(t)
	whole := w.files[wreckSegment]
	end := whole[w.ends[8]:]
	l, err := w.with(map[string][]byte{wreckSegment: whole[:w.ends[5]], segmentName(6): end})
	w.damaged(l, err, partitions.DamageHole, 6, func(i id.Index) bool { return i < 6 || i > 10 })
}

// TestNameLost: a group commit that was never reported began several segments, and the name of one of them did not reach
// the disk. The log ends in front of it.
func TestNameLost(t *testing.T) {
	for lost := 1; lost <= 4; lost++ {
		b := newBench(t, Options{SegmentBytes: 1000, system: &faulty{}})
		l, s := b.open(), newStory()
		s.commit(t, l, s.batches(3, 100)...)
		must(t, l.Append([]partitions.Write{{Entries: s.batches(40, 100)}}))
		end := l.segments[lost].first
		must(t, os.Remove(filepath.Join(b.replicaPath(), segmentName(end))))
		b.restart()
		l = b.open()
		got := l.Recovered()
		if got.Damage != nil || got.Last != end-1 || got.Durable != 4 || got.Torn == 0 || l.Size().Segments != lost {
			t.Fatalf("segment %d lost: recovered %+v, %+v, damage %+v", lost, got, l.Size(), got.Damage)
		}
		s.next, s.offset, s.entries = end, id.Offset(2*(end-2)), s.entries[:end-2]
		s.check(t, l)
		s.commit(t, l, s.batches(30, 100)...)
		s.check(t, l)
		b.restart()
		l = b.open()
		s.check(t, l)
		must(t, l.Close())
	}
}

// TestDurableFarBack: a group commit that was never reported fills more segments than are always read.
func TestDurableFarBack(t *testing.T) {
	b := newBench(t, Options{SegmentBytes: 1000, system: &faulty{}})
	l, s := b.open(), newStory()
	s.commit(t, l, s.batches(3, 100)...)
	must(t, l.Append([]partitions.Write{{Entries: s.batches(40, 100)}}))
	path := filepath.Join(b.replicaPath(), wreckSegment)
	content, err := os.ReadFile(path)
	must(t, err)
	content[len(content)-1] ^= 1
	must(t, os.WriteFile(path, content, 0o640))
	b.restart()
	l = b.open()
	if got := l.Recovered(); got.Damage != nil || got.Durable != 4 || l.Size().Segments != 1 {
		t.Fatalf("recovered %+v, %+v, damage %+v", got, l.Size(), got.Damage)
	}
	must(t, l.Close())
}

// TestCommitClamped: the hard state may know of more commits than the log has entries, when both were written and only
// one of them reached the disk.
func TestCommitClamped(t *testing.T) {
	w := newWreck(t)
	slots := NewSlots(Slot{Sequence: 9, Replica: testReplica, HardState: partitions.HardState{Term: 1, Vote: 3, Commit: 14}, Durable: 11})
	l, err := w.with(map[string][]byte{hardStateName: slots, wreckSegment: w.files[wreckSegment][:w.ends[12]+5]})
	must(t, err)
	want := partitions.HardState{Term: 1, Vote: 3, Commit: 12}
	if diff := cmp.Diff(want, l.Recovered().HardState); diff != "" {
		t.Fatalf("hard state (-want +got):\n%s", diff)
	}
	must(t, l.Close())
}

// TestTermOfTheLog: an entry of a later term than the hard state's was written together with a hard state that is lost.
// Nobody was told of a vote in that term.
func TestTermOfTheLog(t *testing.T) {
	w := newWreck(t)
	segment := AppendEntry(bytes.Clone(w.files[wreckSegment]), testReplica,
		partitions.Entry{Index: 15, Term: 6, Type: partitions.EntryEmpty}, 11)
	l, err := w.with(map[string][]byte{wreckSegment: segment})
	must(t, err)
	got := l.Recovered()
	if got.HardState != (partitions.HardState{Term: 6, Commit: 11}) || got.Last != 15 {
		t.Fatalf("recovered %+v", got)
	}
	must(t, l.Close())
	l, err = w.directory.Open(testPartition, testReplica) // and it was made durable
	must(t, err)
	if got := l.Recovered(); got.HardState != (partitions.HardState{Term: 6, Commit: 11}) {
		t.Fatalf("recovered again %+v", got)
	}
	must(t, l.Close())
}

// TestUnfinishedFiles: what a crash interrupted in the making is removed.
func TestUnfinishedFiles(t *testing.T) {
	w := newWreck(t)
	for _, name := range []string{checkpointName(9), hardStateName, wreckSegment} {
		l, err := w.with(map[string][]byte{name + newSuffix: []byte("half")})
		w.torn(l, err, wreckLast, 0)
		if _, err := os.Stat(filepath.Join(w.replicaPath(), name+newSuffix)); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s is still there: %v", name+newSuffix, err)
		}
	}
}

// TestNameOfTheTailAfterCut: a cut does not forget that the last segment's name is not durable yet.
func TestNameOfTheTailAfterCut(t *testing.T) {
	sys := &faulty{}
	b := newBench(t, Options{SegmentBytes: 1000, system: sys})
	l, s := b.open(), newStory()
	s.commit(t, l, s.batches(3, 100)...)
	must(t, l.Append([]partitions.Write{{Entries: s.batches(13, 100)}}))
	tail := l.segments[len(l.segments)-1].first
	if tail == 2 || tail > s.next-2 {
		t.Fatalf("the last segment begins at %d of %d", tail, s.next)
	}
	s.next, s.term = s.next-1, 2
	must(t, l.Append([]partitions.Write{{Entries: s.batches(1, 50)}}))
	from := len(sys.trace)
	must(t, l.Sync())
	if got, want := fmt.Sprint(sys.trace[from:]), "[fsync tail fsync directory write]"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	must(t, l.Close())
}

func TestBrokenInvariants(t *testing.T) {
	b := newBench(t, Options{system: &faulty{}})
	l, s := b.open(), newStory()
	s.commit(t, l, s.batches(4, 100)...)
	above := birth()
	above.Index = s.next
	for name, f := range []func(){
		func() { _ = l.SaveCheckpoint(&above) },                                                         // of what is not durable
		func() { _ = l.Append([]partitions.Write{{Entries: []partitions.Entry{{Index: s.next - 1}}}}) }, // what is committed
		func() { // a gap
			_ = l.Append([]partitions.Write{{Entries: []partitions.Entry{{Index: s.next, Term: 1, Type: 1}, {Index: s.next + 2}}}})
		},
	} {
		func() {
			defer func() {
				if _, ok := recover().(*partitions.InvariantError); !ok {
					t.Fatalf("%d: no panic", name)
				}
			}()
			f()
		}()
	}
	s.commit(t, l, s.batches(2, 100)...) // nothing of what was half-staged is left
	s.check(t, l)
	must(t, l.Close())
	wantErr(t, l.Append([]partitions.Write{{}}), partitions.ErrClosed)
	wantErr(t, l.Sync(), partitions.ErrClosed)
}

// TestTornBeforeReported: two appends without a sync between them; the first is torn. Nothing says it was durable.
func TestTornBeforeReported(t *testing.T) {
	b := newBench(t, Options{system: &faulty{}})
	l, s := b.open(), newStory()
	s.commit(t, l, s.batches(3, 100)...)
	from := l.Size().Bytes - HardStateBytes - l.checkpoints.bytes.Load()
	must(t, l.Append([]partitions.Write{{Entries: s.batches(2, 100)}}))
	must(t, l.Append([]partitions.Write{{Entries: s.batches(2, 100)}}))
	path := filepath.Join(b.replicaPath(), wreckSegment)
	content, err := os.ReadFile(path)
	must(t, err)
	content[from+60] ^= 1
	must(t, os.WriteFile(path, content, 0o640))
	b.restart()
	l = b.open()
	if got := l.Recovered(); got.Damage != nil || got.Last != 4 || got.Durable != 4 {
		t.Fatalf("recovered %+v, damage %+v", got, got.Damage)
	}
	must(t, l.Close())
}

// TestKeepSparesTheNewest: a crash tears the write of a new term and loses the scratch slot; the term before stands.
func TestKeepSparesTheNewest(t *testing.T) {
	b := newBench(t, Options{system: &faulty{}})
	l := b.open()
	path := filepath.Join(b.replicaPath(), hardStateName)
	for term := id.Term(2); term < 7; term++ {
		before, err := os.ReadFile(path)
		must(t, err)
		state := partitions.HardState{Term: term, Vote: id.Replica(term), Commit: 1}
		must(t, l.Append([]partitions.Write{{HardState: state, Changed: true}}))
		must(t, l.Sync())
		content, err := os.ReadFile(path)
		must(t, err)
		got, err := ParseSlots(content)
		must(t, err)
		if got.HardState != state {
			t.Fatalf("term %d: %+v", term, got)
		}
		for place := range slotCount {
			block := content[place*slotBlock:][:slotBlock]
			if !bytes.Equal(block, before[place*slotBlock:][:slotBlock]) {
				clear(block)
			}
		}
		got, err = ParseSlots(content)
		must(t, err)
		if got.HardState.Term != term-1 {
			t.Fatalf("without what term %d wrote: %+v", term, got)
		}
	}
	must(t, l.Close())
}

// TestReadersWaitForCut: no file shrinks while somebody may read it.
func TestReadersWaitForCut(t *testing.T) {
	sys := &faulty{}
	b := newBench(t, Options{SegmentBytes: 1000, system: sys})
	l, s := b.open(), newStory()
	must(t, l.Append([]partitions.Write{{Entries: s.batches(20, 100)}}))
	removals := 0
	sys.watch = func(what string) {
		if what != "fsync directory" {
			return
		}
		removals++
		if l.life.TryRLock() {
			t.Error("a segment is removed while readers are let in")
			l.life.RUnlock()
		}
	}
	s.next = 4
	must(t, l.Append([]partitions.Write{{Entries: s.batches(1, 100)}}))
	sys.watch = nil
	if removals == 0 {
		t.Fatal("no segment was removed")
	}
	must(t, l.Close())
}

// A write that began two segments and was torn leaves two in which nothing is believed. The terms of what lies in front of them
// are known all the same.
func TestTermsInFrontOfTornSegments(t *testing.T) {
	b := newBench(t, Options{SegmentBytes: 1024})
	l, s := b.open(), newStory()
	s.commit(t, l, s.batch(2000))
	s.term = 2
	s.commit(t, l, s.batch(2000), s.batch(2000))
	must(t, l.Close())
	must(t, os.WriteFile(filepath.Join(b.replicaPath(), segmentName(s.next)), []byte{200, 1, 2, 3}, 0o600))
	must(t, os.WriteFile(filepath.Join(b.replicaPath(), segmentName(s.next+1)), nil, 0o600))
	l = b.open()
	want := []partitions.TermStart{{Index: 2, Term: 1}, {Index: 3, Term: 2}}
	if r := l.Recovered(); r.Last != s.next-1 || r.Torn != 4 || r.Damage != nil || !slices.Equal(r.Terms, want) {
		t.Errorf("recovered %+v, damage %+v; want a tear of 4 bytes behind entry %d and terms %v", r, r.Damage, s.next-1, want)
	}
	s.commit(t, l, s.batch(100))
	s.check(t, l)
	must(t, l.Close())
}
