package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"troupe/cmd/troupe/metrics"
)

// serving runs `troupe serve` in this process on free ports until the test ends, and returns what it logged when ready.
// stop ends it as SIGTERM does, and returns what it logged after that.
func serving(t *testing.T, arguments ...string) (ready readyEvent, stop func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	from, to := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		line := append([]string{"serve", "--data", t.TempDir(), "--gateway", "127.0.0.1:0", "--http", "127.0.0.1:0"}, arguments...)
		ended <- run(ctx, line, strings.NewReader(""), io.Discard, to)
		to.Close()
	}()
	lines := bufio.NewScanner(from)
	for ready.Msg != readyMessage && lines.Scan() {
		t.Log(lines.Text())
		if err := json.Unmarshal(lines.Bytes(), &ready); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
	}
	rest := make(chan []string, 1)
	go func() {
		var after []string
		for lines.Scan() {
			after = append(after, lines.Text())
		}
		rest <- after
	}()
	stopped := false
	stop = func() []string {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		after := <-rest
		if code := <-ended; code != exitFine {
			t.Errorf("serve: exit %d\n%s", code, strings.Join(after, "\n"))
		}
		return after
	}
	t.Cleanup(func() { stop() })
	return ready, stop
}

// get asks a broker over HTTP.
func get(t *testing.T, address, path string) (status int, body string) {
	t.Helper()
	answer, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestHealth asks a broker whether it is alive and may be sent traffic.
func TestHealth(t *testing.T) {
	broker, _ := serving(t)
	if status, body := get(t, broker.HTTP, "/healthz"); status != http.StatusOK || !strings.Contains(body, `"alive": true`) {
		t.Errorf("/healthz: %d %s", status, body)
	}
	var r readiness
	status, body := get(t, broker.HTTP, "/readyz")
	decode(t, body, &r)
	if status != http.StatusOK || !r.Ready || len(r.Reasons)+len(r.Problems) > 0 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, _ := get(t, broker.HTTP, "/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("profiles without --pprof: %d", status)
	}
	if status, _ := get(t, broker.HTTP, "/metric"); status != http.StatusNotFound {
		t.Errorf("a path that is none: %d", status)
	}
}

// TestMetrics finds what a client did among what a broker counts.
// TestClusterOverHTTP is told of the whole cluster as seen from a broker, and by the code whether all is well.
func TestClusterOverHTTP(t *testing.T) {
	broker, _ := serving(t)
	status, body := get(t, broker.HTTP, "/cluster")
	var h clusterHealth
	decode(t, body, &h)
	if status != http.StatusOK || !h.Healthy || len(h.Nodes) != 1 || !h.Nodes[0].Asked || *h.Nodes[0].AgeSeconds != 0 {
		t.Errorf("%d %s", status, body)
	}
	w := httptest.NewRecorder()
	new(lookout).cluster(w, nil)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("before there is anything to tell: %d", w.Code)
	}
}

func TestMetrics(t *testing.T) {
	broker, _ := serving(t)
	at := "--broker=" + broker.Gateway
	must(t, "", "topic", "create", "pets", at)
	must(t, "cat\ndog\n", "produce", "pets", at)
	must(t, "", "topic", "create", "pets", "--if-not-exists", at)
	status, body := get(t, broker.HTTP, "/metrics")
	for _, want := range []string{
		`troupe_partitions_high_watermark_offset{partition="0",topic="pets"} 2`,
		`troupe_partitions_appended_records_total `,
		`troupe_wal_sync_duration_seconds_count `,
		`troupe_gateway_requests_total{api="CreateTopic"} 2`,
		`troupe_gateway_errors_total{code="TOPIC_EXISTS"} 1`,
		`go_goroutines `,
	} {
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%d, without %s:\n%s", status, want, body)
		}
	}
}

// TestProfiles turns pprof on.
func TestProfiles(t *testing.T) {
	broker, _ := serving(t, "--pprof")
	if status, body := get(t, broker.HTTP, "/debug/pprof/goroutine?debug=1"); status != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %s", status, body)
	}
}

// TestNotReady asks a lookout whose broker has not opened its data yet, and one that stops.
func TestNotReady(t *testing.T) {
	l := &lookout{metrics: metrics.New("test", 1)}
	for _, reason := range []string{"the broker opens its data", "the broker is stopping"} {
		l.wait(reason)
		w := httptest.NewRecorder()
		l.routes(false).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		var r readiness
		decode(t, w.Body.String(), &r)
		if w.Code != http.StatusServiceUnavailable || r.Ready || len(r.Reasons) != 1 || r.Reasons[0] != reason {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// TestNotReadyWhenFull keeps more in reserve than any disk has.
func TestNotReadyWhenFull(t *testing.T) {
	broker, _ := serving(t, "--set", "data.reserve_bytes=1000TiB")
	status, body := http.StatusOK, ""
	for status == http.StatusOK && t.Context().Err() == nil { // until the disk was looked at for the first time
		status, body = get(t, broker.HTTP, "/readyz")
	}
	var r readiness
	decode(t, body, &r)
	if status != http.StatusServiceUnavailable || r.Ready || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], "topic trim") {
		t.Errorf("%d %s", status, body)
	}
	if got := troupe(t, "", "cluster", "status", "--broker", broker.Gateway); got.code != exitUnhealthy || !strings.Contains(got.out, "disk full") {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.problems)
	}
}

// TestServeOrderlyEnd stops a broker the way SIGTERM does, over its log.
func TestServeOrderlyEnd(t *testing.T) {
	broker, stop := serving(t, "--drain-time", "30s")
	must(t, "", "topic", "create", "pets", "--broker", broker.Gateway)
	after := strings.Join(stop(), "\n")
	for _, want := range []string{`"msg":"topic created","topic":"pets"`, `"msg":"draining`, `"at_most":"1m0s"`, `"msg":"stopped"`} {
		if !strings.Contains(after, want) {
			t.Errorf("%s is not in its last words:\n%s", want, after)
		}
	}
}
