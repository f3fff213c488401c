package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
	"troupe/wal"
)

var update = flag.Bool("update", false, "write testdata/log.txt anew; read the difference before committing it")

// transcript runs the commands of a story and remembers what a user sees, without what differs from run to run.
type transcript struct {
	t    *testing.T
	data string
	text strings.Builder
}

func (s *transcript) run(code int, arguments ...string) {
	s.t.Helper()
	r := troupe(s.t, "", arguments...)
	if r.code != code {
		s.t.Errorf("%v: exit %d, want %d\n%s%s", arguments, r.code, code, r.out, r.problems)
	}
	fmt.Fprintf(&s.text, "$ troupe %s\n%s%s[exit %d]\n\n", strings.Join(arguments, " "), r.out, r.problems, r.code)
}

var varies = []struct{ pattern, mask string }{
	{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`, "0000-00-00T00:00:00.000Z"},
	{`"append_time_ms":\d{10,}`, `"append_time_ms":TIME`},
	{`[0-9a-f]{16}, cluster [0-9a-f]{16}`, "NODE, cluster CLUSTER"},
	{`(?m)^[012]     \d+ .*$`, "a slot"},    // the last commit index may have come with a write of its own
	{`(__catalog/0 .* )\d+ B`, "${1}430 B"}, // ids that were drawn take more bytes or fewer
	{`"sequence": \d+`, `"sequence": N`},
	{`process \d+, clients at [0-9.:]+`, "process PID, clients at HOST:PORT"},
}

func (s *transcript) masked() string {
	text := strings.ReplaceAll(s.text.String(), s.data, "DATA")
	text = strings.ReplaceAll(text, filepath.Dir(s.data), "DIRECTORY")
	for _, v := range varies {
		text = regexp.MustCompile(v.pattern).ReplaceAllString(text, v.mask)
	}
	return text
}

// hurtLog makes a data directory with a topic of four records, and damages the file of the second.
func hurtLog(t *testing.T) (directory string) {
	t.Helper()
	directory = t.TempDir()
	p := brokerAt(t, directory, "127.0.0.1:0")
	must(t, "", "topic", "create", "hurt", "--broker", p.Gateway)
	for _, line := range []string{"first", "second", "third", "fourth"} {
		must(t, line+"\n", "produce", "hurt", "--broker", p.Gateway)
	}
	if r := troupe(t, "", "log", "verify", filepath.Join(directory, "data")); r.code != exitFailed || !strings.Contains(r.problems, "stop that one first") {
		t.Errorf("while a broker runs: exit %d\n%s", r.code, r.problems)
	}
	if err := p.drain(); err != nil {
		t.Fatal(err)
	}
	return directory
}

// TestLogCommands shows a flipped bit to each command, in words that are pinned.
func TestLogCommands(t *testing.T) {
	directory := hurtLog(t)
	s := &transcript{t: t, data: filepath.Join(directory, "data")}
	replica := filepath.Join(s.data, "replicas", "t16-p0-r2")
	s.run(exitFine, "log", "verify", s.data)
	s.run(exitFine, "log", "dump", s.data, "--partition", "hurt/0")
	s.run(exitFine, "log", "repair", s.data)
	flip(t, s.data, "second")
	s.run(exitUnhealthy, "log", "verify", s.data)
	s.run(exitUnhealthy, "log", "verify", replica, "--output", "json")
	s.run(exitFine, "log", "dump", replica, "--from", "3", "-n", "3")
	s.run(exitFailed, "log", "repair", s.data)
	s.run(exitUsage, "log", "repair", s.data, "--accept-loss")
	s.run(exitFine, "log", "repair", s.data, "--accept-loss", "--dry-run", "--partition", "hurt/0")
	s.run(exitUnhealthy, "log", "verify", replica)
	s.run(exitFine, "log", "repair", s.data, "--accept-loss", "--partition", "t16/0")
	s.run(exitFine, "log", "dump", replica, "--output", "json", "--from", "4", "-n", "2")
	s.run(exitFine, "log", "verify", s.data)
	s.run(exitFailed, "log", "verify", filepath.Join(s.data, "nothing"))
	s.run(exitFailed, "log", "verify", directory)
	s.run(exitFailed, "log", "dump", s.data, "--partition", "hurt/1")
	s.run(exitUsage, "log", "dump", s.data, "--partition", "hurt")
	s.run(exitUsage, "log", "dump")

	path := filepath.Join("testdata", "log.txt")
	if *update {
		if err := os.WriteFile(path, []byte(s.masked()), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), s.masked()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	p := brokerAt(t, directory, "127.0.0.1:0")
	for from, want := range map[string]string{"0": "0 first\n2 third\n3 fourth\n", "1": "2 third\n3 fourth\n"} {
		r := troupe(t, "", "consume", "hurt", "--from", from, "--until", "end", "--format", `%o %v\n`, "--broker", p.Gateway)
		if r.out != want || r.code != exitFine || !strings.Contains(r.problems, "offsets from 1 to below 2 were lost") {
			t.Errorf("from %s: exit %d\n%s%s", from, r.code, r.out, r.problems)
		}
	}
}

// TestLossAtTheEnd: damage of every kind; after it was accepted the broker takes records again, at offsets never used, and a
// reader gets past a gap that nothing follows.
func TestLossAtTheEnd(t *testing.T) {
	directory := hurtLog(t)
	data := filepath.Join(directory, "data")
	replica := filepath.Join(data, "replicas", "t16-p0-r2")
	saved := filepath.Join(t.TempDir(), "saved")
	if err := os.CopyFS(saved, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(replica, fmt.Sprintf("%020d", 2))
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	third := bytes.Index(whole, []byte("third"))
	for name, hurt := range map[string]func() error{
		"cut":               func() error { return os.Truncate(segment, int64(third)) },
		"zeroed":            func() error { return os.WriteFile(segment, append(whole[:third:third], make([]byte, 500)...), 0o640) },
		"missing segment":   func() error { return os.Remove(segment) },
		"missing hardstate": func() error { return os.Remove(filepath.Join(replica, "hardstate")) },
	} {
		if err := os.RemoveAll(data); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(data, os.DirFS(saved)); err != nil {
			t.Fatal(err)
		}
		if err := hurt(); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			code      int
			arguments []string
		}{
			{exitUnhealthy, []string{"verify"}}, {exitFailed, []string{"repair"}}, {exitFine, []string{"repair", "--accept-loss"}}, {exitFine, []string{"verify"}},
		} {
			r := troupe(t, "", append([]string{"log", step.arguments[0], replica}, step.arguments[1:]...)...)
			if r.code != step.code {
				t.Fatalf("%s: %v: exit %d\n%s%s", name, step.arguments, r.code, r.out, r.problems)
			}
		}
		p := brokerAt(t, directory, "127.0.0.1:0")
		r := troupe(t, "", "consume", "hurt", "--until", "end", "--broker", p.Gateway)
		if want := "first\nsecond\nthird\nfourth\n"; !strings.HasPrefix(want, r.out) || r.code != exitFine || !strings.Contains(r.problems, "were lost") {
			t.Errorf("%s: read %q, exit %d\n%s", name, r.out, r.code, r.problems)
		}
		must(t, "fifth\n", "produce", "hurt", "--broker", p.Gateway)
		r = troupe(t, "", "consume", "hurt", "--until", "end", "--format", `%o\n`, "--broker", p.Gateway)
		lines := strings.Fields(r.out)
		if last, err := strconv.Atoi(lines[len(lines)-1]); err != nil || last < 4 {
			t.Errorf("%s: the next record got an offset that was used: %q (%v)", name, lines, err)
		}
		if err := p.drain(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPeersAreAskedFirst: a loss is accepted only where the catalog, whole, says that there is nobody else.
func TestPeersAreAskedFirst(t *testing.T) {
	stored := wal.Stored{Partition: id.Partition{Topic: 16}, Replica: 2}
	own, other := partitions.Placed{Replica: 2, Node: 1}, partitions.Placed{Replica: 3, Node: 2}
	state := func(a catalog.Assignment) *catalog.State {
		return &catalog.State{Topics: map[id.TopicID]*catalog.Topic{16: {ID: 16, Partitions: []catalog.Assignment{a}}}}
	}
	alone := state(catalog.Assignment{Replicas: []partitions.Placed{own}})
	for want, l := range map[string]*logs{
		"":            {catalog: alone},
		"no catalog":  {},
		"repair it":   {catalog: alone, doubtful: true},
		"replica 3":   {catalog: state(catalog.Assignment{Replicas: []partitions.Placed{own, other}})},
		"on broker":   {catalog: state(catalog.Assignment{Replicas: []partitions.Placed{own}, Leaving: []partitions.Placed{other}})},
		"replica 3 o": {catalog: state(catalog.Assignment{Replicas: []partitions.Placed{other}})},
		"not know":    {catalog: &catalog.State{}},
	} {
		if got := l.peers(stored); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestCatalogIsNotGivenUp: ids that its lost commands gave could be given twice.
func TestCatalogIsNotGivenUp(t *testing.T) {
	directory := hurtLog(t)
	data := filepath.Join(directory, "data")
	log := filepath.Join(data, "replicas", "t1-p0-r1")
	if err := os.Truncate(filepath.Join(log, fmt.Sprintf("%020d", 2)), 50); err != nil {
		t.Fatal(err)
	}
	checkpoints, err := filepath.Glob(filepath.Join(log, "checkpoint-*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(checkpoints)
	newest := checkpoints[len(checkpoints)-1]
	content, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(newest); err != nil {
		t.Fatal(err)
	}
	if r := troupe(t, "", "log", "repair", log, "--accept-loss"); r.code != exitFailed || !strings.Contains(r.problems, "given twice") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.problems)
	}
	// With a checkpoint that holds the state behind everything that is lost, nothing of it is.
	if err := os.WriteFile(newest, content, 0o640); err != nil {
		t.Fatal(err)
	}
	r := troupe(t, "", "log", "repair", log, "--accept-loss", "--output", "json")
	var told struct{ Logs []repairedLog }
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || r.code != exitFine || len(told.Logs) != 1 || !told.Logs[0].Repaired {
		t.Errorf("exit %d, %v\n%s%s", r.code, err, r.out, r.problems)
	}
}
