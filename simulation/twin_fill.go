package simulation

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
	"troupe/wal"
)

// Holes implements partitions.Log: wal.Mending decides what is missing.
func (t *Twin) Holes() ([]partitions.Hole, error) {
	if err := t.healable(); err != nil {
		return nil, err
	}
	var holes []partitions.Hole
	for from := t.first; from <= t.last(); {
		m, err := t.examine(from)
		if err != nil {
			return nil, err
		}
		for _, h := range m.Holes() {
			if n := len(holes); n > 0 && holes[n-1].Last+1 == h.First {
				holes[n-1].Last = h.Last
			} else {
				holes = append(holes, h)
			}
		}
		from = m.End()
	}
	if n := len(holes); n > 0 && holes[n-1].Last > t.state.Commit {
		return nil, fmt.Errorf("entries from %d to %d, of which only those through %d are known committed: %w",
			holes[n-1].First, holes[n-1].Last, t.state.Commit, partitions.ErrDamaged)
	}
	return holes, nil
}

func (t *Twin) healable() error {
	switch d := t.recovered.Damage; {
	case t.closed:
		return partitions.ErrClosed
	case d != nil && d.Kind != partitions.DamageHole:
		return fmt.Errorf("%s: %w", d.Reason, partitions.ErrDamaged)
	}
	return nil
}

// examine looks for what is missing in the segment that an entry belongs to, or in front of the first.
func (t *Twin) examine(index id.Index) (*wal.Mending, error) {
	i := -1
	for i+1 < len(t.segments) && t.segments[i+1].first <= index {
		i++
	}
	want := t.last() + 1
	if i+1 < len(t.segments) {
		want = t.segments[i+1].first
	}
	s := wal.SegmentBytes{First: t.first}
	if i >= 0 {
		b, _ := t.device.volume.ReadFile(t.path(t.segments[i].first))
		s = wal.SegmentBytes{First: t.segments[i].first, Bytes: b[:min(int64(len(b)), t.segments[i].size)]}
	}
	return wal.Mend(t.owner, s, want)
}

// Fill implements partitions.Log.
func (t *Twin) Fill(entries []partitions.Entry) error {
	if err := t.healable(); err != nil {
		return err
	}
	if t.poison != nil {
		return t.writable()
	}
	terms := t.terms
	terms.Highest = t.state.Term
	for _, e := range entries {
		if e.Index > t.state.Commit {
			return fmt.Errorf("entry %d is not known committed, %d is: %w", e.Index, t.state.Commit, wal.ErrRange)
		}
		if t.mending == nil || !t.mending.Covers(e.Index) {
			var err error
			if t.mending, err = t.examine(e.Index); err != nil {
				return err
			}
			if t.recovered.Damage == nil && t.mending.Covers(t.last()) {
				t.mending = nil
				return fmt.Errorf("entry %d is in the segment that is being written to: %w", e.Index, wal.ErrRange)
			}
		}
		if err := t.mending.Put(e, terms); err != nil {
			return err
		}
		if files := t.mending.Due(t.segmentBytes); files != nil {
			t.mending = nil
			for _, f := range files {
				if err := t.mend(f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// mend puts a segment in place of a damaged or missing one, and notes where its entries lie.
func (t *Twin) mend(s wal.SegmentBytes) error {
	size := int64(len(s.Bytes))
	b := s.Bytes
	if end := t.segments[len(t.segments)-1]; s.First == end.first { // what follows the end that is believed stays
		old, _ := t.device.volume.ReadFile(t.path(s.First))
		b = append(b, old[min(int64(len(old)), end.size):]...)
	}
	if err := t.replace(segmentFile(s.First), b); err != nil {
		return err
	}
	t.disk.world.marks.count(MarkHoleFilled)
	i := 0
	for i < len(t.segments) && t.segments[i].first < s.First {
		i++
	}
	if i == len(t.segments) || t.segments[i].first != s.First {
		t.segments = append(t.segments[:i], append([]*twinSegment{{first: s.First}}, t.segments[i:]...)...)
	}
	t.segments[i].size = size
	for at := 0; at < len(s.Bytes); {
		frame, n, length, err := t.frameAt(s.Bytes, at)
		if err != nil {
			return err
		}
		t.entries[frame.Entry.Index-t.first] = placed(s.First, int64(at+n), int64(length), &frame.Entry)
		at += n + length
	}
	return nil
}
