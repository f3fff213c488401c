package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Every message is a frame:
//
//	+----------------+--------------------------------------+
//	| length u32 BE  | msgpack array, exactly length bytes  |
//	+----------------+--------------------------------------+
//
//	request   [api: uint, version: uint, correlation: uint, body: map | nil]
//	response  [correlation: uint, error: nil | [code, name, message, retriable, details], body: map | nil]

// Sizes of frames, without the length in front.
const (
	// HelloFrameBytes bounds every frame until Hello has succeeded.
	HelloFrameBytes = 4 << 10
	// DefaultFrameBytes bounds frames in both directions afterwards, unless Hello's limits say otherwise.
	DefaultFrameBytes = 8 << 20
	// MaxFrameBytes is the longest frame that a broker can be set to take.
	MaxFrameBytes = 1 << 30
)

const lengthBytes = 4

// ErrFrameTooLarge is returned for a frame longer than the limit in force. Nothing of it has been read.
var ErrFrameTooLarge = errors.New("protocol: frame too large")

// Frame is an encoded message with its length in front, as a list of slices to be written one after the other
// (net.Buffers). Batches in it are the caller's memory, not copies.
type Frame [][]byte

// Len returns the number of bytes on the wire.
func (f Frame) Len() int {
	n := 0
	for _, part := range f {
		n += len(part)
	}
	return n
}

// Payload returns a copy of the frame without its length: what the receiver parses. It serves callers without a socket.
func (f Frame) Payload() []byte {
	whole := make([]byte, 0, f.Len())
	for _, part := range f {
		whole = append(whole, part...)
	}
	return whole[lengthBytes:]
}

// firstRead is how much of a frame is allocated on the word of its length alone.
const firstRead = 128 << 10

// ReadFrame reads one frame and returns its payload, in memory of its own. It returns ErrFrameTooLarge if the length is
// above max, io.EOF if the stream ends before the frame begins, and io.ErrUnexpectedEOF if it ends within.
//
// Memory follows what has arrived, by doubling: a peer that announces much and sends nothing costs firstRead.
func ReadFrame(r io.Reader, max int) ([]byte, error) {
	return ReadFrameWithin(r, max, func(int) error { return nil })
}

// ReadFrameWithin is ReadFrame that asks room for leave before the payload grows by so many bytes, and returns its error.
func ReadFrameWithin(r io.Reader, max int, room func(more int) error) ([]byte, error) {
	var length [lengthBytes]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	announced := binary.BigEndian.Uint32(length[:])
	if uint64(announced) > uint64(max) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLarge, announced, max)
	}
	n := int(announced)
	if err := room(min(n, firstRead)); err != nil {
		return nil, err
	}
	payload := make([]byte, min(n, firstRead))
	for have := 0; ; {
		if _, err := io.ReadFull(r, payload[have:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		have = len(payload)
		if have == n {
			return payload, nil
		}
		if err := room(min(n, 2*have) - have); err != nil {
			return nil, err
		}
		grown := make([]byte, min(n, 2*have))
		copy(grown, payload)
		payload = grown
	}
}

// RequestHeader stands in front of every request.
type RequestHeader struct {
	API         API
	Version     uint16
	Correlation uint64 // chosen by the client; the response carries it back
}

// ResponseHeader stands in front of every response.
type ResponseHeader struct {
	Correlation uint64
	Err         *Error // nil: the request was carried out, and the body is there
}

// Body is the guarded, not yet decoded body of a message.
type Body []byte

// Message is the body of a request or a response: one of this package's types ending in Request or Response.
type Message interface {
	// API tells which API the message belongs to.
	API() API
	encode(*writer)
	decode(*reader)
}

// EncodeRequest encodes a request in the newest version.
func EncodeRequest(correlation uint64, m Message) Frame {
	return EncodeRequestIn(m.API().MaxVersion(), correlation, m)
}

// EncodeRequestIn encodes a request in a version that the broker speaks. Versions so far only added keys to responses, which
// older clients skip: the same bytes serve all of them.
func EncodeRequestIn(version uint16, correlation uint64, m Message) Frame {
	w := newWriter()
	w.array(4)
	w.uint(uint64(m.API()))
	w.uint(uint64(version))
	w.uint(correlation)
	m.encode(w)
	return w.frame()
}

// EncodeResponse encodes the response to a request that was carried out.
func EncodeResponse(correlation uint64, m Message) Frame {
	w := newWriter()
	w.array(3)
	w.uint(correlation)
	w.nil()
	m.encode(w)
	return w.frame()
}

// EncodeError encodes the response to a request that was refused.
func EncodeError(correlation uint64, e *Error) Frame {
	w := newWriter()
	w.array(3)
	w.uint(correlation)
	w.error(e)
	w.nil()
	return w.frame()
}

// ParseRequest guards a frame's payload and reads its header. On ErrMalformed the header holds what could be read.
func ParseRequest(payload []byte) (RequestHeader, Body, error) {
	var h RequestHeader
	if err := guard(payload, MaxElements); err != nil {
		return h, nil, err
	}
	r := newReader(payload)
	defer r.release()
	if n := r.arrayLen(); r.err == nil && n != 4 {
		r.fail("a request has 4 elements, this one %d", n)
	}
	api := r.uint(1<<16 - 1)
	version := r.uint(1<<16 - 1)
	h = RequestHeader{API: API(api), Version: uint16(version), Correlation: r.uint(1<<64 - 1)}
	if r.err != nil {
		return h, nil, fmt.Errorf("%w: request header: %w", ErrMalformed, r.err)
	}
	return h, Body(r.rest()), nil
}

// ParseResponse guards a frame's payload and reads its header. It returns ErrMalformed for what is no response.
func ParseResponse(payload []byte) (ResponseHeader, Body, error) {
	var h ResponseHeader
	if err := guard(payload, MaxElements); err != nil {
		return h, nil, err
	}
	r := newReader(payload)
	defer r.release()
	if n := r.arrayLen(); r.err == nil && n != 3 {
		r.fail("a response has 3 elements, this one %d", n)
	}
	h.Correlation = r.uint(1<<64 - 1)
	h.Err = r.error()
	if r.err != nil {
		return h, nil, fmt.Errorf("%w: response header: %w", ErrMalformed, r.err)
	}
	return h, Body(r.rest()), nil
}

// Decode reads the body into m, replacing all it held. It returns a *FieldError, which names the key. Slices in m share
// memory with the body.
func (b Body) Decode(m Message) error {
	r := newReader(b)
	defer r.release()
	m.decode(r)
	return r.err
}
