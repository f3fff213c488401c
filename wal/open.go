package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// opening is the way of a replica's directory to an open log:
//
//  1. remove what was left half-made;
//  2. read the hard state, finish the installation of a snapshot if it tells of one, and read the newest checkpoint: what is
//     known durable and committed;
//  3. survey the last segments: a tear, damage, or neither;
//  4. with damage: open for reading only, and change nothing;
//  5. otherwise cut the tear, make durable what is believed, and open for appending.
type opening struct {
	sys          system
	directory    string
	owner        id.Replica
	segmentBytes int
	// doubted: this process remembers a doubt about the log. Its durable index is raised to what the survey finds, so that
	// it can be remembered if this opening fails too.
	doubted bool
	doubt   doubt

	names       []string
	firsts      []id.Index // of all segments but the leftovers
	leftovers   []id.Index // of segments that the base has replaced; still on disk
	slot        Slot
	kept        int // the place where slot is certainly durable; -1: none
	checkpoints *checkpoints
	newest      *partitions.Checkpoint
	base        *partitions.Checkpoint
	lo          int            // the first segment surveyed, in firsts
	segments    []SegmentBytes // those surveyed
	verdict     Verdict
	recovered   partitions.Recovered
}

// doubt is why a log is not simply what its files read: a write or fsync of it has failed in this process.
type doubt struct {
	// poisoned: while it was open. Nothing above durable is believed, however well it reads, and nobody relied on it.
	// Otherwise it failed during an opening: everything is as believable as before, and nothing is certainly durable.
	poisoned bool
	durable  id.Index
}

// open opens the log. Its errors unwrap to partitions.ErrDamaged where there is nothing to read from, and to
// partitions.ErrNewer; others are the operating system's.
func (o *opening) open() (*Log, error) {
	var err error
	if o.names, err = removeUnfinished(o.directory); err != nil {
		return nil, err
	}
	damage, err := o.readState()
	if err != nil {
		return nil, err
	}
	if err := o.survey(); err != nil {
		return nil, err
	}
	o.doubt.durable = max(o.doubt.durable, o.verdict.Durable)
	missing, err := o.discontinuity()
	if err != nil {
		return nil, err
	}
	terms := termFinder{opening: o}
	if err := terms.find(); err != nil {
		return nil, err
	}
	damage = worst(damage, o.verdict.Damage, missing, terms.damage)
	o.recover(damage, terms.found)
	if damage != nil {
		return o.log(), nil
	}
	return o.writable()
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

// readState reads what is known beside the segments. The damage it returns leaves something to read from.
func (o *opening) readState() (*partitions.Damage, error) {
	var damage *partitions.Damage
	b, err := os.ReadFile(filepath.Join(o.directory, hardStateName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	o.slot, o.kept, err = ReadSlots(b)
	if errors.Is(err, partitions.ErrNewer) {
		return nil, fmt.Errorf("%s: %w", hardStateName, err)
	}
	if err == nil && o.slot.Replica != o.owner {
		err = fmt.Errorf("it belongs to replica %d: %w", o.slot.Replica, partitions.ErrDamaged)
	}
	if err != nil {
		o.slot, o.kept = Slot{Replica: o.owner}, -1
		damage = &partitions.Damage{
			Kind: partitions.DamageAmnesia, File: hardStateName,
			Reason: fmt.Sprintf("the hard state cannot be read, so the replica does not know its vote: %v", err),
		}
	}
	if o.slot.Phase == PhaseInstalling {
		if err := o.finishInstall(); err != nil {
			return nil, err
		}
	}
	o.checkpoints = openCheckpoints(o.sys, o.directory, o.owner, o.names)
	o.firsts = segmentNames(o.names)
	if n := FrontSegments(o.firsts, o.checkpoints.dropped()); n > 0 {
		o.leftovers, o.firsts = o.firsts[:n], o.firsts[n:]
	}
	var first id.Index
	if len(o.firsts) > 0 {
		first = o.firsts[0]
	}
	if o.newest, o.base, err = o.checkpoints.load(first); err != nil {
		return nil, err
	}
	if o.slot.Phase == PhaseEmpty {
		return damage, o.untouched()
	}
	if o.newest == nil || len(o.firsts) == 0 {
		return nil, fmt.Errorf("%s holds %d segments and no checkpoint that verifies: %w",
			o.directory, len(o.firsts), partitions.ErrDamaged)
	}
	return damage, nil
}

// untouched demands that a log which its hard state calls empty is. Anything else in it means that the hard state is not
// the one that was written last.
func (o *opening) untouched() error {
	if len(o.firsts) != 1 || o.firsts[0] != 1 || len(o.checkpoints.indices)+len(o.checkpoints.bases) > 0 {
		return fmt.Errorf("%s waits for its first snapshot, and holds segments %v and checkpoints %v: %w",
			o.directory, o.firsts, slices.Concat(o.checkpoints.indices, o.checkpoints.bases), partitions.ErrDamaged)
	}
	info, err := os.Stat(filepath.Join(o.directory, segmentName(1)))
	if err == nil && info.Size() > 0 {
		err = fmt.Errorf("%s waits for its first snapshot, and holds entries: %w", o.directory, partitions.ErrDamaged)
	}
	return err
}

// survey reads the last segments, at least two, and further back while the durable index lies before them, or nothing in them is
// believed: their first term tells which begin in front of them. What lies there was fsynced when it was rolled: its damage is
// found by reads.
func (o *opening) survey() error {
	index, _ := stands(o.newest)
	known := Known{
		Durable:  max(o.slot.Durable, index),
		Commit:   max(o.slot.HardState.Commit, index),
		Poisoned: o.doubt.poisoned,
	}
	if o.doubt.poisoned {
		known.Durable = max(known.Durable, o.doubt.durable)
	}
	for o.lo = len(o.firsts); ; {
		o.lo--
		s, err := readSegment(o.directory, o.firsts[o.lo])
		if err != nil {
			return err
		}
		o.segments = append([]SegmentBytes{s}, o.segments...)
		if len(o.segments) < 2 && o.lo > 0 {
			continue
		}
		if o.verdict, err = Survey(o.owner, o.segments, known); err != nil {
			return err
		}
		if o.lo == 0 || s.First <= o.verdict.Durable+1 && len(o.verdict.Terms) > 0 {
			return nil
		}
	}
}

// discontinuity looks for what is missing in front of the segments surveyed, as far as names and sizes tell.
func (o *opening) discontinuity() (*partitions.Damage, error) {
	index, _ := stands(o.newest)
	if want := index + 1; o.firsts[0] > want {
		return &partitions.Damage{
			Kind: partitions.DamageAmnesia, File: segmentName(o.firsts[0]), Index: want,
			Reason: fmt.Sprintf("the log begins at entry %d, and the newest checkpoint that verifies is of %d", o.firsts[0], want-1),
		}, nil
	}
	begins, dropped := o.checkpoints.begins(), o.checkpoints.dropped()
	if begins != 0 && o.firsts[0] > begins+1 || dropped != 0 && o.firsts[0] != dropped+1 {
		return &partitions.Damage{
			Kind: partitions.DamageHole, File: segmentName(o.firsts[0]), Index: begins + 1,
			Reason: fmt.Sprintf("the log begins at entry %d, and its front was dropped through %d", o.firsts[0], begins),
		}, nil
	}
	if damage, err := o.headless(); damage != nil || err != nil {
		return damage, err
	}
	for _, first := range o.firsts[:o.lo] {
		info, err := os.Stat(filepath.Join(o.directory, segmentName(first)))
		if err != nil {
			return nil, err
		}
		if info.Size() == 0 {
			return &partitions.Damage{
				Kind: partitions.DamageHole, File: segmentName(first), Index: first,
				Reason: fmt.Sprintf("segment %s is empty, though others follow it", segmentName(first)),
			}, nil
		}
	}
	return nil, nil
}

// headless tells whether records are missing in front of the first segment: no checkpoint is of the entry before it, and its
// first batch lies above the log start.
func (o *opening) headless() (*partitions.Damage, error) {
	first := o.firsts[0]
	if o.newest == nil || o.checkpoints.listed(first-1) {
		return nil, nil
	}
	s, err := readSegment(o.directory, first)
	if err != nil {
		return nil, err
	}
	x, err := scan(o.owner, s, 0)
	if err != nil {
		return nil, fmt.Errorf("segment %s: %w", segmentName(first), err)
	}
	if len(x.points) > 0 && x.points[0].base <= o.newest.LogStart {
		return nil, nil
	}
	return &partitions.Damage{
		Kind: partitions.DamageHole, File: segmentName(first), Index: first - 1,
		Reason: fmt.Sprintf("the log begins at entry %d, no checkpoint is of the one before, and records are missing in front of it", first),
	}, nil
}

// recover fills in Recovered. The commit index is clamped to what is there; a term seen in the log or in a checkpoint was
// reached, though nobody was voted for in it.
func (o *opening) recover(damage *partitions.Damage, terms []partitions.TermStart) {
	v, state := o.verdict, o.slot.HardState
	index, term := stands(o.newest)
	if n := len(terms); n > 0 {
		term = max(term, terms[n-1].Term)
	}
	if term > state.Term {
		state.Term, state.Vote = term, 0
	}
	state.Commit = min(v.Last, max(state.Commit, index))
	o.recovered = partitions.Recovered{
		HardState: state, Replica: o.owner, Base: o.base, Newest: o.newest,
		First: o.firsts[0], Last: v.Last, Terms: terms,
		Durable: v.Durable, Torn: v.Torn, Damage: damage,
	}
	if damage != nil {
		o.recovered.Torn = 0 // nothing is cut
	}
}

// log makes a log of what was found, without anything to write with.
func (o *opening) log() *Log {
	l := &Log{
		sys: o.sys, directory: o.directory, owner: o.owner, segmentBytes: o.segmentBytes,
		recovered: o.recovered, checkpoints: o.checkpoints, state: o.recovered.HardState,
		phase: o.slot.Phase,
		last:  o.verdict.Last, durable: o.verdict.Last,
	}
	l.begin, l.commit = o.firsts[0], l.state.Commit
	if begins := o.checkpoints.begins(); begins != 0 && begins < l.begin {
		l.begin = begins + 1
	}
	l.terms = KnownTerms{Found: o.recovered.Terms, Last: o.recovered.Last}
	if o.base != nil {
		l.front, l.terms.Base = o.base.NextOffset, o.base.Term
	}
	for _, first := range o.firsts[:o.lo+o.verdict.Segment+1] {
		s := &segment{first: first}
		if info, err := os.Stat(l.path(s)); err == nil {
			s.size = info.Size() // a file that is gone has none: reading it reports damage
		}
		l.segments = append(l.segments, s)
	}
	l.segments[len(l.segments)-1].size = int64(o.verdict.At)
	return l
}

// writable repairs and opens for appending.
func (o *opening) writable() (*Log, error) {
	clean := o.kept >= 0 && !o.doubted && o.verdict.Torn == 0 && o.verdict.Segment == len(o.segments)-1 &&
		o.slot.Durable == o.verdict.Last && o.slot.HardState == o.recovered.HardState
	if !clean {
		if err := o.mend(); err != nil {
			return nil, fmt.Errorf("repair of %s: %w", o.directory, err)
		}
	} else if err := o.sys.syncDirectory(o.directory); err != nil {
		// What reads as clean may have been renamed by a process that was killed before its fsync of the directory: a power
		// loss would take the file back, with everything written to it since.
		return nil, fmt.Errorf("open of %s: %w", o.directory, err)
	}
	if err := o.finishDrop(); err != nil {
		return nil, fmt.Errorf("drop of the front of %s: %w", o.directory, err)
	}
	if err := o.dropSnapshots(); err != nil {
		return nil, fmt.Errorf("snapshot left in %s: %w", o.directory, err)
	}
	l := o.log()
	end := l.segments[len(l.segments)-1]
	tailBytes := o.segments[o.verdict.Segment]
	tailBytes.Bytes = tailBytes.Bytes[:o.verdict.At]
	var err error
	if end.index, err = scan(o.owner, tailBytes, l.last+1); err != nil {
		return nil, err
	}
	if l.slots, err = openSlots(o.sys, o.directory, o.slot, max(o.kept, 0)); err != nil {
		return nil, err
	}
	if l.tail, err = o.sys.openTail(o.directory, o.segmentBytes); err != nil {
		return nil, errors.Join(err, l.slots.close())
	}
	if err := l.checkTail(); err != nil {
		return nil, errors.Join(err, l.slots.close(), l.tail.Close())
	}
	return l, nil
}

// finishDrop removes what an interrupted DropFront left. Mending has made the base's name durable, or the fsync of a clean
// directory.
func (o *opening) finishDrop() error {
	if len(o.leftovers) == 0 {
		return nil
	}
	if err := dropSegments(o.sys, o.directory, o.leftovers); err != nil {
		return err
	}
	return o.checkpoints.thin()
}

// mend cuts the tear and makes durable what is believed. Each step leaves a directory that opens to the same log.
func (o *opening) mend() error {
	v := o.verdict
	if err := removeSegments(o.sys, o.directory, o.firsts[o.lo+v.Segment+1:]); err != nil {
		return err
	}
	end := o.segments[v.Segment]
	path := filepath.Join(o.directory, segmentName(end.First))
	if o.doubt.poisoned {
		// Pages of the old file may be marked clean without being on the disk: a new file has none of them.
		if err := replaceFile(o.sys, path, end.Bytes[:v.At]); err != nil {
			return err
		}
	} else if v.At < len(end.Bytes) {
		if err := truncateFile(o.sys, path, int64(v.At)); err != nil {
			return err
		}
	}
	if err := o.rewrite(); err != nil {
		return err
	}
	state := o.slot
	state.HardState, state.Durable = o.recovered.HardState, v.Last
	return o.renewSlots(state)
}

// renewSlots writes the hard state to a new file, and fsyncs the directory, which may have new segments. Where the disk has
// no room for one the old file must do, unless an fsync of it failed: a log on a full disk has to be readable.
func (o *opening) renewSlots(next Slot) error {
	next.Sequence = o.slot.Sequence + 1
	err := createSlots(o.sys, o.directory, next)
	if err == nil || o.doubt.poisoned || !errors.Is(err, partitions.ErrDiskFull) {
		o.slot, o.kept = next, 0
		return err
	}
	b, err := os.ReadFile(filepath.Join(o.directory, hardStateName))
	if err != nil {
		return err
	}
	f, err := openSlots(o.sys, o.directory, o.slot, NewestPlace(b))
	if err != nil {
		return err
	}
	// The newest slot may be in the page cache only: the write into the other one must not be able to take both.
	if err = f.sys.syncFile(f.file); err == nil {
		err = f.keep(next)
	}
	o.slot, o.kept = f.noted, f.place
	return errors.Join(err, f.close(), o.sys.syncDirectory(o.directory))
}

// rewrite makes the entries above the durable index durable. They are written again, the same bytes in the same places,
// and then fsynced: an fsync that failed in an earlier process may have left their pages marked clean, and another fsync
// alone would do nothing.
func (o *opening) rewrite() error {
	v := o.verdict
	if v.Last == v.Durable {
		return nil
	}
	for i, s := range o.segments[:v.Segment+1] {
		if i == v.Segment {
			s.Bytes = s.Bytes[:v.At]
		}
		from, err := before(o.owner, s, min(v.Durable, v.Last)+1)
		if err != nil {
			continue // the segment ends at or below the durable index
		}
		if err := rewriteFile(o.sys, filepath.Join(o.directory, segmentName(s.First)), s.Bytes, len(from)); err != nil {
			return err
		}
	}
	return nil
}

func rewriteFile(sys system, path string, b []byte, from int) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sys.writeAt(f, b[from:], int64(from)); err != nil {
		return err
	}
	return sys.syncFile(f)
}
