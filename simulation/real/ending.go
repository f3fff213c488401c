package real

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"time"

	"troupe/gateway/client"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
	"troupe/simulation"
	"troupe/wal"
)

// end heals, demands that everything answers and that all is there, and judges.
func (r *run) end(ctx context.Context) {
	r.say("all", "the faults are over")
	early := ctx.Err() != nil // by whoever watches, or a broken promise: a fault may be half done, and cannot be healed
	var ends map[int32]id.Offset
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"healing", func() error { return r.awaitWhole(ctx) }},
		{"writing", func() error { return r.writable(ctx) }},
		{"reading everything", func() (err error) { ends, err = r.readAll(ctx); return err }},
		{"stopping", r.stopAll},
		{"comparing the replicas", func() error { return r.compare(ends) }},
	} {
		if ctx.Err() != nil {
			break
		}
		if err := step.do(); err != nil {
			r.fail(ctx, step.name, err)
		}
	}
	r.load.hush()
	r.load.producing.Wait()
	r.load.rest()
	r.load.reading.Wait()
	r.sum(early)
	if r.report.Violation == nil || r.report.Violation == r.broken() {
		if v := judged(&r.chronicle.history, ends != nil); v != nil {
			r.report.Violation = v // what clients saw says more than what we noticed on the way
		}
	}
}

func (r *run) broken() *simulation.Violation {
	r.chronicle.mu.Lock()
	defer r.chronicle.mu.Unlock()
	return r.chronicle.broken
}

// writable demands that every partition acknowledges what is sent from now on, and then ends the writing.
func (r *run) writable(ctx context.Context) error {
	since := r.chronicle.now()
	deadline := time.Now().Add(settlePatience)
	for {
		silent := r.silent(since)
		if len(silent) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%v after the last fault the partitions %v acknowledge nothing", settlePatience, silent)
		}
		rest(ctx, 50*time.Millisecond)
	}
	r.load.hush()
	r.load.producing.Wait()
	return nil
}

// silent lists the partitions that have acknowledged nothing that was sent since a moment.
func (r *run) silent(since time.Duration) (all []int32) {
	r.chronicle.mu.Lock()
	defer r.chronicle.mu.Unlock()
	loud := make([]bool, r.shape.partitions)
	for i := len(r.chronicle.history.Sends) - 1; i >= 0; i-- {
		s := r.chronicle.history.Sends[i]
		if s.Invoked < since {
			break
		}
		loud[s.Partition.Number] = loud[s.Partition.Number] || s.Outcome == simulation.OutcomeAcknowledged
	}
	for number := range loud {
		if !loud[number] {
			all = append(all, int32(number))
		}
	}
	return all
}

// readAll reads every partition from its start to the end that it has now, and returns the ends.
func (r *run) readAll(ctx context.Context) (map[int32]id.Offset, error) {
	r.load.rest()
	r.load.reading.Wait()
	c, err := client.New(client.WithBroker(r.brokers[r.random.IntN(len(r.brokers))].gateway))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	listed, err := c.ListOffsets(ctx, topicName, client.FromEnd())
	if err != nil {
		return nil, err
	}
	ends := map[int32]id.Offset{}
	for _, l := range listed {
		ends[l.Partition] = l.Offset
	}
	last := newReader(r.chronicle, c, producers+consumers+askers+1, r.shape.partitions)
	for deadline := time.Now().Add(settlePatience); ; {
		left := 0
		for number, end := range ends {
			if last.next[number] < end {
				left++
			}
		}
		switch {
		case left == 0:
			return ends, nil
		case time.Now().After(deadline):
			return nil, fmt.Errorf("%d of %d partitions were not read to their ends %v in %v; reached is %v", left, len(ends), ends, settlePatience, last.next)
		}
		last.poll(ctx)
	}
}

// stopAll stops all brokers in order.
func (r *run) stopAll() error {
	var errs []error
	for _, b := range r.brokers {
		errs = append(errs, b.stop())
	}
	return errors.Join(errs...)
}

// compare demands that every log at rest verifies, and that all replicas of a partition hold the same, up to its end.
func (r *run) compare(ends map[int32]id.Offset) error {
	var first *holdings
	for _, b := range r.brokers {
		held, err := r.holdings(b, ends)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", b.name, err)
		case first == nil:
			first = held
		default:
			if err := differ(first, held); err != nil {
				return fmt.Errorf("%s and %s: %w", r.brokers[0].name, b.name, err)
			}
		}
	}
	return nil
}

// stored is what a replica holds at an offset.
type stored struct {
	index id.Index
	term  id.Term
	sum   uint32
	next  id.Offset
}

// holdings are what one broker has on disk of each partition, by offset.
type holdings map[int32]map[id.Offset]stored

// holdings verifies a broker's logs, and reads our topic's up to the ends.
func (r *run) holdings(b *broker, ends map[int32]id.Offset) (*holdings, error) {
	o, err := wal.OpenOffline(b.data(), fmt.Sprintf("torture, process %d", os.Getpid()))
	if err != nil {
		return nil, err
	}
	defer o.Close()
	held, reached := holdings{}, map[int32]id.Offset{}
	for _, s := range o.Replicas {
		i, err := o.Inspect(s)
		if err != nil {
			return nil, err
		}
		if i.Health() > wal.HealthTorn {
			return nil, fmt.Errorf("%v is %v: %v", s, i.Health(), i.Findings)
		}
		if number := s.Partition.Number; s.Partition.Topic == r.chronicle.topic {
			reached[number] = max(reached[number], i.Next)
			if held[number], err = holds(o, i, ends[number]); err != nil {
				return nil, err
			}
		}
	}
	for number, end := range ends {
		if reached[number] < end {
			return nil, fmt.Errorf("partition %d ends at offset %d here, and at %d for readers", number, reached[number], end)
		}
	}
	return &held, nil
}

// holds reads a replica's batches, up to an offset.
func holds(o *wal.Offline, i *wal.Inspection, end id.Offset) (map[id.Offset]stored, error) {
	held := map[id.Offset]stored{}
	err := o.Frames(i.Stored, i.First, func(f wal.Stretch) (bool, error) {
		e := f.Frame.Entry
		if f.Bad || e.Type != partitions.EntryBatch {
			return true, nil
		}
		h, err := batch.ParseHeader(e.Payload)
		if err != nil {
			return false, err
		}
		if h.NextOffset() <= end {
			held[h.BaseOffset] = stored{e.Index, e.Term, crc32.ChecksumIEEE(e.Payload), h.NextOffset()}
		}
		return true, nil
	})
	return held, err
}

// differ finds an offset at which two brokers hold different entries. One that began with a snapshot holds less in front.
func differ(a, b *holdings) error {
	for number, held := range *a {
		for at, x := range held {
			if y, both := (*b)[number][at]; both && x != y {
				return fmt.Errorf("at offset %d of partition %d one holds %+v, the other %+v", at, number, x, y)
			}
		}
	}
	return nil
}
