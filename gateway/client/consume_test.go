package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// fill appends n records to a partition, per to each batch, stamped a second apart from 1000 s on; each tells its offset.
func (b *fakeBroker) fill(t *testing.T, partition, n, per int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	first := int(b.topics["t"].partitions[partition].next)
	for i := first; i < first+n; {
		w := batch.NewBuilder(batch.None)
		for range per {
			w.Append(id.Timestamp((1000+i)*1000), nil, []byte(value(i)), nil)
			i++
		}
		out, err := w.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
		if err != nil {
			t.Fatal(err)
		}
		p := b.produce(&protocol.ProduceRequest{Topic: "t", Partitions: []protocol.ProducePartition{{Partition: int32(partition), Batch: out}}})
		if p.Err != nil {
			t.Fatal(p.Err)
		}
	}
}

// read polls until n records have come, checks that their offsets are dense per partition, and returns the first offsets.
func read(t *testing.T, c *Client, n int) map[int32]id.Offset {
	t.Helper()
	first, next := map[int32]id.Offset{}, map[int32]id.Offset{}
	for got := 0; got < n; {
		fetches := c.Poll(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for r := range fetches.Records() {
			if _, seen := first[r.Partition]; !seen {
				first[r.Partition], next[r.Partition] = r.Offset, r.Offset
			}
			if r.Offset != next[r.Partition] || string(r.Value) != value(int(r.Offset)) || r.Topic != "t" {
				t.Fatalf("partition %d: offset %d with value %s, expected offset %d", r.Partition, r.Offset, r.Value, next[r.Partition])
			}
			next[r.Partition]++
			got++
		}
	}
	return first
}

func TestConsumeFromEveryPosition(t *testing.T) {
	cases := map[string]struct {
		from  Position
		first id.Offset
	}{
		"start":           {FromStart(), 0},
		"offset":          {FromOffset(37), 37},
		"time of a batch": {FromTime(time.Unix(1055, 0)), 50}, // the batch that holds it
		"time before all": {FromTime(time.Unix(0, 0)), 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T) {
				b := newFakeBroker("t", 3)
				for p := range 3 {
					b.fill(t, p, 100, 10)
				}
				k := b.client(t)
				if err := k.Consume(t.Context(), "t", c.from); err != nil {
					t.Fatal(err)
				}
				first := read(t, k, 3*int(100-c.first))
				if d := cmp.Diff(map[int32]id.Offset{0: c.first, 1: c.first, 2: c.first}, first); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// At the end a fetch waits in the broker, and an append ends the wait: nothing is polled in a hurry.
func TestConsumeFromEndWaits(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 2)
		b.fill(t, 0, 100, 10)
		c := b.client(t, WithFetchWait(10*time.Second))
		if err := c.Consume(t.Context(), "t", FromEnd()); err != nil {
			t.Fatal(err)
		}
		start, acknowledged := time.Now(), make(chan struct{})
		time.AfterFunc(35*time.Second, func() {
			defer close(acknowledged)
			if err := c.ProduceSync(context.Background(), (&Record{Topic: "t", Value: []byte(value(100))}).ToPartition(0)); err != nil {
				t.Error(err)
			}
		})
		if d := cmp.Diff(map[int32]id.Offset{0: 100}, read(t, c, 1)); d != "" {
			t.Error(d)
		}
		if took := time.Since(start); took != 35*time.Second {
			t.Errorf("the record came after %v", took)
		}
		<-acknowledged
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.fetches > 5*2 { // each of the two partitions goes a way of its own
			t.Errorf("%d fetches in 35 s of waiting 10 s each, two at a time", b.fetches)
		}
	})
}

func TestFetchingAheadIsBounded(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.fill(t, 0, 10_000, 10)
		c := b.client(t, WithFetchBytes(2000))
		if err := c.Consume(t.Context(), "t", FromStart()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		ahead := c.Poll(t.Context()).Len()
		if ahead == 0 || ahead > 400 { // a record takes 12 bytes here, a batch's header 61
			t.Errorf("%d records were fetched ahead", ahead)
		}
		for got := ahead; got < 10_000; {
			got += c.Poll(t.Context()).Len()
		}
	})
}

func TestOffsetOutOfRange(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.fill(t, 0, 100, 10)
		c := b.client(t)
		if err := c.Consume(t.Context(), "t", FromOffset(500)); err != nil {
			t.Fatal(err)
		}
		err := c.Poll(t.Context()).Err()
		var told *Error
		if !errors.Is(err, protocol.CodeOffsetOutOfRange) || !errors.As(err, &told) || told.Retriable() {
			t.Fatal(err)
		}
		if d := cmp.Diff(protocol.Details{Asked: 500, LogStart: 0, LogEnd: 100}, told.Cause.Details); d != "" {
			t.Error(d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Poll(ctx).Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("told once, then: %v", err)
		}
		if err := c.Consume(t.Context(), "t", FromOffset(90)); err != nil {
			t.Fatal(err)
		}
		read(t, c, 10)
	})
}

// Nor is a deposed leader believed that has less than was read already: its successor has the rest.
func TestOutOfRangeOfALowerTermIsDiscarded(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		p := &b.topics["t"].partitions[0]
		p.term = 7
		b.fill(t, 0, 10, 10)
		c := b.client(t)
		if err := c.Consume(t.Context(), "t", FromStart()); err != nil {
			t.Fatal(err)
		}
		read(t, c, 10)
		b.mu.Lock()
		p.term, p.next = 6, 5
		close(b.changed)
		b.changed = make(chan struct{})
		b.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Poll(ctx).Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("told by the leader of term 6 after term 7: %v", err)
		}
		b.mu.Lock()
		p.term, p.next = 8, 10
		b.mu.Unlock()
		b.fill(t, 0, 3, 3)
		read(t, c, 3)
	})
}

// A deposed leader's answer may lack what a newer one has shown: it is dropped.
func TestLowerTermIsDiscarded(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.topics["t"].partitions[0].term = 7
		b.fill(t, 0, 10, 10)
		c := b.client(t)
		if err := c.Consume(t.Context(), "t", FromStart()); err != nil {
			t.Fatal(err)
		}
		read(t, c, 10)
		b.mu.Lock()
		b.topics["t"].partitions[0].term = 6
		b.mu.Unlock()
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte(value(10))}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if f := c.Poll(ctx); f.Len() != 0 {
			t.Errorf("%d records of term 6 after term 7", f.Len())
		}
		b.mu.Lock()
		b.topics["t"].partitions[0].term = 8
		b.mu.Unlock()
		read(t, c, 1)
	})
}

func TestConsumeSurvivesALostBroker(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 2)
		b.fill(t, 0, 100, 10)
		c := b.client(t)
		if err := c.Consume(t.Context(), "t", FromStart()); err != nil {
			t.Fatal(err)
		}
		read(t, c, 100)
		b.mu.Lock()
		b.down = true
		dials := b.dials
		b.mu.Unlock()
		b.cutAll()
		<-time.After(time.Minute)
		b.mu.Lock()
		b.down = false
		// Two partitions, pauses of up to a second, two purposes: far from a busy loop.
		if tried := b.dials - dials; tried > 600 {
			t.Errorf("%d connections tried in a minute", tried)
		}
		b.mu.Unlock()
		b.fill(t, 1, 50, 5)
		read(t, c, 50)
	})
}

func TestDamagedBatchIsNotServed(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.fill(t, 0, 30, 10)
		p := &b.topics["t"].partitions[0]
		p.batches[1][80] ^= 1
		c := b.client(t)
		if err := c.Consume(t.Context(), "t", FromStart()); err != nil {
			t.Fatal(err)
		}
		f := c.Poll(t.Context())
		if f.Len() != 10 || !errors.Is(f.Err(), batch.ErrChecksum) {
			t.Fatalf("%d records and %v", f.Len(), f.Err())
		}
		b.mu.Lock()
		p.batches[1][80] ^= 1
		b.mu.Unlock()
		records := 0
		for records < 20 {
			records += c.Poll(t.Context()).Len()
		}
	})
}

func TestRecordsRanges(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.fill(t, 0, 30, 10)
		c := b.client(t)
		if err := c.Consume(t.Context(), "t", FromStart()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		var last error
		for r, err := range c.Records(ctx) {
			if last = err; err != nil {
				continue
			}
			if n++; int(r.Offset) != n-1 {
				t.Fatalf("offset %d at position %d", r.Offset, n-1)
			}
			if n == 30 {
				cancel()
			}
		}
		if n != 30 || !errors.Is(last, context.Canceled) {
			t.Errorf("%d records, then %v", n, last)
		}
		c.Forget("t")
		c.Close()
		if err := c.Poll(t.Context()).Err(); !errors.Is(err, ErrClosed) {
			t.Errorf("poll after Close: %v", err)
		}
		if err := c.Consume(t.Context(), "t", FromStart()); err == nil {
			t.Error("consume after Close")
		}
	})
}

func TestListOffsets(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 2)
		b.fill(t, 1, 20, 10)
		c := b.client(t)
		listed, err := c.ListOffsets(t.Context(), "t", FromEnd())
		if err != nil {
			t.Fatal(err)
		}
		if len(listed) != 2 || listed[0].Offset != 0 || listed[1].Offset != 20 {
			t.Errorf("%+v", listed)
		}
		if _, err := c.ListOffsets(t.Context(), "none", FromEnd()); !errors.Is(err, protocol.CodeUnknownTopic) {
			t.Error(err)
		}
	})
}
