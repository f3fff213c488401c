package actors

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// frameReader reads the fields of a frame's body. After the first one that does not fit, short is set and everything reads
// as zero.
type frameReader struct {
	rest  []byte
	short bool
}

func (r *frameReader) take(n int) []byte {
	if r.short || n > len(r.rest) {
		r.short = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *frameReader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *frameReader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *frameReader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// bool accepts 0 and 1 only, so that a value has one encoding.
func (r *frameReader) bool() bool {
	v := r.u8()
	r.short = r.short || v > 1
	return v == 1
}

// bytes reads a length and so many bytes, which share the frame's memory.
func (r *frameReader) bytes() []byte {
	n := r.u32()
	if uint64(n) > uint64(len(r.rest)) {
		r.short = true
	}
	return r.take(int(n))
}

// count reads how many items of at least size bytes follow. It trusts no number that the remaining bytes cannot hold.
func (r *frameReader) count(size int) int {
	n := r.u32()
	if r.short || uint64(n)*uint64(size) > uint64(len(r.rest)) {
		r.short = true
		return 0
	}
	return int(n)
}

func (r *frameReader) partition() id.Partition {
	return id.Partition{Topic: id.TopicID(r.u64()), Number: int32(r.u32())}
}

// end returns partitions.ErrMalformed unless everything has been read, and nothing was missing.
func (r *frameReader) end(what string) error {
	if r.short || len(r.rest) > 0 {
		return r.malformed(what)
	}
	return nil
}

func (r *frameReader) malformed(what string) error {
	return fmt.Errorf("frame of %s, %d bytes before its end: %w", what, len(r.rest), partitions.ErrMalformed)
}
