package wal

import (
	"os"
	"path/filepath"
)

// slots is an open hard state file: see hardstate.go for its bytes.
type slots struct {
	sys  system
	file *os.File
	// kept is what the newest fsynced slot says, and place (0 or 1) is where. noted is what the newest write of any slot
	// says. kept.Sequence <= noted.Sequence.
	kept, noted Slot
	place       int
	buffer      [slotBytes]byte
}

// createSlots writes a hard state file that says s in all its slots, in place of whatever was there: a failed fsync in an
// earlier life may have left any of its pages marked clean.
func createSlots(sys system, directory string, s Slot) error {
	return replaceFile(sys, filepath.Join(directory, hardStateName), NewSlots(s))
}

// openSlots opens the file in which s stands, and is durable in place.
func openSlots(sys system, directory string, s Slot, place int) (*slots, error) {
	f, err := os.OpenFile(filepath.Join(directory, hardStateName), os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return &slots{sys: sys, file: f, kept: s, noted: s, place: place}, nil
}

// keep makes s durable: in the slot that is neither the newest durable one nor the scratch slot, and then in the latter.
func (f *slots) keep(s Slot) error {
	place := 1 - f.place
	s.Sequence = f.noted.Sequence + 1
	if err := f.write(s, place); err != nil {
		return err
	}
	if err := f.sys.syncFile(f.file); err != nil {
		return err
	}
	f.kept, f.place = s, place
	return f.note(s)
}

// note writes s into the scratch slot and does not wait for the disk. s may differ from what is kept only in what may be
// forgotten: a higher commit or durable index.
func (f *slots) note(s Slot) error {
	s.Sequence = f.noted.Sequence + 1
	if err := f.write(s, scratchPlace); err != nil {
		return err
	}
	f.noted = s
	return nil
}

// renew makes s durable in all slots of a new file.
func (f *slots) renew(s Slot) error {
	s.Sequence = f.noted.Sequence + 1
	directory := filepath.Dir(f.file.Name())
	if err := createSlots(f.sys, directory, s); err != nil {
		return err
	}
	renewed, err := openSlots(f.sys, directory, s, 0)
	if err != nil {
		return err
	}
	old := f.file
	*f = *renewed
	return old.Close()
}

func (f *slots) write(s Slot, place int) error {
	return f.sys.writeAt(f.file, s.AppendTo(f.buffer[:0]), int64(place*slotBlock))
}

func (f *slots) close() error { return f.file.Close() }
