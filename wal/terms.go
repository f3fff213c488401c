package wal

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// termFinder lists where the terms of a log begin. Terms never fall, so segments that begin with the same term have no
// other between them: with few terms, few segments are read.
type termFinder struct {
	*opening
	found  []partitions.TermStart
	damage *partitions.Damage // of a segment that had to be read
}

// find lists the terms of the whole log: of the segments in front of those surveyed, and then the survey's.
func (t *termFinder) find() error {
	surveyed := t.verdict.Terms
	if t.lo > 0 && len(surveyed) > 0 {
		first, err := t.first(0)
		if err != nil {
			return err
		}
		if first != 0 {
			t.found = append(t.found, partitions.TermStart{Index: t.firsts[0], Term: first})
		}
		if err := t.between(0, first, t.lo, surveyed[0].Term); err != nil {
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

// between adds the terms that begin behind the start of segment i, up to that with which segment j begins. The terms of
// both first entries are given.
func (t *termFinder) between(i int, ti id.Term, j int, tj id.Term) error {
	switch {
	case ti == tj:
		return nil
	case j == i+1:
		if err := t.within(i); err != nil {
			return err
		}
		t.add(partitions.TermStart{Index: t.firsts[j], Term: tj})
		return nil
	}
	m := (i + j) / 2
	tm, err := t.first(m)
	if err != nil {
		return err
	}
	if err := t.between(i, ti, m, tm); err != nil {
		return err
	}
	return t.between(m, tm, j, tj)
}

// first returns the term of a segment's first entry.
func (t *termFinder) first(i int) (id.Term, error) {
	s, err := readSegment(t.directory, t.firsts[i])
	if err != nil {
		return 0, err
	}
	w := walk(t.owner, s.Bytes, s.First)
	for {
		st, ok, err := w.next()
		switch {
		case err != nil:
			return 0, fmt.Errorf("segment %s: %w", segmentName(s.First), err)
		case !ok:
			t.damaged(i, w, partitions.DamageAmnesia)
			return 0, nil
		case !st.bad:
			return st.frame.Entry.Term, nil
		}
		t.damaged(i, w, partitions.DamageHole)
	}
}

// within adds the terms that begin within a segment.
func (t *termFinder) within(i int) error {
	s, err := readSegment(t.directory, t.firsts[i])
	if err != nil {
		return err
	}
	w := walk(t.owner, s.Bytes, s.First)
	for {
		st, ok, err := w.next()
		switch {
		case err != nil:
			return fmt.Errorf("segment %s: %w", segmentName(s.First), err)
		case !ok && w.expect != t.firsts[i+1], ok && st.bad:
			t.damaged(i, w, partitions.DamageAmnesia) // a term may have begun there
		case ok:
			t.add(partitions.TermStart{Index: st.index, Term: st.frame.Entry.Term})
		}
		if !ok {
			return nil
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
