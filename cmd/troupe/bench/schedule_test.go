package bench

import (
	"math"
	"testing"
	"time"
)

// TestScheduleKeepsItsTimes walks schedules of awkward rates: every record is due exactly from its time on.
func TestScheduleKeepsItsTimes(t *testing.T) {
	for _, rate := range []float64{0.3, 1, 3, 7, 1000, 999_999.5, 1e6, 3e6} {
		s := Schedule{Rate: rate, Records: math.MaxInt64}
		for _, i := range []int64{0, 1, 2, 3, 10, 99, 100, 12_345, 1_000_000} {
			at := s.At(i)
			if got := s.Due(at); got <= i {
				t.Errorf("rate %g: record %d is due at %v, but then only %d are", rate, i, at, got)
			}
			if got := s.Due(at - 1); got > i {
				t.Errorf("rate %g: record %d is due at %v, but %d are before", rate, i, at, got)
			}
			if want := float64(i) / rate; math.Abs(at.Seconds()-want) > 2e-9 {
				t.Errorf("rate %g: record %d at %v, want %gs", rate, i, at, want)
			}
		}
	}
}

func TestScheduleEnds(t *testing.T) {
	for _, c := range []struct {
		name    string
		s       Schedule
		sent    int64
		elapsed time.Duration
		due     int64
		ended   bool
	}{
		{"begins with the first record", Schedule{Rate: 10, Duration: time.Second}, 0, 0, 1, false},
		{"in the middle", Schedule{Rate: 10, Duration: time.Second}, 3, 500 * time.Millisecond, 6, false},
		{"late, but not over", Schedule{Rate: 10, Duration: time.Second}, 3, time.Minute, 10, false},
		{"all sent before the time is over", Schedule{Rate: 10, Duration: time.Second}, 10, 900 * time.Millisecond, 10, true},
		{"as many as were wanted", Schedule{Rate: 10, Records: 5, Duration: time.Second}, 5, 0, 1, true},
		{"wanted more than the duration has", Schedule{Rate: 10, Records: 50, Duration: time.Second}, 10, 2 * time.Second, 21, false},
		{"no rate: all at once", Schedule{Records: 5}, 0, 0, 5, false},
		{"no rate: until the time is over", Schedule{Duration: time.Second}, 1 << 40, 999 * time.Millisecond, math.MaxInt64, false},
		{"no rate: the time is over", Schedule{Duration: time.Second}, 0, time.Second, math.MaxInt64, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.s.Due(c.elapsed); got != c.due {
				t.Errorf("%d due, want %d", got, c.due)
			}
			if got := c.s.Ended(c.sent, c.elapsed); got != c.ended {
				t.Errorf("ended %v, want %v", got, c.ended)
			}
		})
	}
}

// TestSearch finds a threshold in few tries, and ends when nothing or everything passes.
func TestSearch(t *testing.T) {
	for _, threshold := range []float64{-1, 1000, 123_456, 499_999, 2e6} {
		search, tries, fails := NewSearch(500_000, searchTries), 0, 500_000.0
		for rate, ok := search.Next(); ok; rate, ok = search.Next() {
			tries++
			if rate <= search.Found() || rate >= fails {
				t.Fatalf("threshold %g: tried %g, although %g passed and %g failed", threshold, rate, search.Found(), fails)
			}
			if rate > threshold {
				fails = rate
			}
			search.Tell(rate, rate <= threshold)
		}
		want := min(threshold, 500_000)
		if tries > searchTries || search.Found() > max(want, 0) || want > 5000 && search.Found() < want*0.95 {
			t.Errorf("threshold %g: found %g in %d tries", threshold, search.Found(), tries)
		}
	}
}
