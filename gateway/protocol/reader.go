package protocol

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
	"unsafe"

	"github.com/vmihailenco/msgpack/v5"
)

// FieldError says what is wrong with which key of a body.
type FieldError struct {
	Path   string // "partitions[2].batch"; empty for the body itself
	Reason string
}

// Error names the key first.
func (e *FieldError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return "key " + e.Path + ": " + e.Reason
}

// reader decodes guarded msgpack. The first error sticks: later calls return zero values and do nothing, so that decoders
// need not look after every step. The guard has walked the bytes, so the decoder's own errors cannot happen; should one,
// it is reported like a wrong type.
type reader struct {
	data []byte
	src  bytes.Reader // over data; the decoder does not read ahead of what it decodes
	dec  *msgpack.Decoder
	err  error // nil or a *FieldError
}

var readers = sync.Pool{New: func() any {
	r := &reader{}
	r.dec = msgpack.NewDecoder(&r.src)
	return r
}}

func newReader(guarded []byte) *reader {
	r := readers.Get().(*reader)
	r.data, r.err = guarded, nil
	r.src.Reset(guarded)
	return r
}

// release ends the use of the reader. Slices it handed out remain the frame's.
func (r *reader) release() {
	r.data = nil
	r.src.Reset(nil)
	readers.Put(r)
}

func (r *reader) at() int { return len(r.data) - r.src.Len() }

// rest returns what has not been read.
func (r *reader) rest() []byte { return r.data[r.at():] }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &FieldError{Reason: fmt.Sprintf(format, args...)}
	}
}

// within puts the name of the enclosing key or element in front of an error's path.
func (r *reader) within(outer string) {
	e, ok := r.err.(*FieldError)
	if !ok {
		return
	}
	if e.Path != "" && e.Path[0] != '[' {
		outer += "."
	}
	e.Path = outer + e.Path
}

// kind is the type of a msgpack value.
type kind uint8

const (
	kindNone kind = iota
	kindNil
	kindBool
	kindInt
	kindFloat
	kindStr
	kindBin
	kindArray
	kindMap
)

var kindNames = [...]string{"nothing", "nil", "bool", "int", "float", "str", "bin", "array", "map"}

// String returns the word used in errors and in PROTOCOL.md.
func (k kind) String() string { return kindNames[k] }

func kindOf(c byte) kind {
	switch {
	case c <= 0x7f || c >= 0xe0 || (c >= 0xcc && c <= 0xd3):
		return kindInt
	case c <= 0x8f || c == 0xde || c == 0xdf:
		return kindMap
	case c <= 0x9f || c == 0xdc || c == 0xdd:
		return kindArray
	case c <= 0xbf || (c >= 0xd9 && c <= 0xdb):
		return kindStr
	case c == 0xc0:
		return kindNil
	case c == 0xc2 || c == 0xc3:
		return kindBool
	case c >= 0xc4 && c <= 0xc6:
		return kindBin
	case c == 0xca || c == 0xcb:
		return kindFloat
	}
	return kindNone
}

func (r *reader) peek() kind {
	if r.src.Len() == 0 {
		return kindNone
	}
	return kindOf(r.data[r.at()])
}

// expect checks the kind of the next value. The decoder itself would take nil for 0 and a negative number for a large one.
func (r *reader) expect(want kind) bool {
	if r.err != nil {
		return false
	}
	if got := r.peek(); got != want {
		r.fail("want %v, got %v", want, got)
		return false
	}
	return true
}

// decoded reports an error of the decoder.
func (r *reader) decoded(err error) {
	if err != nil {
		r.fail("%v", err)
	}
}

// uint reads a whole number from 0 to max.
func (r *reader) uint(max uint64) uint64 {
	if !r.expect(kindInt) {
		return 0
	}
	// 0xd0 to 0xd3 are the signed types, from 0xe0 on the small negative numbers.
	if c := r.data[r.at()]; (c >= 0xd0 && c <= 0xd3) || c >= 0xe0 {
		return uint64(r.int(0, int64(min(max, math.MaxInt64))))
	}
	v, err := r.dec.DecodeUint64()
	r.decoded(err)
	if v > max {
		r.fail("%d is above %d", v, max)
		return 0
	}
	return v
}

// int reads a whole number from min to max.
func (r *reader) int(min, max int64) int64 {
	if !r.expect(kindInt) {
		return 0
	}
	unsigned := r.data[r.at()] == 0xcf
	v, err := r.dec.DecodeInt64()
	r.decoded(err)
	if unsigned && v < 0 {
		r.fail("%d is above %d", uint64(v), max)
		return 0
	}
	if v < min || v > max {
		r.fail("%d is not within %d to %d", v, min, max)
		return 0
	}
	return v
}

// bool reads true or false.
func (r *reader) bool() bool {
	if !r.expect(kindBool) {
		return false
	}
	v, err := r.dec.DecodeBool()
	r.decoded(err)
	return v
}

// str reads text and copies it.
func (r *reader) str() string {
	if !r.expect(kindStr) {
		return ""
	}
	return string(r.take())
}

// bin reads bytes, which remain part of the frame.
func (r *reader) bin() []byte {
	if !r.expect(kindBin) {
		return nil
	}
	return r.take()
}

// text reads bytes or text or nil, for keys and values of records written by hand; the result is part of the frame.
func (r *reader) text() []byte {
	if r.err != nil {
		return nil
	}
	switch got := r.peek(); got {
	case kindBin, kindStr:
		return r.take()
	case kindNil:
		r.skip()
	default:
		r.fail("want bin or str, got %v", got)
	}
	return nil
}

// absent passes over a nil, which stands for a missing value, and tells whether there was one.
func (r *reader) absent() bool {
	if r.err != nil || r.peek() != kindNil {
		return false
	}
	r.skip()
	return true
}

// take returns the bytes of the str or bin that comes next, as a slice of the frame that cannot grow into its neighbours.
func (r *reader) take() []byte {
	n, err := r.dec.DecodeBytesLen()
	r.decoded(err)
	from := r.at()
	if r.err != nil || n < 0 || n > len(r.data)-from {
		r.fail("cut short")
		return nil
	}
	_, err = r.src.Seek(int64(n), io.SeekCurrent)
	r.decoded(err)
	return r.data[from : from+n : from+n]
}

func (r *reader) arrayLen() int {
	if !r.expect(kindArray) {
		return 0
	}
	n, err := r.dec.DecodeArrayLen()
	r.decoded(err)
	return n
}

// list reads an array, calling one for each element; one must read exactly it. More than max elements are refused.
func (r *reader) list(max int, one func(i int)) {
	n := r.arrayLen()
	if n > max {
		r.fail("%d elements, at most %d", n, max)
	}
	for i := 0; i < n && r.err == nil; i++ {
		if one(i); r.err != nil {
			r.within("[" + strconv.Itoa(i) + "]")
		}
	}
}

// listOf reads an array of values that decode themselves. It grows with what has been read: the count alone allocates
// nothing.
func listOf[T any, P interface {
	*T
	decode(*reader)
}](r *reader, max int) []T {
	var all []T
	r.list(max, func(int) {
		var one T
		P(&one).decode(r)
		all = append(all, one)
	})
	return all
}

// fields reads a map, calling field for each key with a value; field must read exactly that value and return true, or read
// nothing and return false, and then the value is skipped. nil instead of a map is an empty one.
func (r *reader) fields(field func(key string) bool) {
	if r.err != nil {
		return
	}
	if r.peek() == kindNil {
		r.skip()
		return
	}
	if !r.expect(kindMap) {
		return
	}
	n, err := r.dec.DecodeMapLen()
	r.decoded(err)
	for i := 0; i < n && r.err == nil; i++ {
		if got := r.peek(); got != kindStr {
			r.fail("a key of type %v, want str", got)
			return
		}
		key := r.take()
		if r.peek() == kindNil || !field(borrow(key)) {
			r.skip()
		}
		if r.err != nil {
			r.within(string(key))
		}
	}
}

// borrow returns b as a string without copying. The frame does not change, and field functions only compare the key; one
// that keeps it must clone it.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// need reports a key that has no default and is not there.
func (r *reader) need(there bool, key string) {
	if !there && r.err == nil {
		r.err = &FieldError{Path: key, Reason: "is missing"}
	}
}

// skip passes over one value. The decoder's own Skip copies what it passes and keeps the memory.
func (r *reader) skip() {
	left := 1
	for left > 0 && r.err == nil {
		size, values, err := measure(r.data[r.at():])
		r.decoded(err)
		_, err = r.src.Seek(int64(size), io.SeekCurrent)
		r.decoded(err)
		left += values - 1
	}
}
