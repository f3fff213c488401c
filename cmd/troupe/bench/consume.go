package bench

import (
	"context"
	"fmt"
	"time"

	"troupe/gateway/client"
)

// Consume reads a topic from its start to the end it has now, several times, and measures the rate. Reading begins when the
// partitions are known, so connecting is not measured.
//
// A topic that is not there, or is empty, is filled first with the load's records. What was just written may still lie in
// the broker's memory; a topic kept from before a restart of the broker is read from the files on the first pass, which the
// file system may have cached: nothing but the machine's administrator can empty that cache.
func Consume(ctx context.Context, l Load, tell func(*Result)) error {
	if err := l.Check(); err != nil {
		return err
	}
	s, err := set(ctx, &l)
	if err != nil {
		return err
	}
	note := "first pass over a topic that was there"
	if s.records == 0 {
		note = "first pass, just written"
		err = s.fill(ctx)
	}
	for pass := 1; pass <= l.Passes && err == nil; pass++ {
		var r *Result
		if r, err = s.consume(ctx); err == nil {
			r.Note = note
			tell(r)
			note = fmt.Sprintf("pass %d", pass+1)
		}
	}
	if struck := s.strike(ctx); err == nil {
		err = struck
	}
	return err
}

// fill writes what is to be read, as fast as possible.
func (s *scene) fill(ctx context.Context) error {
	generators := s.generators(time.Time{})
	o, err := runAll(ctx, generators, func(i int) Schedule {
		part := s.load.share(i)
		part.Rate = 0
		return part.measured()
	})
	if err == nil && o.failed > 0 {
		err = fmt.Errorf("%d of %d records could not be written: %w", o.failed, o.sent, o.first)
	}
	s.records = o.latency.TotalCount()
	return err
}

// reading is what one client of several has read.
type reading struct {
	records, bytes int64
	last           time.Time
}

// consume reads everything once. Each client reads its part of the partitions.
func (s *scene) consume(ctx context.Context) (*Result, error) {
	readers := min(len(s.clients), int(s.load.Partitions))
	counts, failed := make([]reading, readers), make([]error, readers)
	bounds, err := s.clients[0].ListOffsets(ctx, s.topic, client.FromEnd())
	if err != nil {
		return nil, err
	}
	began := time.Now()
	done := make(chan struct{})
	for i := range readers {
		go func() {
			defer func() { done <- struct{}{} }()
			left := map[int32]int64{}
			var numbers []int32
			for p := int32(i); p < s.load.Partitions; p += int32(readers) {
				if n := int64(bounds[p].HighWatermark - bounds[p].LogStart); n > 0 {
					left[p], numbers = n, append(numbers, p)
				}
			}
			counts[i], failed[i] = s.read(ctx, s.clients[i], numbers, left)
		}()
	}
	for range readers {
		<-done
	}
	r := &Result{Kind: consume, Topic: s.topic, Partitions: s.load.Partitions}
	var all reading
	for i, c := range counts {
		if failed[i] != nil {
			return nil, failed[i]
		}
		all.records, all.bytes = all.records+c.records, all.bytes+c.bytes
		if c.last.After(all.last) {
			all.last = c.last
		}
	}
	r.measure(all.records, all.bytes, all.last.Sub(began).Seconds())
	return r, nil
}

// read polls until each of some partitions has given so many records.
func (s *scene) read(ctx context.Context, c *client.Client, numbers []int32, left map[int32]int64) (reading, error) {
	got := reading{last: time.Now()}
	if len(numbers) == 0 {
		return got, nil
	}
	defer c.Forget(s.topic)
	if err := c.Consume(ctx, s.topic, client.FromStart(), numbers...); err != nil {
		return got, err
	}
	for len(left) > 0 {
		fetches := c.Poll(ctx)
		if err := fetches.Err(); err != nil {
			return got, fmt.Errorf("read %s: %w", s.topic, err)
		}
		for i := range fetches.Partitions {
			p := &fetches.Partitions[i]
			for k := range p.Records {
				got.bytes += int64(len(p.Records[k].Key) + len(p.Records[k].Value))
			}
			got.records += int64(len(p.Records))
			if left[p.Partition] -= int64(len(p.Records)); left[p.Partition] <= 0 {
				delete(left, p.Partition)
			}
		}
	}
	got.last = time.Now()
	return got, nil
}
