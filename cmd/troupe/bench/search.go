package bench

import (
	"context"
	"time"
)

// Search looks for the highest rate that passes a test by halving the gap between the highest that passed and the lowest
// that failed. A passing rate above a failing one would contradict itself and is never tried.
type Search struct {
	passed, failed float64
	left           int
}

// searchClose is the relative gap at which the search ends: the noise of most machines is larger.
const searchClose = 0.04

// NewSearch begins below a rate that is taken to fail: the most that was ever reached. It tries at most tries rates.
func NewSearch(fails float64, tries int) *Search { return &Search{failed: fails, left: tries} }

// Next returns the rate to try, or false when the search is over.
func (s *Search) Next() (rate float64, ok bool) {
	if s.left == 0 || s.failed-s.passed <= searchClose*s.failed {
		return 0, false
	}
	return (s.passed + s.failed) / 2, true
}

// Tell takes the verdict on a rate that Next returned.
func (s *Search) Tell(rate float64, passed bool) {
	s.left--
	if passed {
		s.passed = rate
	} else {
		s.failed = rate
	}
}

// Found returns the highest rate that passed; 0: none did.
func (s *Search) Found() float64 { return s.passed }

// searchTries bounds a search: with each try of some seconds a person still waits for it.
const searchTries = 8

// FindRate looks for the highest rate at which the 99th percentile of produce stays below a bound, nothing fails and the
// rate is kept up with. The rates tried lie below what the broker reaches without a schedule, which is measured first; every
// run is told. It returns the run at the rate found; nil if no rate passed.
func FindRate(ctx context.Context, l Load, p99 time.Duration, tell func(*Result)) (*Result, error) {
	l.Rate = 0
	most, err := Produce(ctx, l)
	if err != nil {
		return nil, err
	}
	most.Note = "as fast as possible"
	tell(most)
	var best *Result
	search := NewSearch(most.Achieved, searchTries)
	for {
		rate, ok := search.Next()
		if !ok {
			return best, nil
		}
		l.Rate = rate
		r, err := Produce(ctx, l)
		if err != nil {
			return nil, err
		}
		passed := r.keepsUp(p99)
		r.Note = "too slow"
		if passed {
			best, r.Note = r, "fast enough"
		}
		tell(r)
		search.Tell(rate, passed)
	}
}

// keptUp is the part of an offered rate that must be achieved. A broker that falls behind for good misses it, and one that
// is still busy with the last records when a short run ends does not.
const keptUp = 0.98

func (r *Result) keepsUp(p99 time.Duration) bool {
	return r.Errors == 0 && r.Achieved >= keptUp*r.Offered && r.Produce.P99 <= float64(p99)/float64(time.Millisecond)
}
