package wal

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// termFinder lists where the terms of a log begin. Terms never fall, so segments that begin with the same term have no
// other between them: with few terms, few segments are read. Of a segment whose beginning does not verify, the first entry
// that does counts, even if it is in a later segment; where a term may have begun in bytes that do not, nobody knows the terms.
type termFinder struct {
	*opening
	found  []partitions.TermStart
	damage *partitions.Damage // of a segment that had to be read
}

// start is the first entry that verifies in a segment, or in those behind it.
type start struct {
	index id.Index
	term  id.Term
}

// find lists the terms of the whole log: of the segments in front of those surveyed, and then the survey's.
func (t *termFinder) find() error {
	surveyed := t.verdict.Terms
	if t.lo > 0 && len(surveyed) > 0 {
		first, err := t.first(0)
		if err != nil {
			return err
		}
		t.add(partitions.TermStart{Index: first.index, Term: first.term})
		if err := t.between(0, first, t.lo, t.surveyed()); err != nil {
			return err
		}
	}
	for _, s := range surveyed {
		t.add(s)
	}
	return nil
}

func (t *termFinder) add(s partitions.TermStart) {
	if n := len(t.found); n == 0 || t.found[n-1].Term != s.Term {
		t.found = append(t.found, s)
	}
}

// between adds the terms that begin behind the start of segment i, up to that with which segment j begins.
func (t *termFinder) between(i int, si start, j int, sj start) error {
	switch {
	case si.term == sj.term:
		return nil
	case j == i+1:
		return t.within(i, sj)
	}
	m := (i + j) / 2
	sm, err := t.first(m)
	if err != nil {
		return err
	}
	if err := t.between(i, si, m, sm); err != nil {
		return err
	}
	return t.between(m, sm, j, sj)
}

// surveyed is the start of the segments that were surveyed.
func (t *termFinder) surveyed() start {
	return start{index: t.verdict.Terms[0].Index, term: t.verdict.Terms[0].Term}
}

// first returns the start of a segment.
func (t *termFinder) first(i int) (start, error) {
	if i == t.lo {
		return t.surveyed(), nil
	}
	s, err := readSegment(t.directory, t.firsts[i])
	if err != nil {
		return start{}, err
	}
	w := walk(t.owner, s.Bytes, s.First)
	for {
		st, ok, err := w.next()
		switch {
		case err != nil:
			return start{}, fmt.Errorf("segment %s: %w", segmentName(s.First), err)
		case !ok:
			t.damaged(i, w, partitions.DamageHole)
			return t.first(i + 1)
		case !st.bad:
			return start{index: st.index, term: st.frame.Entry.Term}, nil
		}
		t.damaged(i, w, partitions.DamageHole)
	}
}

// within adds the terms that begin within a segment, and the one with which the next segment begins.
func (t *termFinder) within(i int, next start) error {
	s, err := readSegment(t.directory, t.firsts[i])
	if err != nil {
		return err
	}
	w := walk(t.owner, s.Bytes, s.First)
	var last id.Term // of the entry before
	take := func(index id.Index, term id.Term, gap bool) {
		if gap {
			kind := partitions.DamageHole
			if last != 0 && last != term {
				kind = partitions.DamageAmnesia
			}
			t.damaged(i, w, kind)
		}
		last = term
		t.add(partitions.TermStart{Index: index, Term: term})
	}
	gap := false
	for {
		st, ok, err := w.next()
		switch {
		case err != nil:
			return fmt.Errorf("segment %s: %w", segmentName(s.First), err)
		case !ok:
			take(next.index, next.term, gap || w.expect != next.index)
			return nil
		case st.bad:
			gap = true
		default:
			take(st.index, st.frame.Entry.Term, gap)
			gap = false
		}
	}
}

// damaged notes damage in front of where a walk through segment i stands.
func (t *termFinder) damaged(i int, w walker, kind partitions.DamageKind) {
	if t.damage != nil && t.damage.Kind >= kind {
		return
	}
	t.damage = &partitions.Damage{
		Kind: kind, File: segmentName(t.firsts[i]), At: int64(w.at), Index: t.firsts[i],
		Reason: fmt.Sprintf("segment %s does not verify in front of byte %d", segmentName(t.firsts[i]), w.at),
	}
}
