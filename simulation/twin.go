package simulation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
	"troupe/wal"
)

// Twin is a replica's log on the simulated device: what wal.Log is on files, with the same bytes (wal's codecs), the same
// order of writes and syncs, and the same decision about what to believe after a crash (wal.Survey). It implements
// partitions.Log.
type Twin struct {
	device       *Device
	disk         *Disk
	directory    string
	partition    id.Partition
	owner        id.Replica
	segmentBytes int
	recovered    partitions.Recovered

	segments    []*twinSegment // never empty, ascending
	entries     []twinEntry    // consecutive
	first       id.Index       // of entries, or the next one's where there are none; lost ones in front count
	checkpoints []id.Index     // of the checkpoint files, ascending
	bases       []id.Index     // of the base files, ascending
	snapshots   []id.Index     // of the snapshots that never took effect
	front       id.Offset      // where the log begins
	resting     bool           // since the last write of entries
	durable     id.Index
	state       partitions.HardState
	slots       twinSlots
	poison      error
	closed      bool
	// renamed: a segment was created since the directory was last synced.
	renamed bool
	phase   wal.Phase
	terms   wal.KnownTerms // but for Highest
	mending *wal.Mending   // of the segment that is being filled; nil when there is none
}

var _ partitions.Log = (*Twin)(nil)

type twinSegment struct {
	first id.Index
	size  int64
}

// twinEntry is where an entry lies, and what offsets it holds.
type twinEntry struct {
	segment    id.Index
	at         int64 // of the frame, behind its length
	size       int64 // of the frame
	base, next id.Offset
	newest     id.Timestamp
	batch      bool
	lost       bool // it does not verify: nothing else is known
}

// Recovered tells what Open found.
func (t *Twin) Recovered() partitions.Recovered { return t.recovered }

func (t *Twin) last() id.Index { return t.first + id.Index(len(t.entries)) - 1 }

func (t *Twin) writable() error {
	switch {
	case t.closed:
		return partitions.ErrClosed
	case t.recovered.Damage != nil:
		return fmt.Errorf("%s: %w", t.recovered.Damage.Reason, partitions.ErrDamaged)
	case t.poison != nil:
		return fmt.Errorf("%w: %w", partitions.ErrPoisoned, t.poison)
	}
	return nil
}

func (t *Twin) poisoned(err error) error {
	t.poison = err
	return err
}

// Append implements partitions.Log.
func (t *Twin) Append(writes []partitions.Write) error {
	if err := t.writable(); err != nil {
		return err
	}
	// tidwall begins a new segment before it writes to one above the size.
	if s := t.segments[len(t.segments)-1]; s.size > int64(t.segmentBytes) && slices.ContainsFunc(writes, hasEntries) {
		if err := t.roll(); err != nil {
			return t.poisoned(err)
		}
	}
	for _, w := range writes {
		if w.Snapshot != nil {
			if err := t.install(&w); err != nil {
				return t.poisoned(err)
			}
		}
		t.accept(&w)
		if len(w.Entries) == 0 {
			continue
		}
		if w.Entries[0].Index <= t.last() {
			if err := t.cut(w.Entries[0].Index); err != nil {
				return t.poisoned(err)
			}
		}
		t.resting = false
		for _, e := range w.Entries {
			if err := t.append(e); err != nil {
				return t.poisoned(err)
			}
		}
	}
	return nil
}

func hasEntries(w partitions.Write) bool { return len(w.Entries) > 0 }

func (t *Twin) append(e partitions.Entry) error {
	if e.Index != t.last()+1 {
		panic(&partitions.InvariantError{Invariant: "entries are appended without gaps", Got: e.Index, Want: t.last() + 1})
	}
	if t.phase == wal.PhaseEmpty {
		panic(&partitions.InvariantError{Invariant: "an empty log begins with a snapshot", Got: e.Index, Want: 0})
	}
	s := t.segments[len(t.segments)-1]
	b := wal.AppendEntry(nil, t.owner, e, t.durable)
	if err := t.device.write(t.path(s.first), s.size, b); err != nil {
		return err
	}
	size := int64(wal.FrameOverhead + len(e.Payload))
	t.note(s, s.size+int64(len(b))-size, size, &e)
	s.size += int64(len(b))
	if s.size >= int64(t.segmentBytes) {
		return t.roll()
	}
	return nil
}

// note remembers where an entry lies, and holds it to the offset that is due.
func (t *Twin) note(s *twinSegment, at, size int64, e *partitions.Entry) {
	place := placed(s.first, at, size, e)
	if place.batch {
		t.dense(place.base)
	}
	t.entries = append(t.entries, place)
}

// placed is the place of an entry.
func placed(segment id.Index, at, size int64, e *partitions.Entry) twinEntry {
	place := twinEntry{segment: segment, at: at, size: size}
	if e.Type == partitions.EntryBatch {
		if h, err := batch.ParseHeader(e.Payload); err == nil {
			place.base, place.next, place.newest, place.batch = h.BaseOffset, h.NextOffset(), h.MaxTimestamp, true
		}
	}
	return place
}

// dense demands that a batch begins where the one before it ends.
func (t *Twin) dense(base id.Offset) {
	if len(t.bases) > 0 && t.recovered.Base == nil && t.front == 0 {
		return // its base does not verify: where it begins is not known
	}
	due := t.front
	for i := len(t.entries) - 1; i >= 0; i-- {
		if t.entries[i].lost {
			return
		}
		if t.entries[i].batch {
			due = t.entries[i].next
			break
		}
	}
	if base != due {
		t.disk.world.violate(violation("dense-offsets", "entry %d of %s begins at offset %d, due is %d", t.last()+1, t.directory, base, due))
	}
}

// roll begins a new segment when the last is full. Like tidwall, it syncs the full one.
func (t *Twin) roll() error {
	if err := t.device.sync(t.path(t.segments[len(t.segments)-1].first)); err != nil {
		return err
	}
	next := &twinSegment{first: t.last() + 1}
	if err := t.device.create(t.path(next.first)); err != nil {
		return err
	}
	t.segments = append(t.segments, next)
	t.renamed = true
	t.disk.world.marks.count(MarkRoll)
	return nil
}

// Sync implements partitions.Log: entries first, then the hard state.
func (t *Twin) Sync() error {
	if err := t.writable(); err != nil {
		return err
	}
	if err := t.syncSegments(); err != nil {
		return t.poisoned(err)
	}
	s := t.slot()
	var err error
	switch kept := t.slots.kept.HardState; {
	case kept.Term != s.HardState.Term || kept.Vote != s.HardState.Vote:
		err = t.keep(s)
	case t.slots.noted.HardState != s.HardState || t.slots.noted.Durable != s.Durable:
		err = t.scratch(s)
	}
	if err != nil {
		return t.poisoned(err)
	}
	return nil
}

// syncSegments makes the entries durable, and the names of their files.
func (t *Twin) syncSegments() error {
	if t.durable == t.last() && !t.renamed {
		return nil
	}
	if err := t.device.sync(t.path(t.segments[len(t.segments)-1].first)); err != nil {
		return err
	}
	if t.renamed {
		if err := t.device.syncDirectory(t.directory); err != nil {
			return err
		}
		t.renamed = false
	}
	t.durable = t.last()
	return nil
}

func (t *Twin) slot() wal.Slot {
	return wal.Slot{Replica: t.owner, HardState: t.state, Durable: t.durable, Phase: t.phase}
}

// cut removes the entries from index on: the durable index is lowered first, then later segments go, newest first.
func (t *Twin) cut(index id.Index) error {
	if index < t.first {
		panic(&partitions.InvariantError{Invariant: "the log is cut behind its first entry only", Got: index, Want: t.first})
	}
	if t.durable >= index {
		t.durable = index - 1
		s := t.slots.noted
		s.Durable = t.durable
		s.HardState.Commit = min(s.HardState.Commit, t.durable)
		if err := t.keep(s); err != nil {
			return err
		}
	}
	end := t.entries[index-t.first]
	return t.cutFiles(index, end.segment, end.at-int64(uvarintBytes(end.size)))
}

// cutFiles cuts everything behind a position; index is the first entry that goes.
func (t *Twin) cutFiles(index, segment id.Index, at int64) error {
	for last := t.segments[len(t.segments)-1]; last.first > segment; last = t.segments[len(t.segments)-1] {
		if err := t.device.unlink(t.path(last.first)); err != nil {
			return err
		}
		if err := t.device.syncDirectory(t.directory); err != nil {
			return err
		}
		t.segments, t.renamed = t.segments[:len(t.segments)-1], false
	}
	if err := t.device.truncate(t.path(segment), at); err != nil {
		return err
	}
	if err := t.device.sync(t.path(segment)); err != nil {
		return err
	}
	t.terms, t.mending = t.terms.Through(index-1), nil
	t.segments[len(t.segments)-1].size = at
	t.entries = t.entries[:index-t.first]
	return nil
}

// SaveCheckpoint implements partitions.Log. Base and the newest checkpoint are kept.
func (t *Twin) SaveCheckpoint(c *partitions.Checkpoint) error {
	if err := t.writable(); err != nil {
		return err
	}
	if c.Index > t.durable {
		panic(&partitions.InvariantError{Invariant: "a checkpoint covers durable entries only", Got: c.Index, Want: t.durable})
	}
	if err := t.putBeside(checkpointFile(c.Index), c); err != nil {
		return err
	}
	t.disk.world.marks.count(MarkCheckpoint)
	if !slices.Contains(t.checkpoints, c.Index) {
		t.checkpoints = append(t.checkpoints, c.Index)
	}
	return t.thin()
}

// putBeside writes a checkpoint to a file of its own. Where there is no room for it, nothing of the log has changed.
func (t *Twin) putBeside(name string, c *partitions.Checkpoint) error {
	err := t.replace(name, wal.AppendCheckpoint(nil, t.owner, c))
	if errors.Is(err, partitions.ErrDiskFull) {
		t.disk.world.marks.count(MarkCheckpointPostponed)
	}
	return err
}

// replace puts bytes in place of a file. Where there is no room for them, nothing has changed.
func (t *Twin) replace(name string, b []byte) error {
	err := t.device.replace(t.file(name), b)
	if !errors.Is(err, partitions.ErrDiskFull) {
		return t.poisonedBy(err)
	}
	if unlinked := t.device.unlink(t.file(name + unfinished)); unlinked != nil {
		return t.poisoned(unlinked)
	}
	return err
}

func (t *Twin) poisonedBy(err error) error {
	if err == nil {
		return nil
	}
	return t.poisoned(err)
}

// Size implements partitions.Log.
func (t *Twin) Size() partitions.LogSize {
	size := partitions.LogSize{Segments: len(t.segments), Bytes: wal.HardStateBytes}
	for _, s := range t.segments {
		size.Bytes += s.size
	}
	count := func(name string) {
		if b, err := t.device.volume.ReadFile(t.file(name)); err == nil {
			size.Bytes += int64(len(b))
		}
	}
	for _, index := range t.checkpoints {
		count(checkpointFile(index))
	}
	for _, index := range t.bases {
		count(baseFile(index))
	}
	return size
}

// Close implements partitions.Log.
func (t *Twin) Close() error {
	if t.closed {
		return nil
	}
	var err error
	if t.writable() == nil {
		err = t.Sync()
		if s := t.slot(); err == nil && (t.slots.kept.HardState != s.HardState || t.slots.kept.Durable != s.Durable) {
			if err = t.keep(s); err != nil {
				err = t.poisoned(err)
			}
		}
	}
	t.closed = true
	t.disk.released(t)
	return err
}

func (t *Twin) path(segment id.Index) string { return t.file(segmentFile(segment)) }
func (t *Twin) file(name string) string      { return t.directory + "/" + name }

const hardStateFile = "hardstate"

func segmentFile(first id.Index) string    { return fmt.Sprintf("%020d", uint64(first)) }
func checkpointFile(index id.Index) string { return "checkpoint-" + segmentFile(index) }
func baseFile(index id.Index) string       { return "base-" + segmentFile(index) }

func uvarintBytes(n int64) int { return len(binary.AppendUvarint(nil, uint64(n))) }
