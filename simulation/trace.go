package simulation

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"troupe/partitions"
)

// Trace is the memory of a run: a running hash over every event, and, when someone listens, a line for each event worth
// seeing.
type Trace struct {
	hash     uint64
	steps    uint64
	out      io.Writer // nil: nobody listens
	now      func() time.Duration
	handling string     // the type of the message that an actor handles
	raised   *Violation // what an actor panicked with, or a completion; nil when none did
}

// The hash is 64-bit FNV-1a: not cryptographic, and cheap enough for every event.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// castagnoli is the table of the checksum that stands for many bytes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewTrace returns an empty trace that prints to out, if that is not nil.
func NewTrace(out io.Writer) *Trace {
	return &Trace{hash: fnvOffset, out: out, now: func() time.Duration { return 0 }}
}

// Hash is the hash of everything so far.
func (t *Trace) Hash() uint64 { return t.hash }

func (t *Trace) mix(v uint64) {
	for range 8 {
		t.hash = (t.hash ^ v&0xff) * fnvPrime
		v >>= 8
	}
}

func (t *Trace) mixString(s string) {
	for i := range len(s) {
		t.hash = (t.hash ^ uint64(s[i])) * fnvPrime
	}
	t.mix(uint64(len(s)))
}

// mixBytes adds a checksum: bytes are many.
func (t *Trace) mixBytes(b []byte) {
	t.mix(uint64(crc32.Checksum(b, castagnoli))<<32 | uint64(len(b)))
}

// event adds one event to the hash and prints it: when, who, what, and the rest.
func (t *Trace) event(who, what, format string, arguments ...any) {
	t.mixString(who)
	t.mixString(what)
	if t.out != nil {
		fmt.Fprintf(t.out, "%s  %-12s %-14s %s\n", moment(t.now()), who, what, fmt.Sprintf(format, arguments...))
	}
}

// panicked notes that an actor raised something. Nothing that is simulated makes an actor panic, so this ends the run.
func (t *Trace) panicked(reason any) {
	t.event("actor", "panic", "%v", reason)
	t.raised = raised(reason)
}

// raised names a panic: by the invariant that production code found broken, if that is what it was.
func raised(reason any) *Violation {
	var broken *partitions.InvariantError
	if err, ok := reason.(error); ok && errors.As(err, &broken) {
		return violation("replica: "+broken.Invariant, "got %v, want %v", broken.Got, broken.Want)
	}
	return violation("panic", "%v", reason)
}
