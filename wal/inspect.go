package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// Health is how whole a log is; a higher one is worse.
type Health uint8

// The healths.
const (
	HealthWhole   Health = iota
	HealthTorn           // something was interrupted, and nobody was told of it: opening cuts it off, or finishes it
	HealthSpare          // a checkpoint does not verify, and an older one with the entries behind it says the same
	HealthHole           // entries are missing: partitions.DamageHole
	HealthAmnesia        // it may have forgotten more than can be told: partitions.DamageAmnesia
	HealthWrong          // everything verifies and contradicts itself: a bug, not the disk
	HealthNewer          // written by a newer Troupe
)

var healthNames = [...]string{"whole", "torn", "spare damaged", "damaged: hole", "damaged: amnesia", "contradicts itself", "newer"}

// String returns the words that people are shown.
func (h Health) String() string { return healthNames[h] }

// Finding is one thing that a log is not whole in.
type Finding struct {
	Health Health
	File   string   // within the replica's directory
	At     int64    // byte position in File
	Index  id.Index // first entry affected, when known
	Text   string   // a sentence for the operator
}

// SlotFound is one slot of the hard state file. Err tells why it is not read; a torn one is nothing unusual.
type SlotFound struct {
	Slot   Slot
	Err    error
	Stands bool // it is the newest: what counts
}

// CheckpointFound is one checkpoint file.
type CheckpointFound struct {
	Name       string
	Bytes      int64
	Checkpoint *partitions.Checkpoint // nil where it does not verify
	Err        error
}

// Inspection is everything there is to say of one replica's log at rest.
type Inspection struct {
	Stored      Stored
	Findings    []Finding
	Slots       []SlotFound
	Checkpoints []CheckpointFound
	Segments    int
	Bytes       int64 // of segments
	// First and Last bound the entries believed, some of which may be missing: First = Last + 1 when there are none.
	First, Last id.Index
	Durable     id.Index
	// Frames, Batches and Records count what verifies among them.
	Frames, Batches, Records int64
	// LogStart and Next bound the offsets as far as is known.
	LogStart, Next id.Offset
	Torn           int64 // bytes that opening cuts
	// Finishable: a repair was interrupted when nothing but the name of the repaired log was missing.
	Finishable bool

	slot     Slot // zero where none verifies
	newest   *partitions.Checkpoint
	pieces   []piece
	believed []run
	contents []content // of all runs
	verdict  Verdict
	changed  id.Index               // the last entry that changes who votes; 0: none
	headless bool                   // records are missing in front, and no checkpoint tells of their end
	next     map[id.Index]id.Offset // behind those entries that a checkpoint is of, where it is known
}

// piece is a segment file as it was found.
type piece struct {
	first id.Index
	size  int64
	// whole: all of it verifies, and it holds every entry up to the next segment.
	whole bool
}

// content is what a run holds.
type content struct {
	frames, batches, records int64
	// anchored: some entry tells offsets; the first that does is at, from base on, and next follows the last one.
	anchored   bool
	at         id.Index
	base, next id.Offset
}

// Health is the worst of the findings.
func (i *Inspection) Health() Health {
	worst := HealthWhole
	for _, f := range i.Findings {
		worst = max(worst, f.Health)
	}
	return worst
}

func (i *Inspection) found(f Finding) { i.Findings = append(i.Findings, f) }

// Inspect reads everything of a replica's log, verifies every checksum, and judges as an opening would, but of the whole
// log. Its errors are the operating system's.
func (o *Offline) Inspect(s Stored) (*Inspection, error) {
	i := &Inspection{Stored: s, next: map[id.Index]id.Offset{}}
	if s.Missing {
		f := Finding{Health: HealthAmnesia, Text: "the register lists the replica, and its directory is gone"}
		if i.Finishable = holds(s.Path+repairedSuffix, hardStateName); i.Finishable {
			f.Text = "a repair was interrupted before its last step: repair it once more"
		}
		i.found(f)
		return i, nil
	}
	names, err := namesIn(s.Path)
	if err != nil {
		return nil, err
	}
	if err := i.inspectSlots(); err != nil {
		return nil, err
	}
	if err := i.inspectCheckpoints(names); err != nil {
		return nil, err
	}
	switch i.slot.Phase {
	case PhaseEmpty:
		return i, i.inspectEmpty(names)
	case PhaseInstalling:
		i.inspectInstalling()
		return i, nil
	}
	if i.newest == nil {
		i.found(Finding{Health: HealthAmnesia, Text: "no checkpoint verifies, so it is not known who votes, nor where the log begins"})
	}
	return i, i.inspectSegments(names)
}

// inspectEmpty looks at a replica that waits for its first snapshot: nothing else may be there.
func (i *Inspection) inspectEmpty(names []string) error {
	firsts := segmentNames(names)
	if len(firsts) == 1 && firsts[0] == 1 && len(i.Checkpoints) == 0 {
		s, err := readSegment(i.Stored.Path, 1)
		if err != nil || len(s.Bytes) == 0 {
			i.First, i.Segments = 1, 1
			return err
		}
	}
	i.found(Finding{Health: HealthAmnesia, File: hardStateName,
		Text: fmt.Sprintf("the hard state says that the replica waits for its first snapshot, and there are segments %v and %d checkpoints", firsts, len(i.Checkpoints))})
	return nil
}

// inspectInstalling looks at a log that a snapshot was replacing: nothing but that counts.
func (i *Inspection) inspectInstalling() {
	name := snapshotName(i.slot.Durable)
	if holds(i.Stored.Path, baseName(i.slot.Durable)) {
		name = baseName(i.slot.Durable)
	}
	b, err := os.ReadFile(filepath.Join(i.Stored.Path, name))
	if err == nil {
		i.newest, err = ParseCheckpoint(b, i.Stored.Replica)
	}
	if err != nil {
		i.newest = nil
		i.found(Finding{Health: HealthAmnesia, File: name, Text: fmt.Sprintf("a snapshot was replacing the log, and cannot be read: %v", err)})
		return
	}
	i.LogStart, i.Next = i.newest.LogStart, i.newest.NextOffset
	i.First, i.Last, i.Durable = i.newest.Index+1, i.newest.Index, i.newest.Index
	i.found(Finding{Health: HealthTorn, File: name, Index: i.newest.Index,
		Text: "a snapshot was replacing the log when it was interrupted: the next opening finishes it"})
}

// inspectSlots reads the hard state.
func (i *Inspection) inspectSlots() error {
	b, err := os.ReadFile(filepath.Join(i.Stored.Path, hardStateName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for place := range slotCount {
		found := SlotFound{Err: fmt.Errorf("it does not verify: %w", partitions.ErrDamaged)}
		if at := place * slotBlock; at+slotBytes <= len(b) {
			slot, ok, err := parseSlot(b[at : at+slotBytes])
			if ok || err != nil {
				found.Slot, found.Err = slot, err
			}
		}
		i.Slots = append(i.Slots, found)
	}
	stands, _, err := ReadSlots(b)
	switch {
	case errors.Is(err, partitions.ErrNewer):
		i.found(Finding{Health: HealthNewer, File: hardStateName, Text: err.Error()})
		return nil
	case err == nil && stands.Replica != i.Stored.Replica:
		err = fmt.Errorf("it belongs to replica %d: %w", stands.Replica, partitions.ErrDamaged)
	}
	if err != nil {
		i.found(Finding{Health: HealthAmnesia, File: hardStateName,
			Text: fmt.Sprintf("the hard state cannot be read, so the replica does not know its vote: %v", err)})
		return nil
	}
	for place := range i.Slots {
		i.Slots[place].Stands = i.Slots[place].Err == nil && i.Slots[place].Slot == stands
	}
	i.slot = stands
	return nil
}

// inspectCheckpoints reads all of them.
func (i *Inspection) inspectCheckpoints(names []string) error {
	for _, name := range names {
		base := indicesOf([]string{name}, basePrefix)
		index := append(base, indicesOf([]string{name}, checkpointPrefix)...)
		if len(index) == 0 {
			continue
		}
		b, err := os.ReadFile(filepath.Join(i.Stored.Path, name))
		if err != nil {
			return err
		}
		c, err := ParseCheckpoint(b, i.Stored.Replica)
		if err == nil && c.Index != index[0] {
			c, err = nil, fmt.Errorf("it is the checkpoint of entry %d: %w", c.Index, partitions.ErrDamaged)
		}
		i.Checkpoints = append(i.Checkpoints, CheckpointFound{Name: name, Bytes: int64(len(b)), Checkpoint: c, Err: err})
		switch {
		case errors.Is(err, partitions.ErrNewer):
			i.found(Finding{Health: HealthNewer, File: name, Index: index[0], Text: err.Error()})
		case err != nil:
			i.found(Finding{Health: HealthSpare, File: name, Index: index[0], Text: fmt.Sprintf("the checkpoint cannot be read: %v", err)})
		case i.newest == nil || c.Index > i.newest.Index:
			i.newest = c
		}
	}
	if i.newest != nil {
		i.LogStart, i.Next = i.newest.LogStart, i.newest.NextOffset
	}
	return nil
}

// dropped is the index through which the front of the log was dropped, as names tell it; 0: never.
func (i *Inspection) dropped() id.Index {
	names := make([]string, len(i.Checkpoints))
	for n, c := range i.Checkpoints {
		names[n] = c.Name
	}
	bases := indicesOf(names, basePrefix)
	if len(bases) == 0 {
		return 0
	}
	return bases[len(bases)-1]
}

// inspectSegments walks every segment but the leftovers of a dropped front.
func (i *Inspection) inspectSegments(names []string) error {
	firsts := segmentNames(names)
	firsts = firsts[FrontSegments(firsts, i.dropped()):]
	var walked surveyor
	for n, first := range firsts {
		s, err := readSegment(i.Stored.Path, first)
		if err != nil {
			return err
		}
		p := piece{first: first, size: int64(len(s.Bytes)), whole: true}
		end := first
		err = walked.add(i.Stored.Replica, s, func(st step) {
			p.whole = p.whole && !st.bad
			if !st.bad {
				end = st.index + 1
				i.look(&walked, st, segmentName(first))
			}
		})
		if errors.Is(err, partitions.ErrNewer) {
			i.found(Finding{Health: HealthNewer, File: segmentName(first), Text: err.Error()})
			return nil
		}
		if err != nil {
			return err
		}
		p.whole = p.whole && (n+1 == len(firsts) || end == firsts[n+1])
		i.pieces = append(i.pieces, p)
		i.Segments, i.Bytes = i.Segments+1, i.Bytes+p.size
	}
	if len(firsts) == 0 {
		i.found(Finding{Health: HealthAmnesia, Text: "no segment is left"})
		return nil
	}
	if i.newest != nil {
		i.judge(&walked)
	}
	return nil
}

// look takes what a frame that verifies holds into the content of its run.
func (i *Inspection) look(w *surveyor, st step, file string) {
	for len(i.contents) < len(w.runs) {
		i.contents = append(i.contents, content{})
	}
	c, e := &i.contents[len(w.runs)-1], &st.frame.Entry
	c.frames++
	if s, ok := spanOf(e); ok {
		if c.anchored && s.base != c.next {
			i.found(Finding{Health: HealthWrong, File: file, At: int64(st.at), Index: st.index,
				Text: fmt.Sprintf("entry %d holds the offsets from %d on, where the log is at %d", st.index, s.base, c.next)})
		}
		if !c.anchored {
			c.anchored, c.at, c.base = true, st.index, s.base
		}
		c.next = s.next
	}
	if e.Type == partitions.EntryConfiguration {
		i.changed = st.index
	}
	if e.Type == partitions.EntryBatch {
		h, err := batch.Verify(e.Payload)
		if err != nil {
			i.found(Finding{Health: HealthWrong, File: file, At: int64(st.at), Index: st.index,
				Text: fmt.Sprintf("entry %d was written as what is no batch: %v", st.index, err)})
		}
		c.batches, c.records = c.batches+1, c.records+int64(h.Records)
	}
	if c.anchored && slices.ContainsFunc(i.Checkpoints, func(f CheckpointFound) bool {
		return f.Checkpoint != nil && f.Checkpoint.Index == st.index
	}) {
		i.next[st.index] = c.next
	}
}
