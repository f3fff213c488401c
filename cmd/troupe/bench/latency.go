package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of latencies kept: from a microsecond to ten minutes, with three digits.
const (
	shortest = 1
	longest  = int64(10 * time.Minute / time.Microsecond)
	digits   = 3
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(shortest, longest, digits) }

// record notes one latency. What is out of range is brought to its edge.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(int64(d/time.Microsecond), shortest), longest)) // in range, so there is no error
}

// Latency sums up a histogram; all but Count and Histogram in milliseconds.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean_ms"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p99_9_ms"`
	P9999 float64 `json:"p99_99_ms"`
	Max   float64 `json:"max_ms"`
	// Histogram is the whole of it, in microseconds: HdrHistogram's V2 encoding, compressed, base64. Any HdrHistogram
	// library reads it.
	Histogram string `json:"hdr_histogram_us"`
}

// Summarize sums up a histogram of microseconds.
func Summarize(h *hdrhistogram.Histogram) Latency {
	l := Latency{Count: h.TotalCount(), Mean: h.Mean() / 1000, Max: float64(h.Max()) / 1000}
	for _, q := range []struct {
		at   float64
		into *float64
	}{{50, &l.P50}, {90, &l.P90}, {95, &l.P95}, {99, &l.P99}, {99.9, &l.P999}, {99.99, &l.P9999}} {
		*q.into = float64(h.ValueAtPercentile(q.at)) / 1000
	}
	if encoded, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase); err == nil {
		l.Histogram = string(encoded)
	}
	return l
}
