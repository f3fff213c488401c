package actors

import (
	"encoding/binary"
	"errors"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// An error travels as the numbers of the sentinels it unwraps to, with its text and what else is useful of it:
//
//	+-----------------+-------------------------------------------------------------------------+
//	| n u8; 0: none   | n × number u8, ascending | leader, term, asked, start, end u64 | text   |   text: length u32, bytes
//	+-----------------+-------------------------------------------------------------------------+
//
// leader and term are a NotLeaderError's, the three after them a RangeError's; 0 where the error is none.
//
// errorTextBytes bounds the text. It is for people.
const errorTextBytes = 1 << 10

// sentinels numbers what can be the answer to a request. The positions travel: never change one.
var sentinels = [...]error{
	1:  partitions.ErrOutcomeUnknown,
	2:  partitions.ErrNotLeader,
	3:  partitions.ErrNotReady,
	4:  partitions.ErrThrottled,
	5:  partitions.ErrDamaged,
	6:  partitions.ErrOffsetOutOfRange,
	7:  partitions.ErrOffsetMismatch,
	8:  partitions.ErrDuplicate,
	9:  partitions.ErrOutOfOrderSequence,
	10: partitions.ErrUnknownProducer,
	11: partitions.ErrFencedProducer,
	12: partitions.ErrInvalidBatch,
	13: partitions.ErrBatchTooLarge,
	14: partitions.ErrUnavailable,
	15: partitions.ErrDiskFull,
	16: partitions.ErrUnknownTopic,
	17: partitions.ErrTopicRecreated,
	18: partitions.ErrMisplaced,
	19: partitions.ErrNewer,
	20: partitions.ErrMalformed,
	21: partitions.ErrPoisoned,
	22: partitions.ErrClosed,
	23: catalog.ErrTopicExists,
	24: catalog.ErrInvalidName,
	25: catalog.ErrInvalidSetting,
	26: catalog.ErrInvalidPartitions,
	27: catalog.ErrTooMany,
	28: catalog.ErrBootstrapped,
	29: catalog.ErrInvalidCommand,
	30: catalog.ErrInvalidSnapshot,
	31: batch.ErrMalformed,
	32: batch.ErrChecksum,
	33: batch.ErrCodec,
	34: batch.ErrTooLarge,
	35: partitions.ErrStaleLeader,
	36: catalog.ErrTooFewNodes,
	37: catalog.ErrInvalidAssignment,
	38: catalog.ErrAssignmentChanged,
	39: catalog.ErrMoveUnderWay,
	40: catalog.ErrUnknownNode,
	41: catalog.ErrNodeInUse,
	42: partitions.ErrNotRecoverable,
}

// relayed is an error that came from another broker.
type relayed struct {
	text   string
	causes []error
}

// Error returns the text it had there.
func (e *relayed) Error() string { return e.text }

// Unwrap returns what it unwrapped to there.
func (e *relayed) Unwrap() []error { return e.causes }

// appendError appends an error, or none. One that unwraps to nothing that has a number leaves the outcome unknown.
func appendError(b []byte, err error) []byte {
	if err == nil {
		return append(b, 0)
	}
	at := len(b)
	b = append(b, 0)
	for number, sentinel := range sentinels {
		if sentinel != nil && errors.Is(err, sentinel) {
			b = append(b, byte(number))
		}
	}
	if len(b) == at+1 {
		b = append(b, 1)
	}
	b[at] = byte(len(b) - at - 1)
	var leader *partitions.NotLeaderError
	if !errors.As(err, &leader) {
		leader = &partitions.NotLeaderError{}
	}
	var bounds *partitions.RangeError
	if !errors.As(err, &bounds) {
		bounds = &partitions.RangeError{}
	}
	for _, v := range [...]uint64{
		uint64(leader.Leader), uint64(leader.Term), uint64(bounds.Asked), uint64(bounds.LogStart), uint64(bounds.LogEnd),
	} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	text := err.Error()
	return appendBytes(b, text[:min(len(text), errorTextBytes)])
}

// error reads what appendError wrote.
func (r *frameReader) error() error {
	numbers := r.take(int(r.u8()))
	if len(numbers) == 0 {
		return nil
	}
	leader := &partitions.NotLeaderError{Leader: id.Node(r.u64()), Term: id.Term(r.u64())}
	bounds := &partitions.RangeError{Asked: id.Offset(r.u64()), LogStart: id.Offset(r.u64()), LogEnd: id.Offset(r.u64())}
	e := &relayed{text: string(r.bytes())}
	for i, n := range numbers {
		if int(n) >= len(sentinels) || n == 0 || i > 0 && n <= numbers[i-1] || len(e.text) > errorTextBytes {
			r.short = true
			return nil
		}
		switch cause := sentinels[n]; cause {
		case partitions.ErrNotLeader:
			e.causes = append(e.causes, leader)
			leader = &partitions.NotLeaderError{}
		case partitions.ErrOffsetOutOfRange, partitions.ErrOffsetMismatch:
			r.short = r.short || bounds.Err != nil // one range has one of them
			bounds.Err = cause
			e.causes = append(e.causes, bounds)
		default:
			e.causes = append(e.causes, cause)
		}
	}
	if leader.Leader|id.Node(leader.Term) != 0 || bounds.Err == nil && bounds.Asked|bounds.LogStart|bounds.LogEnd != 0 {
		r.short = true
		return nil
	}
	return e
}

func appendBytes[T ~string | ~[]byte](b []byte, more T) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(more))), more...)
}
