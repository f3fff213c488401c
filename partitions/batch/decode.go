package batch

import (
	"fmt"

	"troupe/partitions/id"
)

// Decode appends the records of the batch that b begins with to dst. It checks the checksum, and accepts what the log may
// make of a batch: append time, and records removed by compaction. Records of an uncompressed batch alias b; those of a
// compressed one share a buffer of their own of at most maxDecompressed bytes.
//
// It returns ErrMalformed, ErrChecksum, ErrTooLarge or ErrCodec, wrapped, and then dst as it was.
func Decode(dst []Record, b []byte, maxDecompressed int) ([]Record, error) {
	return new(Decompressor).Decode(dst, b, maxDecompressed)
}

// Decode is the function Decode with the readers of d.
func (d *Decompressor) Decode(dst []Record, b []byte, maxDecompressed int) ([]Record, error) {
	h, err := Verify(b)
	if err != nil {
		return dst, err
	}
	body := b[HeaderSize:h.Size()]
	if h.Codec() != None {
		if body, err = d.decompress(nil, h.Codec(), body, maxDecompressed); err != nil {
			return dst, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
		}
	}
	return appendRecords(dst, h, body)
}

func appendRecords(dst []Record, h Header, body []byte) ([]Record, error) {
	var (
		v    view
		ok   bool
		from = len(dst)
		last = int32(-1)
	)
	for i := range h.Records {
		if body, ok = readRecord(body, &v); !ok || v.offsetDelta <= last || v.offsetDelta > h.LastOffsetDelta {
			return dst[:from], fmt.Errorf("batch at offset %d: record %d is not well formed: %w", h.BaseOffset, i, ErrMalformed)
		}
		last = v.offsetDelta
		r := Record{
			Offset:    h.BaseOffset + id.Offset(v.offsetDelta),
			Timestamp: h.FirstTimestamp + id.Timestamp(v.timestampDelta),
			Key:       v.key,
			Value:     v.value,
		}
		if h.AppendTime() {
			r.Timestamp = h.MaxTimestamp
		}
		if v.headers > 0 {
			r.Headers = v.appendHeaders(make([]RecordHeader, 0, v.headers))
		}
		dst = append(dst, r)
	}
	if len(body) != 0 {
		return dst[:from], fmt.Errorf("batch at offset %d: %d bytes follow the last record: %w", h.BaseOffset, len(body), ErrMalformed)
	}
	return dst, nil
}
