package simulation

import "troupe/wal"

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

// keptPlace tells in which of its two places the slot that stands is certainly durable: that is so where the newest write, in
// the scratch slot, repeats it. -1 when in none, or when something is to be mended anyway.
func keptPlace(b []byte, stands wal.Slot, mend bool) int {
	at := func(place int) (wal.Slot, error) { return wal.ParseSlots(b[place*slotBlock : (place+1)*slotBlock]) }
	if len(b) < wal.HardStateBytes {
		return -1
	}
	if scratch, err := at(scratchPlace); mend || err != nil || scratch.Sequence != stands.Sequence {
		return -1
	}
	kept := -1
	for place := range scratchPlace {
		s, err := at(place)
		s.Sequence = stands.Sequence
		if err == nil && s == stands {
			kept = place
		}
	}
	return kept
}
