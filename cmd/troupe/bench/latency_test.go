package bench

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
)

// TestSummarize sums up a thousand known latencies.
func TestSummarize(t *testing.T) {
	h := newHistogram()
	for i := 1; i <= 1000; i++ {
		record(h, time.Duration(i)*time.Millisecond)
	}
	got := Summarize(h)
	decoded, err := hdrhistogram.Decode([]byte(got.Histogram))
	if err != nil || decoded.TotalCount() != 1000 || decoded.ValueAtPercentile(50) != h.ValueAtPercentile(50) {
		t.Errorf("the encoded histogram is another: %v, %v", decoded, err)
	}
	got.Histogram = ""
	want := Latency{Count: 1000, Mean: 500.5, P50: 500, P90: 900, P95: 950, P99: 990, P999: 999, P9999: 1000, Max: 1000}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 0.001*max(math.Abs(a), math.Abs(b)) })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

// TestRecordEdges brings what is out of range to the edge instead of losing it.
func TestRecordEdges(t *testing.T) {
	h := newHistogram()
	record(h, -time.Second)
	record(h, 0)
	record(h, 24*time.Hour)
	if h.TotalCount() != 3 || h.Min() != shortest || h.Max() < longest*999/1000 {
		t.Errorf("%d latencies from %d to %d µs", h.TotalCount(), h.Min(), h.Max())
	}
}

func TestPayload(t *testing.T) {
	for _, size := range []int{0, 1, 100, 4096, ringBytes, ringBytes + 1, 4 << 20} {
		p := NewPayload(size, true, 3)
		seen := map[string]bool{}
		for i := range 100 {
			key, value := p.Next()
			if len(value) != size || cap(value) != size {
				t.Fatalf("value %d of %d bytes (capacity %d), want %d", i, len(value), cap(value), size)
			}
			if want := []string{"key-00000000", "key-00000001", "key-00000002"}[i%3]; string(key) != want {
				t.Fatalf("key %d is %q, want %q", i, key, want)
			}
			if size == 100 && seen[string(value)] {
				t.Fatalf("value %d of %d bytes came before", i, size)
			}
			seen[string(value)] = true
		}
	}
	key, value := NewPayload(10, false, 0).Next()
	if key != nil || !bytes.Equal(value, make([]byte, 10)) {
		t.Errorf("wanted zeros without a key, got %q and %q", key, value)
	}
}

// TestNothingIsAllocatedForARecord measures what the loop does beside the client library: a record is taken, filled, stamped,
// answered and taken again.
func TestNothingIsAllocatedForARecord(t *testing.T) {
	l := DefaultLoad()
	l.Keys, l.Rate = 1000, 1
	g := newGenerator(nil, "t", &l, time.Now())
	g.began = time.Now()
	round := func() { g.answered(g.fill(time.Millisecond), nil) }
	for range 4 * chunk { // until the first chunk comes back
		round()
	}
	// A chunk costs one allocation when it goes back; AllocsPerRun rounds down what is shared by its records.
	if n := testing.AllocsPerRun(10*chunk, round); n != 0 {
		t.Errorf("%g allocations for a record", n)
	}
	if n := testing.AllocsPerRun(1, func() {
		for range 10 * chunk {
			round()
		}
	}); n > 20 {
		t.Errorf("%g allocations for ten chunks of records", n)
	}
}
