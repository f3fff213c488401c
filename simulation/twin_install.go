package simulation

import (
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
	"troupe/wal"
)

// install replaces the log by a write's snapshot, in wal's order: the snapshot under a name of its own, a slot that says it
// all, the files, and a hard state file that says that the log has begun.
func (t *Twin) install(w *partitions.Write) error {
	c := w.Snapshot
	if c.Index <= t.state.Commit {
		panic(&partitions.InvariantError{
			Invariant: "a snapshot lies above what is committed", Got: c.Index, Want: t.state.Commit + 1})
	}
	if err := t.device.replace(t.file(snapshotFile(c.Index)), wal.AppendCheckpoint(nil, t.owner, c)); err != nil {
		return err
	}
	t.accept(w)
	s := t.slot()
	s.Durable, s.HardState.Commit, s.Phase = c.Index, c.Index, wal.PhaseInstalling
	if err := t.keep(s); err != nil {
		return err
	}
	var old []id.Index
	for _, s := range t.segments {
		old = append(old, s.first)
	}
	t.segments, t.entries, t.first, t.front = []*twinSegment{{first: c.Index + 1}}, nil, c.Index+1, c.NextOffset
	t.terms, t.mending = wal.KnownTerms{Base: c.Term}, nil
	t.durable, t.phase, t.renamed, t.resting = c.Index, wal.PhaseBegun, false, true
	if err := t.replaceLog(old, c.Index); err != nil {
		return err
	}
	t.disk.world.marks.count(MarkInstalled)
	s.Phase, s.Sequence = wal.PhaseBegun, t.slots.noted.Sequence+1
	return t.renewSlots(s)
}

// accept takes over the hard state of a write. A snapshot's index is committed.
func (t *Twin) accept(w *partitions.Write) {
	if w.Changed {
		t.state = w.HardState
	}
	if w.Snapshot != nil {
		t.state.Commit = max(t.state.Commit, w.Snapshot.Index)
	}
}

// replaceLog makes a snapshot that is in place the base of an empty log.
func (t *Twin) replaceLog(segments []id.Index, index id.Index) error {
	for _, first := range slices.Backward(segments) {
		if err := t.device.unlink(t.path(first)); err != nil {
			return err
		}
	}
	for _, c := range t.checkpoints {
		if err := t.device.unlink(t.file(checkpointFile(c))); err != nil {
			return err
		}
	}
	for _, b := range t.bases {
		if b == index {
			continue // by an installation that was interrupted behind the renaming
		}
		if err := t.device.unlink(t.file(baseFile(b))); err != nil {
			return err
		}
	}
	if !slices.Contains(t.bases, index) {
		if err := t.device.rename(t.file(snapshotFile(index)), t.file(baseFile(index))); err != nil {
			return err
		}
	}
	t.checkpoints, t.bases = nil, []id.Index{index}
	if err := t.device.create(t.path(index + 1)); err != nil {
		return err
	}
	return t.device.syncDirectory(t.directory)
}

// finishInstall does what an interrupted installation left to do, and returns the segments there are then.
func (t *Twin) finishInstall(found *knowledge, firsts []id.Index) ([]id.Index, error) {
	index := found.slot.Durable
	name := snapshotFile(index)
	if slices.Contains(t.bases, index) {
		name = baseFile(index)
	}
	b, _ := t.device.volume.ReadFile(t.file(name))
	if c, err := wal.ParseCheckpoint(b, t.owner); err != nil || c.Index != index {
		return nil, fmt.Errorf("%s was being installed, and does not verify: %w", name, partitions.ErrDamaged)
	}
	if found.kept < 0 || found.doubted { // the slot was read, which does not make it durable
		if err := t.restoreSlots(found, found.slot); err != nil {
			return nil, err
		}
	}
	found.doubt = doubt{} // about the log that goes
	t.disk.world.marks.count(MarkInstallFinished)
	if err := t.replaceLog(firsts, index); err != nil {
		return nil, err
	}
	begun := found.slot
	begun.Phase = wal.PhaseBegun
	if err := t.restoreSlots(found, begun); err != nil {
		return nil, err
	}
	return []id.Index{index + 1}, nil
}

// dropSnapshots removes what an installation left that never took effect.
func (t *Twin) dropSnapshots() error {
	for _, index := range t.snapshots {
		if err := t.device.unlink(t.file(snapshotFile(index))); err != nil {
			return err
		}
	}
	return nil
}

const snapshotPrefix = "snapshot-"

func snapshotFile(index id.Index) string { return snapshotPrefix + segmentFile(index) }
