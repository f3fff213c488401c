package simulation

import (
	"slices"
	"testing"
	"time"
)

// TestWritesResume is the short form of `troupe-sim --study failover`: time is virtual, so its bars can be demanded.
func TestWritesResume(t *testing.T) {
	seeds := uint64(24)
	if testing.Short() {
		seeds = 4
	}
	for _, ending := range Endings() {
		t.Run(ending.String(), func(t *testing.T) {
			var delays []time.Duration
			for seed := range seeds {
				r := StudyFailOver(seed, 3, ending)
				if r.Violation != nil {
					t.Fatalf("seed %d: %v", seed, r.Violation)
				}
				delays = append(delays, r.Delay)
			}
			slices.Sort(delays)
			median, most := delays[(len(delays)-1)/2], delays[len(delays)-1]
			t.Logf("median %v, longest %v", median, most)
			bar := ending.Bar()
			if median > bar.Median || most > bar.Most {
				t.Errorf("writes resume after %v at the median, %v at most; the bars are %v and %v", median, most, bar.Median, bar.Most)
			}
		})
	}
}
