package main

import (
	"time"

	"troupe/simulation"
)

// shrunk looks for the least part of a run that breaks the same promise, and prints it.
func (f *flags) shrunk(p printer, r *simulation.Report) error {
	if f.shrink == 0 {
		return nil
	}
	if !p.json {
		p.line("shrinking", "seed %d, in at most %d runs (--shrink)", r.Seed, f.shrink)
	}
	begun := time.Now()
	crew := make([]*worker, max(1, f.jobs))
	defer dismiss(crew)
	s, err := simulation.Shrink(r, f.shrink, len(crew), func(configs []simulation.Config) ([]*simulation.Report, error) {
		return together(crew, configs)
	})
	if err != nil {
		return err
	}
	p.shrunk(s, time.Since(begun))
	return nil
}

// together runs configurations at once, each in a process of its own.
func together(crew []*worker, configs []simulation.Config) ([]*simulation.Report, error) {
	outcomes := make(chan outcome)
	never := make(chan struct{})
	for i, c := range configs {
		go func() {
			r, err := once(&crew[i], job{Seed: c.Seed, Length: int64(c.Length), Nodes: c.Nodes, RealDisk: c.RealDisk, Choice: c.Choice}, never)
			outcomes <- outcome{i, r, err}
		}()
	}
	reports := make([]*simulation.Report, len(configs))
	var failed error
	for range configs {
		if o := <-outcomes; o.err != nil {
			failed = o.err
		} else {
			reports[o.number] = o.result.Report
		}
	}
	return reports, failed
}
