package partitions

import (
	"fmt"
	"math"
	"slices"

	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// Inheritance makes, out of what one replica has of a partition whose majority is lost for ever, the log of another replica,
// its heir, that votes alone: the last step of a recovery that an operator asked for (catalog.Recovery).
//
// Everything the survivor holds is kept, also behind its commit index: what the lost majority acknowledged may be there, and
// what it did not acknowledge was at most left in doubt. What only the others had is lost, and nobody can tell how much that
// is: a gap of as many offsets as can have been given out ends the log, so that none is given twice, and the heir's terms lie
// above all that the others can have reached, so that whoever has heard of the heir believes no late leader of theirs. A survivor
// that is no voter by what it has applied is refused: it may lack an earlier gap, and with it those offsets.
//
// Changes of the configuration become empty entries: the heir's configuration is itself, from its first checkpoint on.
//
// An heir is unfinished until End's hard state is durable: until then its vote is for the survivor, which it never votes for
// otherwise. One that is found unfinished continues; its source does not change any more.
type Inheritance struct {
	heir  Placed
	from  Recovered
	next  id.Offset // behind the entries taken
	clock id.Timestamp
	last  id.Index // taken
}

// What can have happened among the others that the survivor does not know of. These are stated limits.
const (
	// InheritedOffsets: at ten million records a second, more than ten months of them.
	InheritedOffsets = 1 << 48
	// InheritedTerms: with an election every second, half a year of nothing else. A batch's header has 31 bits for a term.
	InheritedTerms = 1 << 24
)

// Inherit begins with what a survivor's log was found to hold. It returns ErrDamaged for one that is damaged, and
// ErrUnavailable for one that cannot stand for the partition.
func Inherit(from Recovered, heir Placed) (*Inheritance, error) {
	switch {
	case from.Damage != nil:
		return nil, fmt.Errorf("replica %d inherits from replica %d: %s: %w", heir.Replica, from.Replica, from.Damage.Reason, ErrDamaged)
	case from.Base == nil || from.Newest == nil:
		return nil, fmt.Errorf("replica %d inherits from replica %d, which is empty: %w", heir.Replica, from.Replica, ErrUnavailable)
	}
	base := from.Base
	return &Inheritance{
		heir: heir, from: from, next: base.NextOffset, clock: base.Clock, last: base.Index,
	}, nil
}

// Birth is the state that the heir's log begins with.
func (i *Inheritance) Birth() (*Checkpoint, HardState) {
	return i.own(i.from.Base), HardState{Term: i.from.HardState.Term, Vote: i.from.Replica, Commit: i.from.Base.Index}
}

// Unfinished tells that an heir's log was begun with that of a survivor, and not ended.
func Unfinished(heir Recovered, survivor id.Replica) bool { return heir.HardState.Vote == survivor }

// own makes a checkpoint the heir's.
func (i *Inheritance) own(c *Checkpoint) *Checkpoint {
	own := *c
	own.Configuration, own.Nodes = Configuration{Voters: []id.Replica{i.heir.Replica}}, []Placed{i.heir}
	return &own
}

// Newest is the newest checkpoint that the survivor made, as the heir's.
func (i *Inheritance) Newest() *Checkpoint { return i.own(i.from.Newest) }

// Take turns the survivor's next entries into the heir's. It returns an error that unwraps to ErrDamaged where they do not
// follow what was taken before.
func (i *Inheritance) Take(entries []Entry) ([]Entry, error) {
	own := slices.Clone(entries)
	for k := range own {
		e := &own[k]
		if e.Index != i.last+1 {
			return nil, fmt.Errorf("replica %d has entry %d behind entry %d: %w", i.from.Replica, e.Index, i.last, ErrDamaged)
		}
		i.last, i.clock = e.Index, max(i.clock, e.AppendTime)
		switch e.Type {
		case EntryBatch:
			h, err := batch.ParseHeader(e.Payload)
			if err != nil || h.BaseOffset != i.next {
				return nil, fmt.Errorf("replica %d, entry %d: no batch at offset %d (%v): %w", i.from.Replica, e.Index, i.next, err, ErrDamaged)
			}
			i.next = h.NextOffset()
		case EntryGap:
			g, err := ParseGap(e.Payload)
			if err != nil || g.First != i.next {
				return nil, fmt.Errorf("replica %d, entry %d: no gap at offset %d (%v): %w", i.from.Replica, e.Index, i.next, err, ErrDamaged)
			}
			i.next = g.Next
		case EntryConfiguration:
			*e = Entry{Index: e.Index, Term: e.Term, Type: EntryEmpty}
		}
	}
	return own, nil
}

// End is what finishes the inheritance once everything is taken: the gap, with the batches that are to follow it, and, when that
// is durable and not before, the hard state. A hard state alone would pass for a log that is whole.
//
// The last entry alone is of the heir's own term: once it is durable, so is everything before it, and the term tells that.
func (i *Inheritance) End(batches ...[]byte) (end []Entry, state HardState, err error) {
	if i.last != i.from.Last {
		return nil, state, fmt.Errorf("replica %d has entries up to %d, %d are taken: %w", i.from.Replica, i.from.Last, i.last, ErrDamaged)
	}
	before := i.from.HardState.Term
	term := before + InheritedTerms
	if i.next > math.MaxInt64-InheritedOffsets || term > math.MaxInt32-InheritedTerms {
		return nil, state, fmt.Errorf("replica %d ends at offset %d in term %d, no room is left behind them: %w",
			i.from.Replica, i.next, before, ErrUnavailable)
	}
	add := func(t EntryType, at id.Timestamp, payload []byte) {
		end = append(end, Entry{Index: i.last + 1 + id.Index(len(end)), Term: before, Type: t, AppendTime: at, Payload: payload})
	}
	gap := Gap{First: i.next, Next: i.next + InheritedOffsets}
	add(EntryGap, i.clock, gap.AppendTo(nil))
	next := gap.Next
	for _, b := range batches {
		h, err := batch.ParseHeader(b)
		if err != nil {
			return nil, state, fmt.Errorf("%w: %w", ErrInvalidBatch, err)
		}
		own := slices.Clone(b)
		batch.Stamp(own, next, before)
		h.BaseOffset = next
		next = h.NextOffset()
		add(EntryBatch, i.clock, own)
	}
	if len(batches) > 0 {
		add(EntryEmpty, 0, nil)
	}
	last := &end[len(end)-1]
	last.Term = term
	return end, HardState{Term: term, Commit: last.Index}, nil
}
