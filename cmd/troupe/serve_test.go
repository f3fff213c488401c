package main

import (
	"bufio"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"troupe/actors"
	"troupe/wal"
)

// TestServeRefusals meets what a broker cannot be started with; each refusal names what to do.
func TestServeRefusals(t *testing.T) {
	directory := t.TempDir()
	p := brokerAt(t, directory, "127.0.0.1:0")
	for _, c := range []struct {
		name      string
		arguments []string
		code      int
		problems  string
	}{
		{"port taken", []string{"--data", t.TempDir(), "--gateway", p.Gateway}, exitFailed, "is taken"},
		{"data in use", []string{"--data", filepath.Join(directory, "data"), "--gateway", "127.0.0.1:0"}, exitFailed, "another broker runs on it"},
		{"off loopback", []string{"--data", t.TempDir(), "--gateway", "0.0.0.0:0"}, exitUsage, "--insecure"},
		{"a name off loopback", []string{"--data", t.TempDir(), "--gateway", "example.org:0"}, exitUsage, "--insecure"},
		{"gossip off loopback", []string{"--data", t.TempDir(), "--gateway", "127.0.0.1:0", "--gossip", "0.0.0.0:0"}, exitUsage, "troupe secret new"},
		{"peers off loopback", []string{"--data", t.TempDir(), "--gateway", "127.0.0.1:0", "--peer", ":0"}, exitUsage, "troupe secret new"},
		{"far seed", []string{"--data", t.TempDir(), "--gateway", "127.0.0.1:0", "--join", "10.0.0.5"}, exitUsage, "troupe secret new"},
		{"gossip port taken", []string{"--data", t.TempDir(), "--gateway", "127.0.0.1:0", "--gossip", p.Gossip}, exitFailed, "--gossip " + p.Gossip + " is taken"},
		{"peer port taken", []string{"--data", t.TempDir(), "--gateway", "127.0.0.1:0", "--peer", p.Peer}, exitFailed, "--peer " + p.Peer + " is taken"},
		{"too few expected", []string{"--gateway", "127.0.0.1:0", "--join", "localhost", "--bootstrap-expect", "3"}, exitUsage, "exactly 3 addresses"},
		{"no secret in the file", []string{"--data", t.TempDir(), "--gateway", "127.0.0.1:0", "--secret-file", os.DevNull}, exitFailed, "troupe secret new"},
		{"no address", []string{"--data", t.TempDir(), "--gateway", "9642"}, exitUsage, "HOST:PORT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := troupe(t, "", append([]string{"serve"}, c.arguments...)...)
			if got.code != c.code || !strings.Contains(got.problems, c.problems) {
				t.Errorf("exit %d\n%s\nwant exit %d with %q", got.code, got.problems, c.code, c.problems)
			}
		})
	}
}

// TestServeDrains stops a broker in order, and finds everything in the next one on its data.
func TestServeDrains(t *testing.T) {
	directory := t.TempDir()
	p := brokerAt(t, directory, "127.0.0.1:0")
	must(t, "", "topic", "create", "pets", "--broker", p.Gateway)
	must(t, "cat\ndog\n", "produce", "pets", "--broker", p.Gateway)
	if err := p.drain(); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
	p = brokerAt(t, directory, p.Gateway)
	if got := must(t, "", "consume", "pets", "--until", "end", "--broker", p.Gateway); got != "cat\ndog\n" {
		t.Errorf("after the restart: %q", got)
	}
}

// TestTellOpening has a broker that does not get ready say so.
func TestTellOpening(t *testing.T) {
	directory, err := wal.OpenDirectory(t.TempDir(), wal.Options{Random: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	node, err := actors.NewNode(actors.Options{Cluster: 1, Node: 1,
		Seams: actors.Seams{Clock: actors.RealClock{}, Disk: directory, Pool: actors.NewPool(1)}})
	if err != nil {
		t.Fatal(err)
	}
	from, to := io.Pipe()
	end := tellOpening(node, slog.New(slog.NewJSONHandler(to, nil)), time.Millisecond)
	line, err := bufio.NewReader(from).ReadString('\n')
	from.Close() // further lines are nobody's
	end()
	if err != nil || !strings.Contains(line, `"still opening the data","partitions":0,"not_open_yet":0`) {
		t.Errorf("%q, %v", line, err)
	}
}
