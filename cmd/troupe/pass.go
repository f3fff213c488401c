package main

import (
	"context"
	"errors"
	"fmt"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// pass reads a topic once, from a position until a bound.
type pass struct {
	each  func(*client.Record)
	rest  func() error // called when nothing more is there to read at once
	tell  func(f *client.Fetched, lost client.Gap)
	most  int64               // records; 0: no bound
	until map[int32]id.Offset // by partition, exclusive; those that are through are taken out
	// endless passes have no partition that stops of itself.
	endless bool
	records int64 // read so far
	damaged error // of partitions that were given up: what came before the damage was read
}

// newPass returns a pass that hands every record to each, which may keep it.
func newPass(each func(*client.Record)) *pass {
	return &pass{
		each: each, rest: func() error { return nil }, tell: func(*client.Fetched, client.Gap) {}, until: map[int32]id.Offset{},
	}
}

// begin finds out where each partition begins and stops, and starts to read those that have something in between. No
// partitions chosen: all of them.
func (p *pass) begin(ctx context.Context, broker *client.Client, topic string, from position, until bound, chosen []int32) error {
	partitions, err := broker.ListOffsets(ctx, topic, from.Position, chosen...)
	if err != nil {
		return err
	}
	p.endless = until.never
	// Partitions that begin at one offset are read together: they share their fetches.
	together := map[id.Offset][]int32{}
	for _, l := range partitions {
		first := l.Offset
		if from.offset != noOffset {
			// Partitions have different lengths: read together, each gives what it has of the range.
			first = from.offset
			if chosen == nil {
				first = min(max(first, l.LogStart), l.HighWatermark)
			} else if first < l.LogStart || first > l.HighWatermark {
				return fmt.Errorf("--from %d: partition %d of topic %s holds the offsets from %d to below %d; --from start begins with the first",
					first, l.Partition, topic, l.LogStart, l.HighWatermark)
			}
		}
		if !p.endless {
			last := until.offset
			if until.end {
				last = l.HighWatermark
			}
			if first >= last {
				continue
			}
			p.until[l.Partition] = last
		}
		together[first] = append(together[first], l.Partition)
	}
	for first, numbers := range together {
		if err := broker.Consume(ctx, topic, client.FromOffset(first), numbers...); err != nil {
			return err
		}
	}
	return nil
}

// run reads until the bound is reached. An interrupt is how endless reading usually ends, and no error. A quarantined
// partition is read as far as it verifies; the others go on, and the error comes at the end.
func (p *pass) run(ctx context.Context, broker *client.Client) error {
	for p.endless || len(p.until) > 0 {
		fetches := broker.Poll(ctx)
		for i := range fetches.Partitions {
			f := &fetches.Partitions[i]
			if done := p.take(f); done {
				return nil
			}
			if p.endless || !errors.Is(f.Err, protocol.CodeDamaged) {
				continue
			}
			if _, wanted := p.until[f.Partition]; wanted && len(f.Records) == 0 {
				p.damaged = errors.Join(p.damaged, f.Err)
				delete(p.until, f.Partition)
			}
			f.Err = nil // more of it may verify
		}
		if err := p.rest(); err != nil {
			return err
		}
		if ctx.Err() != nil && p.endless {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
	}
	return p.damaged
}

// take hands out the records of one partition and tells whether these were enough.
func (p *pass) take(f *client.Fetched) (done bool) {
	until, bounded := p.until[f.Partition]
	end := noOffset // of what was read
	for _, lost := range f.Gaps {
		p.tell(f, lost)
		end = lost.Next
	}
	for i := range f.Records {
		r := &f.Records[i]
		if !p.endless && (!bounded || r.Offset >= until) {
			break
		}
		p.each(r)
		p.records++
		if p.records == p.most {
			return true
		}
	}
	if n := len(f.Records); n > 0 {
		end = max(end, f.Records[n-1].Offset+1)
	}
	if bounded && end >= until {
		delete(p.until, f.Partition)
	}
	return false
}
