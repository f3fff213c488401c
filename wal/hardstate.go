package wal

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// The hard state lies in one file of three slots, each at the start of a 4 KiB block of its own, so that writing one can
// spoil no other. A slot, little endian:
//
//	 0       4        8         9       10         16         24        32     40     48       56        64
//	+-------+--------+---------+-------+----------+----------+---------+------+------+--------+---------+
//	| magic | crc32c | version | phase | zero × 6 | sequence | replica | term | vote | commit | durable |
//	+-------+--------+---------+-------+----------+----------+---------+------+------+--------+---------+
//	        |        |<------------------------ covered by the checksum --------------------------------|
//
// Of the slots that verify, the one with the highest sequence counts, whole. Magic and checksum keep their places in every
// future version. Slots 0 and 1 take turns and are fsynced: a torn write leaves the other. Slot 2, the scratch slot, is
// written without an fsync after every group commit and again after every fsynced write, so that what is known stands in
// two places.
const (
	slotVersion   = 1
	slotBytes     = 64
	slotBlock     = 4096
	slotCount     = 3
	scratchPlace  = 2
	hardStateName = "hardstate"
	// HardStateBytes is the size of a hard state file.
	HardStateBytes = slotCount * slotBlock
)

var slotMagic = [4]byte{0xF5, 'T', 'R', 'H'}

// Slot is a replica's hard state together with what is known of its log.
type Slot struct {
	// Sequence counts the writes of this file: the highest one that verifies stands.
	Sequence  uint64
	Replica   id.Replica
	HardState partitions.HardState
	// Durable is the highest index known to be durable.
	Durable id.Index
	Phase   Phase
}

// Phase tells how far a log has come. The values are stored on disk: never change one.
type Phase uint8

// The phases.
const (
	// PhaseBegun: the log continues from a checkpoint.
	PhaseBegun Phase = 0
	// PhaseEmpty: the replica was born without a checkpoint and waits for its first snapshot. Nothing is missing from such
	// a log; without this mark, one that has no checkpoint has forgotten.
	PhaseEmpty Phase = 1
	// PhaseInstalling: the snapshot at Durable replaces everything else in the directory: see install.go.
	PhaseInstalling Phase = 2
)

// AppendTo appends the bytes of the slot to dst and returns the result.
func (s Slot) AppendTo(dst []byte) []byte {
	le := binary.LittleEndian
	at := len(dst)
	dst = append(dst, slotMagic[:]...)
	dst = append(dst, 0, 0, 0, 0, slotVersion, byte(s.Phase), 0, 0, 0, 0, 0, 0)
	dst = le.AppendUint64(dst, s.Sequence)
	dst = le.AppendUint64(dst, uint64(s.Replica))
	dst = le.AppendUint64(dst, uint64(s.HardState.Term))
	dst = le.AppendUint64(dst, uint64(s.HardState.Vote))
	dst = le.AppendUint64(dst, uint64(s.HardState.Commit))
	dst = le.AppendUint64(dst, uint64(s.Durable))
	le.PutUint32(dst[at+4:], checksum(0, dst[at+8:]))
	return dst
}

// same tells whether two slots say the same, whenever they were written.
func (s Slot) same(t Slot) bool {
	s.Sequence = t.Sequence
	return s == t
}

// ParseSlots reads a hard state file and returns the slot that stands. It returns an error that unwraps to
// partitions.ErrDamaged when none verifies or the file has lost its end, and to partitions.ErrNewer when one does that this program does not know.
func ParseSlots(b []byte) (Slot, error) {
	stands, _, err := ReadSlots(b)
	return stands, err
}

// ReadSlots is ParseSlots that also tells in which place an fsynced slot says the same as the one that stands, -1 if that
// is not certain. It is where the scratch slot stands and repeats it: that one is written only after the fsync returned.
func ReadSlots(b []byte) (stands Slot, kept int, err error) {
	if len(b) < HardStateBytes {
		// The file is whole from its first moment on. What is missing may have held the newest slot, and its copy.
		return Slot{}, -1, fmt.Errorf("%d bytes of %d: %w", len(b), HardStateBytes, partitions.ErrDamaged)
	}
	var slots [slotCount]Slot
	newest := -1
	for place := range slotCount {
		at := place * slotBlock
		s, ok, err := parseSlot(b[at : at+slotBytes])
		if err != nil {
			return Slot{}, -1, fmt.Errorf("slot %d: %w", place, err)
		}
		if !ok {
			continue
		}
		slots[place] = s
		if newest < 0 || s.Sequence >= slots[newest].Sequence {
			newest = place
		}
	}
	if newest < 0 {
		return Slot{}, -1, fmt.Errorf("no slot of %d bytes verifies: %w", len(b), partitions.ErrDamaged)
	}
	stands, kept = slots[newest], -1
	for place := range scratchPlace {
		if newest == scratchPlace && slots[place].same(stands) {
			kept = place
		}
	}
	return stands, kept, nil
}

// NewestPlace returns in which of the two fsynced places of a hard state file the newer slot stands: whoever must write into
// the file writes into the other one, or a torn write takes the only slot that knows the vote.
func NewestPlace(b []byte) int {
	newest, place := uint64(0), 0
	for p := range scratchPlace {
		if len(b) < (p+1)*slotBlock {
			break
		}
		if s, ok, err := parseSlot(b[p*slotBlock : p*slotBlock+slotBytes]); err == nil && ok && s.Sequence >= newest {
			newest, place = s.Sequence, p
		}
	}
	return place
}

func parseSlot(b []byte) (s Slot, ok bool, err error) {
	le := binary.LittleEndian
	if [4]byte(b) != slotMagic || le.Uint32(b[4:]) != checksum(0, b[8:]) {
		return Slot{}, false, nil
	}
	if b[8] != slotVersion || Phase(b[9]) > PhaseInstalling || [6]byte(b[10:]) != [6]byte{} {
		return Slot{}, false, fmt.Errorf("version %d, phase %d: %w", b[8], b[9], partitions.ErrNewer)
	}
	return Slot{
		Sequence: le.Uint64(b[16:]),
		Replica:  id.Replica(le.Uint64(b[24:])),
		HardState: partitions.HardState{
			Term:   id.Term(le.Uint64(b[32:])),
			Vote:   id.Replica(le.Uint64(b[40:])),
			Commit: id.Index(le.Uint64(b[48:])),
		},
		Durable: id.Index(le.Uint64(b[56:])),
		Phase:   Phase(b[9]),
	}, true, nil
}

// NewSlots returns the bytes of a hard state file that says s in every slot.
func NewSlots(s Slot) []byte {
	b := make([]byte, HardStateBytes)
	for place := range slotCount {
		s.AppendTo(b[:place*slotBlock])
	}
	return b
}
