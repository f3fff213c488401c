package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/actors"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
	"troupe/wal"
)

// catalogOf makes the data directory of a broker that is one of the catalog's voters, the first of them, and knows that two brokers
// more are voters. Its last command is not known to be committed.
func catalogOf(t *testing.T, voters int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "data")
	d, err := wal.OpenDirectory(path, wal.Options{Random: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	node := d.Identity().Node
	nodes := []id.Node{node, 2, 3}
	var founders []partitions.Placed
	for i, n := range nodes[:voters] {
		founders = append(founders, partitions.Placed{Replica: id.Replica(i + 1), Node: n})
	}
	birth, state := partitions.Birth(founders)
	w := partitions.Write{HardState: state, Changed: true}
	var offset id.Offset
	for i, c := range []catalog.Command{
		catalog.Bootstrap{Cluster: 7, Node: node, At: 1000}, catalog.Assign{Partition: catalog.Partition(), Nodes: nodes[:voters], If: catalog.AnyVersion},
		catalog.CreateTopic{Name: "pets", Partitions: 1, Placements: catalog.PlaceOn(1, nodes...), At: 2000},
	} {
		b := catalog.Batch(c, 1000)
		batch.Stamp(b, offset, 1)
		offset++
		w.Entries = append(w.Entries, partitions.Entry{Index: id.Index(i + 2), Term: 1, Type: partitions.EntryBatch, AppendTime: 3000, Payload: b})
	}
	w.HardState.Commit = 3
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(d.SetCluster(7, 0))
	ok(d.Create(catalog.Partition(), 1, &birth, state))
	log, err := d.Open(catalog.Partition(), 1)
	ok(err)
	ok(log.Append([]partitions.Write{w}))
	ok(log.Sync())
	ok(log.Close())
	ok(d.Close())
	return path
}

// recovered reads what a directory holds after a recovery.
func recovered(t *testing.T, path string) *heritage {
	t.Helper()
	d, err := wal.OpenDirectory(path, wal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	h, err := readHeritage(d)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestSuccessionGoesOn interrupts a recovery between its steps. No broker starts then, and the command, run again, ends it with the same
// catalog, whichever step it was.
func TestSuccessionGoesOn(t *testing.T) {
	var heirs []*catalog.State
	for interrupted, steps := range map[string]func(*wal.Directory, *heritage, id.Epoch) error{
		"not at all": nil,
		"the epoch has begun": func(d *wal.Directory, _ *heritage, e id.Epoch) error {
			return d.BeginRecovery(e)
		},
		"the heir has begun": func(d *wal.Directory, h *heritage, e id.Epoch) error {
			log, err := d.Open(catalog.Partition(), h.replica)
			if err != nil {
				return err
			}
			i, err := partitions.Inherit(log.Recovered(), partitions.Placed{Replica: 7 + catalog.InheritedIDs, Node: h.identity.Node})
			if err != nil {
				return err
			}
			if err := log.Close(); err != nil {
				return err
			}
			if err := d.BeginRecovery(e); err != nil {
				return err
			}
			birth, state := i.Birth()
			return d.Create(catalog.Partition(), 7+catalog.InheritedIDs, birth, state)
		},
		"the heir is whole": func(d *wal.Directory, h *heritage, e id.Epoch) error {
			if err := d.BeginRecovery(e); err != nil {
				return err
			}
			at := id.Timestamp(5000)
			return actors.Inherit(d, catalog.Partition(), h.replica, partitions.Placed{Replica: 7 + catalog.InheritedIDs, Node: h.identity.Node},
				catalog.Batch(catalog.Succeed{Epoch: e, Survivor: h.replica, At: at}, at))
		},
	} {
		path := catalogOf(t, 3)
		accepted := []string{"cluster", "recover", "--from", path, "--accept-loss"}
		if steps != nil {
			d, err := wal.OpenDirectory(path, wal.Options{})
			if err != nil {
				t.Fatal(err)
			}
			h, err := readHeritage(d)
			if err != nil {
				t.Fatal(err)
			}
			if err := steps(d, h, id.Epoch(1<<32|9)); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if got := troupe(t, "", "serve", "--data", path, "--gateway", "127.0.0.1:0", "--peer", "127.0.0.1:0", "--gossip", "127.0.0.1:0",
				"--http", ""); got.code != exitFailed || !strings.Contains(got.problems, "cluster recover") {
				t.Fatalf("%s: a broker starts: exit %d\n%s", interrupted, got.code, got.problems)
			}
			accepted = accepted[:4] // it was accepted once
		}
		must(t, "", accepted...)
		h := recovered(t, path)
		if !h.whole() || h.identity.Recovering || h.state.Epoch != h.identity.Epoch || h.identity.Epoch.Number() != 1 {
			t.Fatalf("%s: %+v, %+v", interrupted, h.identity, h.status)
		}
		if h.state.Topic("pets") == nil {
			t.Errorf("%s: what was not known to be committed is gone", interrupted)
		}
		state := *h.state
		state.Epoch = 0
		for _, topic := range state.Topics {
			for n := range topic.Partitions {
				for r := range topic.Partitions[n].Recoveries {
					topic.Partitions[n].Recoveries[r].At = 0
				}
			}
		}
		heirs = append(heirs, &state)
		if d := cmp.Diff(heirs[0], &state); d != "" {
			t.Fatalf("%s: another catalog (-first +now):\n%s", interrupted, d)
		}
	}
	if v := heirs[0].Version; v != 3+partitions.InheritedOffsets+1 {
		t.Errorf("the catalog goes on from offset %d", v)
	}
}

// TestRecoverIsRefused: where nothing is lost, or it cannot be known what is there, nothing is changed.
func TestRecoverIsRefused(t *testing.T) {
	damaged := catalogOf(t, 3)
	segment := filepath.Join(damaged, "replicas", "t1-p0-r1", "00000000000000000002")
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/3] ^= 1
	if err := os.WriteFile(segment, b, 0o640); err != nil {
		t.Fatal(err)
	}
	follows := catalogOf(t, 3)
	must(t, "", "cluster", "adopt", follows, "--epoch", id.Epoch(2<<32).String())
	empty := t.TempDir()
	for name, test := range map[string]struct {
		line    []string
		code    int
		problem string
	}{
		"no directory named": {[]string{"recover"}, exitUsage, "--from"},
		"no such directory":  {[]string{"recover", "--from", filepath.Join(empty, "none")}, exitFailed, "no such directory"},
		"an empty one":       {[]string{"recover", "--from", empty}, exitFailed, "no data here"},
		"a replica's":        {[]string{"recover", "--from", filepath.Dir(segment)}, exitFailed, "--data"},
		"a damaged log":      {[]string{"recover", "--from", damaged}, exitFailed, "another broker"},
		"no catalog there":   {[]string{"recover", "--from", follows}, exitFailed, "no replica of the catalog"},
		"nothing accepted":   {[]string{"recover", "--from", catalogOf(t, 3)}, exitUsage, "--accept-loss"},
		"no epoch":           {[]string{"adopt", follows}, exitUsage, "--epoch"},
		"a lower epoch":      {[]string{"adopt", follows, "--epoch", id.Epoch(1 << 32).String()}, exitFailed, "cannot go back"},
		"no directory":       {[]string{"adopt", "--epoch", id.Epoch(1 << 32).String()}, exitUsage, "one directory"},
	} {
		if name != "nothing accepted" && test.line[0] == "recover" {
			test.line = append(test.line, "--accept-loss")
		}
		if got := troupe(t, "", append([]string{"cluster"}, test.line...)...); got.code != test.code || !strings.Contains(got.problems, test.problem) {
			t.Errorf("%s: exit %d\n%s%s\nwant exit %d with %q", name, got.code, got.out, got.problems, test.code, test.problem)
		}
	}
	if now, err := os.ReadFile(segment); err != nil || !bytes.Equal(b, now) {
		t.Errorf("a damaged log was changed: %v", err)
	}
	alone := catalogOf(t, 1)
	if got := must(t, "", "cluster", "recover", "--from", alone, "--accept-loss"); !strings.Contains(got, "nothing left to recover") {
		t.Error(got)
	}
	if h := recovered(t, alone); h.identity.Epoch != 0 {
		t.Errorf("a catalog with its only voter is of epoch %v", h.identity.Epoch)
	}
}
