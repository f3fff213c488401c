package batch

import (
	"fmt"
	"math"

	"troupe/partitions/id"
)

// Validate checks all that a broker must know of a client's batch before it is logged. b must be exactly one batch of at
// most maxBytes, whose records decompress to at most maxDecompressed bytes; its checksum must match, its count be its last
// offset delta + 1, its codec known, its control and transactional bits clear, its times the producer's own, and every
// record well formed, with the offset deltas 0, 1, 2… and the maximum of its timestamps as the header says it.
//
// It returns ErrMalformed, ErrChecksum, ErrTooLarge or ErrCodec, wrapped. An uncompressed batch costs no allocation. A
// compressed one makes a Decompressor: who validates many keeps one and calls its Validate.
func Validate(b []byte, maxBytes, maxDecompressed int) (Header, error) {
	h, err := validateHeader(b, maxBytes)
	if err != nil {
		return Header{}, err
	}
	if h.Codec() == None {
		return h, validateUncompressed(h, b[HeaderSize:], maxDecompressed)
	}
	return h, new(Decompressor).validateBody(h, b[HeaderSize:], maxDecompressed)
}

// Validate is the function Validate with the readers and the buffer of d.
func (d *Decompressor) Validate(b []byte, maxBytes, maxDecompressed int) (Header, error) {
	h, err := validateHeader(b, maxBytes)
	if err != nil {
		return Header{}, err
	}
	if h.Codec() == None {
		return h, validateUncompressed(h, b[HeaderSize:], maxDecompressed)
	}
	return h, d.validateBody(h, b[HeaderSize:], maxDecompressed)
}

func (d *Decompressor) validateBody(h Header, body []byte, maxDecompressed int) error {
	plain, err := d.decompress(d.scratch[:0], h.Codec(), body, maxDecompressed)
	if cap(plain) <= keptScratch {
		d.scratch = plain
	}
	if err != nil {
		return err
	}
	return validateRecords(h, plain)
}

func validateUncompressed(h Header, body []byte, maxDecompressed int) error {
	if len(body) > maxDecompressed {
		return fmt.Errorf("records of %d bytes, at most %d are allowed: %w", len(body), maxDecompressed, ErrTooLarge)
	}
	return validateRecords(h, body)
}

func validateHeader(b []byte, maxBytes int) (Header, error) {
	if len(b) > maxBytes {
		return Header{}, fmt.Errorf("batch of %d bytes, at most %d are allowed: %w", len(b), maxBytes, ErrTooLarge)
	}
	h, err := Verify(b)
	if err != nil {
		return Header{}, err
	}
	switch {
	case h.Size() != len(b):
		return Header{}, fmt.Errorf("batch of %d bytes is followed by %d others: %w", h.Size(), len(b)-h.Size(), ErrMalformed)
	case !h.Codec().Known():
		return Header{}, fmt.Errorf("%v: %w", h.Codec(), ErrCodec)
	case h.Attributes&^attributesKnown != 0:
		return Header{}, fmt.Errorf("attributes %#x have unknown bits: %w", h.Attributes, ErrMalformed)
	case h.Attributes&(attributeControl|attributeTransactional) != 0:
		return Header{}, fmt.Errorf("attributes %#x: a client may not write control or transactional batches: %w", h.Attributes, ErrMalformed)
	case h.AppendTime():
		return Header{}, fmt.Errorf("attributes %#x: only a broker sets append time: %w", h.Attributes, ErrMalformed)
	case h.Records == 0 || int64(h.Records) != int64(h.LastOffsetDelta)+1:
		return Header{}, fmt.Errorf("%d records, last offset delta %d: %w", h.Records, h.LastOffsetDelta, ErrMalformed)
	case h.Idempotent() && (h.Epoch < 0 || h.FirstSequence < 0):
		return Header{}, fmt.Errorf("producer %d with epoch %d and sequence %d: %w", h.Producer, h.Epoch, h.FirstSequence, ErrMalformed)
	}
	return h, nil
}

func validateRecords(h Header, body []byte) error {
	var (
		v       view
		ok      bool
		newest  = int64(math.MinInt64)
		records = h.Records
	)
	for i := range records {
		if body, ok = readRecord(body, &v); !ok {
			return fmt.Errorf("record %d of %d is not well formed: %w", i, records, ErrMalformed)
		}
		if v.offsetDelta != i {
			return fmt.Errorf("record %d of %d has offset delta %d: %w", i, records, v.offsetDelta, ErrMalformed)
		}
		timestamp := int64(h.FirstTimestamp) + v.timestampDelta
		if overflows(int64(h.FirstTimestamp), v.timestampDelta) || timestamp < -1 {
			return fmt.Errorf("record %d of %d lies %d ms from %d: %w", i, records, v.timestampDelta, h.FirstTimestamp, ErrMalformed)
		}
		newest = max(newest, timestamp)
	}
	if len(body) != 0 {
		return fmt.Errorf("%d bytes follow the last of %d records: %w", len(body), records, ErrMalformed)
	}
	if id.Timestamp(newest) != h.MaxTimestamp {
		return fmt.Errorf("newest record has timestamp %d, header says %d: %w", newest, h.MaxTimestamp, ErrMalformed)
	}
	return nil
}

func overflows(a, b int64) bool {
	sum := a + b
	return (a > 0 && b > 0 && sum < 0) || (a < 0 && b < 0 && sum >= 0)
}
