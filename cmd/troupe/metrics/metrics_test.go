package metrics

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/actors"
	"troupe/gateway"
	"troupe/gateway/protocol"
	"troupe/membership"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
	"troupe/wal"
)

var update = flag.Bool("update", false, "rewrite METRICS.md's table")

// page is where every name stands.
const page = "METRICS.md"

// scrape returns every sample by its name and labels, and every family's comment lines.
func scrape(t *testing.T, m *Metrics) (samples map[string]string, comments []string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	samples = map[string]string{}
	lines := bufio.NewScanner(w.Body)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			comments = append(comments, line)
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		if strings.Contains(line, "} ") {
			i := strings.LastIndex(line, " ")
			name, value = line[:i], line[i+1:]
		}
		samples[name] = value
	}
	return samples, comments
}

// running starts a broker's actors on files, with a meter.
func running(t *testing.T, m *Metrics) *actors.Node {
	t.Helper()
	directory, err := wal.OpenDirectory(t.TempDir(), wal.Options{Random: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	node, err := actors.NewNode(actors.Options{
		Seams:   actors.Seams{Clock: actors.RealClock{}, Disk: directory, Pool: actors.NewPool(2), Stopwatch: actors.NewStopwatch()},
		Cluster: 1, Node: directory.Identity().Node, Bootstrap: true, Meter: m.Actors,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := node.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := directory.Close(); err != nil {
			t.Error(err)
		}
	})
	return node
}

func create(t *testing.T, node *actors.Node, name id.Topic, count int32) *catalog.Topic {
	t.Helper()
	created := make(chan *catalog.Topic, 1)
	node.Router().CreateTopic(catalog.CreateTopic{Name: name, Partitions: count}, func(topic *catalog.Topic, err error) {
		if err != nil {
			t.Error(err)
		}
		created <- topic
	})
	return <-created
}

// TestCounts runs a broker and finds what it did in the metrics.
func TestCounts(t *testing.T) {
	m := New("test", 3)
	if samples, _ := scrape(t, m); samples[`troupe_cmd_build_info{version="test"}`] != "1" || samples["troupe_actors_problems"] != "" {
		t.Errorf("before there is a broker: %v", samples)
	}
	node := running(t, m)
	m.Watch(node, membership.Single(membership.Member{Node: 1}))
	topic := create(t, node, "orders", 2)
	create(t, node, "more", 2)
	before, _ := scrape(t, m)
	builder := batch.NewBuilder(batch.None)
	for range 5 {
		builder.Append(1, nil, []byte("value"), nil)
	}
	bytes, err := builder.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	if err != nil {
		t.Fatal(err)
	}
	produced := make(chan error, 1)
	node.Router().Produce(id.Partition{Topic: topic.ID, Number: 1}, partitions.Produce{Batch: bytes, Acks: partitions.AcksQuorum},
		func(a partitions.ProduceAnswer) { produced <- a.Err })
	if err := <-produced; err != nil {
		t.Fatal(err)
	}
	after, _ := scrape(t, m)
	for name, want := range map[string]string{
		`troupe_partitions_replicas{role="leader"}`:                             "5",
		`troupe_partitions_replicas{role="quarantined"}`:                        "0",
		`troupe_partitions_high_watermark_offset{partition="1",topic="orders"}`: "5",
		`troupe_partitions_high_watermark_offset{partition="0",topic="orders"}`: "0",
		`troupe_partitions_high_watermark_offset{partition="0",topic="more"}`:   "0",
		`troupe_partitions_high_watermark_offset{partition="1",topic="more"}`:   "", // the fourth of three
		`troupe_cmd_omitted_partitions`:                                         "1",
		`troupe_actors_silent_partitions`:                                       "0",
		`troupe_actors_problems`:                                                "0",
		`troupe_partitions_log_start_offset{partition="1",topic="orders"}`:      "0",
	} {
		if after[name] != want {
			t.Errorf("%s is %q, want %q", name, after[name], want)
		}
	}
	for name, more := range map[string]int{
		"troupe_partitions_appended_batches_total": 1,
		"troupe_partitions_appended_records_total": 5,
		"troupe_partitions_appended_bytes_total":   len(bytes),
	} {
		var from, to int
		fmt.Sscan(before[name], &from)
		fmt.Sscan(after[name], &to)
		if to-from != more {
			t.Errorf("%s went from %s to %s, want %d more", name, before[name], after[name], more)
		}
	}
	if after["troupe_wal_sync_duration_seconds_count"] == "0" || after["troupe_wal_log_bytes"] == "0" {
		t.Error("no sync was measured, or no log has a byte")
	}
}

// TestGatewayMeter counts requests, known and unknown.
func TestGatewayMeter(t *testing.T) {
	m := New("test", 3)
	g := m.Gateway
	g.Connected()
	g.Connected()
	g.Disconnected()
	g.TurnedAway()
	g.Received(100)
	g.Received(7)
	g.Received(1)
	g.Answered(gateway.Answered{API: protocol.APIProduce, Took: 3 * time.Millisecond, Bytes: 50})
	g.Answered(gateway.Answered{API: 999, Errors: []protocol.Code{protocol.CodeUnknownAPI, protocol.CodeUnknownAPI}})
	samples, _ := scrape(t, m)
	for name, want := range map[string]string{
		"troupe_gateway_connections":                                               "1",
		"troupe_gateway_accepted_connections_total":                                "2",
		"troupe_gateway_refused_connections_total":                                 "1",
		"troupe_gateway_inflight_requests":                                         "1",
		"troupe_gateway_received_bytes_total":                                      "108",
		"troupe_gateway_sent_bytes_total":                                          "50",
		`troupe_gateway_requests_total{api="Produce"}`:                             "1",
		`troupe_gateway_requests_total{api="Fetch"}`:                               "0",
		`troupe_gateway_requests_total{api="other"}`:                               "1",
		`troupe_gateway_errors_total{code="UNKNOWN_API"}`:                          "2",
		`troupe_gateway_errors_total{code="DISK_FULL"}`:                            "0",
		`troupe_gateway_request_duration_seconds_bucket{api="Produce",le="0.002"}`: "0",
		`troupe_gateway_request_duration_seconds_bucket{api="Produce",le="0.005"}`: "1",
	} {
		if samples[name] != want {
			t.Errorf("%s is %q, want %q", name, samples[name], want)
		}
	}
}

// TestNames holds every name to the rule.
func TestNames(t *testing.T) {
	for _, row := range rows(t) {
		parts := strings.Split(row.name, "_")
		if len(parts) < 3 || parts[0] != "troupe" || !slices.Contains([]string{"partitions", "wal", "membership", "actors", "gateway", "cmd"}, parts[1]) {
			t.Errorf("%s is not troupe_<room>_<thing>_<unit>", row.name)
		}
		if last := parts[len(parts)-1]; (row.kind == "counter") != (last == "total") {
			t.Errorf("%s is a %s", row.name, row.kind)
		}
		for _, wrong := range []string{"_ms", "_millis", "_kib", "_mb"} {
			if strings.Contains(row.name, wrong) {
				t.Errorf("%s has a unit that is neither seconds nor bytes", row.name)
			}
		}
	}
}

// row is one metric as the page shows it.
type row struct{ name, kind, labels, help string }

func (r row) String() string {
	return fmt.Sprintf("| `%s` | %s | %s | %s |", r.name, r.kind, r.labels, r.help)
}

// rows reads the registry of a broker that has something to show of everything, libraries' families aside.
func rows(t *testing.T) []row {
	t.Helper()
	m := New("test", 3)
	node := running(t, m)
	m.Watch(node, membership.Single(membership.Member{Node: 1}))
	create(t, node, "orders", 1)
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "troupe_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		all = append(all, row{f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp()})
	}
	return all
}

// TestPage holds METRICS.md to the registry: -update rewrites its table.
func TestPage(t *testing.T) {
	var table []string
	for _, r := range rows(t) {
		table = append(table, r.String())
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var before, there, after []string
	for _, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "| `troupe_"):
			there = append(there, line)
		case len(there) == 0:
			before = append(before, line)
		default:
			after = append(after, line)
		}
	}
	diff := cmp.Diff(there, table)
	if diff == "" {
		return
	}
	if !*update {
		t.Fatalf("%s and the registry differ (-page +registry); go test -update mends the page, read it then\n%s", page, diff)
	}
	if err := os.WriteFile(page, []byte(strings.Join(slices.Concat(before, table, after), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}
