package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// TestDev runs a local cluster, twice on the same data, and ends it as Ctrl-C does.
func TestDev(t *testing.T) {
	data := t.TempDir()
	for round := range 2 {
		ctx, interrupt := context.WithCancel(context.WithoutCancel(t.Context()))
		from, to := io.Pipe()
		ended := make(chan int, 1)
		go func() {
			ended <- run(ctx, []string{"dev", "--nodes", "3", "--port", "0", "--data", data}, strings.NewReader(""), to, t.Output())
			to.Close()
		}()
		brokers := ""
		lines := bufio.NewScanner(from)
		for lines.Scan() && !strings.Contains(lines.Text(), "Ctrl-C") {
			if _, address, found := strings.Cut(lines.Text(), "export TROUPE_BROKER="); found {
				brokers = address
			}
		}
		if brokers == "" {
			interrupt()
			t.Fatalf("round %d: no brokers told; exit %d", round, <-ended)
		}
		if round == 0 {
			must(t, "", "topic", "create", "pets", "--broker", brokers)
		}
		must(t, fmt.Sprintf("round %d\n", round), "produce", "pets", "--broker", brokers)
		if got := must(t, "", "consume", "pets", "--until", "end", "--broker", brokers); !strings.HasSuffix(got, fmt.Sprintf("round %d\n", round)) {
			t.Errorf("round %d: read %q", round, got)
		}
		interrupt()
		for lines.Scan() { // until it has ended
		}
		if code := <-ended; code != exitFine {
			t.Errorf("round %d: exit %d", round, code)
		}
	}
}

// TestBenchFailover measures one kill and one orderly stop: that it does, not what.
func TestBenchFailover(t *testing.T) {
	var got struct {
		Kills []int64 `json:"kills_ms"`
		Stops []int64 `json:"stops_ms"`
	}
	decode(t, must(t, "", "bench", "failover", "--kills", "1", "--stops", "1", "--output", "json"), &got)
	if len(got.Kills) != 1 || len(got.Stops) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestBenchOfAnOwnBroker measures a little data at rest: that it does, and leaves nothing behind.
func TestBenchOfAnOwnBroker(t *testing.T) {
	in := t.TempDir()
	var opened struct {
		Records   int64
		Stops     []int64 `json:"after_stop_ms"`
		Kills     []int64 `json:"after_kill_ms"`
		Partition int32   `json:"partitions"`
	}
	decode(t, must(t, "", "bench", "open", "--bytes", "100kB", "--partitions", "3", "--rounds", "1", "--in", in, "--output", "json"), &opened)
	if opened.Records < 100 || len(opened.Stops) != 1 || len(opened.Kills) != 1 || opened.Partition != 3 {
		t.Errorf("open: %+v", opened)
	}
	var idle struct {
		Records int64
		Bytes   int64 `json:"resident_bytes"`
	}
	decode(t, must(t, "", "bench", "idle", "--bytes", "100kB", "--partitions", "3", "--rest", "0s", "--over", "10ms", "--in", in, "--output", "json"), &idle)
	if idle.Records != 100 || idle.Bytes == 0 {
		t.Errorf("idle: %+v", idle)
	}
	if left, err := os.ReadDir(in); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestDevRefusals names what does not fit.
func TestDevRefusals(t *testing.T) {
	for _, arguments := range [][]string{{"dev", "--nodes", "0"}, {"dev", "--nodes", "10"}, {"dev", "--port", "65530"}, {"bench", "failover", "--nodes", "2"},
		{"bench", "open", "--bytes", "much"}, {"bench", "open", "--partitions", "0"}, {"bench", "open", "--rounds", "0"}, {"bench", "idle", "--over", "0s"}} {
		if got := troupe(t, "", arguments...); got.code != exitUsage {
			t.Errorf("%v: exit %d\n%s", arguments, got.code, got.problems)
		}
	}
}
