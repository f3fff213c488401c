package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"troupe/simulation"
	"troupe/simulation/real"
)

// flags are the choices on the command line.
type flags struct {
	seed             uint64
	seeds            int
	length           time.Duration
	nodes            int
	disk             string
	trace            bool
	checkDeterminism bool
	failFast         bool
	json             bool
	jobs             int
	study            string
	worker           bool
	real             float64
	growth           bool
	faults           string
	only             string
	operations       string
	shrink           int
	scenario         string
	text             string            // of the scenario
	choice           simulation.Choice // what faults, only and operations say
	program          string
	loopback         bool
}

func main() {
	// A simulation makes much garbage and holds little: collecting less often makes it faster by a fifth.
	debug.SetGCPercent(400)
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "troupe-sim:", err)
		var wrong *usageError
		if errors.As(err, &wrong) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:           "troupe-sim",
		Short:         "Break a simulated broker on purpose and check its promises",
		Long:          manual,
		Example:       examples,
		Args:          func(c *cobra.Command, arguments []string) error { return wrong(cobra.NoArgs(c, arguments)) },
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			p := printer{out: c.OutOrStdout(), json: f.json}
			switch list {
			case f.faults:
				p.faults()
				return nil
			case f.scenario:
				p.scenario()
				return nil
			}
			if err := f.choose(c); err != nil {
				return err
			}
			if err := f.readScenario(c); err != nil {
				return err
			}
			if f.json && !c.Flags().Changed("shrink") {
				f.shrink = 0
			}
			switch {
			case f.worker:
				return work(c.InOrStdin(), c.OutOrStdout())
			case f.study != "":
				return f.studied(p)
			case c.Flags().Changed("real"):
				return f.torture(p, c.Flags().Changed("seed"))
			case f.growth:
				return f.processes(p, c.Flags().Changed("seed"), calm, real.Grow)
			case c.Flags().Changed("seeds"):
				return f.many(p)
			}
			return f.one(p)
		},
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return wrong(err) })
	f.declare(c)
	return c
}

// declare names the flags.
func (f *flags) declare(c *cobra.Command) {
	c.Flags().Uint64Var(&f.seed, "seed", 0, "the seed of the run, or the first of --seeds")
	c.Flags().IntVar(&f.seeds, "seeds", 1, "how many seeds to run")
	c.Flags().DurationVar(&f.length, "length", simulation.DefaultLength, "virtual time under load and faults, per seed")
	c.Flags().IntVar(&f.nodes, "nodes", 0, "how many brokers; 0: each seed draws it")
	c.Flags().StringVar(&f.faults, "faults", everything, "which `KINDS` of fault may happen: all, none, or names with commas between them; list prints them")
	c.Flags().StringVar(&f.only, "only", everything, "which of the faults happen, by kind and number, as in crash:1,lost-frame:3-5")
	c.Flags().StringVar(&f.operations, "operations", everything, "which operations of clients happen, by client and number, as in producer-a:1-9,trimmer:2")
	c.Flags().IntVar(&f.shrink, "shrink", 300, "how many runs the search may take for a part of the first broken run that still breaks; 0: none is made. With --json only if it is asked for")
	c.Flags().StringVar(&f.scenario, "scenario", "", "run the faults and the load that a `FILE` describes, instead of drawn ones; list prints what may stand in it")
	c.Flags().StringVar(&f.disk, "disk", diskTwin, "where logs are kept: twin, in memory; real, files that the production wal writes, in a directory in memory")
	c.Flags().BoolVar(&f.trace, "trace", false, "print every event worth seeing")
	c.Flags().BoolVar(&f.checkDeterminism, "check-determinism", false, "run every seed twice, in two processes, and compare the hashes")
	c.Flags().BoolVar(&f.failFast, "fail-fast", false, "stop at the first seed that breaks a promise")
	c.Flags().BoolVar(&f.json, "json", false, "print reports as JSON, one a line")
	c.Flags().IntVar(&f.jobs, "jobs", runtime.GOMAXPROCS(0), "how many processes share the seeds")
	c.Flags().StringVar(&f.study, "study", "", "failover: how long nobody can write when a leader ends, over --seeds seeds and nothing else going wrong")
	c.Flags().BoolVar(&f.worker, workerFlag, false, "run the seeds that are read from the input")
	_ = c.Flags().MarkHidden(workerFlag)
	c.Flags().Float64Var(&f.real, "real", 0, "torture real broker processes for so many `MINUTES` instead; without --seed, with a new one")
	c.Flags().BoolVar(&f.growth, "growth", false, "have a cluster of real broker processes grow from 3 to 5 and shrink to 3 under load instead")
	c.Flags().StringVar(&f.program, "troupe", "", "the broker's program for --real and --growth (default: troupe beside this one)")
	c.Flags().BoolVar(&f.loopback, "loopback", false, "with --real and --growth: no network namespaces, and no cuts, even where they are permitted")
}

// one runs one seed and prints all there is to know.
func (f *flags) one(p printer) error {
	var trace io.Writer
	if f.trace {
		trace = p.out
	}
	begun := time.Now()
	j := f.job(f.seed)
	done, err := j.do(trace)
	if err != nil {
		return err
	}
	r := done.Report
	took := time.Since(begun)
	p.report(r, took)
	if f.checkDeterminism {
		var hash string
		switch err := f.each([]job{j}, func(other *result) bool { hash = other.hash(); return true }); {
		case err != nil:
			return err
		case hash != r.Hash:
			return fmt.Errorf("seed %d is not deterministic: hash %s, then %s in another process", f.seed, r.Hash, hash)
		}
	}
	if r.Violation == nil {
		return nil
	}
	broken := fmt.Errorf("%w\nreplay: %s", r.Violation, r.Replay())
	return errors.Join(broken, f.shrunk(p, r))
}

// job is a run of a seed as it was asked for.
func (f *flags) job(seed uint64) job {
	return job{
		Seed: seed, Length: int64(f.length), Nodes: f.nodes, RealDisk: f.disk == diskReal, Choice: f.choice, Scenario: f.scenario, Text: f.text,
	}
}
