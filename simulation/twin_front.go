package simulation

import (
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
	"troupe/wal"
)

// FrontEnd implements partitions.Log.
func (t *Twin) FrontEnd(start id.Offset, below id.Index) (id.Index, error) {
	if t.closed {
		return 0, partitions.ErrClosed
	}
	var end id.Index
	for i, s := range t.segments[1:] {
		for _, e := range t.entries[t.segments[i].first-t.first : s.first-t.first] {
			if e.lost || e.batch && e.next > start {
				return end, nil
			}
		}
		if s.first > below+1 {
			break
		}
		end = s.first - 1
	}
	return end, nil
}

// DropFront implements partitions.Log: the base first, under a name of its own, then the segments behind it.
func (t *Twin) DropFront(base *partitions.Checkpoint) error {
	if err := t.writable(); err != nil {
		return err
	}
	if base.Index > t.durable {
		panic(&partitions.InvariantError{Invariant: "a base covers durable entries only", Got: base.Index, Want: t.durable})
	}
	firsts := make([]id.Index, len(t.segments))
	for i, s := range t.segments {
		firsts[i] = s.first
	}
	n := wal.FrontSegments(firsts, base.Index)
	if firsts[n] != base.Index+1 {
		panic(&partitions.InvariantError{Invariant: "a base ends where a segment ends", Got: base.Index, Want: firsts[n] - 1})
	}
	if err := t.putBeside(baseFile(base.Index), base); err != nil {
		return err
	}
	t.bases = append(t.bases, base.Index)
	if err := t.unlinkFront(firsts[:n]); err != nil {
		return t.poisoned(err)
	}
	t.entries = slices.Clone(t.entries[base.Index+1-t.first:])
	t.segments, t.first, t.front = slices.Clone(t.segments[n:]), base.Index+1, base.NextOffset
	t.mending = nil
	t.disk.world.marks.count(MarkFrontDropped)
	return t.thin()
}

// Rest implements partitions.Log: a last segment above 64 KiB ends, and an empty one begins.
func (t *Twin) Rest() error {
	if err := t.writable(); err != nil {
		return err
	}
	if err := t.Sync(); err != nil {
		return err
	}
	if t.resting {
		return nil
	}
	t.resting = true
	last := t.segments[len(t.segments)-1]
	if err := t.device.sync(t.path(last.first)); err != nil {
		return t.poisoned(err)
	}
	t.disk.world.marks.count(MarkRest)
	if last.size <= 64<<10 {
		return nil
	}
	next := &twinSegment{first: t.last() + 1}
	if err := t.device.create(t.path(next.first)); err != nil {
		return t.poisoned(err)
	}
	if err := t.device.syncDirectory(t.directory); err != nil {
		return t.poisoned(err)
	}
	t.segments = append(t.segments, next)
	return nil
}

// unlinkFront removes the segments whose place a durable base has taken.
func (t *Twin) unlinkFront(firsts []id.Index) error {
	for _, first := range firsts {
		if err := t.device.unlink(t.path(first)); err != nil {
			return err
		}
	}
	return t.device.syncDirectory(t.directory)
}

// thin removes every checkpoint but base and the newest.
func (t *Twin) thin() error {
	for len(t.bases) > 1 {
		if err := t.device.unlink(t.file(baseFile(t.bases[0]))); err != nil {
			return t.poisoned(err)
		}
		t.bases = slices.Delete(t.bases, 0, 1)
	}
	at := 1 // the lowest checkpoint is the base
	if len(t.bases) > 0 {
		at = 0
	}
	for len(t.checkpoints) > at+1 {
		if err := t.device.unlink(t.file(checkpointFile(t.checkpoints[at]))); err != nil {
			return t.poisoned(err)
		}
		t.checkpoints = slices.Delete(t.checkpoints, at, at+1)
	}
	return nil
}

// finishDrop removes what an interrupted DropFront left behind the base, of all segments found. The names are durable.
func (t *Twin) finishDrop(leftovers []id.Index) error {
	if len(leftovers) == 0 {
		return nil
	}
	t.disk.world.marks.count(MarkDropFinished)
	if err := t.unlinkFront(leftovers); err != nil {
		return err
	}
	return t.thin()
}

// trimmed is the error for an offset in front of the log.
func (t *Twin) trimmed(asked id.Offset) error {
	return fmt.Errorf("offset %d was deleted, the log begins at %d: %w", asked, t.front, partitions.ErrOffsetOutOfRange)
}
