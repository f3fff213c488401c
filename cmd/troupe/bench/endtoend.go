package bench

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"troupe/gateway/client"
)

// EndToEnd writes records at the load's rate and reads them beside it, in the same process, so that one clock measures both:
// every value carries the time it was due. The reader is a client of its own.
func EndToEnd(ctx context.Context, l Load) (*Result, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	s, err := set(ctx, &l)
	if err != nil {
		return nil, err
	}
	o, arrived, err := s.endToEnd(ctx)
	if struck := s.strike(ctx); err == nil {
		err = struck
	}
	if err != nil {
		return nil, err
	}
	r := resultOf(endToEnd, s, o)
	latency := Summarize(arrived)
	r.EndToEnd = &latency
	return r, nil
}

func (s *scene) endToEnd(ctx context.Context) (outcome, *hdrhistogram.Histogram, error) {
	a, err := s.attend(ctx)
	if err != nil {
		return outcome{}, nil, err
	}
	defer a.leave()
	o, err := s.produce(ctx, s.generators(a.epoch), a.begin)
	if err == nil {
		err = a.await(ctx, o.latency.TotalCount())
	}
	a.leave()
	return o, a.latency, err
}

// arrivalTime bounds the wait for records that were acknowledged and are not read yet.
const arrivalTime = 30 * time.Second

// attendance is a reader that is there before the first record comes.
type attendance struct {
	client  *client.Client
	topic   string
	epoch   time.Time     // what stamps count from
	from    atomic.Int64  // stamps below belong to the warm-up
	seen    atomic.Int64  // records of the measured run that arrived
	arrival chan struct{} // capacity 1: seen has grown
	ended   chan struct{}
	err     error                   // once ended
	latency *hdrhistogram.Histogram // once ended
	cancel  context.CancelFunc
}

// attend begins to read at the end of the scene's topic.
func (s *scene) attend(ctx context.Context) (*attendance, error) {
	c, err := s.load.connect()
	if err != nil {
		return nil, err
	}
	if err := c.Consume(ctx, s.topic, client.FromEnd()); err != nil {
		c.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	a := &attendance{client: c, topic: s.topic, epoch: time.Now(), arrival: make(chan struct{}, 1), ended: make(chan struct{}),
		latency: newHistogram(), cancel: cancel}
	a.from.Store(math.MaxInt64)
	go func() {
		defer close(a.ended)
		a.err = a.read(ctx)
	}()
	return a, nil
}

// begin is called when the measured run begins.
func (a *attendance) begin() { a.from.Store(int64(time.Since(a.epoch))) }

func (a *attendance) read(ctx context.Context) error {
	for {
		fetches := a.client.Poll(ctx)
		now := time.Since(a.epoch)
		if err := fetches.Err(); ctx.Err() == nil && err != nil {
			return fmt.Errorf("read %s: %w", a.topic, err)
		} else if ctx.Err() != nil {
			return nil
		}
		from, seen := a.from.Load(), int64(0)
		for i := range fetches.Partitions {
			for k := range fetches.Partitions[i].Records {
				stamp := int64(binary.LittleEndian.Uint64(fetches.Partitions[i].Records[k].Value))
				if stamp >= from {
					record(a.latency, now-time.Duration(stamp))
					seen++
				}
			}
		}
		a.seen.Add(seen)
		select {
		case a.arrival <- struct{}{}:
		default:
		}
	}
}

// await returns when so many records of the measured run have arrived.
func (a *attendance) await(ctx context.Context, records int64) error {
	ctx, cancel := context.WithTimeout(ctx, arrivalTime)
	defer cancel()
	for a.seen.Load() < records {
		select {
		case <-a.arrival:
		case <-a.ended:
			return cmp.Or(a.err, ctx.Err())
		case <-ctx.Done():
			return fmt.Errorf("%d records of %s were acknowledged, %d arrived: %w", records, a.topic, a.seen.Load(), ctx.Err())
		}
	}
	return nil
}

// leave ends the reader; calling it again does nothing.
func (a *attendance) leave() {
	a.cancel()
	<-a.ended
	a.client.Close()
}
