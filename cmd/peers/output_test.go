package main

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"troupe/cmd/troupe/bench"
)

// What the tools of Kafka 4.1 print.
const (
	producerOutput = `Reading payloads from: values.txt
Number of messages read: 10000
200000 records sent, 40000.0 records/sec (4.32 MB/sec), 137.0 ms avg latency, 1893.0 ms max latency.
1000000 records sent, 200000.0 records/sec (16.82 MB/sec), 401.2 ms avg latency, 1654.0 ms max latency.
500000 records sent, 100000.0 records/sec (11.00 MB/sec), 2174.8 ms avg latency, 3740.0 ms max latency.
2000000 records sent, 139264.1 records/sec (13.28 MB/sec), 2958.05 ms avg latency, 6363.00 ms max latency, 3494 ms 50th, 5689 ms 95th, 6015 ms 99th, 6275 ms 99.9th.
`
	consumerOutput = `start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
2026-11-23 07:33:33:920, 2026-11-23 07:33:40:226, 57.2205, 9.0740, 600000, 95147.4786, 2557, 3749, 15.2629, 160042.6780
`
)

func TestParseProducer(t *testing.T) {
	p, err := parseProducer(producerOutput)
	if err != nil {
		t.Fatal(err)
	}
	if p.records != 2_000_000 || p.rate != 139264.1 || p.p50 != 3494 || p.p99 != 6015 || math.Abs(p.warm-150_000) > 1 {
		t.Errorf("%+v", p)
	}
	summary := lastLine(producerOutput)
	if p, err := parseProducer(summary); err != nil || p.warm != p.rate {
		t.Errorf("a run too short for intervals: %+v, %v", p, err)
	}
	for _, text := range []string{"", "killed", strings.TrimSuffix(producerOutput, summary+"\n")} {
		if p, err := parseProducer(text); err == nil {
			t.Errorf("%q says %+v", text, p)
		}
	}
}

func TestParseConsumer(t *testing.T) {
	if rate, err := parseConsumer("WARNING: something\n" + consumerOutput); err != nil || rate != 160042.678 {
		t.Errorf("%g, %v", rate, err)
	}
	header, _, _ := strings.Cut(consumerOutput, "\n")
	for _, text := range []string{"", "no such topic", header, header + "\n1, 2, 3"} {
		if rate, err := parseConsumer(text); err == nil {
			t.Errorf("%q says %g", text, rate)
		}
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	err := writeTable(&out, []outcome{
		{System: "Troupe", Settings: "always", Durable: true, Produce: 1_000_000, Consume: 2_000_000, Achieved: 20_000, P50: 1.234, P99: 15},
		{System: "Snail", Settings: "durable", Durable: true, Produce: 1000, Consume: 800_000},
		{System: "Ghost", Settings: "default", Problem: "java is not installed"},
	}, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range [][]string{
		{"AT 20000/s", "p99 ms"},
		{"Troupe", "yes", "1000000", "1.00", "1.23", "15.00"},
		{"Snail", "yes", "1000", "800000", "2.50", "-"},
		{"Ghost", "no", "-"},
		{"Ghost, default: java is not installed"},
	} {
		for _, part := range want {
			if !strings.Contains(lines[i], part) {
				t.Errorf("line %q lacks %q", lines[i], part)
			}
		}
	}
	if !strings.Contains(lines[2], " 1000 ") {
		t.Errorf("the ratio of 1000 is missing: %q", lines[2])
	}
}

// TestMissingSystemsAreTold measures on a machine that has nothing: the reasons are in the table, and nothing fails.
func TestMissingSystemsAreTold(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	results := t.TempDir()
	var out strings.Builder
	err := compare(t.Context(), []string{"--troupe", "absent/troupe", "--nats-server", "absent/nats-server", "--cache", t.TempDir(),
		"--out", results}, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"absent/troupe is not there", "absent/nats-server is not there", "java is not installed", "fsync median"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	if _, err := os.Stat(filepath.Join(results, "peers.json")); err != nil {
		t.Error(err)
	}
}

// TestNatsResult adds up lanes as `troupe bench` does: records over the time to the last acknowledgement.
func TestNatsResult(t *testing.T) {
	began := time.Now()
	lanes := []*natsLane{newNatsLane(), newNatsLane()}
	for i, lane := range lanes {
		for range 100 {
			if err := lane.latency.RecordValue(1000 * int64(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		lane.last = began.Add(time.Duration(i+1) * time.Second)
	}
	lanes[0].failed, lanes[0].first = 1, errors.New("refused")
	r := natsResult(lanes, bench.Schedule{Rate: 100}, began, 100)
	if r.Records != 200 || r.Achieved != 100 || r.Errors != 1 || r.FirstError != "refused" || r.Produce.P99 < 1.9 || r.Seconds != 2 {
		t.Errorf("%+v", r)
	}
}

// TestServerThatEnds is told at once, with the place of its log.
func TestServerThatEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := startServer(ctx, t.TempDir(), "127.0.0.1:1", "false")
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "server.log") {
		t.Errorf("%v", err)
	}
}
