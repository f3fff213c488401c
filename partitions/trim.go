package partitions

import (
	"fmt"

	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// trimming is about the front of the log: at most one Trim is on its way.
//
// Invariant: base is the state just before the log's first entry, and never newer than the newest durable checkpoint.
type trimming struct {
	base    *Checkpoint
	start   id.Offset // the log start that the last Trim went for
	pending bool
}

// considerTrim asks for the front of the log to be dropped, after a checkpoint with a newer log start became durable: from
// then on a restart does not need those entries.
func (r *Replica) considerTrim() {
	t := &r.trimming
	if t.pending || t.base == nil || r.failure != nil || r.checkpoint.start <= t.start {
		return
	}
	t.pending, t.start = true, r.checkpoint.start
	r.outbox.Trim = &Trim{Base: t.base, Start: r.checkpoint.start, Below: r.checkpoint.saved, producers: r.limits.Producers}
}

// Trimmed tells that a Trim has been run, and what it returned.
func (r *Replica) Trimmed(base *Checkpoint) {
	if r.failure != nil {
		return
	}
	r.trimming.pending = false
	if base.Index < r.trimming.base.Index {
		return // a snapshot has replaced the log meanwhile
	}
	if base.Index > r.checkpoint.saved {
		panic(&InvariantError{"the base is never newer than the newest checkpoint", base.Index, r.checkpoint.saved})
	}
	r.trimming.base = base
	r.log.rebase(base)
	r.considerTrim()
}

// Run drops the front of the log as far as whole segments allow, and returns what the log continues from then: the same
// base when there is nothing to drop. The new base is the old one plus the entries dropped, so its cost is reading them
// once. Errors are the log's, or ErrDamaged where an entry to be dropped does not verify: it is kept.
func (t *Trim) Run(log Log) (*Checkpoint, error) {
	end, err := log.FrontEnd(t.Start, t.Below)
	if err != nil || end <= t.Base.Index {
		return t.Base, err
	}
	base, err := t.advance(log, end)
	if err != nil {
		return t.Base, fmt.Errorf("trim through entry %d: %w", end, err)
	}
	if err := log.DropFront(base); err != nil {
		return t.Base, fmt.Errorf("trim through entry %d: %w", end, err)
	}
	return base, nil
}

// advanceBytes is how much of the log a trim holds in memory at once.
const advanceBytes = 1 << 20

// advance returns the state after entry end, from the base.
func (t *Trim) advance(log Log, end id.Index) (*Checkpoint, error) {
	a := newApplied(t.producers)
	a.restore(t.Base)
	for a.index < end {
		entries, err := log.Entries(a.index+1, end+1, advanceBytes)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if err := a.replay(e); err != nil {
				return nil, err
			}
		}
	}
	return a.checkpoint(), nil
}

// replay applies one entry to the state alone, without a replica around it.
func (a *applied) replay(e Entry) error {
	a.index, a.term, a.clock = e.Index, e.Term, max(a.clock, e.AppendTime)
	switch e.Type {
	case EntryBatch:
		h, err := batch.ParseHeader(e.Payload)
		if err != nil || h.BaseOffset != a.next {
			return fmt.Errorf("entry %d is not the batch at offset %d: %w", e.Index, a.next, ErrDamaged)
		}
		a.take(h, e.Index)
	case EntryLogStart:
		return a.moveStart(e)
	case EntryConfiguration:
		return a.reconfigure(e)
	case EntryGap:
		return a.skip(e)
	}
	return nil
}
