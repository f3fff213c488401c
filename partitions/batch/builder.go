package batch

import (
	"encoding/binary"
	"fmt"
	"math"

	"troupe/partitions/id"
)

// Builder makes a batch, record by record, in one buffer that it keeps: appending allocates only when the buffer grows. It
// is for one goroutine at a time.
type Builder struct {
	codec      Codec
	compressor *Compressor // made at the first Build that needs it, unless shared
	buf        []byte      // room for the header, then the records as they are on the wire
	packed     []byte      // the compressed batch
	count      int32
	first      id.Timestamp // of the first record
	newest     id.Timestamp
}

// NewBuilder returns an empty builder that compresses with codec.
func NewBuilder(codec Codec) *Builder {
	return &Builder{codec: codec, buf: make([]byte, HeaderSize, 1024)}
}

// ShareCompressor makes the builder use c, which others may use too as long as no two of them build at the same time.
func (b *Builder) ShareCompressor(c *Compressor) { b.compressor = c }

// Count returns the number of records so far.
func (b *Builder) Count() int { return int(b.count) }

// Size returns the bytes of the batch so far, header included, not yet compressed.
func (b *Builder) Size() int { return len(b.buf) }

// RecordBound returns at least the bytes that a record will add to a batch.
func RecordBound(key, value []byte, headers []RecordHeader) int {
	// At most 5 for the length, 1 attribute, 10 and 5 for the deltas, 5 for the count of headers.
	return 26 + payloadSize(key, value, headers)
}

func payloadSize(key, value []byte, headers []RecordHeader) int {
	n := bytesSize(key) + bytesSize(value)
	for i := range headers {
		n += varintSize(int64(len(headers[i].Key))) + len(headers[i].Key) + bytesSize(headers[i].Value)
	}
	return n
}

// Append adds a record; the bytes are copied. The batch must stay below 2 GiB, which is its caller's to watch by Size and
// RecordBound.
func (b *Builder) Append(t id.Timestamp, key, value []byte, headers []RecordHeader) {
	if b.count == 0 {
		b.first, b.newest = t, t
	}
	b.newest = max(b.newest, t)
	timestampDelta, offsetDelta, count := int64(t-b.first), int64(b.count), int64(len(headers))
	size := 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + varintSize(count) + payloadSize(key, value, headers)

	buf := appendVarint(b.buf, int64(size))
	buf = append(buf, 0)
	buf = appendVarint(buf, timestampDelta)
	buf = appendVarint(buf, offsetDelta)
	buf = appendBytes(buf, key)
	buf = appendBytes(buf, value)
	buf = appendVarint(buf, count)
	for i := range headers {
		buf = appendVarint(buf, int64(len(headers[i].Key)))
		buf = append(buf, headers[i].Key...)
		buf = appendBytes(buf, headers[i].Value)
	}
	b.buf = buf
	b.count++
}

// Build returns the batch, with base offset 0 and term 0: a leader stamps both. NoProducer, NoEpoch and NoSequence make one
// that is not idempotent. The bytes belong to the builder and stand until the next Append, Build or Reset; building again
// with another sequence is allowed. It returns ErrMalformed for a builder without records, ErrTooLarge or ErrCodec, wrapped.
func (b *Builder) Build(producer id.Producer, epoch int16, sequence int32) ([]byte, error) {
	if b.count == 0 {
		return nil, fmt.Errorf("build a batch without records: %w", ErrMalformed)
	}
	out := b.buf
	if b.codec != None {
		if b.compressor == nil {
			b.compressor = new(Compressor)
		}
		packed, err := b.compressor.compress(append(b.packed[:0], b.buf[:HeaderSize]...), b.codec, b.buf[HeaderSize:])
		if err != nil {
			return nil, fmt.Errorf("build a batch of %d records: %w", b.count, err)
		}
		out, b.packed = packed, packed
	}
	if len(out) > math.MaxInt32 {
		return nil, fmt.Errorf("build a batch of %d bytes: %w", len(out), ErrTooLarge)
	}
	binary.BigEndian.PutUint64(out, 0)
	binary.BigEndian.PutUint32(out[atLength:], uint32(len(out)-atTerm))
	binary.BigEndian.PutUint32(out[atTerm:], 0)
	out[atMagic] = magic
	binary.BigEndian.PutUint16(out[atAttributes:], uint16(b.codec))
	binary.BigEndian.PutUint32(out[atLastOffsetDelta:], uint32(b.count-1))
	binary.BigEndian.PutUint64(out[atFirstTimestamp:], uint64(b.first))
	binary.BigEndian.PutUint64(out[atMaxTimestamp:], uint64(b.newest))
	binary.BigEndian.PutUint64(out[atProducer:], uint64(producer))
	binary.BigEndian.PutUint16(out[atEpoch:], uint16(epoch))
	binary.BigEndian.PutUint32(out[atFirstSequence:], uint32(sequence))
	binary.BigEndian.PutUint32(out[atRecords:], uint32(b.count))
	binary.BigEndian.PutUint32(out[atCRC:], checksum(out))
	return out, nil
}

// Reset empties the builder and keeps its buffers.
func (b *Builder) Reset() {
	b.buf = b.buf[:HeaderSize]
	b.count = 0
}
