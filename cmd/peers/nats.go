package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"troupe/cmd/troupe/bench"
)

// jetStream is nats-server with JetStream: a stream on disk for each partition. The load generator is this process.
type jetStream struct {
	binary  string
	durable bool // sync_interval: always; otherwise the default, an fsync every two minutes
}

func (j *jetStream) name() string {
	if j.durable {
		return "nats-durable"
	}
	return "nats-default"
}

// What is in flight at most: enough that more changes nothing.
const (
	natsPending = 16 << 10 // publishes without an acknowledgement
	natsPull    = 10_000   // records a consumer asks for ahead
)

func (j *jetStream) measure(ctx context.Context, p plan) (got outcome, err error) {
	got = outcome{System: "NATS JetStream", Settings: "default (fsync every 2 min)", Durable: j.durable}
	sync := ""
	if j.durable {
		got.Settings, sync = "sync_interval: always", "sync_interval: always"
	}
	if _, err := os.Stat(j.binary); err != nil {
		return got, missingf("%s is not there; `make bench-peers` installs it if the network allows", j.binary)
	}
	address, err := freeAddress()
	if err != nil {
		return got, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return got, err
	}
	config := filepath.Join(p.directory, "nats.conf")
	text := fmt.Sprintf("host: 127.0.0.1\nport: %s\njetstream {\n  store_dir: %q\n  max_file_store: 32GB\n  %s\n}\n", port, p.directory, sync)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return got, err
	}
	s, err := startServer(ctx, p.directory, address, j.binary, "-c", config)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	conn, err := nats.Connect("nats://" + address)
	if err != nil {
		return got, err
	}
	defer conn.Close()
	l := &natsLoad{plan: p}
	if l.js, err = jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(natsPending)); err != nil {
		return got, err
	}
	return got, l.measure(ctx, &got)
}

// natsLoad is the load generator for one server.
type natsLoad struct {
	plan    plan
	js      jetstream.JetStream
	streams []string
}

func (l *natsLoad) measure(ctx context.Context, got *outcome) error {
	for i := range l.plan.partitions {
		name := "load" + strconv.Itoa(i)
		l.streams = append(l.streams, name)
		_, err := l.js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name}, Storage: jetstream.FileStorage})
		if err != nil {
			return err
		}
	}
	// The warm-up is a tenth of the run, as `troupe bench` has one of its own.
	if _, err := l.produce(ctx, bench.Schedule{Duration: l.plan.duration / 10}); err != nil {
		return err
	}
	most, err := l.produce(ctx, bench.Schedule{Duration: l.plan.duration})
	if err != nil {
		return err
	}
	got.Produce = most.Achieved
	read, err := l.consume(ctx)
	if err != nil {
		return err
	}
	got.Consume = read.Achieved
	timed, err := l.produce(ctx, bench.Schedule{Rate: l.plan.rate, Duration: l.plan.duration})
	if err != nil {
		return err
	}
	got.Achieved, got.P50, got.P99 = timed.Achieved, timed.Produce.P50, timed.Produce.P99
	return l.keep(most, read, timed)
}

// keep writes the raw results.
func (l *natsLoad) keep(results ...*bench.Result) error {
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.plan.directory, "results.json"), text, 0o644)
}

// published is a record that waits for its acknowledgement.
type published struct {
	future jetstream.PubAckFuture
	due    time.Time
}

// natsLane collects the acknowledgements of one stream, which come in order.
type natsLane struct {
	waiting chan published
	latency *hdrhistogram.Histogram
	failed  int64
	first   error
	last    time.Time
}

func newNatsLane() *natsLane {
	return &natsLane{waiting: make(chan published, natsPending), latency: natsHistogram()}
}

// natsHistogram keeps microseconds up to ten minutes with three digits, as `troupe bench` does.
func natsHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)
}

func (l *natsLane) collect() {
	for p := range l.waiting {
		select {
		case <-p.future.Ok():
			l.last = time.Now()
			_ = l.latency.RecordValue(min(max(1, int64(l.last.Sub(p.due)/time.Microsecond)), l.latency.HighestTrackableValue()))
		case err := <-p.future.Err():
			l.failed++
			if l.first == nil {
				l.first = err
			}
		}
	}
}

// produce publishes by a schedule, from this goroutine, to the streams in turn. More in flight than natsPending makes the
// publisher wait, which counts: the time due is the schedule's. A server that cannot keep up would take for ever: after twice
// the time that the schedule has, nothing more is sent.
func (l *natsLoad) produce(ctx context.Context, s bench.Schedule) (*bench.Result, error) {
	payload := bench.NewPayload(l.plan.bytes, true, 0)
	lanes := make([]*natsLane, len(l.streams))
	var collectors sync.WaitGroup
	for i := range lanes {
		lanes[i] = newNatsLane()
		collectors.Go(lanes[i].collect)
	}
	began := time.Now()
	sent := int64(0)
	var failed error
	for failed == nil && ctx.Err() == nil {
		elapsed := time.Since(began)
		if s.Ended(sent, elapsed) || elapsed > 2*s.Duration {
			break
		}
		due := s.Due(elapsed)
		if due <= sent {
			time.Sleep(s.At(sent) - elapsed)
			continue
		}
		due = min(due, sent+64) // then the clock is looked at again
		for ; sent < due && failed == nil; sent++ {
			at := s.At(sent)
			if s.Rate <= 0 {
				at = elapsed
			}
			lane := int(sent) % len(lanes)
			_, value := payload.Next()
			var future jetstream.PubAckFuture
			future, failed = l.js.PublishMsgAsync(&nats.Msg{Subject: l.streams[lane], Data: value}, jetstream.WithStallWait(time.Minute))
			if failed == nil {
				lanes[lane].waiting <- published{future, began.Add(at)}
			}
		}
	}
	for _, lane := range lanes {
		close(lane.waiting)
	}
	collectors.Wait()
	return natsResult(lanes, s, began, l.plan.bytes), errors.Join(failed, ctx.Err())
}

// natsResult adds up.
func natsResult(lanes []*natsLane, s bench.Schedule, began time.Time, bytes int) *bench.Result {
	all, last := natsHistogram(), began
	r := &bench.Result{Kind: "produce", Note: "NATS JetStream", Partitions: int32(len(lanes)), Offered: s.Rate}
	for _, lane := range lanes {
		all.Merge(lane.latency)
		r.Errors += lane.failed
		if lane.first != nil {
			r.FirstError = lane.first.Error()
		}
		if lane.last.After(last) {
			last = lane.last
		}
	}
	latency := bench.Summarize(all)
	r.Produce, r.Records, r.Seconds = &latency, all.TotalCount(), last.Sub(began).Seconds()
	r.Bytes = r.Records * int64(bytes)
	r.Achieved = float64(r.Records) / max(r.Seconds, 1e-9)
	r.Megabytes = r.Achieved * float64(bytes) / 1e6
	return r
}

// consume reads everything there is, every stream by an ordered consumer.
func (l *natsLoad) consume(ctx context.Context) (*bench.Result, error) {
	var left atomic.Int64
	for _, name := range l.streams {
		stream, err := l.js.Stream(ctx, name)
		if err != nil {
			return nil, err
		}
		left.Add(int64(stream.CachedInfo().State.Msgs))
	}
	total := left.Load()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	began, done := time.Now(), make(chan struct{})
	for _, name := range l.streams {
		consumer, err := l.js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{})
		if err != nil {
			return nil, err
		}
		reading, err := consumer.Consume(func(jetstream.Msg) {
			if left.Add(-1) == 0 {
				close(done)
			}
		}, jetstream.PullMaxMessages(natsPull))
		if err != nil {
			return nil, err
		}
		defer reading.Stop()
	}
	select {
	case <-done:
	case <-ctx.Done():
		return nil, fmt.Errorf("%d of %d records were not read: %w", left.Load(), total, ctx.Err())
	}
	r := &bench.Result{Kind: "consume", Note: "NATS JetStream", Partitions: int32(len(l.streams)), Records: total,
		Bytes: total * int64(l.plan.bytes), Seconds: time.Since(began).Seconds()}
	r.Achieved = float64(total) / r.Seconds
	r.Megabytes = r.Achieved * float64(l.plan.bytes) / 1e6
	return r, nil
}
