package client

import (
	"errors"
	"fmt"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// reading is one partition that is being read. reader.mu guards all of it.
type reading struct {
	topic   *topic
	number  int32
	next    id.Offset // to fetch; what lies below is in ready or was polled
	term    id.Term   // highest seen: an answer of a lower one comes from a leader that was deposed
	ready   Fetched   // not polled yet
	bytes   int       // of ready
	busy    bool      // a fetch is under way
	stopped bool      // by an error; nothing is fetched any more
	pause   time.Time // nothing is fetched before
	failed  int       // fetches in a row
	served  uint64    // the reader's round that last brought something
}

// due tells whether the partition should be fetched now, and if not because of its pause, when.
func (r *reading) due(now time.Time, most int) (bool, time.Time) {
	switch {
	case r.busy || r.stopped || r.bytes >= most:
		return false, time.Time{}
	case now.Before(r.pause):
		return false, r.pause
	}
	return true, time.Time{}
}

// polled returns what is ready and starts anew; ok is false if there is nothing.
func (r *reading) polled() (Fetched, bool) {
	if len(r.ready.Records) == 0 && len(r.ready.Gaps) == 0 && r.ready.Err == nil {
		return Fetched{}, false
	}
	f := r.ready
	f.Topic, f.Partition = r.topic.name, r.number
	r.ready = Fetched{LogStart: f.LogStart, HighWatermark: f.HighWatermark}
	r.bytes = 0
	return f, true
}

// harvest is what a fetch brought for one partition, decoded before the lock is taken.
type harvest struct {
	records []Record
	gaps    []Gap
	bytes   int
	next    id.Offset
	err     error
}

// decoder holds what decoding takes, so that it is made once.
type decoder struct {
	batch.Decompressor
	scratch []batch.Record
}

// decode makes records of an answer's batches, from offset next on.
func (d *decoder) decode(p *protocol.FetchedPartition, next id.Offset) harvest {
	h := harvest{next: next}
	if p.Err != nil && len(p.Batches) == 0 {
		h.err = p.Err
		return h
	}
	scratch := d.scratch[:0]
	for _, b := range p.Batches {
		header, err := batch.ParseHeader(b)
		if err == nil && header.NextOffset() <= h.next {
			continue // compaction may leave batches that end below what was asked for
		}
		if err == nil {
			scratch, err = d.Decode(scratch, b, mostDecompressed)
		}
		if err != nil {
			h.err = fmt.Errorf("fetched at offset %d: %w", h.next, err)
			break
		}
		h.skip(header.BaseOffset)
		h.next = header.NextOffset()
		h.bytes += len(b)
	}
	if h.err == nil {
		h.skip(p.NextOffset)
	}
	if h.err == nil && p.Err != nil {
		h.err = p.Err // DAMAGED: what came with it verifies
	}
	h.records = make([]Record, 0, len(scratch))
	for i := range scratch {
		r := &scratch[i]
		if r.Offset < next {
			continue // the first batch may begin below
		}
		h.records = append(h.records, Record{
			Topic: p.Topic, Partition: p.Partition, Offset: r.Offset, Timestamp: time.UnixMilli(int64(r.Timestamp)),
			Key: r.Key, Value: r.Value, Headers: r.Headers,
		})
	}
	clear(scratch) // or the pool would keep the frame alive
	d.scratch = scratch
	return h
}

// skip goes on at an offset. Where that lies above the one expected, a gap is recorded in the log: all else is dense.
func (h *harvest) skip(to id.Offset) {
	if to > h.next {
		h.gaps = append(h.gaps, Gap{First: h.next, Next: to})
		h.next = to
	}
}

// mostDecompressed bounds what one batch may decompress to: brokers accept no more.
const mostDecompressed = 64 << 20

// take adds what a fetch brought. It returns whether Poll has something new, and whether a better route should be looked
// for.
func (r *reading) take(p *protocol.FetchedPartition, h harvest, now time.Time) (news, reroute bool) {
	if p.Term < r.term && (p.Err == nil || p.Term != 0) {
		r.postpone(now, nil)
		return false, true
	}
	r.term = max(r.term, p.Term)
	if p.HighWatermark != protocol.NoOffset {
		r.ready.LogStart, r.ready.HighWatermark = p.LogStart, p.HighWatermark
	}
	if len(r.ready.Records) == 0 {
		r.ready.Records = h.records
	} else {
		r.ready.Records = append(r.ready.Records, h.records...)
	}
	r.ready.Gaps = append(r.ready.Gaps, h.gaps...)
	r.bytes += h.bytes
	r.next = h.next
	news = len(h.records)+len(h.gaps) > 0
	if news {
		r.failed = 0
	}
	if h.err == nil {
		r.failed = 0
		return news, false
	}
	r.postpone(now, h.err)
	var refusal *protocol.Error
	if errors.As(h.err, &refusal) {
		// That a topic is no more, a broker that is behind with the catalog says, too: it is looked up, and believed then.
		doubtful := topicIsGone(refusal) && r.topic.why.Load() == nil
		r.stopped = !refusal.Retriable && !doubtful
		if transient(refusal) || doubtful {
			return news, true
		}
	}
	r.ready.Err = explain(fmt.Sprintf("fetch %s/%d from offset %d", r.topic.name, r.number, r.next), h.err)
	return true, !r.stopped
}

// transient tells which errors are not worth a word: the next fetches will do. DAMAGED and UNAVAILABLE are told and tried
// again: an operator must know.
func transient(e *protocol.Error) bool {
	return e.Retriable && e.Code != protocol.CodeDamaged && e.Code != protocol.CodeUnavailable
}

func (r *reading) postpone(now time.Time, err error) {
	r.pause = now.Add(backoff(r.failed, err))
	r.failed++
}
