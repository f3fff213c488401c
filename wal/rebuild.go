package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"troupe/partitions"
	"troupe/partitions/id"
)

// rebuilding writes a log in a new directory: what verifies of an old one, and gaps in between.
//
// Invariant: every entry from the first to below next is in the segments finished so far, or in bytes.
type rebuilding struct {
	sys      system
	from, to string
	owner    id.Replica
	holes    []Hole // not written yet
	next     id.Index
	first    id.Index // of the segment being made; 0: none
	bytes    []byte   // of it
	term     id.Term  // of the entry before next, and its time: a gap has the same
	time     id.Timestamp
}

// build writes everything, durably.
func (b *rebuilding) build(i *Inspection, l *Loss) error {
	for _, c := range i.Checkpoints {
		if err := b.link(c.Name); err != nil {
			return err
		}
	}
	if l.base != nil {
		b.term, b.time = l.base.Term, l.base.Clock
	}
	for _, p := range i.pieces {
		if err := b.fill(p.first); err != nil {
			return err
		}
		if err := b.segment(p, i.verdict.Last); err != nil {
			return err
		}
	}
	if err := b.fill(l.state.Commit + 1); err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	slot := Slot{Sequence: i.slot.Sequence + 1, Replica: b.owner, HardState: l.state, Durable: l.state.Commit}
	if err := writeNewFile(b.sys, filepath.Join(b.to, hardStateName), NewSlots(slot)); err != nil {
		return err
	}
	return errors.Join(b.sys.syncDirectory(b.to), b.sys.syncDirectory(filepath.Dir(b.to)))
}

// link gives a file of the old directory a name in the new one. Nobody writes to it any more. Where the file system has no
// links it is copied.
func (b *rebuilding) link(name string) error {
	if os.Link(filepath.Join(b.from, name), filepath.Join(b.to, name)) == nil {
		return nil
	}
	content, err := os.ReadFile(filepath.Join(b.from, name))
	if err != nil {
		return err
	}
	return writeNewFile(b.sys, filepath.Join(b.to, name), content)
}

// fill writes the gaps in front of an entry.
func (b *rebuilding) fill(before id.Index) error {
	for b.next < before {
		for len(b.holes) > 0 && b.holes[0].To < b.next {
			b.holes = b.holes[1:]
		}
		if len(b.holes) == 0 || b.holes[0].From > b.next {
			return nil // what is in the old segments
		}
		g := b.holes[0].Offsets
		if b.next > b.holes[0].From {
			g.First = g.Next
		}
		e := partitions.Entry{Index: b.next, Term: b.term, Type: partitions.EntryGap, AppendTime: b.time, Payload: g.AppendTo(nil)}
		if err := b.put(e, AppendEntry(nil, b.owner, e, b.next-1)); err != nil {
			return err
		}
	}
	return nil
}

// put appends an entry.
func (b *rebuilding) put(e partitions.Entry, bytes []byte) error {
	if e.Index != b.next || e.Term < b.term {
		panic(&partitions.InvariantError{
			Invariant: "a log is rebuilt entry by entry", Got: fmt.Sprint(e.Index, " of term ", e.Term), Want: fmt.Sprint(b.next, " of term ", b.term)})
	}
	if len(b.bytes) >= defaultSegmentBytes {
		if err := b.finish(); err != nil {
			return err
		}
	}
	if b.first == 0 {
		b.first = e.Index
	}
	b.bytes = append(b.bytes, bytes...)
	b.next, b.term, b.time = e.Index+1, e.Term, max(b.time, e.AppendTime)
	return nil
}

// segment takes over what verifies of an old segment, up to an entry: the file itself where all of it does, or what it holds.
func (b *rebuilding) segment(p piece, last id.Index) error {
	s, err := readSegment(b.from, p.first)
	if err != nil {
		return err
	}
	whole := p.whole && p.first == b.next && p.first <= last
	if whole {
		if err := b.finish(); err != nil {
			return err
		}
		if err := b.link(segmentName(p.first)); err != nil {
			return err
		}
	}
	w := walk(b.owner, s.Bytes, s.First)
	for {
		st, ok, err := w.next()
		if err != nil || !ok {
			return err
		}
		if st.bad {
			continue
		}
		if whole {
			b.next, b.term, b.time = st.index+1, st.frame.Entry.Term, max(b.time, st.frame.Entry.AppendTime)
			continue
		}
		if st.index < b.next || st.index > last {
			continue
		}
		if err := b.fill(st.index); err != nil {
			return err
		}
		if err := b.put(st.frame.Entry, s.Bytes[st.at:st.end]); err != nil {
			return err
		}
	}
}

// end makes the last segment, which is appended to from now on: a file of its own, which no old one shares.
func (b *rebuilding) end() error {
	if b.first == 0 {
		b.first = b.next
	}
	return b.finish()
}

// finish makes the segment under way durable.
func (b *rebuilding) finish() error {
	if b.first == 0 {
		return nil
	}
	err := writeNewFile(b.sys, filepath.Join(b.to, segmentName(b.first)), b.bytes)
	b.first, b.bytes = 0, nil
	return err
}
