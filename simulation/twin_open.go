package simulation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"troupe/partitions"
	"troupe/partitions/id"
	"troupe/wal"
)

// born writes the durable beginning of a log: the same files as wal's. Without birth it is empty.
func (t *Twin) born(birth *partitions.Checkpoint, state partitions.HardState) error {
	for _, name := range t.device.volume.List(t.directory) {
		if err := t.device.unlink(t.file(name)); err != nil {
			return err
		}
	}
	type content struct {
		name  string
		bytes []byte
	}
	slot := wal.Slot{Sequence: 1, Replica: t.owner, HardState: state, Phase: wal.PhaseEmpty}
	if birth != nil {
		slot.Durable, slot.Phase = birth.Index, wal.PhaseBegun
	}
	files := []content{{hardStateFile, wal.NewSlots(slot)}}
	if birth != nil {
		files = append(files, content{checkpointFile(birth.Index), wal.AppendCheckpoint(nil, t.owner, birth)})
	}
	files = append(files, content{segmentFile(slot.Durable + 1), nil})
	for _, f := range files {
		if err := t.device.create(t.file(f.name)); err != nil {
			return err
		}
		if err := t.device.write(t.file(f.name), 0, f.bytes); err != nil {
			return err
		}
		if err := t.device.sync(t.file(f.name)); err != nil {
			return err
		}
	}
	return t.device.syncDirectory(t.directory)
}

// open repairs and reads what is there: unfinished files go, the hard state and the newest checkpoint tell what is known,
// wal.Survey decides what to believe, the rest is cut, and what is believed is made durable before anybody relies on it.
func (t *Twin) open(known *knowledge) error {
	firsts, err := t.list()
	if err != nil {
		return err
	}
	damage, err := t.hardState(known)
	if err != nil {
		return err
	}
	if known.slot.Phase == wal.PhaseInstalling {
		if firsts, err = t.finishInstall(known, firsts); err != nil {
			return err
		}
	}
	var leftovers []id.Index
	if len(t.bases) > 0 {
		n := wal.FrontSegments(firsts, t.bases[len(t.bases)-1])
		leftovers, firsts = firsts[:n], firsts[n:]
	}
	newest, base := t.loadCheckpoints(firsts)
	t.phase = known.slot.Phase
	if !t.readable(firsts, newest) {
		return fmt.Errorf("replica %d has segments %v and checkpoint %v: %w", t.owner, firsts, newest, partitions.ErrDamaged)
	}
	told := known.tell(newest)
	segments, surveyed, err := t.load(firsts, told.Durable)
	if err != nil {
		return err
	}
	verdict, err := wal.Survey(t.owner, segments[surveyed:], told)
	if err != nil {
		return err
	}
	t.recovered = partitions.Recovered{
		Replica: known.slot.Replica, Base: base, Newest: newest, First: firsts[0], Last: verdict.Last, Durable: verdict.Durable,
		Torn: verdict.Torn,
	}
	unknown, err := t.scan(segments, surveyed+verdict.Segment, verdict.At)
	if err != nil {
		return err
	}
	t.believe(known.slot, newest)
	t.terms = wal.KnownTerms{Found: t.recovered.Terms, Last: t.recovered.Last}
	if base != nil {
		t.terms.Base = base.Term
	}
	if t.recovered.Damage = worst(damage, verdict.Damage, t.discontinuity(segments[:surveyed]), unknown); t.recovered.Damage != nil {
		t.recovered.Torn = 0 // nothing is cut
		return nil
	}
	if err := t.repair(segments[surveyed:], verdict, known.poisoned); err != nil {
		return err
	}
	if err := t.ready(known, verdict.Torn > 0); err != nil {
		return err
	}
	if err := t.finishDrop(leftovers); err != nil {
		return err
	}
	return t.dropSnapshots()
}

// readable tells whether there is a log to read from; of an empty one, that nothing else is there.
func (t *Twin) readable(firsts []id.Index, newest *partitions.Checkpoint) bool {
	if t.phase == wal.PhaseEmpty {
		return slices.Equal(firsts, []id.Index{1}) && t.device.volume.Size(t.path(1)) == 0 && len(t.checkpoints)+len(t.bases) == 0
	}
	return newest != nil && len(firsts) > 0
}

// tell is what the files beside the segments, and this process, know.
func (k *knowledge) tell(newest *partitions.Checkpoint) wal.Known {
	index, _ := stands(newest)
	told := wal.Known{
		Durable: max(k.slot.Durable, index), Commit: max(k.slot.HardState.Commit, index), Poisoned: k.poisoned,
	}
	if k.poisoned {
		told.Durable = max(told.Durable, k.durable)
	}
	return told
}

// stands tells where a checkpoint stands; nowhere when there is none.
func stands(c *partitions.Checkpoint) (id.Index, id.Term) {
	if c == nil {
		return 0, 0
	}
	return c.Index, c.Term
}

// list removes what is unfinished and returns the segments; it notes the checkpoints, bases and snapshots.
func (t *Twin) list() (firsts []id.Index, err error) {
	for _, name := range t.device.volume.List(t.directory) {
		if strings.HasSuffix(name, unfinished) {
			if err := t.device.unlink(t.file(name)); err != nil {
				return nil, err
			}
			continue
		}
		list := &firsts
		digits, ok := strings.CutPrefix(name, "checkpoint-")
		if ok {
			list = &t.checkpoints
		} else if digits, ok = strings.CutPrefix(name, "base-"); ok {
			list = &t.bases
		} else if digits, ok = strings.CutPrefix(name, snapshotPrefix); ok {
			list = &t.snapshots
		}
		if index, err := strconv.ParseUint(digits, 10, 64); err == nil {
			*list = append(*list, id.Index(index))
		}
	}
	slices.Sort(firsts)
	slices.Sort(t.checkpoints)
	slices.Sort(t.bases)
	return firsts, nil
}

// loadCheckpoints returns the newest checkpoint that verifies, and the one just before the first segment.
func (t *Twin) loadCheckpoints(firsts []id.Index) (newest, base *partitions.Checkpoint) {
	take := func(name string) {
		b, _ := t.device.volume.ReadFile(t.file(name))
		c, err := wal.ParseCheckpoint(b, t.owner)
		if err != nil {
			return
		}
		if newest == nil || c.Index > newest.Index {
			newest = c
		}
		if len(firsts) > 0 && c.Index+1 == firsts[0] {
			base, t.front = c, c.NextOffset
		}
	}
	for _, index := range t.checkpoints {
		take(checkpointFile(index))
	}
	for _, index := range t.bases {
		take(baseFile(index))
	}
	return newest, base
}

// load reads all segments and tells the first that Survey needs: at least two, and further back while the durable index lies
// before them.
func (t *Twin) load(firsts []id.Index, durable id.Index) (segments []wal.SegmentBytes, surveyed int, err error) {
	for i, first := range firsts {
		b, err := t.device.volume.ReadFile(t.path(first))
		if err != nil {
			return nil, 0, err
		}
		segments = append(segments, wal.SegmentBytes{First: first, Bytes: b})
		if first <= durable+1 {
			surveyed = i
		}
	}
	return segments, min(surveyed, max(len(firsts)-2, 0)), nil
}

// scan notes every entry up to the end that is believed, and the gaps where bytes do not verify. It returns damage where the
// beginning of a term may lie in a gap.
func (t *Twin) scan(segments []wal.SegmentBytes, last, end int) (unknown *partitions.Damage, err error) {
	t.first = segments[0].First
	if begins := t.begins(); begins != 0 {
		t.first = min(t.first, begins+1)
	}
	for i, s := range segments[:last+1] {
		size := int64(len(s.Bytes))
		if i == last {
			size = int64(end)
		}
		t.segments = append(t.segments, &twinSegment{first: s.First, size: size})
		t.lose(s.First)
		for at, b := 0, s.Bytes[:size]; at < len(b); {
			frame, n, length, err := t.frameAt(b, at)
			if errors.Is(err, partitions.ErrNewer) {
				return nil, fmt.Errorf("segment %s at byte %d: %w", segmentFile(s.First), at, err)
			}
			if err != nil || frame.Entry.Index <= t.last() {
				at++ // resynchronise
				continue
			}
			t.lose(frame.Entry.Index)
			gap := len(t.entries) > 0 && t.entries[len(t.entries)-1].lost
			t.note(t.segments[i], int64(at+n), int64(length), &frame.Entry)
			if k := len(t.recovered.Terms); k == 0 || t.recovered.Terms[k-1].Term != frame.Entry.Term {
				t.recovered.Terms = append(t.recovered.Terms, partitions.TermStart{Index: frame.Entry.Index, Term: frame.Entry.Term})
				if gap && k > 0 && unknown == nil {
					unknown = &partitions.Damage{
						Kind: partitions.DamageAmnesia, File: segmentFile(s.First), At: int64(at), Index: frame.Entry.Index,
						Reason: "a term may begin in bytes that do not verify",
					}
				}
			}
			at += n + length
		}
	}
	t.lose(t.recovered.Last + 1)
	return unknown, nil
}

// frameAt parses the entry at a position: n bytes of length, then the frame.
func (t *Twin) frameAt(b []byte, at int) (frame wal.Frame, n, length int, err error) {
	size, n := binary.Uvarint(b[at:])
	if n <= 0 || size > uint64(len(b)-at-n) {
		return frame, 0, 0, partitions.ErrDamaged
	}
	frame, err = wal.ParseFrame(b[at+n:at+n+int(size)], t.owner)
	return frame, n, int(size), err
}

// lose notes gaps for all entries below an index that were not found.
func (t *Twin) lose(below id.Index) {
	for t.last()+1 < below {
		t.entries = append(t.entries, twinEntry{segment: t.segments[len(t.segments)-1].first, lost: true})
	}
}

// discontinuity looks for what is missing in front of the segments surveyed, as far as names and sizes tell.
func (t *Twin) discontinuity(front []wal.SegmentBytes) *partitions.Damage {
	first := t.recovered.First
	newest, _ := stands(t.recovered.Newest)
	if first > newest+1 {
		return &partitions.Damage{
			Kind: partitions.DamageAmnesia, File: segmentFile(first), Index: newest + 1,
			Reason: fmt.Sprintf("the log begins at entry %d, and the newest checkpoint that verifies is of %d", first, newest),
		}
	}
	if begins := t.begins(); begins != 0 && first > begins+1 || len(t.bases) > 0 && first != begins+1 {
		return &partitions.Damage{
			Kind: partitions.DamageHole, File: segmentFile(first), Index: begins + 1,
			Reason: fmt.Sprintf("the log begins at entry %d, and its front was dropped through %d", first, begins),
		}
	}
	for _, s := range front {
		if len(s.Bytes) == 0 {
			return &partitions.Damage{
				Kind: partitions.DamageHole, File: segmentFile(s.First), Index: s.First, Reason: "a segment is empty, though others follow it",
			}
		}
	}
	return nil
}

// begins is the index behind which the log begins, by the names of its checkpoints; 0: they do not tell.
func (t *Twin) begins() id.Index {
	if n := len(t.bases); n > 0 {
		return t.bases[n-1]
	}
	if len(t.checkpoints) > 0 {
		return t.checkpoints[0]
	}
	return 0
}

// worst picks the first damage that cannot be repaired in place, else the first.
func worst(found ...*partitions.Damage) (w *partitions.Damage) {
	for _, d := range found {
		if d != nil && (w == nil || d.Kind > w.Kind) {
			w = d
		}
	}
	return w
}

// repair makes the files end where the verdict says, and what is believed durable.
func (t *Twin) repair(segments []wal.SegmentBytes, v wal.Verdict, poisoned bool) error {
	for i := len(segments) - 1; i > v.Segment; i-- {
		if err := t.device.unlink(t.path(segments[i].First)); err != nil {
			return err
		}
		if err := t.device.syncDirectory(t.directory); err != nil {
			return err
		}
	}
	tail := segments[v.Segment]
	switch {
	case poisoned:
		// The pages of this file may be marked clean without being on the disk: only a new file can be made durable.
		if err := t.device.replace(t.path(tail.First), tail.Bytes[:v.At]); err != nil {
			return err
		}
	case v.At < len(tail.Bytes):
		if err := t.device.truncate(t.path(tail.First), int64(v.At)); err != nil {
			return err
		}
		if err := t.device.sync(t.path(tail.First)); err != nil {
			return err
		}
	}
	if v.Torn > 0 {
		t.disk.world.marks.count(MarkTearCut)
		t.disk.world.trace.event("disk", "tear cut", "%s: %d bytes behind entry %d", t.directory, v.Torn, v.Last)
	}
	return t.rewrite(v)
}

// rewrite writes the entries above the durable index again, the same bytes in the same places, and syncs them: after a sync
// that failed in an earlier life, another one alone would do nothing.
func (t *Twin) rewrite(v wal.Verdict) error {
	if v.Last == v.Durable {
		return nil
	}
	from := t.entries[v.Durable+1-t.first]
	for _, s := range t.segments {
		if s.first < from.segment {
			continue
		}
		at := int64(0)
		if s.first == from.segment {
			at = from.at - int64(uvarintBytes(from.size))
		}
		b, err := t.device.volume.ReadFile(t.path(s.first))
		if err != nil {
			return err
		}
		if err := t.device.write(t.path(s.first), at, b[at:]); err != nil {
			return err
		}
		if err := t.device.sync(t.path(s.first)); err != nil {
			return err
		}
	}
	return nil
}

// believe fills in what was recovered.
func (t *Twin) believe(slot wal.Slot, newest *partitions.Checkpoint) {
	state := slot.HardState
	index, term := stands(newest)
	if n := len(t.recovered.Terms); n > 0 {
		term = max(term, t.recovered.Terms[n-1].Term)
	}
	if term > state.Term {
		state.Term, state.Vote = term, 0
	}
	last := t.recovered.Last
	state.Commit = min(last, max(state.Commit, index))
	t.state, t.durable, t.recovered.HardState = state, last, state
}
