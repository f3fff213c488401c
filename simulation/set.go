package simulation

import (
	"fmt"
	"time"
)

// Set adds up many runs.
type Set struct {
	Runs      int
	Failed    []*Report
	Simulated time.Duration
	Steps     uint64
	Sends     int
	Acked     int
	Records   int
	Faults    Faults
	Marks     Marks
	Several   bool // some run had several brokers
	Chosen    bool // some run left out what was not chosen
}

// enough is how many runs a set needs before a fault or mark that never happened is a fault of the simulator.
const enough = 500

// Add takes a run into the set.
func (s *Set) Add(r *Report) {
	s.Runs++
	if r.Violation != nil {
		s.Failed = append(s.Failed, r)
	}
	s.Chosen = s.Chosen || r.Choice.flags() != ""
	s.Several = s.Several || r.Options.Nodes > 1
	s.Simulated += r.Simulated
	s.Steps += r.Steps
	s.Sends += r.Sends
	s.Acked += r.Acked
	s.Records += r.Records
	s.Faults.Add(r.Faults)
	s.Marks.Add(r.Marks)
}

// Err tells what is wrong with the set: a run that broke a promise, or, in a set large enough, something that never happened.
func (s *Set) Err() error {
	if len(s.Failed) > 0 {
		first := s.Failed[0]
		return fmt.Errorf("%d of %d runs broke a promise; seed %d: %w\nreplay: %s", len(s.Failed), s.Runs, first.Seed, first.Violation, first.Replay())
	}
	if s.Runs < enough || s.Chosen {
		return nil
	}
	if missing := s.Faults.Missing(s.Several); len(missing) > 0 {
		return fmt.Errorf("in %d runs these faults never happened: %v", s.Runs, missing)
	}
	if missing := s.Marks.Missing(s.Several); len(missing) > 0 {
		return fmt.Errorf("in %d runs these recoveries never happened: %v", s.Runs, missing)
	}
	return nil
}
