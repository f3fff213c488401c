package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"troupe/simulation"
)

// mostScenario bounds the file that a scenario is read from, in bytes.
const mostScenario = 1 << 20

// besideScenario are the flags that say what the file of a scenario says itself, or leaves to nobody.
var besideScenario = []string{"nodes", "length", "disk", "faults", "only", "operations", "study", "real", "growth"}

// readScenario reads the scenario that is to be run, if one is. Its seed is the file's own, unless another is asked for.
func (f *flags) readScenario(c *cobra.Command) error {
	if f.scenario == "" {
		return nil
	}
	for _, name := range besideScenario {
		if c.Flags().Changed(name) {
			return wrong(fmt.Errorf("--scenario and --%s: the scenario says all that happens", name))
		}
	}
	file, err := os.Open(f.scenario)
	if err != nil {
		return wrong(fmt.Errorf("--scenario: %w", err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostScenario+1))
	if err != nil {
		return wrong(fmt.Errorf("--scenario: %w", err))
	}
	if len(text) > mostScenario {
		return wrong(fmt.Errorf("--scenario %s: more than %d bytes", f.scenario, mostScenario))
	}
	s, err := simulation.ParseScenario(f.scenario, string(text))
	if err != nil {
		return wrong(err)
	}
	f.text = string(text)
	if !c.Flags().Changed("seed") {
		f.seed = s.Seed
	}
	f.shrink = 0 // it says what it needs
	return nil
}
