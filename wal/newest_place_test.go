package wal

import (
	"testing"

	"troupe/partitions"
)

// A write into the file must never hit the only slot that knows the newest vote.
func TestNewestPlaceIsSpared(t *testing.T) {
	slot := func(sequence uint64) Slot {
		return Slot{Sequence: sequence, Replica: 7, HardState: partitions.HardState{Term: 2, Vote: 7, Commit: 1}, Durable: 1}
	}
	for newest := range scratchPlace {
		b := NewSlots(slot(1))
		clear(b[scratchPlace*slotBlock:])
		copy(b[newest*slotBlock:], slot(9).AppendTo(nil))
		copy(b[(1-newest)*slotBlock:], slot(8).AppendTo(nil))
		if got := NewestPlace(b); got != newest {
			t.Errorf("the newest slot is in place %d, told is %d", newest, got)
		}
		if _, kept, err := readSlots(b); err != nil || kept != -1 {
			t.Errorf("kept %d, %v: nothing repeats it", kept, err)
		}
	}
}
