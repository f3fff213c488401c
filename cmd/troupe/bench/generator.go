package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"troupe/gateway/client"
)

// generator sends one client's part of a run: one goroutine calls send, the client's goroutines answered.
//
// A record's Timestamp is the time it was due: what the callback needs to know, in the only field that travels with it, so
// that no closure is allocated. Records come back through free, a chunk at a time, once they are answered.
type generator struct {
	client  *client.Client
	topic   string
	payload *Payload
	began   time.Time
	// epoch, if not zero, asks for the nanoseconds from it to the due time in the first stampBytes of every value.
	epoch   time.Time
	scratch []byte // the value being stamped
	lanes   []lane // by partition
	late    *hdrhistogram.Histogram
	free    chan []*client.Record
	held    []*client.Record            // out of free, ours to send
	settle  func(*client.Record, error) // answered, made a value once instead of for every record
	// strict reads the clock for every answer. Without a rate records only wait in the client's full buffer, whose length
	// nobody wants to the microsecond: then one look at the clock does for several answers.
	strict bool
}

// lane is what is known of one partition's answers. Only that partition's callbacks touch it, and they come one at a time;
// Flush ends before anybody else looks.
type lane struct {
	latency *hdrhistogram.Histogram
	failed  int64
	first   error     // of those that failed
	last    time.Time // of the answers
	freed   []*client.Record
	looks   int      // answers since the clock was looked at
	_       [64]byte // keeps two lanes off one cache line
}

const (
	// chunk is how many records move between callbacks and the sender at once.
	chunk = 256
	// burst is how many records are sent, when as fast as possible, for one look at the clock.
	burst = 64
	// answersPerLook is the same for answers.
	answersPerLook = 16
	// napFrom is the time between two records from which the generator naps between them. With less the process is so busy that Go's
	// own timers are on time, and they cost less.
	napFrom = 200 * time.Microsecond
	// stampBytes is the room a value has for its due time.
	stampBytes = 8
)

func newGenerator(c *client.Client, topic string, l *Load, epoch time.Time) *generator {
	g := &generator{client: c, topic: topic, payload: NewPayload(l.RecordBytes, l.Random, l.Keys), epoch: epoch,
		lanes: make([]lane, l.Partitions), late: newHistogram(), free: make(chan []*client.Record, 1<<16)}
	for i := range g.lanes {
		g.lanes[i].latency = newHistogram()
	}
	g.settle, g.strict = g.answered, l.Rate > 0
	if !epoch.IsZero() {
		g.scratch = make([]byte, max(l.RecordBytes, stampBytes))
	}
	return g
}

// run sends a schedule's records at their times and returns when all are answered. It returns how many were handed over, and
// the error of a record that could not be.
func (g *generator) run(ctx context.Context, s Schedule, began time.Time) (sent int64, err error) {
	g.began = began
	wait := time.Sleep
	if s.At(1) >= napFrom {
		defer punctual()()
		wait = nap
	}
	for err == nil {
		elapsed := time.Since(began)
		if s.Ended(sent, elapsed) {
			break
		}
		if err = ctx.Err(); err != nil {
			break // a client whose buffer never fills would not say so
		}
		due := s.Due(elapsed)
		if due <= sent {
			err = sleep(ctx, s.At(sent)-elapsed, wait)
			continue
		}
		if s.Rate <= 0 {
			due = min(due, sent+burst)
		} else {
			record(g.late, elapsed-s.At(sent))
		}
		for ; sent < due && err == nil; sent++ {
			at := elapsed
			if s.Rate > 0 {
				at = s.At(sent)
			}
			err = g.send(ctx, at)
		}
		if err != nil {
			sent-- // the last was not taken
		}
	}
	return sent, errors.Join(err, g.client.Flush(ctx))
}

// send hands over the record that was due at a time.
func (g *generator) send(ctx context.Context, at time.Duration) error {
	return g.client.Produce(ctx, g.fill(at), g.settle)
}

// fill makes the record that was due at a time.
func (g *generator) fill(at time.Duration) *client.Record {
	r := g.take()
	r.Topic, r.Timestamp = g.topic, g.began.Add(at)
	r.Key, r.Value = g.payload.Next()
	if g.scratch != nil {
		copy(g.scratch, r.Value)
		r.Value = g.scratch
		binary.LittleEndian.PutUint64(r.Value, uint64(r.Timestamp.Sub(g.epoch)))
	}
	return r
}

// take returns a record that nobody uses.
func (g *generator) take() *client.Record {
	if len(g.held) == 0 {
		select {
		case g.held = <-g.free:
		default:
			records := make([]client.Record, chunk)
			g.held = make([]*client.Record, chunk)
			for i := range records {
				g.held[i] = &records[i]
			}
		}
	}
	r := g.held[len(g.held)-1]
	g.held = g.held[:len(g.held)-1]
	return r
}

// answered is every record's callback.
func (g *generator) answered(r *client.Record, err error) {
	l := &g.lanes[r.Partition]
	if g.strict || l.looks%answersPerLook == 0 {
		l.last = time.Now()
	}
	l.looks++
	if err == nil {
		record(l.latency, l.last.Sub(r.Timestamp))
	} else {
		l.failed++
		if l.first == nil {
			l.first = err
		}
	}
	if l.freed = append(l.freed, r); len(l.freed) == chunk {
		select {
		case g.free <- l.freed:
		default: // more are on their way than ever come back at once: the collector takes them
		}
		l.freed = make([]*client.Record, 0, chunk)
	}
}

// forget drops what was measured.
func (g *generator) forget() {
	g.late.Reset()
	for i := range g.lanes {
		l := &g.lanes[i]
		l.latency.Reset()
		l.failed, l.first, l.last, l.looks = 0, nil, time.Time{}, 0
	}
}

// outcome is what several generators' runs came to.
type outcome struct {
	latency, late *hdrhistogram.Histogram
	sent, failed  int64
	first         error // of the records that failed
	took          time.Duration
}

// runAll lets generators run at once, each its part of a schedule, and adds up.
func runAll(ctx context.Context, generators []*generator, part func(i int) Schedule) (outcome, error) {
	var (
		wait   sync.WaitGroup
		sent   = make([]int64, len(generators))
		failed = make([]error, len(generators))
		began  = time.Now()
	)
	for i, g := range generators {
		wait.Go(func() { sent[i], failed[i] = g.run(ctx, part(i), began) })
	}
	wait.Wait()
	if err := errors.Join(failed...); err != nil {
		return outcome{}, err // some records are still on their way: their callbacks own the lanes
	}
	o := tally(generators, began)
	for _, n := range sent {
		o.sent += n
	}
	return o, nil
}

// tally adds up what generators counted since they began, all of whose records are answered.
func tally(generators []*generator, began time.Time) outcome {
	o := outcome{latency: newHistogram(), late: newHistogram()}
	last := began
	for _, g := range generators {
		o.late.Merge(g.late)
		for k := range g.lanes {
			l := &g.lanes[k]
			o.latency.Merge(l.latency)
			o.failed += l.failed
			if o.first == nil {
				o.first = l.first
			}
			if l.last.After(last) {
				last = l.last
			}
		}
	}
	o.took = last.Sub(began)
	return o
}

// sleep waits, unless the context ends before. short is how it waits for less than anybody notices after an interrupt.
func sleep(ctx context.Context, d time.Duration, short func(time.Duration)) error {
	if d < 20*time.Millisecond {
		short(d)
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
