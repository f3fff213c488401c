package gateway

import (
	"errors"
	"fmt"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// response makes the answer of a fetch that has ended: cut to max_bytes, and in the form asked for. Records take memory of
// their own, which a fetch that waited must find room for.
func (f *fetching) response() (protocol.Message, *protocol.Error) {
	f.cut()
	if f.form == protocol.FormRecords && f.total > 0 {
		if more := f.maxBytes - f.reserved; more > 0 && !f.call.hold.try(more) {
			return nil, f.session.throttled("inflight_bytes_in_all", "the requests of all clients hold as many bytes as they may")
		}
		f.session.shared.inflate.with(f.spellOut)
	}
	answer := &protocol.FetchResponse{Partitions: make([]protocol.FetchedPartition, len(f.parts))}
	for i := range f.parts {
		answer.Partitions[i] = f.parts[i].answer
	}
	return answer, nil
}

// cut drops the batches that go beyond max_bytes: partitions that were asked at the same time may each have returned one
// too many. The first batch of all stays, however large.
func (f *fetching) cut() {
	if f.total <= f.maxBytes {
		return
	}
	kept := 0
	for n := range f.parts {
		a := &f.parts[f.turn(n)].answer
		for i, b := range a.Batches {
			if kept > 0 && kept+len(b) > f.maxBytes {
				a.Batches = a.Batches[:i]
				a.NextOffset = f.parts[f.turn(n)].asked
				if i > 0 {
					a.NextOffset = nextOffset(a.Batches[i-1])
				}
				break
			}
			kept += len(b)
		}
	}
}

// nextOffset is where the batch ends. It has been in a log: its header was parsed before.
func nextOffset(b []byte) id.Offset {
	h, err := batch.ParseHeader(b)
	if err != nil {
		panic(fmt.Sprintf("gateway: a batch that parsed once does not parse again: %v", err))
	}
	return h.NextOffset()
}

// recordElements is how many msgpack values a record takes, headers aside: the array, its five elements and the headers'
// array counts among them.
const recordElements = 6

// spellOut turns batches into records, from the offset asked for, until max_bytes or the bound of a frame's elements is
// reached. A response always holds at least one record if there is any.
func (f *fetching) spellOut(d *batch.Decompressor) {
	bytes, elements := 0, 0
	for n := range f.parts {
		p := &f.parts[f.turn(n)]
		batches := p.answer.Batches
		if len(batches) == 0 {
			continue // and next_offset may have skipped a gap
		}
		p.answer.Batches, p.answer.NextOffset = nil, p.asked
		w := protocol.NewRecordsWriter()
		for _, b := range batches {
			full, err := f.spellBatch(d, b, p, w, &bytes, &elements)
			if err != nil && w.Len() == 0 {
				p.answer.Err = f.session.readRefusal(subjectPartition(p.answer.Topic, p.answer.Partition), err)
			}
			if full || err != nil {
				break
			}
			p.answer.NextOffset = max(p.answer.NextOffset, nextOffset(b))
		}
		p.answer.Records = w.Records()
	}
}

// spellBatch appends one batch's records; full tells that some did not fit.
func (f *fetching) spellBatch(d *batch.Decompressor, b []byte, p *fetchPart, w *protocol.RecordsWriter, bytes, elements *int) (full bool, err error) {
	var tooLarge error
	err = d.Walk(b, f.session.limits.DecompressedBytes, protocol.MaxHeaders, func(r *batch.Record) bool {
		if r.Offset < p.asked {
			return true
		}
		rec := protocol.Record{Key: r.Key, Value: r.Value, Timestamp: r.Timestamp, Offset: r.Offset}
		size := len(r.Key) + len(r.Value) + 32
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, protocol.Header{Name: h.Key, Value: h.Value})
			size += len(h.Key) + len(h.Value) + 11
		}
		if size > f.session.limits.FrameBytes-headroom {
			tooLarge = fmt.Errorf("the record at offset %d takes %d bytes, more than a frame in the form of records holds; fetch it in the form of batches: %w",
				r.Offset, size, batch.ErrTooLarge)
			return false
		}
		more := recordElements + 3*len(r.Headers)
		if *bytes > 0 && *bytes+size > f.maxBytes || *elements+more > protocol.MaxElements/2 {
			full = true
			return false
		}
		*bytes += size
		*elements += more
		w.Append(rec)
		p.answer.NextOffset = r.Offset + 1
		return true
	})
	switch {
	case tooLarge != nil:
		err = tooLarge
	case err != nil && !errors.Is(err, batch.ErrTooLarge):
		err = fmt.Errorf("%w: %w", partitions.ErrDamaged, err) // it passed every check when it was produced
	}
	return full, err
}
