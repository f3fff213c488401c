package simulation

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestShrinkKeepsWhatIsNeeded runs no simulation but the last: a promise is taken to be broken where the second crash, the fourth
// lost frame and the seventh operation of a producer all happen.
func TestShrinkKeepsWhatIsNeeded(t *testing.T) {
	needed := Choice{Only: Selection{"crash": {{2, 2}}, "lost-frame": {{4, 4}}}, Operations: Selection{"producer-a": {{7, 7}}}}
	happened := Choice{Only: Selection{"crash": {{1, 9}}, "lost-frame": {{1, 200}}, "pause": {{1, 3}}}, Operations: Selection{"producer-a": {{1, 90}}, "consumer-a": {{1, 50}}}}
	var left []string
	for _, width := range []int{1, 3} {
		pretend := func(c Config) *Report {
			r := Run(Config{Seed: 1, Nodes: 1, Length: time.Millisecond, Choice: c.Choice})
			r.Length, r.Struck, r.Done = c.Length, happened.Only.within(c.Choice.Only), happened.Operations.within(c.Choice.Operations)
			if len(needed.Only.within(r.Struck)) == 2 && len(needed.Operations.within(r.Done)) == 1 {
				r.Violation = &Violation{Invariant: "pretended"}
			}
			return r
		}
		run := func(all []Config) ([]*Report, error) {
			var reports []*Report
			for _, c := range all {
				reports = append(reports, pretend(c))
			}
			return reports, nil
		}
		s, err := Shrink(pretend(Config{Length: time.Millisecond}), 300, width, run)
		must(t, err)
		if diff := cmp.Diff(needed, s.Least.Choice, cmp.AllowUnexported(FaultSet{})); diff != "" || s.Spent {
			t.Errorf("with %d at once, in %d runs (-needed +left):\n%s", width, s.Runs, diff)
		}
		left = append(left, s.Least.Replay())
		t.Logf("%d runs", s.Runs)
	}
	if left[0] != left[1] {
		t.Errorf("one run at a time leaves\n%s\nthree leave\n%s", left[0], left[1])
	}
}

func TestShrinkKeepsToItsRuns(t *testing.T) {
	runs := 0
	whole := &Report{Seed: 1, Length: time.Second, Violation: &Violation{Invariant: "pretended"}, Struck: Selection{"crash": {{1, 100}}}, Done: Selection{}}
	whole.Options.Nodes = 1
	_, err := Shrink(whole, 17, 4, func(all []Config) ([]*Report, error) {
		runs += len(all)
		return slices.Repeat([]*Report{{}}, len(all)), nil
	})
	if runs != 17 {
		t.Errorf("17 runs were permitted, %d were made (%v)", runs, err)
	}
}

// within is what two selections have in common.
func (s Selection) within(other Selection) Selection {
	both := Selection{}
	for p := range s.all() {
		if other.has(p.name, p.number) {
			both.add(p.name, p.number)
		}
	}
	return both
}

// TestShrinkFindsThePlantedBug: a vote that is not synced is lost by one crash, whatever else a seed throws at three brokers.
func TestShrinkFindsThePlantedBug(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the simulator with a bug")
	}
	i := slices.IndexFunc(plantedAmongSeveral, func(b bug) bool { return b.name == "a vote that is not synced" })
	b := plantedAmongSeveral[i]
	binary := plant(t, b.changes)
	out, _ := exec.Command(binary, "--seeds", "50", "--nodes", "3", "--fail-fast", "--json", "--shrink", "100").Output()
	var s Shrunk
	for lines := json.NewDecoder(strings.NewReader(string(out))); s.Least == nil; {
		must(t, lines.Decode(&s))
	}
	t.Logf("%d faults to %d and %d operations to %d, in %d runs", s.Whole.Struck.Len(), s.Least.Struck.Len(), s.Whole.Done.Len(), s.Least.Done.Len(), s.Runs)
	for _, strike := range s.Strikes {
		t.Log(strike)
	}
	if s.Whole.Struck.Len() < 10 || s.Least.Struck.Len() > 5 || len(s.Strikes) != s.Least.Struck.Len() {
		t.Errorf("%d faults are shrunk to %d, of which %d are told", s.Whole.Struck.Len(), s.Least.Struck.Len(), len(s.Strikes))
	}
	arguments := strings.Fields(strings.TrimPrefix(s.Least.Replay(), "go run ./cmd/troupe-sim "))
	again, err := exec.Command(binary, append(arguments, "--shrink", "0")...).CombinedOutput()
	if err == nil || !strings.Contains(string(again), s.Least.Violation.Error()) || !strings.Contains(string(again), s.Least.Hash) {
		t.Errorf("%s\ndoes not break the same again (%v):\n%s", s.Least.Replay(), err, again[max(0, len(again)-2000):])
	}
}
