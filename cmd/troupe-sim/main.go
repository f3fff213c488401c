package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"troupe/simulation"
)

// flags are the choices on the command line.
type flags struct {
	seed             uint64
	seeds            int
	length           time.Duration
	nodes            int
	jobs             int
	trace            bool
	checkDeterminism bool
	failFast         bool
	json             bool
}

func main() {
	// A simulation makes much garbage and holds little: collecting less often makes it faster by a fifth.
	debug.SetGCPercent(400)
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "troupe-sim:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:           "troupe-sim",
		Short:         "Break a simulated broker on purpose and check its promises",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			p := printer{out: c.OutOrStdout(), json: f.json}
			switch {
			case f.seeds > chunk && f.jobs > 1:
				return f.parallel(p)
			case c.Flags().Changed("seeds"):
				return f.many(p)
			}
			return f.one(p)
		},
	}
	c.Flags().Uint64Var(&f.seed, "seed", 0, "the seed of the run, or the first of --seeds")
	c.Flags().IntVar(&f.seeds, "seeds", 1, "how many seeds to run")
	c.Flags().DurationVar(&f.length, "length", simulation.DefaultLength, "virtual time under load and faults, per seed")
	c.Flags().IntVar(&f.nodes, "nodes", 0, "how many brokers; 0: each seed draws it")
	c.Flags().IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "how many processes share the seeds")
	c.Flags().BoolVar(&f.trace, "trace", false, "print every event worth seeing")
	c.Flags().BoolVar(&f.checkDeterminism, "check-determinism", false, "run every seed twice and compare the hashes")
	c.Flags().BoolVar(&f.failFast, "fail-fast", false, "stop at the first seed that breaks a promise")
	c.Flags().BoolVar(&f.json, "json", false, "print reports as JSON, one a line")
	return c
}

// run runs a seed, twice if the determinism is to be checked.
func (f *flags) run(seed uint64, trace io.Writer) (*simulation.Report, error) {
	r := simulation.Run(simulation.Config{Seed: seed, Length: f.length, Nodes: f.nodes, Trace: trace})
	if f.checkDeterminism {
		again := simulation.Run(simulation.Config{Seed: seed, Length: f.length, Nodes: f.nodes})
		if again.Hash != r.Hash {
			return r, fmt.Errorf("seed %d is not deterministic: hash %s, then %s (%d and %d steps)", seed, r.Hash, again.Hash, r.Steps, again.Steps)
		}
	}
	return r, nil
}

// one runs one seed and prints all there is to know.
func (f *flags) one(p printer) error {
	var trace io.Writer
	if f.trace {
		trace = p.out
	}
	begun := time.Now()
	r, err := f.run(f.seed, trace)
	p.report(r, time.Since(begun))
	if err == nil && r.Violation != nil {
		err = fmt.Errorf("%w\nreplay: %s", r.Violation, r.Replay())
	}
	return err
}

// many runs seed after seed and prints how it goes.
func (f *flags) many(p printer) error {
	var set simulation.Set
	begun := time.Now()
	for i := range f.seeds {
		r, err := f.run(f.seed+uint64(i), nil)
		if err != nil {
			return err
		}
		set.Add(r)
		p.progress(r, &set, time.Since(begun), i == f.seeds-1)
		if f.failFast && r.Violation != nil {
			break
		}
	}
	p.set(&set, time.Since(begun))
	return set.Err()
}
