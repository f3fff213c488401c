package partitions

import (
	"container/list"
	"fmt"
	"math"
	"slices"

	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// WindowBatches is how many batches of a producer a partition remembers, and how many it may have in flight there. Kafka's
// bound, which its clients rely on.
const WindowBatches = 5

// producers is the table of idempotent producers, bounded: the least recently touched is forgotten first, so that every
// replica that applied the same entries holds the same table.
//
// Invariants: len(byID) = order.Len() ≤ limit; order is by Touched, oldest first; each Last holds 1 to WindowBatches
// batches whose sequences follow one another.
type producers struct {
	byID  map[id.Producer]*list.Element // of *ProducerState
	order *list.List
	limit int
}

func newProducers(limit int) producers {
	return producers{byID: map[id.Producer]*list.Element{}, order: list.New(), limit: limit}
}

func (p *producers) find(producer id.Producer) *ProducerState {
	if e, ok := p.byID[producer]; ok {
		return e.Value.(*ProducerState)
	}
	return nil
}

// apply notes a batch that the log holds at index.
func (p *producers) apply(h batch.Header, index id.Index) {
	e, ok := p.byID[h.Producer]
	if !ok {
		e = p.order.PushBack(&ProducerState{Producer: h.Producer})
		p.byID[h.Producer] = e
	}
	p.order.MoveToBack(e)
	s := e.Value.(*ProducerState)
	s.note(h)
	s.Touched = index
	if p.order.Len() > p.limit {
		oldest := p.order.Front()
		delete(p.byID, oldest.Value.(*ProducerState).Producer)
		p.order.Remove(oldest)
	}
}

// snapshot copies the table, ordered by producer.
func (p *producers) snapshot() []ProducerState {
	out := make([]ProducerState, 0, p.order.Len())
	for e := p.order.Front(); e != nil; e = e.Next() {
		out = append(out, e.Value.(*ProducerState).clone())
	}
	slices.SortFunc(out, func(a, b ProducerState) int { return compare(a.Producer, b.Producer) })
	return out
}

func (p *producers) restore(states []ProducerState) {
	*p = newProducers(p.limit)
	states = slices.Clone(states)
	slices.SortFunc(states, func(a, b ProducerState) int { return compare(a.Touched, b.Touched) })
	for _, s := range states {
		p.byID[s.Producer] = p.order.PushBack(new(s.clone()))
	}
}

func compare[T ~int64 | ~uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (s *ProducerState) clone() ProducerState {
	c := *s
	c.Last = slices.Clone(s.Last)
	return c
}

// note takes a batch into the window; a newer epoch begins a new one.
func (s *ProducerState) note(h batch.Header) {
	if h.Epoch != s.Epoch {
		s.Epoch, s.Last = h.Epoch, s.Last[:0]
	}
	if len(s.Last) == WindowBatches {
		s.Last = append(s.Last[:0], s.Last[1:]...)
	}
	s.Last = append(s.Last, Appended{First: h.FirstSequence, Final: h.LastSequence(), Base: h.BaseOffset})
}

// verdict is what the table says of a batch that wants to be appended.
type verdict struct {
	duplicate bool      // of the batch at base
	base      id.Offset // where duplicate
}

// judge compares a batch with what is known of its producer; s is nil for an unknown one. It returns ErrUnknownProducer,
// ErrFencedProducer, ErrOutOfOrderSequence or ErrDuplicate, wrapped.
func (s *ProducerState) judge(h batch.Header) (verdict, error) {
	switch {
	case s == nil && h.FirstSequence == 0:
		return verdict{}, nil
	case s == nil:
		return verdict{}, fmt.Errorf("producer %d starts with sequence %d: %w", h.Producer, h.FirstSequence, ErrUnknownProducer)
	case h.Epoch < s.Epoch:
		return verdict{}, fmt.Errorf("producer %d epoch %d, newest is %d: %w", h.Producer, h.Epoch, s.Epoch, ErrFencedProducer)
	case h.Epoch > s.Epoch && h.FirstSequence == 0:
		return verdict{}, nil
	case h.Epoch > s.Epoch:
		return verdict{}, fmt.Errorf("producer %d starts epoch %d with sequence %d: %w",
			h.Producer, h.Epoch, h.FirstSequence, ErrOutOfOrderSequence)
	}
	for _, a := range s.Last {
		if a.First == h.FirstSequence && a.Final == h.LastSequence() {
			return verdict{duplicate: true, base: a.Base}, nil
		}
	}
	want := batch.NextSequence(s.Last[len(s.Last)-1].Final, 1)
	if h.FirstSequence == want {
		return verdict{}, nil
	}
	if before(h.LastSequence(), s.Last[0].First) {
		return verdict{}, fmt.Errorf("producer %d sequence %d: %w", h.Producer, h.FirstSequence, ErrDuplicate)
	}
	return verdict{}, fmt.Errorf("producer %d sends sequence %d, expected %d: %w", h.Producer, h.FirstSequence, want, ErrOutOfOrderSequence)
}

// before tells that a lies less than half the circle of sequence numbers before b.
func before(a, b int32) bool {
	distance := uint32(b-a) & math.MaxInt32
	return distance != 0 && distance < 1<<30
}

func (p *producers) check() {
	if len(p.byID) != p.order.Len() || p.order.Len() > p.limit {
		panic(&InvariantError{"the producer table is whole and bounded", len(p.byID), p.order.Len()})
	}
	touched := id.Index(0)
	for e := p.order.Front(); e != nil; e = e.Next() {
		s := e.Value.(*ProducerState)
		if s.Touched < touched {
			panic(&InvariantError{"producers stand in the order they were touched", s.Touched, touched})
		}
		touched = s.Touched
		if len(s.Last) == 0 || len(s.Last) > WindowBatches {
			panic(&InvariantError{"a producer's window is bounded", len(s.Last), WindowBatches})
		}
		for i := 1; i < len(s.Last); i++ {
			if got, want := s.Last[i].First, batch.NextSequence(s.Last[i-1].Final, 1); got != want {
				panic(&InvariantError{"a producer's sequences follow one another", got, want})
			}
		}
	}
}
