package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"troupe/simulation"
)

// asProgram makes the test binary be the program, for tests that start it again.
const asProgram = "TROUPE_SIM_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestSeedsInSeveralProcessesComeInOrder(t *testing.T) {
	t.Setenv(asProgram, "1")
	alone := execute(t, "--seeds", "23", "--length", "500ms", "--json", "--jobs", "1")
	if shared := execute(t, "--seeds", "23", "--length", "500ms", "--json", "--jobs", "3"); shared != alone {
		t.Error("other reports, or another order, than from one process")
	}
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
