package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// story runs a test on a clock of its own: waiting costs nothing and is exact.
func story(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func value(i int) string { return fmt.Sprintf("%05d", i) }

func wanted(n int) []string {
	values := make([]string, n)
	for i := range values {
		values[i] = value(i)
	}
	return values
}

// produceEach produces n records to partition 0, each in a batch of its own, and returns what became of them in the order
// of the callbacks.
func produceEach(t *testing.T, c *Client, n int) []error {
	t.Helper()
	var fates []error
	for i := range n {
		r := (&Record{Topic: "t", Value: []byte(value(i))}).ToPartition(0)
		err := c.Produce(t.Context(), r, func(got *Record, err error) {
			if string(got.Value) != value(len(fates)) {
				t.Errorf("callback %d is for record %s", len(fates), got.Value)
			}
			fates = append(fates, err)
		})
		if err != nil {
			t.Fatal(err)
		}
		c.hurry()
		c.topics.lanes(func(l *lane) { l.hurry() })
		synctest.Wait()
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return fates
}

func allDelivered(t *testing.T, fates []error, n int) {
	t.Helper()
	if len(fates) != n {
		t.Fatalf("%d callbacks for %d records", len(fates), n)
	}
	for i, err := range fates {
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}

func TestProduceBatchesByLinger(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		c := b.client(t, WithLinger(7*time.Millisecond))
		var first, last *Record
		start := time.Now()
		for i := range 100 {
			r := &Record{Topic: "t", Value: []byte(value(i))}
			if i == 0 {
				first = r
			}
			last = r
			if err := c.Produce(t.Context(), r, nil); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan time.Duration, 1)
		if err := c.Produce(t.Context(), &Record{Topic: "t", Value: []byte(value(100))}, func(_ *Record, err error) {
			if err != nil {
				t.Error(err)
			}
			done <- time.Since(start)
		}); err != nil {
			t.Fatal(err)
		}
		if took := <-done; took != 7*time.Millisecond {
			t.Errorf("delivered after %v, linger is 7ms", took)
		}
		if b.produces != 1 || first.Offset != 0 || last.Offset != 99 {
			t.Errorf("%d produces, offsets %d and %d", b.produces, first.Offset, last.Offset)
		}
		if d := cmp.Diff(wanted(101), b.values(t, "t", 0)); d != "" {
			t.Error(d)
		}
	})
}

func TestProduceWithoutLingerGoesAtOnce(t *testing.T) {
	story(t, func(t *testing.T) {
		c := newFakeBroker("t", 1).client(t, WithLinger(0))
		start := time.Now()
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		if err := c.Produce(t.Context(), &Record{Topic: "t"}, func(*Record, error) { close(done) }); err != nil {
			t.Fatal(err)
		}
		<-done
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestProduceBatchesBySize(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		c := b.client(t, WithLinger(time.Hour/2), WithDeliveryTimeout(time.Hour), WithBatchBytes(10_000))
		for range 100 {
			if err := c.Produce(t.Context(), &Record{Topic: "t", Value: make([]byte, 1000)}, nil); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := len(b.values(t, "t", 0)); n != 99 { // 11 batches of 9, and one record lingers
			t.Errorf("%d records went without lingering", n)
		}
	})
}

func TestProduceRoutes(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 7)
		c := b.client(t)
		for i := range 100 {
			r := &Record{Topic: "t", Key: fmt.Append(nil, i), Value: []byte("keyed")}
			if err := c.ProduceSync(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if want := batch.PartitionFor(r.Key, 7); r.Partition != want {
				t.Fatalf("key %s went to %d, want %d", r.Key, r.Partition, want)
			}
		}
		seen := map[int32]int{}
		for range 21 {
			r := &Record{Topic: "t"}
			if err := c.ProduceSync(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			seen[r.Partition]++
		}
		if d := cmp.Diff(map[int32]int{0: 3, 1: 3, 2: 3, 3: 3, 4: 3, 5: 3, 6: 3}, seen); d != "" {
			t.Errorf("records without a key, one a batch: %s", d)
		}
		err := c.ProduceSync(t.Context(), (&Record{Topic: "t"}).ToPartition(7))
		if !errors.Is(err, protocol.CodeUnknownTopic) {
			t.Errorf("partition 7 of 7: %v", err)
		}
		if err := c.ProduceSync(t.Context(), &Record{Topic: "none"}); !errors.Is(err, protocol.CodeUnknownTopic) {
			t.Errorf("unknown topic: %v", err)
		}
	})
}

func TestProduceEveryCodec(t *testing.T) {
	for _, codec := range []batch.Codec{batch.None, batch.Gzip, batch.Snappy, batch.LZ4, batch.Zstd} {
		story(t, func(t *testing.T) {
			b := newFakeBroker("t", 1)
			c := b.client(t, WithCompression(codec))
			allDelivered(t, produceEach(t, c, 20), 20)
			if d := cmp.Diff(wanted(20), b.values(t, "t", 0)); d != "" {
				t.Error(codec, d)
			}
			h, _ := batch.ParseHeader(b.topics["t"].partitions[0].batches[0])
			if h.Codec() != codec {
				t.Errorf("compressed with %v, want %v", h.Codec(), codec)
			}
		})
	}
}

// Whatever happens between send and answer, every record is there once, in order.
func TestFaultsNeitherDuplicateNorReorder(t *testing.T) {
	single := map[string]fault{
		"cut before append": {cutBefore: true},
		"cut after append":  {cutAfter: true},
		"not ready":         {code: protocol.CodeNotReady},
		"throttled":         {code: protocol.CodeThrottled},
		"outcome unknown":   {code: protocol.CodeOutcomeUnknown},
	}
	for name, f := range single {
		for at := 1; at <= 8; at++ {
			t.Run(fmt.Sprintf("%s at %d", name, at), func(t *testing.T) {
				story(t, func(t *testing.T) {
					b := newFakeBroker("t", 1)
					b.fault = func(n int, _ *protocol.ProduceRequest) fault {
						if n == at {
							return f
						}
						return fault{}
					}
					allDelivered(t, produceEach(t, b.client(t), 12), 12)
					if d := cmp.Diff(wanted(12), b.values(t, "t", 0)); d != "" {
						t.Error(d)
					}
				})
			})
		}
	}
}

// Whoever asked is told of each failed attempt, and of nothing else.
func TestTroubleIsTold(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.fault = func(n int, _ *protocol.ProduceRequest) fault {
			if n <= 2 {
				return fault{code: protocol.CodeDiskFull}
			}
			return fault{}
		}
		var mu sync.Mutex
		var told []string
		c := b.client(t, WithTrouble(func(topic string, partition int32, err error) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf("%s/%d %v", topic, partition, errors.Is(err, protocol.CodeDiskFull)))
		}))
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if d := cmp.Diff([]string{"t/0 true", "t/0 true"}, told); d != "" {
			t.Error(d)
		}
	})
}

// Five in flight, answers held back, faults drawn from a seed: order and count must hold for each.
func TestFaultsUnderLoad(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			story(t, func(t *testing.T) {
				random, faults := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
				b := newFakeBroker("t", 3)
				b.fault = func(int, *protocol.ProduceRequest) fault {
					held := make(chan struct{})
					time.AfterFunc(time.Duration(faults.IntN(20))*time.Millisecond, func() { close(held) })
					switch faults.IntN(12) {
					case 0:
						return fault{cutBefore: true}
					case 1:
						return fault{cutAfter: true}
					case 2:
						return fault{code: protocol.CodeNotReady}
					case 3:
						return fault{code: protocol.CodeOutcomeUnknown}
					}
					return fault{held: held}
				}
				c := b.client(t, WithLinger(time.Millisecond), WithDeliveryTimeout(time.Hour))
				for i := range 600 {
					r := (&Record{Topic: "t", Value: []byte(value(i / 3))}).ToPartition(int32(i % 3))
					if err := c.Produce(t.Context(), r, func(_ *Record, err error) {
						if err != nil {
							t.Error(err)
						}
					}); err != nil {
						t.Fatal(err)
					}
					if random.IntN(4) == 0 {
						<-time.After(time.Millisecond)
					}
				}
				if err := c.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				for p := range 3 {
					if d := cmp.Diff(wanted(200), b.values(t, "t", p)); d != "" {
						t.Errorf("partition %d: %s", p, d)
					}
				}
			})
		})
	}
}

func TestFiveInFlightAndNoMore(t *testing.T) {
	for acks, want := range map[protocol.Acks]int{protocol.AcksQuorum: 5, protocol.AcksLeader: 1} {
		story(t, func(t *testing.T) {
			b := newFakeBroker("t", 1)
			gate := make(chan struct{})
			b.fault = func(int, *protocol.ProduceRequest) fault { return fault{held: gate} }
			c := b.client(t, WithAcks(acks), WithBatchBytes(1))
			for i := range 12 {
				if err := c.Produce(t.Context(), &Record{Topic: "t", Value: []byte(value(i))}, nil); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if b.produces != want {
				t.Errorf("acks %d: %d in flight, want %d", acks, b.produces, want)
			}
			close(gate)
			if err := c.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(wanted(12), b.values(t, "t", 0)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBufferFull(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		gate := make(chan struct{})
		b.fault = func(int, *protocol.ProduceRequest) fault { return fault{held: gate} }
		c := b.client(t, WithBufferBytes(10_000), WithBatchBytes(10_000))
		record := func() *Record { return &Record{Topic: "t", Value: make([]byte, 3000)} }
		for range 3 {
			if err := c.Produce(t.Context(), record(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.TryProduce(t.Context(), record(), nil); !errors.Is(err, ErrBufferFull) || !Retriable(err) {
			t.Errorf("TryProduce with a full buffer: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Produce(ctx, record(), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Produce with a full buffer: %v", err)
		}
		time.AfterFunc(3*time.Second, func() { close(gate) })
		start := time.Now()
		if err := c.Produce(t.Context(), record(), nil); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("Produce when room comes after 3s: %v after %v", err, time.Since(start))
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if used := c.budget.used.Load(); used != 0 {
			t.Errorf("%d bytes are still charged", used)
		}
		if err := c.Produce(t.Context(), &Record{Topic: "t", Value: make([]byte, 10_001)}, nil); !errors.Is(err, protocol.CodeBatchTooLarge) {
			t.Errorf("a record larger than the buffer: %v", err)
		}
	})
}

// Who waits for room does not wait for somebody else's linger.
func TestFullBufferEndsLinger(t *testing.T) {
	story(t, func(t *testing.T) {
		c := newFakeBroker("t", 3).client(t, WithLinger(time.Minute), WithBufferBytes(10_000), WithBatchBytes(10_000))
		start := time.Now()
		for i := range 12 {
			r := (&Record{Topic: "t", Value: make([]byte, 2000)}).ToPartition(int32(i % 3))
			if err := c.Produce(t.Context(), r, nil); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took >= time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// A topic that grew keeps the lanes it has, with their sequences.
func TestTopicGrows(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		c := b.client(t)
		allDelivered(t, produceEach(t, c, 3), 3)
		b.mu.Lock()
		grown := b.topics["t"]
		for range 2 {
			grown.partitions = append(grown.partitions, fakePartition{term: 1, producers: map[id.Producer][]appended{}})
		}
		b.mu.Unlock()
		if listed, err := c.ListOffsets(t.Context(), "t", FromEnd()); err != nil || len(listed) != 3 {
			t.Fatalf("%v, %v", listed, err)
		}
		for p, want := range []id.Offset{3, 0, 0} {
			r := (&Record{Topic: "t"}).ToPartition(int32(p))
			if err := c.ProduceSync(t.Context(), r); err != nil || r.Offset != want {
				t.Errorf("partition %d: offset %d, want %d; %v", p, r.Offset, want, err)
			}
		}
	})
}
