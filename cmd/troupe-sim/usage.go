package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"troupe/simulation"
)

// usageError is a command line that was wrong, as against a run that was.
type usageError struct{ error }

// Unwrap returns what is wrong with it.
func (e *usageError) Unwrap() error { return e.error }

// wrong makes a usage error of an error.
func wrong(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

// The words of --faults, --only, --operations and --scenario that name nothing in particular.
const (
	everything = "all"
	list       = "list"
)

// The disks of --disk.
const (
	diskTwin = "twin"
	diskReal = "real"
)

const manual = `Troupe-sim runs brokers under faults that a seed draws: the production actors on one goroutine, with a simulated clock, network and
disks. The same seed gives the same run, to the last event, on any machine.

A run that breaks a promise is shrunk: what the break does not need of the faults and of the clients' operations is left out, a half, a
quarter, one at a time. What is left is printed with the command that replays it.

Faults are counted by kind, from 1 on in each run, operations by client. --faults, --only and --operations leave out what they do not
name. What is left out changes what comes after it, so the numbers of a run are those of the same command line.

A scenario is a file with a line for each thing that happens: settings first, then lines that begin with their time. What they say
happens, and nothing else; then everything heals, and what any run must keep must be kept. --scenario list prints the lines there
are, simulation/scenarios has examples.

Exit codes: 0 every promise kept, 1 a promise broken or the run failed, 2 the command line was wrong.`

const examples = `  troupe-sim --seed 7 --trace                         # one run, every event printed
  troupe-sim --seeds 500 --nodes 3                    # seeds 0 to 499, with three brokers each
  troupe-sim --seeds 100 --disk real                  # logs in files, written by the production wal
  troupe-sim --faults list                            # what can go wrong
  troupe-sim --seeds 100 --faults cut-leader,crash    # nothing else goes wrong
  troupe-sim --seed 7 --only crash:1,cut-leader:2     # two faults of that seed
  troupe-sim --scenario simulation/scenarios/leader_killed.txt --trace
  troupe-sim --scenario FILE --seeds 100              # the same under other orders, delays and losses`

// choose reads what may come to pass.
func (f *flags) choose(c *cobra.Command) error {
	for _, choice := range []string{"faults", "only", "operations"} {
		for _, other := range []string{"study", "real", "growth"} {
			if c.Flags().Changed(choice) && c.Flags().Changed(other) {
				return wrong(fmt.Errorf("--%s chooses from what a seed of the simulator draws, which --%s does not run", choice, other))
			}
		}
	}
	var err error
	if f.choice.Faults, err = simulation.ParseFaults(f.faults); err != nil {
		return wrong(fmt.Errorf("--faults: %w", err))
	}
	if f.choice.Only, err = simulation.ParseStrikes(f.only); err != nil {
		return wrong(fmt.Errorf("--only: %w", err))
	}
	if f.choice.Operations, err = simulation.ParseSelection(f.operations); err != nil {
		return wrong(fmt.Errorf("--operations: %w", err))
	}
	if f.disk != diskTwin && f.disk != diskReal {
		return wrong(fmt.Errorf("--disk %q: it is %q or %q", f.disk, diskTwin, diskReal))
	}
	if f.shrink < 0 || f.shrink > mostShrinking {
		return wrong(fmt.Errorf("--shrink %d: from 0 to %d runs", f.shrink, mostShrinking))
	}
	return nil
}

// mostShrinking bounds the search for less: by then, a day is over.
const mostShrinking = 1_000_000
