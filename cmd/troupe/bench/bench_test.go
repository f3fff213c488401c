package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/gateway/troupetest"
)

// smallLoad is a load that takes a moment, on a broker inside the test.
func smallLoad(b *troupetest.Broker) Load {
	l := DefaultLoad()
	l.Broker, l.Records, l.Warmup, l.Partitions = b.Addr(), 5000, 10*time.Millisecond, 3
	return l
}

// TestProduce counts every record of the measured run, and none of the warm-up, with several clients and keys.
func TestProduce(t *testing.T) {
	b := troupetest.Start(t)
	for _, c := range []struct {
		name   string
		change func(*Load)
	}{
		{"as fast as possible", func(*Load) {}},
		{"at a rate", func(l *Load) { l.Rate = 50_000 }},
		{"three clients", func(l *Load) { l.Clients, l.Records = 3, 5001 }},
		{"keys", func(l *Load) { l.Keys = 10 }},
		{"one at a time", func(l *Load) { l.Acks, l.Linger = "leader", 0 }},
		{"compressed", func(l *Load) { l.Compression, l.Random = "zstd", false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := smallLoad(b)
			c.change(&l)
			r, err := Produce(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			each := int64(100)
			if l.Keys > 0 {
				each = 112
			}
			if r.Records != l.Records || r.Errors != 0 || r.Produce.Count != l.Records || r.Bytes != each*l.Records {
				t.Errorf("%d records, %d bytes, %d latencies, %d errors (%s)", r.Records, r.Bytes, r.Produce.Count, r.Errors, r.FirstError)
			}
			if r.Achieved <= 0 || r.Produce.P50 <= 0 || r.Produce.Max < r.Produce.P50 {
				t.Errorf("makes no sense: %+v", r)
			}
		})
	}
	topics, err := b.Client(t).ListTopics(t.Context())
	if err != nil || len(topics) != 0 {
		t.Errorf("left behind %v, %v", topics, err)
	}
}

// TestLatencyCountsFromTheTimeDue begins a run ten seconds ago: what was due then is that late, however fast the broker is.
// A loop that measures from the time of sending would not show it.
func TestLatencyCountsFromTheTimeDue(t *testing.T) {
	l := smallLoad(troupetest.Start(t))
	l.Topic = "late"
	s, err := set(t.Context(), &l)
	if err != nil {
		t.Fatal(err)
	}
	defer s.strike(t.Context())
	g := s.generators(time.Time{})[0]
	schedule := Schedule{Rate: 100, Records: 500} // the last was due five seconds ago
	sent, err := g.run(t.Context(), schedule, time.Now().Add(-10*time.Second))
	if err != nil || sent != 500 {
		t.Fatalf("sent %d, %v", sent, err)
	}
	least, records := int64(longest), int64(0)
	for _, lane := range g.lanes {
		records += lane.latency.TotalCount()
		if lane.latency.TotalCount() > 0 {
			least = min(least, lane.latency.Min())
		}
	}
	if records != 500 || least < 4_900_000 {
		t.Errorf("%d records, the fastest after %d µs; it was due 5 s before the run began", records, least)
	}
}

// TestConsume reads a topic that is filled for it, and one that is there.
func TestConsume(t *testing.T) {
	b := troupetest.Start(t)
	l := smallLoad(b)
	l.Topic, l.Keep, l.Clients, l.Passes = "kept", true, 2, 2
	for range 2 {
		var results []*Result
		if err := Consume(t.Context(), l, func(r *Result) { results = append(results, r) }); err != nil {
			t.Fatal(err)
		}
		if len(results) != 2 {
			t.Fatalf("%d passes, want 2", len(results))
		}
		for _, r := range results {
			if r.Records != 5000 || r.Bytes != 500_000 || r.Achieved <= 0 {
				t.Errorf("%+v", r)
			}
		}
	}
}

// TestEndToEnd sees every record of the measured run arrive, and none of the warm-up's.
func TestEndToEnd(t *testing.T) {
	l := smallLoad(troupetest.Start(t))
	l.Rate, l.RecordBytes = 20_000, 1 // smaller than a stamp
	r, err := EndToEnd(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if r.Records != 5000 || r.EndToEnd.Count != 5000 || r.Bytes != 8*5000 || r.EndToEnd.P50 <= 0 {
		t.Errorf("%d acknowledged, %d arrived, %d bytes, median %g ms", r.Records, r.EndToEnd.Count, r.Bytes, r.EndToEnd.P50)
	}
}

// TestFindRate runs a whole search whose bound nothing passes, then one that everything does.
func TestFindRate(t *testing.T) {
	l := smallLoad(troupetest.Start(t))
	l.Records = 500
	tried := 0
	best, err := FindRate(t.Context(), l, 0, func(*Result) { tried++ })
	if err != nil || best != nil || tried != searchTries+1 {
		t.Errorf("found %+v after %d runs, %v", best, tried, err)
	}
	if r := (&Result{Offered: 100, Achieved: 97, Produce: &Latency{P99: 1}}); r.keepsUp(time.Second) {
		t.Error("a broker that falls behind keeps up")
	}
	if r := (&Result{Offered: 100, Achieved: 100, Errors: 1, Produce: &Latency{P99: 1}}); r.keepsUp(time.Second) {
		t.Error("a broker that fails keeps up")
	}
	if r := (&Result{Offered: 100, Achieved: 99, Produce: &Latency{P99: 15}}); !r.keepsUp(15 * time.Millisecond) {
		t.Error("a broker at the bound does not pass")
	}
}

// TestWrongEnds names what is wrong, ends with the context, and leaves nothing behind.
func TestWrongEnds(t *testing.T) {
	b := troupetest.Start(t)
	for _, change := range []func(*Load){
		func(l *Load) { l.Partitions = 0 }, func(l *Load) { l.Rate = -1 }, func(l *Load) { l.Records, l.Duration = 0, 0 },
		func(l *Load) { l.Compression = "rar" }, func(l *Load) { l.Acks = "two" }, func(l *Load) { l.Clients = 0 },
		func(l *Load) { l.RecordBytes = -1 }, func(l *Load) { l.Passes = 0 },
	} {
		l := smallLoad(b)
		change(&l)
		if err := l.Check(); !errors.Is(err, ErrLoad) {
			t.Errorf("%+v: %v, want ErrLoad", l, err)
		}
	}
	l := smallLoad(b)
	l.Topic = "a/b"
	if _, err := Produce(t.Context(), l); !errors.Is(err, protocol.CodeInvalidTopicName) {
		t.Errorf("a name that cannot be: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	l = smallLoad(b)
	l.Records, l.Duration, l.Warmup = 0, time.Hour, 0
	if _, err := Produce(ctx, l); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("interrupted: %v", err)
	}
	if topics, err := b.Client(t).ListTopics(t.Context()); err != nil || len(topics) != 0 {
		t.Errorf("left behind %v, %v", topics, err)
	}
}

// TestFailedRecordsAreCounted deletes the topic under the load.
func TestFailedRecordsAreCounted(t *testing.T) {
	b := troupetest.Start(t)
	l := smallLoad(b)
	l.Topic, l.Linger = "doomed", time.Minute // nothing is sent before the flush
	s, err := set(t.Context(), &l)
	if err != nil {
		t.Fatal(err)
	}
	defer s.strike(t.Context())
	g := s.generators(time.Time{})[0]
	for range 10 {
		if err := g.send(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Client(t, client.WithClientName("vandal")).DeleteTopic(t.Context(), "doomed"); err != nil {
		t.Fatal(err)
	}
	if err := s.clients[0].Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o := tally([]*generator{g}, time.Time{}); o.failed != 10 || o.first == nil {
		t.Errorf("%d failed (%v), want 10", o.failed, o.first)
	}
}
