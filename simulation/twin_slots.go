package simulation

import (
	"errors"
	"fmt"

	"troupe/partitions"
	"troupe/wal"
)

// twinSlots mirrors what wal keeps of a hard state file.
type twinSlots struct {
	kept, noted wal.Slot
	place       int
}

const (
	slotBlock    = wal.HardStateBytes / 3
	scratchPlace = 2
)

// keep makes a slot durable: in the one that is neither the newest durable one nor the scratch slot, and then in the latter.
func (t *Twin) keep(s wal.Slot) error {
	place := 1 - t.slots.place
	s.Sequence = t.slots.noted.Sequence + 1
	if err := t.writeSlot(s, place); err != nil {
		return err
	}
	if err := t.device.sync(t.file(hardStateFile)); err != nil {
		return err
	}
	t.slots.kept, t.slots.place = s, place
	return t.scratch(s)
}

// scratch writes the scratch slot, and does not wait for the disk.
func (t *Twin) scratch(s wal.Slot) error {
	s.Sequence = t.slots.noted.Sequence + 1
	if err := t.writeSlot(s, scratchPlace); err != nil {
		return err
	}
	t.slots.noted = s
	return nil
}

func (t *Twin) writeSlot(s wal.Slot, place int) error {
	return t.device.write(t.file(hardStateFile), int64(place*slotBlock), s.AppendTo(nil))
}

// renewSlots makes a slot durable in all places of a new file.
func (t *Twin) renewSlots(s wal.Slot) error {
	t.slots = twinSlots{kept: s, noted: s}
	return t.device.replace(t.file(hardStateFile), wal.NewSlots(s))
}

// knowledge is what an opening knows beside the segments.
type knowledge struct {
	doubt
	doubted bool
	slot    wal.Slot
	kept    int // the place where slot is certainly durable; -1: none
}

// hardState reads the slot that stands. The damage it returns leaves something to read from.
func (t *Twin) hardState(known *knowledge) (damage *partitions.Damage, err error) {
	b, _ := t.device.volume.ReadFile(t.file(hardStateFile))
	known.slot, known.kept, err = wal.ReadSlots(b)
	if errors.Is(err, partitions.ErrDamaged) {
		known.slot = wal.Slot{Replica: t.owner}
		return &partitions.Damage{
			Kind: partitions.DamageAmnesia, File: hardStateFile, Reason: fmt.Sprintf("the hard state cannot be read: %v", err),
		}, nil
	}
	return nil, err
}

// ready gets ready to append.
func (t *Twin) ready(known *knowledge, mend bool) error {
	slot, kept := known.slot, known.kept
	if kept >= 0 && !known.doubted && !mend && slot.HardState == t.state && slot.Durable == t.durable {
		t.slots = twinSlots{kept: slot, noted: slot, place: kept}
		return t.device.syncDirectory(t.directory)
	}
	return t.restoreSlots(known, t.slot())
}

// restoreSlots writes a hard state to a new file: a failed sync in an earlier life may have left pages of the old one marked
// clean. Where there is no room for one, and none failed, the old file must do.
func (t *Twin) restoreSlots(known *knowledge, s wal.Slot) error {
	s.Sequence = known.slot.Sequence + 1
	err := t.renewSlots(s)
	if err == nil || known.poisoned || !errors.Is(err, partitions.ErrDiskFull) {
		known.slot, known.kept = s, 0
		return err
	}
	t.disk.world.marks.count(MarkSlotsInPlace)
	if err := t.device.unlink(t.file(hardStateFile + unfinished)); err != nil {
		return err
	}
	b, _ := t.device.volume.ReadFile(t.file(hardStateFile))
	t.slots = twinSlots{kept: known.slot, noted: known.slot, place: wal.NewestPlace(b)}
	if err := t.device.sync(t.file(hardStateFile)); err != nil {
		return err
	}
	if err := t.keep(s); err != nil {
		return err
	}
	known.slot, known.kept = t.slots.noted, t.slots.place
	return t.device.syncDirectory(t.directory)
}
