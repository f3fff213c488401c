package batch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"troupe/partitions/id"
)

// A record batch, big endian (Kafka's protocol guide, "Record Batch"):
//
//	 0                8           12          16      17       21            23
//	+----------------+-----------+-----------+-------+--------+-------------+-------------------+
//	| base offset 8  | length 4  | term 4    | magic | crc 4  | attributes 2| last offset delta 4|
//	+----------------+-----------+-----------+-------+--------+-------------+-------------------+
//	 27                  35                43           51       53               57         61
//	+-------------------+-----------------+------------+--------+----------------+----------+---------+
//	| first timestamp 8 | max timestamp 8 | producer 8 | epoch 2| first sequence 4| records 4| records…|
//	+-------------------+-----------------+------------+--------+----------------+----------+---------+
//
// length counts what follows it. crc is the CRC32C of everything from attributes on. attributes: bits 0-2 the codec, bit 3
// append time, bit 4 transactional, bit 5 control; the rest is 0.
const (
	atLength          = 8
	atTerm            = 12
	atMagic           = 16
	atCRC             = 17
	atAttributes      = 21
	atLastOffsetDelta = 23
	atFirstTimestamp  = 27
	atMaxTimestamp    = 35
	atProducer        = 43
	atEpoch           = 51
	atFirstSequence   = 53
	atRecords         = 57

	magic = 2
)

// HeaderSize is the number of bytes before the first record.
const HeaderSize = 61

const (
	attributeCodec         = 7
	attributeAppendTime    = 1 << 3
	attributeTransactional = 1 << 4
	attributeControl       = 1 << 5
	attributesKnown        = attributeCodec | attributeAppendTime | attributeTransactional | attributeControl
)

// NoProducer, NoEpoch and NoSequence stand in the header of a batch whose producer is not idempotent.
const (
	NoProducer id.Producer = -1
	NoEpoch    int16       = -1
	NoSequence int32       = -1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is everything a batch says before its records.
type Header struct {
	BaseOffset      id.Offset
	Length          int32 // bytes after the length field
	Term            int32 // of the leader that appended it (Kafka: partition leader epoch)
	CRC             uint32
	Attributes      int16
	LastOffsetDelta int32
	FirstTimestamp  id.Timestamp
	MaxTimestamp    id.Timestamp
	Producer        id.Producer // NoProducer: not idempotent
	Epoch           int16
	FirstSequence   int32
	Records         int32
}

// Size returns the bytes of the whole batch.
func (h Header) Size() int { return int(h.Length) + atTerm }

// NextOffset returns the offset that follows the batch.
func (h Header) NextOffset() id.Offset { return h.BaseOffset + id.Offset(h.LastOffsetDelta) + 1 }

// Codec returns how the records are compressed. It may be one that is not known: Validate checks.
func (h Header) Codec() Codec { return Codec(h.Attributes & attributeCodec) }

// AppendTime tells whether every record's timestamp is the moment the leader appended the batch, which is MaxTimestamp.
func (h Header) AppendTime() bool { return h.Attributes&attributeAppendTime != 0 }

// Idempotent tells whether the batch carries a producer id and sequence numbers.
func (h Header) Idempotent() bool { return h.Producer > 0 }

// LastSequence returns the sequence number of the last record.
func (h Header) LastSequence() int32 {
	if !h.Idempotent() {
		return NoSequence
	}
	return NextSequence(h.FirstSequence, h.LastOffsetDelta)
}

// NextSequence returns the sequence number n records after s. The numbers go from 0 to 2^31-1 and begin again.
func NextSequence(s, n int32) int32 { return int32((int64(s) + int64(n)) & math.MaxInt32) }

// ParseHeader reads the header of the batch that b begins with; b may go on after the batch. It checks the magic, and that
// the whole batch lies in b, but neither the checksum nor the records. It returns ErrMalformed, wrapped.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("%d bytes are fewer than a header: %w", len(b), ErrMalformed)
	}
	if b[atMagic] != magic {
		return Header{}, fmt.Errorf("magic %d, want %d: %w", b[atMagic], magic, ErrMalformed)
	}
	h := Header{
		BaseOffset:      id.Offset(binary.BigEndian.Uint64(b)),
		Length:          int32(binary.BigEndian.Uint32(b[atLength:])),
		Term:            int32(binary.BigEndian.Uint32(b[atTerm:])),
		CRC:             binary.BigEndian.Uint32(b[atCRC:]),
		Attributes:      int16(binary.BigEndian.Uint16(b[atAttributes:])),
		LastOffsetDelta: int32(binary.BigEndian.Uint32(b[atLastOffsetDelta:])),
		FirstTimestamp:  id.Timestamp(binary.BigEndian.Uint64(b[atFirstTimestamp:])),
		MaxTimestamp:    id.Timestamp(binary.BigEndian.Uint64(b[atMaxTimestamp:])),
		Producer:        id.Producer(binary.BigEndian.Uint64(b[atProducer:])),
		Epoch:           int16(binary.BigEndian.Uint16(b[atEpoch:])),
		FirstSequence:   int32(binary.BigEndian.Uint32(b[atFirstSequence:])),
		Records:         int32(binary.BigEndian.Uint32(b[atRecords:])),
	}
	if h.Length < HeaderSize-atTerm || int64(h.Length)+atTerm > int64(len(b)) {
		return Header{}, fmt.Errorf("length %d does not fit %d bytes: %w", h.Length, len(b), ErrMalformed)
	}
	if h.LastOffsetDelta < 0 || h.Records < 0 || int64(h.Records) > int64(h.LastOffsetDelta)+1 {
		return Header{}, fmt.Errorf("%d records, last offset delta %d: %w", h.Records, h.LastOffsetDelta, ErrMalformed)
	}
	return h, nil
}

// Verify reads the header of the batch that b begins with and checks the checksum. It returns ErrMalformed or ErrChecksum,
// wrapped. It is for batches that were validated once: from a disk, a peer or a broker.
func Verify(b []byte) (Header, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return Header{}, err
	}
	if crc := checksum(b[:h.Size()]); crc != h.CRC {
		return Header{}, fmt.Errorf("batch at offset %d: crc %08x, header says %08x: %w", h.BaseOffset, crc, h.CRC, ErrChecksum)
	}
	return h, nil
}

// Stamp writes the base offset and the term in place. Both lie outside the checksum. The batch must have passed
// ParseHeader.
func Stamp(b []byte, base id.Offset, term id.Term) {
	binary.BigEndian.PutUint64(b, uint64(base))
	binary.BigEndian.PutUint32(b[atTerm:], uint32(term))
}

// StampAppendTime makes t the timestamp of every record, in place, and computes the checksum anew. b must be exactly one
// batch that passed ParseHeader.
func StampAppendTime(b []byte, t id.Timestamp) {
	attributes := binary.BigEndian.Uint16(b[atAttributes:])
	binary.BigEndian.PutUint16(b[atAttributes:], attributes|attributeAppendTime)
	binary.BigEndian.PutUint64(b[atMaxTimestamp:], uint64(t))
	binary.BigEndian.PutUint32(b[atCRC:], checksum(b))
}

func checksum(b []byte) uint32 { return crc32.Checksum(b[atAttributes:], castagnoli) }
