package wal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A hole is filled by files that are written whole under another name, fsynced, and renamed; then the directory is fsynced.
// A crash leaves the hole or what fills it. Nothing that verified is ever changed: it is copied byte by byte into the file
// that takes its segment's place. Where a file is made anew and another one put behind it, the first one comes first, so that
// no two segments ever hold the same entry.
//
// The hard state is not touched: what is filled was durable and committed once, which is all that it says. Nor is the segment
// that is being written to: a log with a hole there is opened anew first, and is read-only then.

// Holes implements partitions.Log. Readers and the writer go on between two segments.
func (l *Log) Holes() ([]partitions.Hole, error) {
	if err := l.healable(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	from, commit := l.begin, l.commit
	l.mu.Unlock()
	var holes []partitions.Hole
	for {
		m, err := l.examine(from)
		if err != nil {
			return nil, err
		}
		for _, h := range m.Holes() {
			holes = joined(holes, h)
		}
		if n := len(holes); n > 0 && holes[n-1].Last > commit {
			return nil, fmt.Errorf("replica %d: entries from %d to %d, of which only those through %d are known committed: %w",
				l.owner, holes[n-1].First, holes[n-1].Last, commit, partitions.ErrDamaged)
		}
		l.mu.Lock()
		end := l.last + 1
		l.mu.Unlock()
		if from = m.End(); from >= end {
			return holes, nil
		}
	}
}

// healable tells why holes cannot be filled.
func (l *Log) healable() error {
	if d := l.recovered.Damage; d != nil && d.Kind != partitions.DamageHole {
		return fmt.Errorf("replica %d has forgotten: %s: %w", l.owner, d.Reason, partitions.ErrDamaged)
	}
	return nil
}

// examine looks for what is missing in the segment that an entry belongs to. In front of the first one is a place for one,
// if it is missing.
func (l *Log) examine(index id.Index) (*Mending, error) {
	if err := l.reading(); err != nil {
		return nil, err
	}
	defer l.life.RUnlock()
	l.mu.Lock()
	i := -1
	for i+1 < len(l.segments) && l.segments[i+1].first <= index {
		i++
	}
	v := view{first: l.begin, want: l.segments[0].first}
	if i >= 0 {
		v = l.viewLocked(i)
	}
	l.mu.Unlock()
	s := SegmentBytes{First: v.first}
	if v.size > 0 {
		var err error
		if s, err = readSegment(l.directory, v.first); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		s.Bytes = s.Bytes[:min(int64(len(s.Bytes)), v.size)]
	}
	return Mend(l.owner, s, v.want)
}

// Fill implements partitions.Log. An error from before a file has its name leaves the log as it was, and not poisoned.
func (l *Log) Fill(entries []partitions.Entry) error {
	if err := l.healable(); err != nil {
		return err
	}
	if l.closed || l.poison != nil {
		return l.writable()
	}
	terms := l.terms
	terms.Highest = l.state.Term
	for _, e := range entries {
		if e.Index > l.state.Commit {
			return fmt.Errorf("entry %d is not known committed, %d is: %w", e.Index, l.state.Commit, ErrRange)
		}
		if l.mending == nil || !l.mending.Covers(e.Index) {
			var err error
			if l.mending, err = l.examine(e.Index); err != nil {
				return err
			}
			if l.slots != nil && l.mending.first == l.segments[len(l.segments)-1].first {
				l.mending = nil
				return fmt.Errorf("entry %d is in the segment that is being written to; close the log and open it anew: %w", e.Index, ErrRange)
			}
		}
		if err := l.mending.Put(e, terms); err != nil {
			return fmt.Errorf("replica %d: %w", l.owner, err)
		}
		if files := l.mending.Due(l.segmentBytes); files != nil {
			l.mending = nil
			for _, f := range files {
				if err := l.mend(f); err != nil {
					return l.replacing("segment", err)
				}
			}
		}
	}
	return nil
}

// mend puts a segment in place of a damaged or missing one.
func (l *Log) mend(s SegmentBytes) error {
	path := filepath.Join(l.directory, segmentName(s.First))
	end := l.segments[len(l.segments)-1]
	believed := int64(len(s.Bytes))
	if s.First == end.first { // what follows the end that is believed is not for this to judge
		old, err := readSegment(l.directory, s.First)
		if err != nil {
			return err
		}
		s.Bytes = append(s.Bytes, old.Bytes[min(int64(len(old.Bytes)), end.size):]...)
	}
	if err := writeNewFile(l.sys, path+newSuffix, s.Bytes); err != nil {
		_ = os.Remove(path + newSuffix) // what stays is removed by the next opening
		return fmt.Errorf("%w: %w", errUnnamed, full(err))
	}
	if err := l.takePlace(s.First, path, believed); err != nil {
		return err
	}
	return l.sys.syncDirectory(l.directory)
}

// takePlace gives a new file its name, once nobody reads in the old one.
func (l *Log) takePlace(first id.Index, path string, size int64) error {
	l.life.Lock()
	defer l.life.Unlock()
	if err := l.sys.rename(path+newSuffix, path); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, found := slices.BinarySearchFunc(l.segments, first, func(s *segment, first id.Index) int { return cmp.Compare(s.first, first) })
	if !found {
		l.segments = slices.Insert(l.segments, i, &segment{first: first})
	}
	if i > 0 && !found {
		l.segments[i-1].index = nil // it ends earlier than it seemed
	}
	l.segments[i].size, l.segments[i].index = size, nil
	return nil
}
