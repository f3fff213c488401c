package real

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"troupe/gateway/client"
	"troupe/partitions/id"
)

// What clients there are. Each begins with one broker, and learns of the others from it.
const (
	producers = 3
	consumers = 2
	askers    = 1
)

const (
	topicName = "torture"
	// flying bounds the records of one producer that are not settled.
	flying = 400
	// beat is the time between two bursts of a producer.
	beat = 20 * time.Millisecond
)

// patiences are the delivery timeouts of the producers: one loses its patience while others elect a leader.
var patiences = [producers]time.Duration{2 * time.Minute, 30 * time.Second, 2 * time.Second}

// workload is all clients of a run.
type workload struct {
	shape     shape
	chronicle *chronicle
	gateways  []string
	seed      uint64

	producing, reading sync.WaitGroup
	hush               context.CancelFunc // ends the producing
	rest               context.CancelFunc // ends everything
}

// start begins the load.
func (w *workload) start(ctx context.Context) {
	ctx, w.rest = context.WithCancel(ctx)
	producing, hush := context.WithCancel(ctx)
	w.hush = hush
	for n := range producers {
		w.producing.Go(func() { w.produce(ctx, producing, n) })
	}
	for n := range consumers {
		w.reading.Go(func() { w.consume(ctx, producers+n) })
	}
	for n := range askers {
		w.reading.Go(func() { w.ask(ctx, producers+consumers+n) })
	}
}

// client connects client n by way of some broker.
func (w *workload) client(n int, options ...client.Option) (*client.Client, *rand.Rand) {
	random := rand.New(rand.NewPCG(w.seed, uint64(n)))
	options = append(options, client.WithBroker(w.gateways[random.IntN(len(w.gateways))]), client.WithClientName("torture"),
		client.WithLinger(time.Duration(random.IntN(6))*time.Millisecond))
	c, err := client.New(options...)
	if err != nil {
		panic(err) // the options are ours
	}
	return c, random
}

// produce writes bursts of records to random partitions until it is hushed, and waits for all answers.
func (w *workload) produce(ctx, producing context.Context, n int) {
	c, random := w.client(n, client.WithDeliveryTimeout(patiences[n]))
	defer c.Close()
	room := make(chan struct{}, flying)
	sequences := make([]int32, w.shape.partitions)
	due := 0.0
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-producing.Done():
			flushing, cancel := context.WithTimeout(ctx, settlePatience)
			defer cancel()
			_ = c.Flush(flushing) // what is not settled then, closing settles
			return
		}
		for due += w.shape.rate / producers * beat.Seconds(); due >= 1; due-- {
			select {
			case room <- struct{}{}:
			case <-producing.Done():
				continue
			}
			partition := random.Int32N(w.shape.partitions)
			send := w.chronicle.send(n+1, partition, sequences[partition])
			sequences[partition]++
			record := &client.Record{Topic: topicName, Value: send.Values[0].Encode(random.IntN(w.shape.filling))}
			err := c.Produce(ctx, record.ToPartition(partition), func(r *client.Record, err error) {
				w.chronicle.settle(send, r.Offset, err)
				<-room
			})
			if err != nil { // it was not taken
				w.chronicle.refuse(send)
				<-room
			}
		}
	}
}

// backMost bounds how far a consumer goes back: all that was read is kept in memory.
const backMost = 2000

// turn bounds one poll, so that its end is noticed.
const turn = 300 * time.Millisecond

// consume reads all partitions from their start, and now and then some of one of them again.
func (w *workload) consume(ctx context.Context, n int) {
	c, random := w.client(n)
	defer c.Close()
	r := newReader(w.chronicle, c, n+1, w.shape.partitions)
	for ctx.Err() == nil {
		if number := random.Int32N(w.shape.partitions); random.IntN(100) == 0 && r.next[number] > 0 {
			r.seek(ctx, number, r.next[number]-id.Offset(random.Int64N(min(int64(r.next[number]), backMost))+1))
		}
		r.poll(ctx)
	}
}

// reader reads every partition, each from where it is.
type reader struct {
	chronicle *chronicle
	client    *client.Client
	number    int
	next      []id.Offset
	lost      []bool // to be looked for again from next on
}

func newReader(c *chronicle, from *client.Client, number int, partitions int32) *reader {
	r := &reader{chronicle: c, client: from, number: number, next: make([]id.Offset, partitions), lost: make([]bool, partitions)}
	for p := range r.lost {
		r.lost[p] = true
	}
	return r
}

// seek goes on from an offset; where that fails, from where it was.
func (r *reader) seek(ctx context.Context, number int32, to id.Offset) {
	if r.client.Consume(ctx, topicName, client.FromOffset(to), number) == nil {
		r.next[number], r.lost[number] = to, false
	}
}

// poll notes what there is to read, after it has begun again where it must.
func (r *reader) poll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, turn)
	defer cancel()
	for p := range r.lost {
		if r.lost[p] {
			r.seek(ctx, int32(p), r.next[p])
		}
	}
	invoked := r.chronicle.now()
	fetches := r.client.Poll(ctx)
	for i := range fetches.Partitions {
		f := &fetches.Partitions[i]
		r.next[f.Partition] = r.chronicle.poll(r.number, invoked, r.next[f.Partition], f)
		if f.Err != nil && !client.Retriable(f.Err) {
			r.lost[f.Partition] = true // such as damage that is being mended, or a deposed leader's shorter log
		}
	}
}

// ask asks for the ends of all partitions, each time by way of another broker.
func (w *workload) ask(ctx context.Context, n int) {
	var clients []*client.Client
	for _, gateway := range w.gateways {
		c, err := client.New(client.WithBroker(gateway), client.WithRequestTimeout(5*time.Second))
		if err != nil {
			panic(err) // the options are ours
		}
		defer c.Close()
		clients = append(clients, c)
	}
	ticker := time.NewTicker(10 * beat)
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		invoked := w.chronicle.now()
		listed, err := clients[i%len(clients)].ListOffsets(ctx, topicName, client.FromEnd())
		if err != nil {
			continue
		}
		for k := range listed {
			if listed[k].Err == nil {
				w.chronicle.list(n+1, invoked, &listed[k])
			}
		}
	}
}
