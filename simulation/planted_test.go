package simulation

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// change is a piece of a source file that a planted bug replaces. The piece must occur exactly once.
type change struct{ file, from, to string }

// bug is what is planted, and what finds it.
type bug struct {
	name    string
	changes []change
	found   []string
	nodes   string // how many brokers; "": each seed draws it
	length  string // of the runs, for what needs a rare fault; "": 20s
	disk    string // where logs are kept; "": on the twin's
}

// The bugs of one broker: each takes away something that the promises rest on, and must be found by one of the named invariants within 50
// seeds, on three ranges of them. They exist only in an overlay, never in a file of the repository.
var planted = []bug{
	{
		name:    "acknowledge before fsync",
		changes: []change{{"actors/storage.go", "if err := log.Sync(); err != nil {", "if err := error(nil); err != nil {"}},
		// Where the power goes before any client is acknowledged, the catalog itself is lost and the broker cannot start.
		found: []string{"ack-before-durable", "not-live"},
	},
	{
		name: "believe the torn tail",
		changes: []change{{"wal/repair.go", "v.Torn = walked.behind(v)",
			"v.Segment = len(segments) - 1; v.At = len(segments[v.Segment].Bytes)"}},
		found: []string{"false-damage", "leader-completeness"},
	},
	{
		name:    "no check of sequences",
		changes: []change{{"partitions/append.go", "v, err := r.producer(h.Producer).judge(h)", "v, err := verdict{}, error(nil)"}},
		found:   []string{"replica: a producer's sequences follow one another"},
	},
	{
		name: "no check of sequences, seen only by clients",
		changes: []change{
			{"partitions/append.go", "v, err := r.producer(h.Producer).judge(h)", "v, err := verdict{}, error(nil)"},
			{"simulation/broker.go", "Check: true, Watch: b.logs.watch", "Check: false"},
		},
		found: []string{"duplicate"},
	},
	{
		name: "an unknown outcome told as not done",
		changes: []change{{"gateway/refusal.go", "{partitions.ErrOutcomeUnknown, protocol.CodeOutcomeUnknown},",
			"{partitions.ErrOutcomeUnknown, protocol.CodeNotReady},"}},
		found: []string{"aborted-read"},
	},
	{
		name: "an expectation that is only a lower bound",
		changes: []change{{"partitions/append.go", "p.ExpectEnd != NoExpectation && p.ExpectEnd != r.leading.next",
			"p.ExpectEnd != NoExpectation && p.ExpectEnd > r.leading.next"}},
		found: []string{"expectation-ignored"},
	},
	{
		name:    "serve a damaged log without saying so",
		changes: []change{{"actors/quarantine.go", "Request: f.Request, Err: q.mark(nil), Verified: true, LogStart", "Request: f.Request, LogStart"}},
		// A log that lost its end ends earlier than clients know, and does not say why.
		found: []string{"damage-hidden", "watermark-fell"},
		nodes: "1",
	},
	{
		name:    "wal does not sync its segments",
		changes: []change{{"wal/log.go", "if err := l.tail.Sync(); err != nil {", "if err := error(nil); err != nil {"}},
		found:   []string{"ack-before-durable", "not-live"},
		disk:    "real",
	},
}

// everyPlanted is set by `make planted`: then all bugs are looked for, on all ranges of seeds. Otherwise on one range, and only
// those of one broker and the ones that show soonest.
const everyPlanted = "TROUPE_PLANTED"

func TestPlantedBugsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the simulator once for each bug")
	}
	bugs, ranges := slices.Concat(planted, plantedAmongSeveral), []string{"0"}
	if os.Getenv(everyPlanted) != "" {
		bugs, ranges = slices.Concat(bugs, plantedInReplicas), []string{"0", "1000", "2000"}
	}
	for _, bug := range bugs {
		t.Run(bug.name, func(t *testing.T) {
			t.Parallel()
			binary := plant(t, bug.changes)
			for _, from := range ranges {
				find(t, binary, from, bug)
			}
		})
	}
}

// find demands that 50 seeds from a given one on find the bug, by one of the named invariants. What else goes wrong on the way, a
// crash above all, does not count.
func find(t *testing.T, binary, from string, b bug) {
	t.Helper()
	run := exec.Command(binary, "--seed", from, "--seeds", "50", "--nodes", cmp.Or(b.nodes, "0"), "--length", cmp.Or(b.length, "20s"), "--disk", cmp.Or(b.disk, "twin"), "--jobs", "1", "--json")
	out, err := run.StdoutPipe()
	must(t, err)
	must(t, run.Start())
	defer func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	}()
	others := map[string]int{}
	for reports := json.NewDecoder(out); ; {
		var r Report
		if err := reports.Decode(&r); err != nil {
			t.Fatalf("50 seeds from %s do not find the bug by one of %q; found were %v (%v)", from, b.found, others, err)
		}
		if v := r.Violation; v != nil {
			if slices.ContainsFunc(b.found, func(by string) bool { return strings.HasPrefix(v.Invariant, by) }) {
				t.Logf("seed %d: %v", r.Seed, v)
				return
			}
			others[v.Invariant]++
		}
	}
}

// plant builds the simulator with changed sources.
func plant(t *testing.T, changes []change) string {
	t.Helper()
	root, err := filepath.Abs("..")
	must(t, err)
	directory := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, c := range changes {
		path := filepath.Join(root, filepath.FromSlash(c.file))
		source, err := os.ReadFile(cmp.Or(overlay.Replace[path], path))
		must(t, err)
		if n := strings.Count(string(source), c.from); n != 1 {
			t.Fatalf("%s contains %q %d times: the planted bug must follow the code", c.file, c.from, n)
		}
		changed := filepath.Join(directory, strings.ReplaceAll(c.file, "/", "_"))
		must(t, os.WriteFile(changed, []byte(strings.Replace(string(source), c.from, c.to, 1)), 0o600))
		overlay.Replace[path] = changed
	}
	b, err := json.Marshal(overlay)
	must(t, err)
	list := filepath.Join(directory, "overlay.json")
	must(t, os.WriteFile(list, b, 0o600))
	binary := filepath.Join(directory, "troupe-sim")
	build := exec.Command("go", "build", "-overlay", list, "-o", binary, "./cmd/troupe-sim")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with the bug: %v\n%s", err, out)
	}
	return binary
}
