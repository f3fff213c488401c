package simulation

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"

	"troupe/partitions/id"
)

// end is an operation on a partition's end: an append that moves it from base by count, or a question that was told base (count
// 0).
type end struct {
	base  id.Offset
	count id.Offset
}

// linear demands that the appends and the answers about where a partition ends fit into one order that respects time: each
// takes effect at one moment between question and answer.
func (o *Oracle) linear() *Violation {
	history := map[id.Partition][]porcupine.Operation{}
	covered := map[id.Partition][]end{}
	for _, s := range o.history.Sends {
		at, returned := o.effect(s)
		if at < 0 || o.harmed[s.Partition] != nil {
			continue
		}
		e := end{at, id.Offset(len(s.Values))}
		covered[s.Partition] = append(covered[s.Partition], e)
		history[s.Partition] = append(history[s.Partition], operation(s.Client, e, s.Invoked, returned))
	}
	for _, l := range o.history.Lists {
		if l.Exact && o.harmed[l.Partition] == nil {
			history[l.Partition] = append(history[l.Partition], operation(l.Client, end{base: l.Latest}, l.Invoked, l.Completed))
		}
	}
	for _, p := range sortedPartitions(history) {
		if !porcupine.CheckOperations(endModel(covered[p]), history[p]) {
			return violation("not-linearizable", "the %d appends to %v and answers about its end fit into no order that respects time", len(history[p]), p)
		}
	}
	return nil
}

// effect tells where a send took effect, if that is known and it did so once, and by when.
func (o *Oracle) effect(s *Send) (at id.Offset, returned time.Duration) {
	if s.Outcome == OutcomeAcknowledged && !s.Quiet && s.Base >= 0 {
		return s.Base, s.Completed
	}
	if places := o.places[s.Values[0]]; len(places) == 1 && !s.Repeats {
		return places[0].offset, never
	}
	return -1, 0
}

func operation(client int, e end, invoked, returned time.Duration) porcupine.Operation {
	return porcupine.Operation{ClientId: client, Input: e, Call: int64(invoked), Return: int64(min(returned, math.MaxInt64/2))}
}

// endModel is a partition's end as the only state. Offsets that no known send covers were taken by others: the end passes them
// at any time.
func endModel(covered []end) porcupine.Model {
	covered = slices.Clone(covered)
	sort.Slice(covered, func(i, j int) bool { return covered[i].base < covered[j].base })
	// reach is how far the end may have come from a state without any known send.
	reach := func(state id.Offset) id.Offset {
		i := sort.Search(len(covered), func(i int) bool { return covered[i].base+covered[i].count > state })
		if i == len(covered) {
			return math.MaxInt64
		}
		return max(state, covered[i].base)
	}
	return porcupine.Model{
		Init: func() any { return id.Offset(0) },
		Step: func(state, input, _ any) (bool, any) {
			s, e := state.(id.Offset), input.(end)
			return e.base >= s && e.base <= reach(s), e.base + e.count
		},
		Equal: func(a, b any) bool { return a.(id.Offset) == b.(id.Offset) },
	}
}
