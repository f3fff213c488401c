package bench

import (
	"context"
	"time"
)

// The kinds of results.
const (
	produce  = "produce"
	consume  = "consume"
	endToEnd = "end-to-end"
)

// Produce writes records at the load's rate and measures the time to their acknowledgement. Records that fail are counted
// in the result; the error is for what ended the run: a wrong load (ErrLoad), no broker, no topic, the context.
func Produce(ctx context.Context, l Load) (*Result, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	s, err := set(ctx, &l)
	if err != nil {
		return nil, err
	}
	o, err := s.produce(ctx, s.generators(time.Time{}), func() {})
	if struck := s.strike(ctx); err == nil {
		err = struck
	}
	if err != nil {
		return nil, err
	}
	return resultOf(produce, s, o), nil
}

// produce runs the warm-up, calls begin, and runs what is measured.
func (s *scene) produce(ctx context.Context, generators []*generator, begin func()) (outcome, error) {
	if s.load.Warmup > 0 {
		_, err := runAll(ctx, generators, func(i int) Schedule { part := s.load.share(i); return part.warmup() })
		if err != nil {
			return outcome{}, err
		}
		for _, g := range generators {
			g.forget()
		}
	}
	begin()
	return runAll(ctx, generators, func(i int) Schedule { part := s.load.share(i); return part.measured() })
}

// Sweep is Produce at one number of partitions after another, each in a topic of its own.
func Sweep(ctx context.Context, l Load, partitions []int32, tell func(*Result)) error {
	for _, n := range partitions {
		l.Topic, l.Partitions = "", n
		r, err := Produce(ctx, l)
		if err != nil {
			return err
		}
		tell(r)
	}
	return nil
}
