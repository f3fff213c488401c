package simulation

import (
	"encoding/binary"
	"time"

	"troupe/partitions/id"
)

// Value is what a simulated client writes into a record: unique in its run, so that every copy can be told.
type Value int64

// History is what the clients asked and were told, in the order in which they learned it.
type History struct {
	Sends []*Send
	Polls []*Poll
	Lists []*List
	// Searches asked for a time.
	Searches []*Search
	Trims    []*Trim
}

// Outcome is what a client knows about its send.
type Outcome uint8

// The outcomes.
const (
	OutcomeUnknown      Outcome = iota // no answer, or one that says so
	OutcomeAcknowledged                // durable, says the broker
	OutcomeFailed                      // definitely not done, says the broker
)

// Send is one batch a client wanted appended, with all its retries.
type Send struct {
	Client    int
	Partition id.Partition
	Values    []Value
	// Quiet was sent with acks none, or with acks leader where there are others: an acknowledgement promises nothing.
	Quiet bool
	// Repeats may stand in the log several times: the client sent again without idempotence.
	Repeats bool
	// Producer and Sequence identify an idempotent send; Producer is 0 otherwise.
	Producer id.Producer
	Sequence int32
	// Expected is where its producer wanted it, or nowhere: -1 when anywhere.
	Expected  id.Offset
	Invoked   time.Duration
	Completed time.Duration // when Outcome became known
	Outcome   Outcome
	Base      id.Offset // of Values[0], when acknowledged; -1 when the broker no longer knows
	Term      id.Term   // of the leader that acknowledged it; 0: not known
	Tries     int
}

// Seen is one record a client read.
type Seen struct {
	Offset id.Offset
	Value  Value
	Stamp  id.Timestamp
	// Base and Newest are its batch's: the first offset and the largest time.
	Base   id.Offset
	Newest id.Timestamp
}

// Poll is one answered fetch.
type Poll struct {
	Client    int
	Partition id.Partition
	Invoked   time.Duration
	Completed time.Duration
	// Offset was asked for; Records begin there unless the log starts later.
	Offset        id.Offset
	Records       []Seen
	LogStart      id.Offset
	HighWatermark id.Offset
	// Damaged says that the partition is: what it shows as its end need not be.
	Damaged bool
	// Weak: a leader answered that may have been deposed without knowing it.
	Weak bool
	Term id.Term // of that leader; 0: not known
}

// List is one answer that tells where a partition begins and ends.
type List struct {
	Client    int
	Partition id.Partition
	Invoked   time.Duration
	Completed time.Duration
	Earliest  id.Offset
	Latest    id.Offset
	// Proposed tells that Latest counts what is appended and not committed yet: a crash may take that back.
	Proposed bool
	Weak     bool    // as in Poll
	Term     id.Term // as in Poll
	// Exact: the end was asked for, and nothing else.
	Exact bool
}

// Search is one answered ListOffsets for a time.
type Search struct {
	Client        int
	Partition     id.Partition
	Invoked       time.Duration
	Completed     time.Duration
	At            id.Timestamp
	Offset        id.Offset
	Newest        id.Timestamp // of the batch found; -1: none
	HighWatermark id.Offset
	Weak          bool    // as in Poll
	Term          id.Term // as in Poll
}

// Trim is one wish to delete the records of a partition below an offset.
type Trim struct {
	Partition id.Partition
	Before    id.Offset
	Invoked   time.Duration
	Completed time.Duration // never: no answer, or one that refuses
	LogStart  id.Offset     // as the answer says
}

// Encode makes a record's value: the number, and as much filling as wanted.
func (v Value) Encode(filling int) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+filling), uint64(v))
	for i := range filling {
		b = append(b, byte(int(v)+i))
	}
	return b
}

// DecodeValue reads what Encode made; ok is false for anything else.
func DecodeValue(b []byte) (v Value, ok bool) {
	if len(b) < 8 {
		return 0, false
	}
	v = Value(binary.BigEndian.Uint64(b))
	for i, c := range b[8:] {
		if c != byte(int(v)+i) {
			return 0, false
		}
	}
	return v, true
}
