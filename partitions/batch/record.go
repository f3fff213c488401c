package batch

import (
	"encoding/binary"
	"math"

	"troupe/partitions/id"
)

// Record is one record of a batch.
type Record struct {
	Offset    id.Offset
	Timestamp id.Timestamp
	Key       []byte // nil: no key, which differs from an empty one
	Value     []byte // nil: a tombstone
	Headers   []RecordHeader
}

// RecordHeader is a name and a value that travel with a record. Names may repeat.
type RecordHeader struct {
	Key   string
	Value []byte // nil differs from empty
}

// One record. Every number is a zigzag varint; a length of -1 means nil:
//
//	+--------+------------+-----------------+--------------+---------+-----+-----------+-------+---------+----------+
//	| length | attributes | timestamp delta | offset delta | key len | key | value len | value | headers | header…  |
//	+--------+------------+-----------------+--------------+---------+-----+-----------+-------+---------+----------+
//	header: | key len | key | value len | value |
//
// length counts what follows it; attributes is one byte that means nothing yet.

// smallestRecord is the size of a record without key, value and headers: seven numbers of one byte.
const smallestRecord = 7

// view is a record as it lies in a batch. Its slices alias the batch.
type view struct {
	timestampDelta int64
	offsetDelta    int32
	key, value     []byte
	headers        int    // how many
	headerBytes    []byte // all of them, checked
}

// readRecord reads the record that body begins with and returns what follows it. It is the one reader of records: it checks
// every length, the headers' too, and allocates nothing.
func readRecord(body []byte, v *view) (rest []byte, ok bool) {
	length, b, ok := readLength(body)
	if !ok || length < smallestRecord-1 || length > len(b) {
		return nil, false
	}
	b, rest = b[:length], b[length:]
	b = b[1:] // attributes
	if v.timestampDelta, b, ok = readVarint(b); !ok {
		return nil, false
	}
	delta, b, ok := readVarint(b)
	if !ok || delta < 0 || delta > math.MaxInt32 {
		return nil, false
	}
	v.offsetDelta = int32(delta)
	if v.key, b, ok = readBytes(b); !ok {
		return nil, false
	}
	if v.value, b, ok = readBytes(b); !ok {
		return nil, false
	}
	if v.headers, b, ok = readLength(b); !ok || v.headers < 0 {
		return nil, false
	}
	v.headerBytes = b
	for range v.headers {
		var key []byte
		if key, b, ok = readBytes(b); !ok || key == nil {
			return nil, false
		}
		if _, b, ok = readBytes(b); !ok {
			return nil, false
		}
	}
	return rest, len(b) == 0
}

// appendHeaders decodes the headers of a view that readRecord filled.
func (v *view) appendHeaders(dst []RecordHeader) []RecordHeader {
	b := v.headerBytes
	for range v.headers {
		var key, value []byte
		key, b, _ = readBytes(b)
		value, b, _ = readBytes(b)
		dst = append(dst, RecordHeader{Key: string(key), Value: value})
	}
	return dst
}

// readBytes reads a length and as many bytes; nil for the length -1. Bytes that are there are never nil.
func readBytes(b []byte) (value, rest []byte, ok bool) {
	n, b, ok := readLength(b)
	switch {
	case !ok || n < -1 || n > len(b):
		return nil, nil, false
	case n == -1:
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}

func readLength(b []byte) (int, []byte, bool) {
	n, rest, ok := readVarint(b)
	if n < math.MinInt32 || n > math.MaxInt32 {
		return 0, nil, false
	}
	return int(n), rest, ok
}

func readVarint(b []byte) (int64, []byte, bool) {
	if len(b) > 0 && b[0] < 0x80 { // by far the most common
		return int64(b[0]>>1) ^ -int64(b[0]&1), b[1:], true
	}
	v, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// varintSize returns the bytes that binary.AppendVarint takes for v.
func varintSize(v int64) int {
	n := 1
	for u := uint64(v)<<1 ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

// bytesSize returns the bytes that appendBytes takes for v.
func bytesSize(v []byte) int {
	if v == nil {
		return 1
	}
	return varintSize(int64(len(v))) + len(v)
}

func appendBytes(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 1) // -1 in zigzag
	}
	return append(appendVarint(dst, int64(len(v))), v...)
}

func appendVarint(dst []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	for u >= 0x80 {
		dst = append(dst, byte(u)|0x80)
		u >>= 7
	}
	return append(dst, byte(u))
}
