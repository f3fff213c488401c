package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"troupe/simulation"
)

// do does a job in this process.
func (j job) do(trace io.Writer) (*result, error) {
	switch {
	case j.Study != "":
		return &result{FailOver: simulation.StudyFailOver(j.Seed, j.Nodes, j.Ending)}, nil
	case j.Scenario != "":
		s, err := simulation.ParseScenario(j.Scenario, j.Text)
		if err != nil {
			return nil, err
		}
		s.Seed = j.Seed
		return &result{Report: s.Run(trace)}, nil
	}
	return &result{Report: simulation.Run(simulation.Config{
		Seed: j.Seed, Length: time.Duration(j.Length), Nodes: j.Nodes, RealDisk: j.RealDisk, Trace: trace, Choice: j.Choice,
	})}, nil
}

// outcome is the result of one of many jobs.
type outcome struct {
	number int
	result *result
	err    error
}

// each does jobs in several processes at a time, and hands on their results in the order of the jobs, until take says that it
// is enough. Where the determinism is to be checked every job is done twice, in two processes.
func (f *flags) each(jobs []job, take func(*result) (more bool)) error {
	todo, done, over := make(chan int), make(chan outcome), make(chan struct{})
	lanes := max(1, min(f.jobs, len(jobs)))
	ended := make(chan struct{})
	for range lanes {
		go func() {
			defer func() { ended <- struct{}{} }()
			f.lane(jobs, todo, done, over)
		}()
	}
	go func() {
		defer close(todo)
		for n := range jobs {
			select {
			case todo <- n:
			case <-over:
				return
			}
		}
	}()
	err := inOrder(len(jobs), done, take)
	close(over)
	for range lanes {
		<-ended
	}
	return err
}

// inOrder hands on results as if they had come one after the other.
func inOrder(count int, done <-chan outcome, take func(*result) bool) error {
	early := map[int]outcome{}
	for next := 0; next < count; next++ {
		o, here := early[next]
		for !here {
			other := <-done
			early[other.number] = other
			o, here = early[next]
		}
		delete(early, next)
		if o.err != nil {
			return o.err
		}
		if !take(o.result) {
			return nil
		}
	}
	return nil
}

// lane does one job after the other, in a process of its own, or two.
func (f *flags) lane(jobs []job, todo <-chan int, done chan<- outcome, over <-chan struct{}) {
	crew := make([]*worker, 2)
	defer dismiss(crew)
	for n := range todo {
		r, err := once(&crew[0], jobs[n], over)
		if err == nil && f.checkDeterminism {
			var again *result
			if again, err = once(&crew[1], jobs[n], over); err == nil && again.hash() != r.hash() {
				err = fmt.Errorf("seed %d is not deterministic: hash %s, then %s in another process", jobs[n].Seed, r.hash(), again.hash())
			}
		}
		select {
		case done <- outcome{n, r, err}:
		case <-over:
			return
		}
	}
}

// once does a job in a process, which is begun if there is none yet and ended early if it is over.
func once(w **worker, j job, over <-chan struct{}) (*result, error) {
	if *w == nil {
		begun, err := newWorker()
		if err != nil {
			return nil, err
		}
		*w = begun
	}
	answered := make(chan struct{})
	defer close(answered)
	process := (*w).process.Process
	go func() {
		select {
		case <-over:
			_ = process.Kill() // nobody waits for it: the run fails, which nobody hears
		case <-answered:
		}
	}()
	return (*w).run(j)
}

// many runs seed after seed and prints how it goes.
func (f *flags) many(p printer) error {
	var set simulation.Set
	begun := time.Now()
	jobs := make([]job, f.seeds)
	for i := range jobs {
		jobs[i] = f.job(f.seed + uint64(i))
	}
	err := f.each(jobs, func(r *result) bool {
		set.Add(r.Report)
		p.progress(r.Report, &set, time.Since(begun), set.Runs == f.seeds)
		return !f.failFast || r.Report.Violation == nil
	})
	if err != nil {
		return err
	}
	p.set(&set, time.Since(begun))
	if len(set.Failed) > 0 {
		return errors.Join(set.Err(), f.shrunk(p, set.Failed[0]))
	}
	return set.Err()
}
