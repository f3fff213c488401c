package batch

import (
	"fmt"

	"troupe/partitions/id"
)

// Walk calls visit for each record of the batch that b begins with, in order, until visit returns false. It accepts what
// Decode accepts, and holds one record at a time: a batch of very many tiny records costs no more than its bytes. The
// record, its slices and its headers stand only until visit returns.
//
// It returns ErrMalformed, ErrChecksum, ErrTooLarge (also for a record with more than maxHeaders headers) or ErrCodec,
// wrapped; what was visited before was well formed.
func (d *Decompressor) Walk(b []byte, maxDecompressed, maxHeaders int, visit func(*Record) bool) error {
	h, err := Verify(b)
	if err != nil {
		return err
	}
	body := b[HeaderSize:h.Size()]
	if h.Codec() != None {
		body, err = d.decompress(d.scratch[:0], h.Codec(), body, maxDecompressed)
		if cap(body) <= keptScratch {
			d.scratch = body
		}
		if err != nil {
			return fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
		}
	}
	var (
		v    view
		r    Record
		ok   bool
		last = int32(-1)
	)
	for i := range h.Records {
		if body, ok = readRecord(body, &v); !ok || v.offsetDelta <= last || v.offsetDelta > h.LastOffsetDelta {
			return fmt.Errorf("batch at offset %d: record %d is not well formed: %w", h.BaseOffset, i, ErrMalformed)
		}
		if v.headers > maxHeaders {
			return fmt.Errorf("batch at offset %d: record %d has %d headers, at most %d are allowed: %w", h.BaseOffset, i,
				v.headers, maxHeaders, ErrTooLarge)
		}
		last = v.offsetDelta
		r.Offset = h.BaseOffset + id.Offset(v.offsetDelta)
		r.Timestamp = h.FirstTimestamp + id.Timestamp(v.timestampDelta)
		if h.AppendTime() {
			r.Timestamp = h.MaxTimestamp
		}
		r.Key, r.Value, r.Headers = v.key, v.value, v.appendHeaders(r.Headers[:0])
		if !visit(&r) {
			return nil
		}
	}
	if len(body) != 0 {
		return fmt.Errorf("batch at offset %d: %d bytes follow the last record: %w", h.BaseOffset, len(body), ErrMalformed)
	}
	return nil
}
