package protocol

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/vmihailenco/msgpack/v5"
)

// writer encodes one frame. Small values go into one buffer; a large slice is remembered by reference with the place where
// it belongs, so that nobody copies it. Writing to memory cannot fail: the encoder's errors are not looked at.
type writer struct {
	buf     bytes.Buffer
	enc     *msgpack.Encoder
	spliced []splice // in the order of their places
	extra   int      // bytes in spliced
}

// splice is a slice that stands between buf[:at] and buf[at:].
type splice struct {
	at int
	b  []byte
}

// spliceFrom is the size from which a slice is referred to instead of copied: below it another element of writev costs
// more than the copy.
const spliceFrom = 4 << 10

// newWriter returns a writer with room for the length.
func newWriter() *writer {
	w := newBareWriter()
	w.buf.Grow(256)
	w.buf.Write(make([]byte, lengthBytes))
	return w
}

// newBareWriter returns a writer of values that become part of a frame later.
func newBareWriter() *writer {
	w := &writer{}
	w.enc = msgpack.NewEncoder(&w.buf)
	return w
}

// frame closes the writer. It panics if the frame is too long for its length field: callers bound what they put in.
func (w *writer) frame() Frame {
	whole := w.buf.Bytes()
	n := len(whole) - lengthBytes + w.extra
	if n > math.MaxUint32 {
		panic(fmt.Sprintf("protocol: a frame of %d bytes, the length field ends at %d", n, uint32(math.MaxUint32)))
	}
	binary.BigEndian.PutUint32(whole, uint32(n))
	f := make(Frame, 0, 2*len(w.spliced)+1)
	from := 0
	for _, s := range w.spliced {
		if s.at > from {
			f = append(f, whole[from:s.at:s.at])
			from = s.at
		}
		f = append(f, s.b)
	}
	if from < len(whole) {
		f = append(f, whole[from:])
	}
	return f
}

func (w *writer) array(n int)   { _ = w.enc.EncodeArrayLen(n) }
func (w *writer) uint(v uint64) { _ = w.enc.EncodeUint(v) }
func (w *writer) int(v int64)   { _ = w.enc.EncodeInt(v) }
func (w *writer) nil()          { _ = w.enc.EncodeNil() }
func (w *writer) str(s string)  { _ = w.enc.EncodeString(s) }
func (w *writer) bool(v bool)   { _ = w.enc.EncodeBool(v) }
func (w *writer) fields(n int)  { _ = w.enc.EncodeMapLen(n) }

// bin writes bytes, by reference if they are many; nil becomes msgpack's nil.
func (w *writer) bin(b []byte) {
	if b == nil {
		w.nil()
		return
	}
	_ = w.enc.EncodeBytesLen(len(b))
	w.raw(b)
}

// copied writes bytes as bin does, always by copying.
func (w *writer) copied(b []byte) {
	if b == nil {
		w.nil()
		return
	}
	_ = w.enc.EncodeBytes(b)
}

// raw writes what is msgpack already.
func (w *writer) raw(b []byte) {
	if len(b) < spliceFrom {
		w.buf.Write(b)
		return
	}
	w.spliced = append(w.spliced, splice{at: w.buf.Len(), b: b})
	w.extra += len(b)
}

// The put methods write a key and its value.

func (w *writer) putUint(key string, v uint64) { w.str(key); w.uint(v) }
func (w *writer) putInt(key string, v int64)   { w.str(key); w.int(v) }
func (w *writer) putStr(key, v string)         { w.str(key); w.str(v) }
func (w *writer) putBool(key string, v bool)   { w.str(key); w.bool(v) }
func (w *writer) putBin(key string, b []byte)  { w.str(key); w.bin(b) }
func (w *writer) putError(e *Error)            { w.str("error"); w.error(e) }
func (w *writer) putList(key string, n int)    { w.str(key); w.array(n) }

// putStrings writes a list of strings.
func (w *writer) putStrings(key string, list []string) {
	w.putList(key, len(list))
	for _, s := range list {
		w.str(s)
	}
}
