package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"troupe/gateway/client"
)

const (
	crashProducers  = 4
	crashKeys       = 25 // of each producer
	crashPartitions = 3
	headerProducer  = "producer"
)

// TestCrashes kills a broker process with SIGKILL at random moments, twenty times over, while several producers write to
// it, and demands afterwards that every acknowledged record is there once and every key's records are in order.
//
// The moments are numbers of acknowledgements, not times, so that every kill lands while records are on their way however
// fast the machine is.
func TestCrashes(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	moments := rand.New(rand.NewPCG(seed, 0))

	directory := t.TempDir()
	p := brokerAt(t, directory, "127.0.0.1:0")
	gateway := p.Gateway
	must(t, "", "topic", "create", "crash", "--partitions", strconv.Itoa(crashPartitions), "--broker", gateway)

	w := startWriters(t, gateway)
	for range rounds {
		w.awaitAcknowledged(t, 1+moments.IntN(3000))
		p.kill()
		p = brokerAt(t, directory, gateway)
	}
	w.awaitAcknowledged(t, 1)
	w.finish()
	readBack(t, gateway, w.books)

	for number, books := range w.books {
		v := books.verdict()
		t.Logf("producer %d: %d sent, %d acknowledged, %d read", number, v.sent, v.acknowledged, v.read)
		if err := v.err(); err != nil {
			t.Errorf("producer %d: %v", number, err)
		}
		if v.failed > 0 || v.acknowledged != v.sent {
			t.Errorf("producer %d: of %d records %d were acknowledged and %d failed; restarts are short, so none should fail",
				number, v.sent, v.acknowledged, v.failed)
		}
	}
}

// writers are producers that write as fast as they can until told to finish.
type writers struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	books    []*ledger // by producer
	answered int
	last     time.Time     // when the last answer came
	gap      time.Duration // the longest time without one since slowest began
	changed  *sync.Cond    // broadcast when answered grows or a producer ends
	ended    int
}

func startWriters(t *testing.T, gateway string) *writers {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := &writers{stop: stop}
	var clients []*client.Client
	w.changed = sync.NewCond(&w.mu)
	for number := range crashProducers {
		books := newLedger()
		w.books = append(w.books, books)
		c, err := client.New(client.WithBroker(gateway), client.WithLinger(time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		w.running.Go(func() {
			if err := w.write(ctx, c, number, books); err != nil {
				t.Errorf("producer %d: %v", number, err)
			}
			w.mu.Lock()
			w.ended++
			w.changed.Broadcast()
			w.mu.Unlock()
		})
	}
	t.Cleanup(func() { // after a failure nobody waits for answers that cannot come
		for _, c := range clients {
			c.Close()
		}
		w.finish()
	})
	return w
}

// write sends records until the context ends, at most as many at a time as keeps the log small, and waits for all answers.
func (w *writers) write(ctx context.Context, c *client.Client, producer int, books *ledger) error {
	flying := make(chan struct{}, 500)
	for ctx.Err() == nil {
		flying <- struct{}{}
		w.mu.Lock()
		number := books.send()
		w.mu.Unlock()
		err := c.Produce(context.WithoutCancel(ctx), crashRecord(producer, number), func(_ *client.Record, err error) {
			w.mu.Lock()
			books.answer(number, err)
			w.answered++
			now := time.Now()
			w.gap, w.last = max(w.gap, now.Sub(w.last)), now
			w.changed.Broadcast()
			w.mu.Unlock()
			<-flying
		})
		if err != nil {
			return err
		}
	}
	return c.Flush(context.WithoutCancel(ctx))
}

// awaitAcknowledged returns when n more records were answered.
func (w *writers) awaitAcknowledged(t *testing.T, n int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for target := w.answered + n; w.answered < target; w.changed.Wait() {
		if w.ended > 0 {
			t.Fatal("a producer gave up")
		}
	}
}

// slowest returns for how long at most no answer came while something happened.
func (w *writers) slowest(happens func()) time.Duration {
	w.mu.Lock()
	w.gap, w.last = 0, time.Now()
	w.mu.Unlock()
	happens()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gap
}

// finish lets the producers end, with all their answers.
func (w *writers) finish() {
	w.stop()
	w.running.Wait()
}

// crashRecord makes the record of a number: its bytes follow from producer and number, so that a reader can check them.
func crashRecord(producer, number int) *client.Record {
	return &client.Record{
		Topic: "crash",
		Key:   fmt.Appendf(nil, "%d/%d", producer, number%crashKeys),
		Value: fmt.Appendf(nil, "record %d of producer %d", number, producer),
		Headers: []client.Header{
			{Key: headerProducer, Value: strconv.AppendInt(nil, int64(producer), 10)},
			{Key: headerNumber, Value: strconv.AppendInt(nil, int64(number), 10)},
		},
	}
}

// readBack reads the topic to its end and enters every record into its producer's books.
func readBack(t *testing.T, gateway string, books []*ledger) {
	t.Helper()
	c, err := client.New(client.WithBroker(gateway))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = readAll(t.Context(), c, "crash", func(r *client.Record) {
		producer, number := numberOf(r, headerProducer), numberOf(r, headerNumber)
		if producer < 0 || producer >= len(books) || number < 0 {
			t.Errorf("a record nobody sent: partition %d, offset %d, key %q, value %q", r.Partition, r.Offset, r.Key, r.Value)
			return
		}
		sent := crashRecord(producer, number)
		books[producer].read(string(r.Key), number, string(r.Key) == string(sent.Key) && string(r.Value) == string(sent.Value))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readAll hands every record that a topic holds now to each.
func readAll(ctx context.Context, broker *client.Client, topic string, each func(*client.Record)) error {
	p := newPass(each)
	if err := p.begin(ctx, broker, topic, position{Position: client.FromStart(), offset: noOffset}, bound{end: true}, nil); err != nil {
		return err
	}
	return p.run(ctx, broker)
}
