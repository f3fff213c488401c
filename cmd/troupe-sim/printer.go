package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"troupe/simulation"
)

// printer writes what was found, for people or as JSON.
type printer struct {
	out  io.Writer
	json bool
}

// progressEvery is how many seeds lie between two lines of progress.
const progressEvery = 50

func (p printer) line(name, format string, arguments ...any) {
	fmt.Fprintf(p.out, "%-10s %s\n", name, fmt.Sprintf(format, arguments...))
}

// report prints one run.
func (p printer) report(r *simulation.Report, took time.Duration) {
	if p.json {
		p.encode(r)
		return
	}
	p.line("seed", "%d", r.Seed)
	p.line("options", "%+v", r.Options)
	p.line("faults", "%v", r.Faults)
	p.line("marks", "%v", r.Marks)
	p.line("clients", "%d batches sent, %d acknowledged, %d unknown; %d records; %d fetches answered", r.Sends, r.Acked, r.Unknown, r.Records, r.Polls)
	p.line("time", "%.1f s simulated in %.2f s, %d steps", r.Simulated.Seconds(), took.Seconds(), r.Steps)
	p.line("hash", "%s", r.Hash)
	p.line("verdict", "%s", verdict(r))
}

func verdict(r *simulation.Report) string {
	if r.Violation != nil {
		return "BROKEN " + r.Violation.Invariant
	}
	return "every promise kept"
}

// progress prints a run that broke a promise, and now and then how far a set has come.
func (p printer) progress(r *simulation.Report, s *simulation.Set, took time.Duration, last bool) {
	switch {
	case p.json:
		p.encode(r)
	case r.Violation != nil:
		p.line("BROKEN", "seed %d: %v\n%-10s %s", r.Seed, r.Violation, "replay", r.Replay())
	case s.Runs%progressEvery == 0 && !last:
		p.line("progress", "%d seeds, %d broken, %.1f seeds/s", s.Runs, len(s.Failed), float64(s.Runs)/took.Seconds())
	}
}

// set prints the sum of many runs.
func (p printer) set(s *simulation.Set, took time.Duration) {
	if p.json {
		return
	}
	p.line("faults", "%v", s.Faults)
	p.line("marks", "%v", s.Marks)
	p.line("clients", "%d batches sent, %d acknowledged, %d records", s.Sends, s.Acked, s.Records)
	p.line("time", "%.0f s simulated in %.1f s: %.0f simulated seconds and %.0f events a second",
		s.Simulated.Seconds(), took.Seconds(), s.Simulated.Seconds()/took.Seconds(), float64(s.Steps)/took.Seconds())
	p.line("verdict", "%d seeds, %d broken", s.Runs, len(s.Failed))
}

// shrunk prints the least part of a run that still breaks its promise, and the line that replays it.
func (p printer) shrunk(s *simulation.Shrunk, took time.Duration) {
	if p.json {
		p.encode(s)
		return
	}
	enough := ""
	if s.Spent {
		enough = "; less might do, with more runs"
	}
	p.line("shrunk", "%d faults to %d and %d operations to %d, in %d runs and %.0f s%s",
		s.Whole.Struck.Len(), s.Least.Struck.Len(), s.Whole.Done.Len(), s.Least.Done.Len(), s.Runs, took.Seconds(), enough)
	for _, strike := range s.Strikes {
		p.line("fault", "%v", strike)
	}
	p.line("operations", "%v", s.Least.Done)
	p.line("BROKEN", "%v", s.Least.Violation)
	p.line("replay", "%s", s.Least.Replay())
}

// faults lists what can go wrong.
func (p printer) faults() {
	for _, kind := range simulation.AllFaults() {
		several := ""
		if kind.Several() {
			several = " (several brokers)"
		}
		p.line(fmt.Sprintf("%-17v", kind), "%s%s", kind.Meaning(), several)
	}
}

// scenario lists the lines that a scenario may have.
func (p printer) scenario() {
	for _, line := range simulation.ScenarioUsage() {
		fmt.Fprintln(p.out, line)
	}
}

func (p printer) encode(v any) {
	// A writer that fails has nobody left to tell.
	_ = json.NewEncoder(p.out).Encode(v)
}
