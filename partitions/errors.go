package partitions

import (
	"errors"
	"fmt"

	"troupe/partitions/id"
)

// The world's errors, as a replica, its log and its broker report them. Each says whether the request took effect: "not
// done" means definitely not, and it may be sent again.
var (
	// ErrNotLeader: this replica does not lead the partition. Not done.
	ErrNotLeader = errors.New("partitions: not the leader")
	// ErrStaleLeader: a leader of an earlier term than has been seen answered a read; what it says may be out of date. Not done.
	ErrStaleLeader = errors.New("partitions: stale leader")
	// ErrNotReady: the leader has not yet applied the first entry of its term, or the replica is still opening. Not done.
	ErrNotReady = errors.New("partitions: not ready")
	// ErrThrottled: a named budget is used up; wait and send again. Not done.
	ErrThrottled = errors.New("partitions: throttled")
	// ErrOutcomeUnknown: the request was proposed and then lost sight of; it may or may not take effect.
	ErrOutcomeUnknown = errors.New("partitions: outcome unknown")
	// ErrOffsetOutOfRange: the offset lies below the log start or above the log end. See RangeError.
	ErrOffsetOutOfRange = errors.New("partitions: offset out of range")
	// ErrOffsetMismatch: the partition does not end at the offset the producer expected. See RangeError.
	ErrOffsetMismatch = errors.New("partitions: offset mismatch")
	// ErrDuplicate: the batch is in the log already, too long ago to tell at which offset.
	ErrDuplicate = errors.New("partitions: duplicate batch")
	// ErrOutOfOrderSequence: a batch before this one is missing. Not done.
	ErrOutOfOrderSequence = errors.New("partitions: out of order sequence")
	// ErrUnknownProducer: the partition does not remember this producer and the batch is not its first. Not done.
	ErrUnknownProducer = errors.New("partitions: unknown producer")
	// ErrFencedProducer: a newer epoch of this producer has written. Not done.
	ErrFencedProducer = errors.New("partitions: fenced producer")
	// ErrInvalidBatch: the batch header contradicts itself. Not done.
	ErrInvalidBatch = errors.New("partitions: invalid batch")
	// ErrBatchTooLarge: the batch is larger than the topic's max.message.bytes. Not done.
	ErrBatchTooLarge = errors.New("partitions: batch too large")
	// ErrDamaged: bytes that were durable once do not verify; the replica is quarantined.
	ErrDamaged = errors.New("partitions: damaged")
	// ErrUnavailable: the partition is stopped or its disk fails; the operator must look. Not done.
	ErrUnavailable = errors.New("partitions: unavailable")
	// ErrDiskFull: the disk is below its reserve. Not done.
	ErrDiskFull = errors.New("partitions: disk full")
	// ErrUnknownTopic: no such topic or partition. Not done.
	ErrUnknownTopic = errors.New("partitions: unknown topic or partition")
	// ErrTopicRecreated: the name now means another topic than the id that came with it. Not done.
	ErrTopicRecreated = errors.New("partitions: topic was deleted and created again")
	// ErrPoisoned: a log refuses to write after a failed write, until it is opened anew.
	ErrPoisoned = errors.New("partitions: log poisoned by an earlier failure")
	// ErrMisplaced: a log was opened for a replica it does not belong to.
	ErrMisplaced = errors.New("partitions: another replica's log")
	// ErrMalformed: bytes that this room encodes do not decode.
	ErrMalformed = errors.New("partitions: malformed bytes")
	// ErrNewer: a checksum verifies, but over a version, type or flag that this program does not know. Nothing was
	// changed; run the newer program.
	ErrNewer = errors.New("partitions: written by a newer Troupe")
	// ErrNotRecoverable: a partition is not recovered with a loss, for its majority may be there, or nobody can stand for it.
	ErrNotRecoverable = errors.New("partitions: not recoverable")
	// ErrClosed: the log, or the replica, was closed.
	ErrClosed = errors.New("partitions: closed")
)

// RangeError is an error about offsets together with the bounds that make it useful. It unwraps to Err.
type RangeError struct {
	Err      error // ErrOffsetOutOfRange or ErrOffsetMismatch
	Asked    id.Offset
	LogStart id.Offset
	LogEnd   id.Offset // exclusive: the high watermark for a fetch, the next offset for a produce
}

// Error names the offset asked for and the range there is.
func (e *RangeError) Error() string {
	return fmt.Sprintf("%v: asked for %d, the log holds %d to %d (exclusive)", e.Err, e.Asked, e.LogStart, e.LogEnd)
}

// Unwrap returns Err.
func (e *RangeError) Unwrap() error { return e.Err }

// NotLeaderError is ErrNotLeader with what the replica knows of who leads.
type NotLeaderError struct {
	Leader id.Node // where the leader lives; 0: none known
	Term   id.Term
}

// Error names the leader.
func (e *NotLeaderError) Error() string {
	if e.Leader == 0 {
		return fmt.Sprintf("%v: no leader is known in term %d", ErrNotLeader, e.Term)
	}
	return fmt.Sprintf("%v: the leader of term %d is on broker %v", ErrNotLeader, e.Term, e.Leader)
}

// Unwrap returns ErrNotLeader.
func (e *NotLeaderError) Unwrap() error { return ErrNotLeader }

// InvariantError is the value of a panic: something that can only be a bug, with the two numbers that disagree. A replica
// that raised one is stopped and never restarted.
type InvariantError struct {
	Invariant string // which rule is broken, as a sentence
	Got, Want any
}

// Error tells the rule and both numbers.
func (e *InvariantError) Error() string {
	return fmt.Sprintf("partitions: broken invariant: %s: got %v, want %v", e.Invariant, e.Got, e.Want)
}
