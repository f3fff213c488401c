package main

import (
	"context"
	"fmt"
	"time"
)

// system is something to be measured.
type system interface {
	// name tells it and its settings apart.
	name() string
	// measure starts a server on an empty directory, measures and stops it. What it returns is what it came to before an
	// error, if any.
	measure(ctx context.Context, p plan) (outcome, error)
}

// plan is the load that every system gets.
type plan struct {
	directory  string        // of this system: data, logs and raw results
	duration   time.Duration // of one run
	partitions int
	bytes      int     // of a value
	rate       float64 // records per second, for latencies
}

// outcome is what a system came to. Rates are records per second; 0: not measured.
type outcome struct {
	System   string  `json:"system"`
	Settings string  `json:"settings"`
	Durable  bool    `json:"durable"` // an acknowledged record survives a power failure
	Produce  float64 `json:"produce_per_second"`
	Consume  float64 `json:"consume_per_second"`
	// At the plan's rate: what was achieved and how long acknowledgements took.
	Achieved float64 `json:"achieved_per_second"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Problem  string  `json:"problem,omitempty"` // why something is missing
}

// missing tells that a system cannot be measured on this machine.
type missing struct{ why string }

// Error says why.
func (m *missing) Error() string { return m.why }

func missingf(format string, values ...any) error { return &missing{fmt.Sprintf(format, values...)} }
