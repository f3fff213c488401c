package wal

import (
	"errors"
	"testing"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

const testHeir = id.Replica(12)

func (b *bench) openHeir() *Log {
	b.t.Helper()
	l, err := b.directory.Open(testPartition, testHeir)
	must(b.t, err)
	return l.(*Log)
}

// TestHeirIsUnfinishedUntilTheEnd makes an heir's log as partitions.Inheritance has it, with a kill after every step: until the
// gap is durable the log says that it is unfinished, and from then on it holds all that it is to hold.
func TestHeirIsUnfinishedUntilTheEnd(t *testing.T) {
	b, s := newBench(t, Options{SegmentBytes: 4 << 10}), newStory()
	l := b.open()
	s.commit(t, l, s.empty())
	s.commit(t, l, s.batches(20, 1<<10)...)
	s.term = 4
	must(t, l.Append([]partitions.Write{{Entries: append([]partitions.Entry{s.empty()}, s.batches(3, 100)...)}})) // not committed
	must(t, l.Sync())
	must(t, l.Close())

	from := b.open()
	i, err := partitions.Inherit(from.Recovered(), partitions.Placed{Replica: testHeir, Node: 9})
	must(t, err)
	birth, state := i.Birth()
	must(t, b.directory.Create(testPartition, testHeir, birth, state))
	own, err := i.Take(s.entries)
	must(t, err)
	end, last, err := i.End()
	must(t, err)
	gap := end[0]
	unfinished := func(want bool) {
		t.Helper()
		b.restart()
		found := b.openHeir()
		if got := partitions.Unfinished(found.Recovered(), testReplica); got != want || found.Recovered().Damage != nil {
			t.Fatalf("unfinished: %v; %+v", got, found.Recovered())
		}
		must(t, found.Close())
	}
	put := func(w partitions.Write) {
		t.Helper()
		to := b.openHeir()
		must(t, to.Append([]partitions.Write{w}))
		must(t, to.Sync())
	}
	unfinished(true)
	for n := 0; n < len(own); n += 7 {
		put(partitions.Write{Entries: own[n:min(n+7, len(own))]})
		unfinished(true)
	}
	put(partitions.Write{Entries: []partitions.Entry{gap}})
	unfinished(false) // its term is above the one that the vote was of: the gap alone tells that everything is there
	put(partitions.Write{HardState: last, Changed: true})
	unfinished(false)

	found := b.openHeir()
	defer found.Close()
	if d := cmp.Diff(last, found.Recovered().HardState); d != "" {
		t.Errorf("hard state (-want +got):\n%s", d)
	}
	got, err := found.Entries(bornAt+1, gap.Index+1, 1<<20)
	must(t, err)
	if d := cmp.Diff(lines(append(s.entries, gap)), lines(got)); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
	if want := (partitions.Gap{First: s.offset, Next: s.offset + partitions.InheritedOffsets}); string(gap.Payload) != string(want.AppendTo(nil)) {
		t.Errorf("gap %x", gap.Payload)
	}
}

// TestInheritWithBatches: an heir whose log ends with more than the gap is unfinished until the last entry is there.
func TestInheritWithBatches(t *testing.T) {
	b := newBench(t, Options{})
	s := newStory()
	from := b.open()
	must(t, from.Append([]partitions.Write{{Entries: append([]partitions.Entry{s.empty()}, s.batches(5, 300)...)}}))
	must(t, from.Sync())
	must(t, from.Close())
	from = b.open()
	i, err := partitions.Inherit(from.Recovered(), partitions.Placed{Replica: testHeir, Node: 9})
	must(t, err)
	birth, state := i.Birth()
	must(t, b.directory.Create(testPartition, testHeir, birth, state))
	own, err := i.Take(s.entries)
	must(t, err)
	added := newStory().batches(2, 30)
	end, last, err := i.End(added[0].Payload, added[1].Payload)
	must(t, err)
	own = append(own, end...)
	next := s.offset + partitions.InheritedOffsets
	for _, e := range end[1:3] {
		h, err := batch.ParseHeader(e.Payload)
		must(t, err)
		if h.BaseOffset != next {
			t.Fatalf("a batch at offset %d, not at %d", h.BaseOffset, next)
		}
		next = h.NextOffset()
	}
	for k, e := range own {
		to := b.openHeir()
		must(t, to.Append([]partitions.Write{{Entries: []partitions.Entry{e}}}))
		must(t, to.Sync())
		b.restart()
		to = b.openHeir()
		found := to.Recovered()
		must(t, to.Close())
		if got := partitions.Unfinished(found, testReplica); got != (k < len(own)-1) || found.Damage != nil {
			t.Fatalf("with %d of %d entries, unfinished: %v; %+v", k+1, len(own), got, found)
		}
		if k == len(own)-1 && (found.HardState.Term != last.Term || found.Last != last.Commit) {
			t.Fatalf("%+v, want %+v", found, last)
		}
	}
	if _, _, err := i.End([]byte("no batch")); !errors.Is(err, partitions.ErrInvalidBatch) {
		t.Fatal(err)
	}
}
