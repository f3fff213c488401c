package wal

import (
	"errors"
	"fmt"
	"math"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// ErrBeyondRepair: not even giving up what is lost makes the log usable. The error says why, and what to do.
var ErrBeyondRepair = errors.New("wal: beyond repair")

// Hole is a range of entries that are lost, with the offsets that go with them.
type Hole struct {
	From, To id.Index
	Offsets  partitions.Gap
	// Exact: just those offsets were used. Otherwise nobody can tell, and Offsets.Next lies above all that can have been.
	Exact bool
}

// Loss is what has to be given up of a damaged log: see the package comment for why no offset comes twice.
type Loss struct {
	Holes []Hole // ascending; the last one may lie behind everything that is known of the log
	// Folded: the newest checkpoint holds the state behind every hole, so that only records are lost, and no state.
	Folded bool

	base  *partitions.Checkpoint // that the log continues from; nil where it does not verify, though the log begins behind it
	first id.Index
	state partitions.HardState
}

// What may have been used up behind the last trace of it.
const (
	// mostOffsets is what one entry can use: a batch counts its records in 31 bits.
	mostOffsets = 1 << 31
	// forgottenEntries is what one group commit can hold (of partitions.Limits.UncommittedBytes): that many entries may have been
	// acknowledged without any other frame or slot that tells of them.
	forgottenEntries = 64 << 20 / batch.HeaderSize
)

// Loss tells what has to be given up. It returns an error that unwraps to ErrBeyondRepair where that would not do.
func (i *Inspection) Loss() (*Loss, error) {
	if err := i.beyondRepair(); err != nil {
		return nil, err
	}
	l := &Loss{}
	if l.begin(i); l.base == nil && i.headless || !l.founded(i) {
		return nil, fmt.Errorf("%s: %w: its front is gone, and the checkpoint that it begins behind; put one of them back from a copy of the "+
			"directory, or delete the topic and create it again", i.Stored, ErrBeyondRepair)
	}
	forgotten := l.findHoles(i)
	if err := l.place(i, forgotten); err != nil {
		return nil, err
	}
	last := i.verdict.Last
	l.Folded = true
	for _, h := range l.Holes {
		last = max(last, h.To)
		l.Folded = l.Folded && h.To <= i.newest.Index
	}
	l.state = l.hardState(i, last, forgotten)
	return l, nil
}

// beyondRepair tells why a log must be left as it is.
func (i *Inspection) beyondRepair() error {
	refuse := func(format string, values ...any) error {
		return fmt.Errorf("%s: %w: %s", i.Stored, ErrBeyondRepair, fmt.Sprintf(format, values...))
	}
	switch health := i.Health(); {
	case health == HealthNewer:
		return refuse("a newer Troupe has written it; run that one")
	case i.Stored.Missing:
		return refuse("its directory is gone, and with it every trace of the offsets that were given; put the directory back from a copy, or " +
			"delete the topic and create it again: that is another topic")
	case i.newest == nil:
		return refuse("no checkpoint verifies, so it is not known who votes; put one back from a copy of the directory, or delete the topic and " +
			"create it again")
	case health == HealthWrong:
		return refuse("what verifies contradicts itself, which no disk does; keep the files and report this")
	}
	if i.slot.Phase == PhaseInstalling {
		return refuse("a snapshot of another replica was replacing it: it has peers, which fill it again under another id")
	}
	c := i.newest.Configuration
	if i.changed > i.newest.Index || len(c.Voters) != 1 || c.Voters[0] != i.Stored.Replica || len(c.Outgoing)+len(c.Learners)+len(c.LearnersNext) > 0 {
		return refuse("the partition has other replicas, or had, which may hold what is lost here; they fill this one again")
	}
	return nil
}

// begin finds where the log continues from: the lowest checkpoint that verifies, of those that a dropped front left.
func (l *Loss) begin(i *Inspection) {
	if len(i.pieces) > 0 {
		l.first = i.pieces[0].first
	}
	for _, found := range i.Checkpoints {
		c := found.Checkpoint
		if c == nil || c.Index < i.dropped() || l.first != 0 && c.Index >= l.first {
			continue
		}
		if l.base == nil || c.Index < l.base.Index {
			l.base = c
		}
	}
	if l.base != nil {
		l.first = l.base.Index + 1
	}
}

// founded tells that no record above the log start is in front of the base: it is the one that the log was cut off at, or
// began with, or lies low enough.
func (l *Loss) founded(i *Inspection) bool {
	switch b := l.base; {
	case b == nil, b.Index == i.dropped(), b.NextOffset <= i.newest.LogStart:
		return true
	default:
		return len(i.pieces) > 0 && i.pieces[0].first == b.Index+1
	}
}

// findHoles lists what is missing: in front of what is believed, within, and behind it up to what is known to have been
// there. forgotten tells that more may have been there: then a hole of one entry ends the log, if no other does.
func (l *Loss) findHoles(i *Inspection) (forgotten bool) {
	next := l.first
	hole := func(to id.Index) {
		for next <= to {
			end := to
			for _, c := range i.Checkpoints { // a restart from it needs the gap to be where the checkpoint is
				if c.Checkpoint != nil && c.Checkpoint.Index >= next {
					end = min(end, c.Checkpoint.Index)
				}
			}
			l.Holes = append(l.Holes, Hole{From: next, To: end})
			next = end + 1
		}
	}
	for _, r := range i.believed {
		if r.last < r.first {
			continue
		}
		hole(r.first - 1)
		next = r.last + 1
	}
	tail := max(i.slot.Durable, i.slot.HardState.Commit, i.newest.Index, i.verdict.Durable)
	forgotten = next <= tail || i.slot.Replica != i.Stored.Replica
	if forgotten {
		hole(max(tail, next))
	}
	return forgotten
}

// place gives each hole its offsets: from where the log is in front of it, to where the next batch or checkpoint says that it
// is. Where nothing behind a hole tells, it takes what its entries can have used at most.
func (l *Loss) place(i *Inspection, forgotten bool) error {
	at := id.Offset(-1) // not known
	if l.base != nil {
		at = l.base.NextOffset
	}
	for n := range l.Holes {
		h := &l.Holes[n]
		for k, r := range i.believed {
			if r.last < h.From && i.contents[k].anchored {
				at = max(at, i.contents[k].next)
			}
		}
		for _, c := range i.Checkpoints {
			if c.Checkpoint != nil && c.Checkpoint.Index < h.From {
				at = max(at, c.Checkpoint.NextOffset)
			}
		}
		next, known := i.offsetBehind(h.To)
		if !known {
			entries := int64(h.To - h.From + 1)
			if forgotten && n == len(l.Holes)-1 {
				entries += forgottenEntries
			}
			if at < 0 || entries > (math.MaxInt64-int64(at))/mostOffsets {
				return fmt.Errorf("%s: %w: no offset is left behind entries %d to %d", i.Stored, ErrBeyondRepair, h.From, h.To)
			}
			next = at + id.Offset(entries)*mostOffsets
		}
		if at < 0 {
			at = next // in front of everything that is known: nobody reads there
		}
		if next < at {
			return fmt.Errorf("%s: %w: behind entry %d the log is at offset %d, and in front of entry %d at %d; keep the files and report this",
				i.Stored, ErrBeyondRepair, h.To, next, h.From, at)
		}
		h.Offsets, h.Exact = partitions.Gap{First: at, Next: next}, known
		at = next
	}
	return nil
}

// offsetBehind finds what tells first, behind an entry, at which offset the log is there.
func (i *Inspection) offsetBehind(index id.Index) (next id.Offset, known bool) {
	var by id.Index // the entry that tells
	for k, r := range i.believed {
		if c := &i.contents[k]; r.first > index && c.anchored && !known {
			next, by, known = c.base, c.at, true
		}
	}
	for _, f := range i.Checkpoints {
		if c := f.Checkpoint; c != nil && c.Index >= index && (!known || c.Index < by) {
			next, by, known = c.NextOffset, c.Index, true
		}
	}
	return next, known
}

// hardState is what the replica knows after the repair. It votes alone: what is in its log is committed, and a vote can only
// have been for itself. Where the term was forgotten it is put above every term in which somebody can have been answered:
// each of those left an entry.
func (l *Loss) hardState(i *Inspection, last id.Index, forgotten bool) partitions.HardState {
	state := i.slot.HardState
	for _, t := range i.verdict.Terms {
		state.Term = max(state.Term, t.Term)
	}
	state.Term = max(state.Term, i.newest.Term)
	if forgotten {
		state.Term += id.Term(forgottenEntries)
		for _, h := range l.Holes {
			state.Term += id.Term(h.To - h.From + 1)
		}
	}
	if state.Term != i.slot.HardState.Term {
		state.Vote = 0
	}
	state.Commit = last
	return state
}
