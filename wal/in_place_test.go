package wal

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"troupe/partitions"
	"troupe/partitions/id"
)

// cramped is a system without room for a new file, whose power fails in the next write of a slot.
type cramped struct {
	disk
	cached  []byte // the hard state as a reader sees it
	durable []byte // what of it the disk holds
	torn    bool
}

func (c *cramped) writeAt(f *os.File, b []byte, at int64) error {
	if filepath.Base(f.Name()) != hardStateName {
		return &os.PathError{Op: "write", Path: f.Name(), Err: unix.ENOSPC}
	}
	if !c.torn {
		clear(c.durable[at : int(at)+len(b)])
		c.torn = true
	}
	return nil
}

func (c *cramped) syncFile(*os.File) error {
	if !c.torn {
		c.durable = append([]byte(nil), c.cached...)
	}
	return nil
}

func slotOf(sequence uint64) Slot {
	return Slot{
		Sequence: sequence, Replica: 7, Durable: 1,
		HardState: partitions.HardState{Term: id.Term(sequence), Vote: 7, Commit: 1},
	}
}

// TestNoRoomKeepsVote: where the old file must do, a torn write of it leaves the newest vote, in whichever place it stood and
// even where it stood in the page cache only.
func TestNoRoomKeepsVote(t *testing.T) {
	for newest := range scratchPlace {
		b := NewSlots(slotOf(7))
		clear(b[scratchPlace*slotBlock:])
		c := &cramped{durable: append([]byte(nil), b...), cached: b}
		copy(b[(1-newest)*slotBlock:], slotOf(8).AppendTo(nil))
		copy(c.durable, b)
		copy(b[newest*slotBlock:], slotOf(9).AppendTo(nil)) // never fsynced
		directory := t.TempDir()
		must(t, os.WriteFile(filepath.Join(directory, hardStateName), b, 0o640))

		stands, kept, err := ReadSlots(b)
		must(t, err)
		o := &opening{sys: c, directory: directory, owner: 7, slot: stands, kept: kept}
		next := stands
		next.Durable = 2
		must(t, o.renewSlots(next))
		if !c.torn {
			t.Fatal("no slot was written")
		}
		got, err := ParseSlots(c.durable)
		must(t, err)
		if got != slotOf(9) {
			t.Errorf("newest in place %d: after the crash %+v stands", newest, got)
		}
	}
}
