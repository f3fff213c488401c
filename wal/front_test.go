package wal

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

// baseAt is the state behind an entry, as a trim makes it.
func (s *story) baseAt(end id.Index) *partitions.Checkpoint {
	c := birth()
	for _, e := range s.entries {
		if e.Index > end {
			break
		}
		c.Index, c.Term = e.Index, e.Term
		if span, ok := batchSpan(&e); ok {
			c.NextOffset = span.next
		}
	}
	c.LogStart = c.NextOffset
	return &c
}

// checkBehind compares what the log holds with the story behind a base.
func (s *story) checkBehind(t *testing.T, l *Log, base *partitions.Checkpoint) {
	t.Helper()
	first := base.Index + 1
	var got []partitions.Entry
	for lo := first; lo < s.next; {
		entries, err := l.Entries(lo, s.next, 1<<16)
		must(t, err)
		got = append(got, entries...)
		lo += id.Index(len(entries))
	}
	if diff := cmp.Diff(lines(s.entries[first-bornAt-1:]), lines(got)); diff != "" {
		t.Fatalf("entries (-want +got):\n%s", diff)
	}
	if base.NextOffset > 0 {
		_, err := l.ReadBatches(base.NextOffset-1, s.offset, 1)
		wantErr(t, err, partitions.ErrOffsetOutOfRange)
		_, err = l.Entries(base.Index, s.next, 1)
		wantErr(t, err, ErrRange)
	}
	batches, err := l.ReadBatches(base.NextOffset, s.offset, 1)
	must(t, err)
	if !bytes.Equal(batches[0], s.batchAt(base.NextOffset)) {
		t.Fatalf("another batch than that at offset %d", base.NextOffset)
	}
	at, _, found, err := l.FindTime(0, 0, s.offset)
	if err != nil || !found || at != base.NextOffset {
		t.Fatalf("first time at offset %d (%v, %v), want %d", at, found, err, base.NextOffset)
	}
}

func (s *story) batchAt(offset id.Offset) []byte {
	for _, e := range s.entries {
		if span, ok := batchSpan(&e); ok && span.base == offset {
			return e.Payload
		}
	}
	return nil
}

// longLog is a log of many segments with its newest checkpoint at the end.
func longLog(t *testing.T, options Options) (*bench, *Log, *story) {
	t.Helper()
	options.SegmentBytes = 2048
	b := newBench(t, options)
	l, s := b.open(), newStory()
	s.commit(t, l, s.empty())
	for range 12 {
		s.commit(t, l, s.batches(4, 400)...)
	}
	c := s.baseAt(s.next - 1)
	c.LogStart = 40
	must(t, l.SaveCheckpoint(c))
	return b, l, s
}

func TestFrontEnd(t *testing.T) {
	_, l, s := longLog(t, Options{})
	var ends []id.Index // of the segments
	for _, seg := range l.segments[1:] {
		ends = append(ends, seg.first-1)
	}
	for start := id.Offset(0); start <= s.offset; start++ {
		for _, below := range []id.Index{0, 5, 20, s.next - 1} {
			var want id.Index
			for _, end := range ends {
				if s.baseAt(end).NextOffset <= start && end <= below {
					want = end
				}
			}
			if got, err := l.FrontEnd(start, below); err != nil || got != want {
				t.Fatalf("front below offset %d and through entry %d ends at %d (%v), want %d", start, below, got, err, want)
			}
		}
	}
	must(t, l.Close())
	_, err := l.FrontEnd(1, 1)
	wantErr(t, err, partitions.ErrClosed)
}

func TestDropFront(t *testing.T) {
	b, l, s := longLog(t, Options{})
	for _, start := range []id.Offset{20, 50, 90} {
		before := l.Size()
		end, err := l.FrontEnd(start, s.next-1)
		must(t, err)
		base := s.baseAt(end)
		must(t, l.DropFront(base))
		if now := l.Size(); now.Segments >= before.Segments || now.Bytes >= before.Bytes {
			t.Fatalf("%+v before, %+v after", before, now)
		}
		s.checkBehind(t, l, base)
		s.commit(t, l, s.batches(4, 400)...) // tidwall's handle does not mind
		s.checkBehind(t, l, base)
		for _, end := range []func(){func() { must(t, l.Close()) }, b.restart} {
			end()
			l = b.open()
			got := l.Recovered()
			if diff := cmp.Diff(base, got.Base); diff != "" {
				t.Fatalf("base (-want +got):\n%s", diff)
			}
			if got.First != base.Index+1 || got.Last != s.next-1 || got.Damage != nil || got.Newest.Index < base.Index {
				t.Fatalf("recovered %+v", got)
			}
			s.checkBehind(t, l, base)
		}
		if names := checkpointFiles(t, b); len(names) != 2 || names[0] != baseName(base.Index) {
			t.Fatalf("checkpoint files %v", names)
		}
		if sum := size(t, b); l.Size().Bytes != sum {
			t.Fatalf("the log says %d bytes, its files have %d", l.Size().Bytes, sum)
		}
		c := s.baseAt(s.next - 1) // as a replica does behind a new log start
		must(t, l.SaveCheckpoint(c))
	}
}

func size(t *testing.T, b *bench) (sum int64) {
	t.Helper()
	entries, err := os.ReadDir(b.replicaPath())
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		sum += info.Size()
	}
	return sum
}

func checkpointFiles(t *testing.T, b *bench) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(b.replicaPath())
	must(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), basePrefix) || strings.HasPrefix(e.Name(), checkpointPrefix) {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestDropFrontInterrupted leaves every state a crash inside DropFront can leave: the base with and without its name, any
// subset of the segments behind it, the old checkpoints there or gone.
func TestDropFrontInterrupted(t *testing.T) {
	b, l, s := longLog(t, Options{})
	before := readFiles(t, b.replicaPath())
	front := l.segments[:4]
	base := s.baseAt(l.segments[4].first - 1)
	must(t, l.DropFront(base))
	must(t, l.Close())
	after := readFiles(t, b.replicaPath())
	open := func(what string, files map[string][]byte, base *partitions.Checkpoint) {
		must(t, os.RemoveAll(b.replicaPath()))
		must(t, os.Mkdir(b.replicaPath(), 0o750))
		for name, bytes := range files {
			must(t, os.WriteFile(filepath.Join(b.replicaPath(), name), bytes, 0o640))
		}
		b.restart()
		l := b.open()
		got := l.Recovered()
		if got.Damage != nil || got.First != base.Index+1 || cmp.Diff(base, got.Base) != "" {
			t.Fatalf("%s: recovered %+v", what, got)
		}
		s.checkBehind(t, l, base)
		for _, seg := range front {
			if _, err := os.Stat(l.path(seg)); base.Index != bornAt && err == nil {
				t.Fatalf("%s: segment %d is still there", what, seg.first)
			}
		}
		must(t, l.Close())
	}
	unnamed := maps.Clone(before)
	unnamed[baseName(base.Index)+newSuffix] = after[baseName(base.Index)][:20]
	born := birth()
	open("base without a name", unnamed, &born)
	for left := range 1 << len(front) {
		for _, old := range []bool{true, false} {
			files := maps.Clone(after)
			for i, seg := range front {
				if left&(1<<i) != 0 {
					files[segmentName(seg.first)] = before[segmentName(seg.first)]
				}
			}
			if old {
				files[checkpointName(bornAt)] = before[checkpointName(bornAt)]
			}
			open(fmt.Sprintf("leftovers %b, old base %v", left, old), files, base)
		}
	}
	// The base's bytes are damaged: its name still tells what is left over, and the newest checkpoint serves.
	files := maps.Clone(after)
	files[baseName(base.Index)] = []byte("damaged")
	files[segmentName(front[1].first)] = before[segmentName(front[1].first)]
	must(t, os.RemoveAll(b.replicaPath()))
	must(t, os.Mkdir(b.replicaPath(), 0o750))
	for name, bytes := range files {
		must(t, os.WriteFile(filepath.Join(b.replicaPath(), name), bytes, 0o640))
	}
	b.restart()
	got := b.open().Recovered()
	if got.Base != nil || got.Damage != nil || got.First != base.Index+1 || got.Newest.Index != s.next-1 {
		t.Fatalf("recovered %+v", got)
	}
	// A segment behind the base is gone: that is damage, and no leftover.
	delete(files, segmentName(base.Index+1))
	must(t, os.Remove(filepath.Join(b.replicaPath(), segmentName(base.Index+1))))
	b.restart()
	got = b.open().Recovered()
	if got.Damage == nil || got.Damage.Kind != partitions.DamageHole || got.Damage.Index != base.Index+1 {
		t.Fatalf("recovered %+v", got)
	}
}

func readFiles(t *testing.T, directory string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(directory)
	must(t, err)
	for _, e := range entries {
		files[e.Name()], err = os.ReadFile(filepath.Join(directory, e.Name()))
		must(t, err)
	}
	return files
}

// TestNothingDroppedWithoutBase: a lost checkpoint file must not turn wanted segments into leftovers.
func TestNothingDroppedWithoutBase(t *testing.T) {
	b, l, s := longLog(t, Options{})
	must(t, l.Close())
	must(t, os.Remove(filepath.Join(b.replicaPath(), checkpointName(bornAt))))
	b.restart()
	l = b.open()
	if got := l.Recovered(); got.Base != nil || got.First != bornAt+1 {
		t.Fatalf("recovered %+v", got)
	}
	s.check(t, l)
}

// TestDropFrontFails: each of its operations fails, in turn. What is not dropped is still there, in this process and the next.
func TestDropFrontFails(t *testing.T) {
	for _, after := range []bool{false, true} {
		for failAt := 1; ; failAt++ {
			sys := &faulty{after: after}
			b, l, s := longLog(t, Options{system: sys})
			base := s.baseAt(l.segments[4].first - 1)
			sys.failAt = sys.count + failAt
			err := l.DropFront(base)
			reached := sys.count >= sys.failAt
			failed := sys.failAt
			sys.failAt = 0
			if !reached {
				if must(t, err); failAt < 4 {
					t.Fatalf("only %d operations", failAt)
				}
				break
			}
			wantErr(t, err, errDisk)
			named := slices.Contains(checkpointFiles(t, b), baseName(base.Index))
			// Nobody knows what a rename that failed has left.
			if err := l.Sync(); (named || sys.trace[failed-1] == "rename") != (err != nil) {
				t.Fatalf("operation %d: the base has its name: %v; the next Sync returns %v", failAt, named, err)
			}
			_ = l.Close()
			l = b.open()
			if !named {
				c := birth()
				base = &c
			}
			s.checkBehind(t, l, base)
			must(t, l.Close())
		}
	}
}

// TestReadersBesideDropFront: whoever reads meets what there was, what there is, or the error that says it is gone.
func TestReadersBesideDropFront(t *testing.T) {
	_, l, s := longLog(t, Options{})
	stop := readBeside(t, l, s, partitions.ErrOffsetOutOfRange, func() {})
	for start := id.Offset(10); start < s.offset-10; start += 3 {
		end, err := l.FrontEnd(start, s.next-1)
		must(t, err)
		if end > 0 {
			must(t, l.DropFront(s.baseAt(end)))
		}
	}
	stop()
}
