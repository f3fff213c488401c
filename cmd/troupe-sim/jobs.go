package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"troupe/simulation"
)

// chunk is how many seeds one process runs: only one simulation can run in a process at a time.
const chunk = 10

// outcome is what a process found.
type outcome struct {
	reports []*simulation.Report
	err     error
}

// parallel runs the seeds in processes of their own, several at once, and takes their reports in the order of the seeds.
func (f *flags) parallel(p printer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	outcomes := make([]chan outcome, (f.seeds+chunk-1)/chunk)
	slots := make(chan struct{}, f.jobs)
	for i := range outcomes {
		outcomes[i] = make(chan outcome, 1)
	}
	go func() {
		for i := range outcomes {
			slots <- struct{}{}
			go func() {
				defer func() { <-slots }()
				outcomes[i] <- f.child(ctx, self, f.seed+uint64(i*chunk), min(chunk, f.seeds-i*chunk))
			}()
		}
	}()
	var set simulation.Set
	begun := time.Now()
	for i := range outcomes {
		o := <-outcomes[i]
		for j, r := range o.reports {
			set.Add(r)
			p.progress(r, &set, time.Since(begun), i*chunk+j == f.seeds-1)
			if f.failFast && r.Violation != nil {
				p.set(&set, time.Since(begun))
				return set.Err()
			}
		}
		if o.err != nil {
			return o.err
		}
	}
	p.set(&set, time.Since(begun))
	return set.Err()
}

// child runs some seeds in a process.
func (f *flags) child(ctx context.Context, self string, seed uint64, seeds int) (o outcome) {
	c := exec.CommandContext(ctx, self, "--seed", strconv.FormatUint(seed, 10), "--seeds", strconv.Itoa(seeds), "--jobs", "1", "--json",
		"--length", f.length.String(), "--nodes", strconv.Itoa(f.nodes), "--check-determinism="+strconv.FormatBool(f.checkDeterminism))
	var out, complaint bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaint
	err := c.Run()
	for line := range bytes.Lines(out.Bytes()) {
		r := &simulation.Report{}
		if broken := json.Unmarshal(line, r); broken != nil {
			return outcome{o.reports, fmt.Errorf("seeds from %d: %w", seed, broken)}
		}
		o.reports = append(o.reports, r)
	}
	if len(o.reports) < seeds && err != nil {
		o.err = fmt.Errorf("seeds from %d: %w: %s", seed, err, bytes.TrimSpace(complaint.Bytes()))
	}
	return o
}
