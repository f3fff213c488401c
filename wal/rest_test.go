package wal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"troupe/partitions"
)

// A log that rests is read as before, holds no descriptor for writing, and is written to again as if nothing had been.
func TestRest(t *testing.T) {
	b := newBench(t, Options{})
	l, s := b.open(), newStory()
	s.commit(t, l, s.empty())
	for round := range 6 {
		if round%2 == 0 {
			s.commit(t, l, s.batches(3, 1000)...) // too little to roll
		} else {
			s.commit(t, l, s.batches(3, 40_000)...)
		}
		must(t, l.Append([]partitions.Write{{Entries: []partitions.Entry{s.batch(500)}}})) // not synced yet
		segments := l.Size().Segments
		rolls := l.segments[len(l.segments)-1].size > restBytes
		for range 2 { // resting is no reason to wake
			must(t, l.Rest())
			must(t, l.Sync())
		}
		if l.tail != nil || l.durable != s.next-1 {
			t.Fatalf("round %d: tail %v, durable %d", round, l.tail, l.durable)
		}
		if now := l.Size().Segments; now != segments+map[bool]int{true: 1}[rolls] {
			t.Fatalf("round %d: %d segments, %d before, rolls %v", round, now, segments, rolls)
		}
		s.check(t, l)
		must(t, l.Append([]partitions.Write{{HardState: s.state(s.next - 1), Changed: true}})) // needs no segment
		must(t, l.Sync())
		if l.tail != nil {
			t.Fatal("a hard state woke the log")
		}
		if round == 3 { // a log that rests is killed
			b.restart()
			l = b.open()
		}
	}
	// Cut while resting: a new leader replaces the end.
	must(t, l.Rest())
	s.next, s.term = s.next-2, 3
	s.entries = s.entries[:len(s.entries)-2]
	s.offset -= 4
	l.state.Commit = s.next - 1
	must(t, l.Append([]partitions.Write{{Entries: []partitions.Entry{s.empty()}}}))
	s.commit(t, l, s.batches(2, 100)...)
	s.check(t, l)
	must(t, l.Rest())
	must(t, l.Close())
	wantErr(t, l.Rest(), partitions.ErrClosed)
	l = b.open()
	s.check(t, l)
}

// TestRestFrontLeaves: an empty last segment lets everything before it leave.
func TestRestFrontLeaves(t *testing.T) {
	b := newBench(t, Options{})
	l, s := b.open(), newStory()
	s.commit(t, l, s.batches(3, 40_000)...)
	c := s.baseAt(s.next - 1)
	must(t, l.SaveCheckpoint(c))
	must(t, l.Rest())
	end, err := l.FrontEnd(s.offset, s.next-1)
	if err != nil || end != s.next-1 {
		t.Fatalf("the front ends at %d (%v), want %d", end, err, s.next-1)
	}
	must(t, l.DropFront(c))
	b.restart()
	l = b.open()
	if got := l.Recovered(); got.Damage != nil || got.First != s.next || got.Last != s.next-1 {
		t.Fatalf("recovered %+v", got)
	}
	s.commit(t, l, s.batch(100))
	if got, err := l.Entries(s.next-1, s.next, 1); err != nil || got[0].Index != s.next-1 {
		t.Fatalf("entries %v (%v)", got, err)
	}
}

// TestRestFails: whatever fails, what was reported is there after another opening.
func TestRestFails(t *testing.T) {
	for _, after := range []bool{false, true} {
		for failAt := 1; ; failAt++ {
			sys := &faulty{after: after}
			b := newBench(t, Options{system: sys})
			l, s := b.open(), newStory()
			s.commit(t, l, s.batches(3, 40_000)...)
			sys.failAt = sys.count + failAt
			err := l.Rest()
			if err == nil {
				next := *s
				if err = l.Append([]partitions.Write{{Entries: []partitions.Entry{next.batch(10)}}}); err == nil {
					err = l.Sync()
				}
				if err == nil {
					*s = next
				}
			}
			reached := sys.count >= sys.failAt
			sys.failAt = 0
			if !reached {
				if must(t, err); failAt < 4 {
					t.Fatalf("only %d operations", failAt)
				}
				break
			}
			wantErr(t, err, errDisk)
			wantErr(t, l.Append(nil), partitions.ErrPoisoned)
			_ = l.Close()
			l = b.open()
			if got := l.Recovered(); got.Damage != nil || got.Last < s.next-1 {
				t.Fatalf("operation %d: recovered %+v", failAt, got)
			}
			must(t, l.Close())
		}
	}
}

// TestRestHoldsNothing counts descriptors: a thousand partitions rest on what a few need.
func TestRestHoldsNothing(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skip("descriptors cannot be counted here")
	}
	b := newBench(t, Options{})
	l, s := b.open(), newStory()
	s.commit(t, l, s.batches(3, 40_000)...)
	count := func() (n int) { // of this log: others that were given up are closed by the collector at some time
		all, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		for _, fd := range all {
			if name, _ := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); strings.HasPrefix(name, b.replicaPath()) {
				n++
			}
		}
		return n
	}
	awake := count()
	must(t, l.Rest())
	if resting := count(); awake == 0 || resting != awake-1 {
		t.Fatalf("%d descriptors awake, %d resting", awake, resting)
	}
}
