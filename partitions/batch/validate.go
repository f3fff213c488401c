package batch

import (
	"fmt"
	"math"

	"troupe/partitions/id"
)

// Limits bound a client's batch.
type Limits struct {
	Bytes         int // of the whole batch as it is
	Decompressed  int // bytes of its records
	Records       int
	Headers       int // over all records: whoever decodes the batch makes one value of each
	RecordHeaders int // of one record
}

// Validate checks all that a broker must know of a client's batch before it is logged. b must be exactly one batch within
// limits; its checksum must match, its count be its last offset delta + 1, its codec known, its control and transactional
// bits clear, its times the producer's own, and every record well formed, with the offset deltas 0, 1, 2… and the maximum of
// its timestamps as the header says it.
//
// It returns ErrMalformed, ErrChecksum, ErrTooLarge or ErrCodec, wrapped. An uncompressed batch costs no allocation. A
// compressed one makes a Decompressor: who validates many keeps one and calls its Validate.
func Validate(b []byte, limits Limits) (Header, error) {
	h, err := validateHeader(b, limits)
	if err != nil {
		return Header{}, err
	}
	if h.Codec() == None {
		return h, validateUncompressed(h, b[HeaderSize:], limits)
	}
	return h, new(Decompressor).validateBody(h, b[HeaderSize:], limits)
}

// Validate is the function Validate with the readers and the buffer of d.
func (d *Decompressor) Validate(b []byte, limits Limits) (Header, error) {
	h, err := validateHeader(b, limits)
	if err != nil {
		return Header{}, err
	}
	if h.Codec() == None {
		return h, validateUncompressed(h, b[HeaderSize:], limits)
	}
	return h, d.validateBody(h, b[HeaderSize:], limits)
}

func (d *Decompressor) validateBody(h Header, body []byte, limits Limits) error {
	plain, err := d.decompress(d.scratch[:0], h.Codec(), body, limits.Decompressed)
	if cap(plain) <= keptScratch {
		d.scratch = plain
	}
	if err != nil {
		return err
	}
	return validateRecords(h, plain, limits)
}

func validateUncompressed(h Header, body []byte, limits Limits) error {
	if len(body) > limits.Decompressed {
		return fmt.Errorf("records of %d bytes, at most %d are allowed: %w", len(body), limits.Decompressed, ErrTooLarge)
	}
	return validateRecords(h, body, limits)
}

func validateHeader(b []byte, limits Limits) (Header, error) {
	if len(b) > limits.Bytes {
		return Header{}, fmt.Errorf("batch of %d bytes, at most %d are allowed: %w", len(b), limits.Bytes, ErrTooLarge)
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
	case int64(h.Records) > int64(limits.Records):
		return Header{}, fmt.Errorf("batch of %d records, at most %d are allowed: %w", h.Records, limits.Records, ErrTooLarge)
	case h.Idempotent() && (h.Epoch < 0 || h.FirstSequence < 0):
		return Header{}, fmt.Errorf("producer %d with epoch %d and sequence %d: %w", h.Producer, h.Epoch, h.FirstSequence, ErrMalformed)
	}
	return h, nil
}

func validateRecords(h Header, body []byte, limits Limits) error {
	var (
		headers int
		v       view
		ok      bool
		newest  = int64(math.MinInt64)
		records = h.Records
	)
	for i := range records {
		if body, ok = readRecord(body, &v); !ok {
			return fmt.Errorf("record %d of %d is not well formed: %w", i, records, ErrMalformed)
		}
		if headers += v.headers; v.headers > limits.RecordHeaders || headers > limits.Headers {
			return fmt.Errorf("record %d of %d has %d headers, the batch %d so far; allowed are %d and %d: %w", i, records,
				v.headers, headers, limits.RecordHeaders, limits.Headers, ErrTooLarge)
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
