package wal

import (
	"fmt"
	"os"
	"path/filepath"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A snapshot replaces everything the log holds. The order is such that a crash at any point leaves the old log, or the new
// one, or a directory that says which one the next opening has to finish:
//
//  1. the snapshot is made durable, under a name of its own (snapshot-<index>): without step 2 it is a leftover;
//  2. one slot says everything at once, durably: term and vote, commit and durable index at the snapshot, and that it is
//     being installed. From now on every other checkpoint and every segment is a leftover;
//  3. readers are turned away from those;
//  4. they are unlinked, the snapshot gets the name of a base, an empty segment begins behind it, and then the directory is
//     fsynced. Which of these changes a power loss undoes does not matter: all of them are done again;
//  5. a new hard state file says in all its slots that the log has begun, so that none is left that would have step 4 done
//     to what is written from now on.
//
// That a snapshot lies above the last entry would not do as a sign of step 2: a log whose end is damaged looks like that too,
// and what it acknowledged would be wiped.

const snapshotPrefix = "snapshot-"

func snapshotName(index id.Index) string { return snapshotPrefix + segmentName(index) }

// install replaces the log by a write's snapshot. What was staged or written before it and not synced is replaced, too.
func (l *Log) install(w *partitions.Write) error {
	c := w.Snapshot
	if c.Index <= l.state.Commit {
		panic(&partitions.InvariantError{
			Invariant: "a snapshot lies above what is committed", Got: c.Index, Want: l.state.Commit + 1})
	}
	if l.tail != nil {
		err := l.tail.Close()
		l.tail = nil
		if err != nil {
			return err
		}
	}
	if err := l.checkpoints.write(snapshotName(c.Index), c); err != nil {
		return err
	}
	l.accept(w)
	s := l.slot()
	s.Durable, s.HardState.Commit, s.Phase = c.Index, c.Index, PhaseInstalling
	if err := l.slots.keep(s); err != nil {
		return err
	}
	old := l.forgetAll(c)
	if err := replaceLog(l.sys, l.directory, l.checkpoints, old, c.Index); err != nil {
		return err
	}
	s.Phase = PhaseBegun
	return l.slots.renew(s)
}

// accept takes over the hard state of a write. A snapshot's index is committed.
func (l *Log) accept(w *partitions.Write) {
	if w.Changed {
		l.state = w.HardState
	}
	if w.Snapshot != nil {
		l.state.Commit = max(l.state.Commit, w.Snapshot.Index)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commit = l.state.Commit
}

// forgetAll makes the tables those of an empty log behind a snapshot, once nobody reads in the old one, and returns the old
// segments.
func (l *Log) forgetAll(c *partitions.Checkpoint) (old []id.Index) {
	l.life.Lock()
	defer l.life.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segments {
		old = append(old, s.first)
	}
	l.segments = []*segment{{first: c.Index + 1, index: &sparse{}}}
	l.last, l.front, l.begin = c.Index, c.NextOffset, c.Index+1
	l.terms, l.mending = KnownTerms{Base: c.Term}, nil
	l.durable, l.phase, l.renamed = c.Index, PhaseBegun, false
	return old
}

// replaceLog makes a snapshot that is in place, and of which a durable slot says so, the base of an empty log.
func replaceLog(sys system, directory string, c *checkpoints, segments []id.Index, index id.Index) error {
	for i := len(segments) - 1; i >= 0; i-- {
		if err := sys.remove(filepath.Join(directory, segmentName(segments[i]))); err != nil {
			return err
		}
	}
	if err := c.adopt(index); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(directory, segmentName(index+1)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return sys.syncDirectory(directory)
}

// adopt makes the snapshot of an index the only checkpoint.
func (c *checkpoints) adopt(index id.Index) error {
	for len(c.indices) > 0 {
		if err := c.remove(checkpointName(c.indices[0])); err != nil {
			return err
		}
		c.indices = c.indices[1:]
	}
	named := false
	for _, base := range c.bases {
		if base == index { // only by an installation that was interrupted behind the renaming
			named = true
		} else if err := c.remove(baseName(base)); err != nil {
			return err
		}
	}
	c.bases = []id.Index{index}
	if named {
		return nil
	}
	return c.sys.rename(filepath.Join(c.directory, snapshotName(index)), filepath.Join(c.directory, baseName(index)))
}

// finishInstall does what an interrupted installation left to do. Where its snapshot does not verify, nothing is changed:
// the old log was given up, and there is no new one.
func (o *opening) finishInstall() error {
	index := o.slot.Durable
	c := openCheckpoints(o.sys, o.directory, o.owner, o.names)
	name := snapshotName(index)
	if len(c.bases) > 0 && c.bases[len(c.bases)-1] == index {
		name = baseName(index)
	}
	found, err := c.read(name, index)
	if err != nil {
		return err
	}
	if found == nil {
		return fmt.Errorf("%s of %s was being installed, and does not verify: %w", name, o.directory, partitions.ErrDamaged)
	}
	if o.kept < 0 || o.doubted { // the slot was read, which does not make it durable
		if err := o.renewSlots(o.slot); err != nil {
			return err
		}
	}
	o.doubt = doubt{} // about the log that goes; no file of the new one was doubted
	if err := replaceLog(o.sys, o.directory, c, segmentNames(o.names), index); err != nil {
		return err
	}
	begun := o.slot
	begun.Phase = PhaseBegun
	if err := o.renewSlots(begun); err != nil {
		return err
	}
	o.names, err = removeUnfinished(o.directory)
	return err
}

// dropSnapshots removes what an installation left that never took effect. It may come back, and is removed again.
func (o *opening) dropSnapshots() error {
	for _, index := range indicesOf(o.names, snapshotPrefix) {
		if err := o.sys.remove(filepath.Join(o.directory, snapshotName(index))); err != nil {
			return err
		}
	}
	return nil
}
