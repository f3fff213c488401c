package wal

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// cut removes the entries from index on, which a new leader replaces. tidwall's own truncation unlinks before it renames
// and makes no directory durable, so it is never called; the order here is such that a crash at any point leaves either
// the old end or the new one:
//
//  1. the durable index is lowered, durably: from now on the end may be missing without being damage;
//  2. later segments are unlinked, newest first, each durably before the next;
//  3. the segment that holds index is truncated, and fsynced.
//
// Readers wait: nobody reads a file while it shrinks.
func (l *Log) cut(index id.Index) error {
	if index <= l.state.Commit || index < l.recovered.First {
		panic(&partitions.InvariantError{
			Invariant: "only entries that are not committed are replaced", Got: index, Want: l.state.Commit + 1})
	}
	if l.durable >= index {
		l.durable = index - 1
		s := l.slots.noted
		s.Durable = l.durable
		if err := l.slots.keep(s); err != nil {
			return err
		}
	}
	if l.tail != nil {
		if err := l.tail.Close(); err != nil {
			return err
		}
		l.tail = nil
	}
	if err := l.cutFiles(index); err != nil {
		return err
	}
	return l.awake()
}

// cutFiles does so with the files and the tables.
func (l *Log) cutFiles(index id.Index) error {
	l.life.Lock()
	defer l.life.Unlock()
	keep := len(l.segments) - 1
	for l.segments[keep].first > index {
		keep--
	}
	var later []id.Index
	for _, s := range l.segments[keep+1:] {
		later = append(later, s.first)
	}
	if err := removeSegments(l.sys, l.directory, later); err != nil {
		return err
	}
	s, err := readSegment(l.directory, l.segments[keep].first)
	if err != nil {
		return err
	}
	s.Bytes, err = before(l.owner, s, index)
	if err != nil {
		return err
	}
	if err := truncateFile(l.sys, l.path(l.segments[keep]), int64(len(s.Bytes))); err != nil {
		return err
	}
	x, err := scan(l.owner, s, index)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = l.segments[:keep+1]
	l.segments[keep].size, l.segments[keep].index = int64(len(s.Bytes)), x
	l.terms, l.mending = l.terms.Through(index-1), nil
	l.last, l.renamed = index-1, l.renamed && len(later) == 0
	return nil
}

// before returns the part of a segment in front of an entry. Everything in it must verify.
func before(owner id.Replica, s SegmentBytes, index id.Index) ([]byte, error) {
	w := walk(owner, s.Bytes, s.First)
	for w.expect < index {
		st, ok, err := w.next()
		if err != nil {
			return nil, err
		}
		if !ok || st.bad {
			return nil, fmt.Errorf("segment %s at byte %d, entry %d: %w", segmentName(s.First), st.at, w.expect, partitions.ErrDamaged)
		}
	}
	return s.Bytes[:w.at], nil
}

// checkTail panics if tidwall and this log disagree about the last entry: a later write would be numbered wrongly.
func (l *Log) checkTail() error {
	last, err := l.tail.LastIndex()
	if err != nil {
		return err
	}
	if id.Index(last) != l.last {
		panic(&partitions.InvariantError{Invariant: "tidwall ends where the log ends", Got: id.Index(last), Want: l.last})
	}
	return nil
}
