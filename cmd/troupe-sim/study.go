package main

import (
	"fmt"
	"slices"
	"time"

	"troupe/simulation"
)

// studyFailOver is the name of the one study there is.
const studyFailOver = "failover"

// studied runs a study over many seeds, once for each way in which a leader can end, and holds its figures to their bars.
func (f *flags) studied(p printer) error {
	if f.study != studyFailOver {
		return fmt.Errorf("--study %q: the only study is %q", f.study, studyFailOver)
	}
	missed := 0
	for _, ending := range simulation.Endings() {
		jobs := make([]job, f.seeds)
		for i := range jobs {
			jobs[i] = job{Seed: f.seed + uint64(i), Nodes: f.nodes, Study: f.study, Ending: ending}
		}
		var all []*simulation.FailOver
		err := f.each(jobs, func(r *result) bool {
			all = append(all, r.FailOver)
			if p.json {
				p.encode(r.FailOver)
			}
			return r.FailOver.Violation == nil
		})
		if err != nil {
			return err
		}
		if last := all[len(all)-1]; last.Violation != nil {
			return fmt.Errorf("seed %d, the leader is %v: %w", last.Seed, ending, last.Violation)
		}
		if !p.distribution(ending, all) {
			missed++
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d distributions miss their bars", missed, len(simulation.Endings()))
	}
	return nil
}

// distribution prints how long writing was impossible, and tells whether that keeps to the bars.
func (p printer) distribution(ending simulation.Ending, all []*simulation.FailOver) bool {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *simulation.FailOver) int { return int(a.Delay - b.Delay) })
	bar, last := ending.Bar(), all[len(all)-1]
	median, p99 := all[(len(all)-1)/2].Delay, all[(len(all)*99-1)/100].Delay
	if !p.json {
		p.line(ending.String(), "%d runs: median %v (bar %v), 99 %% %v (bar %v), longest %v (bar %v; seed %d)", len(all),
			rounded(median), bar.Median, rounded(p99), bar.P99, rounded(last.Delay), bar.Most, last.Seed)
	}
	return median <= bar.Median && p99 <= bar.P99 && last.Delay <= bar.Most
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
