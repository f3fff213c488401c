package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"troupe/simulation"
)

// TestMain lets the test's own program be the worker that the command starts.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "--"+workerFlag) {
		main()
		return
	}
	os.Exit(m.Run())
}

func execute(t *testing.T, arguments ...string) string {
	t.Helper()
	var out bytes.Buffer
	c := command()
	c.SetOut(&out)
	c.SetArgs(arguments)
	if err := c.Execute(); err != nil {
		t.Fatalf("troupe-sim %v: %v\n%s", arguments, err, out.String())
	}
	return out.String()
}

func TestOneSeedSaysEverything(t *testing.T) {
	out := execute(t, "--seed", "3", "--length", "2s", "--check-determinism")
	for _, want := range []string{"seed       3", "options", "faults", "marks", "hash", "every promise kept"} {
		if !strings.Contains(out, want) {
			t.Errorf("the report does not say %q:\n%s", want, out)
		}
	}
}

func TestRealDisk(t *testing.T) {
	out := execute(t, "--seed", "3", "--length", "2s", "--disk", "real", "--check-determinism")
	if twin := execute(t, "--seed", "3", "--length", "2s"); hashOf(out) == hashOf(twin) {
		t.Errorf("both disks give %s", hashOf(out))
	}
	c := command()
	c.SetArgs([]string{"--disk", "floppy"})
	if err := c.Execute(); err == nil || !strings.Contains(err.Error(), `"real"`) {
		t.Errorf("an unknown disk is told as %v", err)
	}
}

// hashOf picks the line of the hash out of a report.
func hashOf(report string) string {
	_, rest, _ := strings.Cut(report, "\nhash ")
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

func TestManySeedsAsJSON(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(execute(t, "--seed", "5", "--seeds", "3", "--length", "1s", "--json")), "\n")
	if len(lines) != 3 {
		t.Fatalf("3 seeds gave %d lines", len(lines))
	}
	for i, line := range lines {
		var r simulation.Report
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Seed != uint64(5+i) || r.Hash == "" || r.Steps == 0 {
			t.Errorf("line %d tells of seed %d, hash %q, %d steps", i, r.Seed, r.Hash, r.Steps)
		}
	}
}

func TestTracePrintsEvents(t *testing.T) {
	if out := execute(t, "--seed", "3", "--length", "1s", "--trace"); !strings.Contains(out, "broker-a     ready") {
		t.Errorf("the trace does not show the broker getting ready:\n%s", out)
	}
}

// TestJobsChangeNothing: several processes print what one prints, in the same order.
func TestJobsChangeNothing(t *testing.T) {
	arguments := []string{"--seed", "5", "--seeds", "5", "--length", "1s", "--json", "--jobs"}
	one, three := execute(t, append(arguments, "1")...), execute(t, append(arguments, "3", "--check-determinism")...)
	if one != three {
		t.Errorf("one process prints\n%s\nthree print\n%s", one, three)
	}
}

func TestStudyPrintsDistributions(t *testing.T) {
	out := execute(t, "--study", "failover", "--seeds", "5", "--nodes", "3")
	for _, want := range []string{"killed     5 runs: median", "power loss 5 runs: median", "stopped    5 runs: median"} {
		if !strings.Contains(out, want) {
			t.Errorf("the study does not say %q:\n%s", want, out)
		}
	}
}

func TestFaultsAreListed(t *testing.T) {
	out := execute(t, "--faults", "list")
	for _, kind := range simulation.AllFaults() {
		if !strings.Contains(out, kind.String()+" ") || !strings.Contains(out, kind.Meaning()) {
			t.Errorf("the list does not say what %v is:\n%s", kind, out)
		}
	}
}

func TestChoiceIsPartOfTheRun(t *testing.T) {
	out := execute(t, "--seed", "3", "--length", "1s", "--faults", "crash,pause", "--check-determinism")
	if !strings.Contains(out, "Faults:crash,pause}") {
		t.Errorf("the options do not say which faults may happen:\n%s", out)
	}
}

func TestScenario(t *testing.T) {
	const file = "../../simulation/scenarios/byte_flipped.txt"
	if out := execute(t, "--scenario", file, "--trace", "--check-determinism"); !strings.Contains(out, "every promise kept") || !strings.Contains(out, "corrupt hurt orders flip") {
		t.Errorf("the trace does not show the lines of the scenario:\n%s", out[:min(len(out), 3000)])
	}
	var r simulation.Report
	lines := json.NewDecoder(strings.NewReader(execute(t, "--scenario", file, "--seed", "7", "--seeds", "2", "--json")))
	for _, seed := range []uint64{7, 8} {
		if err := lines.Decode(&r); err != nil || r.Seed != seed || r.Scenario != file || r.Faults[simulation.FaultBitFlip] != 1 {
			t.Errorf("seed %d: %+v, %v", seed, r, err)
		}
	}
	if out := execute(t, "--scenario", "list"); !strings.Contains(out, "TIME corrupt BROKER TOPIC[/NUMBER] flip|zero|cut") {
		t.Errorf("the list does not say how to corrupt:\n%s", out)
	}
}

func TestWrongUses(t *testing.T) {
	for _, c := range []string{
		"--faults crsh: nearest: crash",
		"--only crush:1: nearest: crash",
		"--only crash: NAME:NUMBER",
		"--operations producer-a: NAME:NUMBER",
		"--shrink -1: from 0",
		"--nods 3: unknown flag",
		"--study failover --faults crash: which --study does not run",
		"--scenario nowhere.txt: no such file",
		"--scenario main.go: main.go:1: ",
		"--scenario ../../simulation/scenarios/byte_flipped.txt --nodes 5: the scenario says all that happens",
	} {
		line, want, _ := strings.Cut(c, ": ")
		command := command()
		command.SetArgs(strings.Fields(line))
		var usage *usageError
		if err := command.Execute(); !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("troupe-sim %s: %v", line, err)
		}
	}
}
