package partitions

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions/id"
)

// Gap is a range of offsets whose records were lost and given up by an operator (`troupe log repair --accept-loss`). It is
// recorded in the log, in the place of each entry that was lost: that is the one way in which a partition's offsets go on
// behind something else than a record. The offsets in it are never given to other records.
//
// The payload of an EntryGap, little endian:
//
//	 0       8      16
//	+-------+------+
//	| first | next |
//	+-------+------+
//
// first is the next offset before the entry, next the one behind it. Where several entries in a row were lost, the first one
// stands for all offsets, and the others for none (first = next), as does an entry that is known to have held no record.
type Gap struct {
	First, Next id.Offset // First ≤ Next
}

const gapBytes = 16

// AppendTo appends the payload of the gap's entry to dst and returns the result.
func (g Gap) AppendTo(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(g.First))
	return binary.LittleEndian.AppendUint64(dst, uint64(g.Next))
}

// ParseGap reads the payload of an EntryGap. It returns ErrMalformed for bytes that are none.
func ParseGap(b []byte) (Gap, error) {
	if len(b) != gapBytes {
		return Gap{}, fmt.Errorf("a gap of %d bytes: %w", len(b), ErrMalformed)
	}
	g := Gap{First: id.Offset(binary.LittleEndian.Uint64(b)), Next: id.Offset(binary.LittleEndian.Uint64(b[8:]))}
	if g.First < 0 || g.Next < g.First {
		return Gap{}, fmt.Errorf("a gap from offset %d to %d: %w", g.First, g.Next, ErrMalformed)
	}
	return g, nil
}

// skip moves the next offset over a gap. What producers wrote before it stays known: a batch that comes again is still a
// duplicate, and one that follows a lost one still is out of order.
func (a *applied) skip(e Entry) error {
	g, err := ParseGap(e.Payload)
	if err != nil {
		return fmt.Errorf("entry %d: %w: %w", e.Index, err, ErrDamaged)
	}
	if g.First != a.next {
		return fmt.Errorf("entry %d: a gap from offset %d, where the log is at %d: %w", e.Index, g.First, a.next, ErrDamaged)
	}
	a.next = g.Next
	return nil
}

// applyGap lets the offsets go on behind what was lost.
func (r *Replica) applyGap(e Entry) {
	if err := r.applied.skip(e); err != nil {
		panic(&InvariantError{"a gap begins where the offsets are", err, nil})
	}
}
