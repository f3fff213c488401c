package partitions

import "troupe/partitions/id"

// Request numbers a request so that its answer can be told. The caller draws them; a number is not used again while its
// answer is outstanding.
type Request uint64

// Acks says what must have happened before a produce is answered.
type Acks int8

// The values are Kafka's.
const (
	// AcksNone: passed the gateway's checks. The answer carries no offset.
	AcksNone Acks = 0
	// AcksLeader: durable on the leader.
	AcksLeader Acks = 1
	// AcksQuorum: durable on a majority of the replicas. The default, and the only one with idempotence.
	AcksQuorum Acks = -1
)

// NoExpectation as Produce.ExpectEnd appends wherever the partition ends.
const NoExpectation id.Offset = -1

// Produce asks for one record batch to be appended.
type Produce struct {
	Request Request
	// Batch is a whole RecordBatch v2 that passed batch.Validate. The replica copies it before it returns.
	Batch     []byte
	Acks      Acks
	ExpectEnd id.Offset // append only if the partition ends here; NoExpectation otherwise
}

// ProduceAnswer tells what became of a Produce.
type ProduceAnswer struct {
	Request       Request
	Err           error // nil, or a sentinel of this package, wrapped
	Base          id.Offset
	AppendTime    id.Timestamp // -1 when the topic keeps the producers' times
	LogStart      id.Offset
	HighWatermark id.Offset
	Term          id.Term
	Duplicate     bool // it had been appended by an earlier send, at Base
	Result        any  // what the partition's fold answered; nil for ordinary partitions
}

// Fetch asks for committed batches from an offset on.
type Fetch struct {
	Request  Request
	Offset   id.Offset
	MaxBytes int // at least one batch is returned however large
	// Until is when a fetch that found nothing gives up waiting; at or before the replica's clock: it does not wait.
	Until id.Timestamp
}

// FetchAnswer returns batches, or an error. Both are absent when the wait ended with nothing; both are there only where
// Verified says so.
type FetchAnswer struct {
	Request Request
	Err     error
	// Verified tells that Err is only the mark of a quarantined replica (ErrDamaged): everything else in the answer
	// verifies and was committed, and may be read without relying on the replica for what comes after.
	Verified bool
	// Batches are whole RecordBatch v2, in order; the first may begin below the offset asked for. They are immutable.
	Batches [][]byte
	// Skip is where to go on instead, when there are no batches because a recorded gap reaches from the offset asked for up to
	// it; 0 otherwise.
	Skip          id.Offset
	LogStart      id.Offset
	HighWatermark id.Offset
	Term          id.Term
}

// ListOffsets asks for one offset of the partition.
type ListOffsets struct {
	Request Request
	At      OffsetAt
	Time    id.Timestamp // for OffsetAtTime
}

// OffsetAt says which offset is asked for.
type OffsetAt uint8

// The offsets that can be asked for.
const (
	OffsetEarliest OffsetAt = 1 // the log start
	OffsetLatest   OffsetAt = 2 // the high watermark, confirmed with a quorum (ReadIndex)
	OffsetAtTime   OffsetAt = 3 // the base of the first batch with a record at or after a time
)

// OffsetAnswer answers ListOffsets. When no batch is that young, Offset is the high watermark and Time is -1.
type OffsetAnswer struct {
	Request       Request
	Err           error
	Verified      bool // as in FetchAnswer
	Offset        id.Offset
	Time          id.Timestamp // of the batch found by time; -1 otherwise
	LogStart      id.Offset
	HighWatermark id.Offset
	Term          id.Term
}

// DeleteRecords asks for the log start to move up. The records below it are no longer served, and their disk is freed as
// whole segments fall below it.
type DeleteRecords struct {
	Request Request
	Before  id.Offset // the new log start, at most the high watermark; EverythingSoFar for just that
}

// EverythingSoFar as DeleteRecords.Before deletes every record below the high watermark.
const EverythingSoFar id.Offset = -1

// DeleteAnswer answers DeleteRecords, once the new log start is applied.
type DeleteAnswer struct {
	Request       Request
	Err           error // a RangeError, ErrNotLeader, ErrNotReady, ErrOutcomeUnknown, ErrDamaged
	LogStart      id.Offset
	HighWatermark id.Offset
	Term          id.Term
}

// Trim is work for whoever owns the log's write side, in order with the Writes: run Trim.Run, then tell Replica.Trimmed.
type Trim struct {
	Base  *Checkpoint // what the log continues from now
	Start id.Offset   // the log start as of a durable checkpoint
	Below id.Index    // that checkpoint's index

	producers int // Limits.Producers: the base forgets producers exactly as the replica did
}

// Read is work that the replica wants done beside it: a fetch of batches too old for its tail cache. Whoever runs it calls
// Log.ReadBatches and fills the batches (or the error) into Answer; where there are neither, nothing but a recorded gap lies
// in the range, and Skip is Until.
type Read struct {
	From, Until id.Offset
	MaxBytes    int
	Answer      FetchAnswer
}

// Search is a ListOffsets by time, to be run beside the replica: Log.FindTime, then Offset and Time of Answer.
type Search struct {
	Time   id.Timestamp
	From   id.Offset // the log start
	Until  id.Offset
	Answer OffsetAnswer
}

// Outbox is everything a replica wants done. The caller runs it in any order, except that Writes keep theirs and the
// answers of one kind keep theirs.
type Outbox struct {
	Writes     []Write
	Checkpoint *Checkpoint // to be saved after every write so far; then CheckpointSaved
	Trim       *Trim       // to be run after every write so far; then Trimmed
	// Messages are for the replica's peers, to be sent at once, in order, each at most once. What certainly could not be
	// sent is told by Unreachable.
	Messages []Message
	Produced []ProduceAnswer
	Fetched  []FetchAnswer
	Offsets  []OffsetAnswer
	Deleted  []DeleteAnswer
	Reads    []Read
	Searches []Search
	// Failed is set once, when the replica cannot go on: its log holds what it may not serve (ErrDamaged). Everyone who
	// waited has been answered; only Status and Close make sense afterwards.
	Failed error
}

// Settings are what a topic sets for each of its partitions. They can change at any time.
type Settings struct {
	MaxBatchBytes int  // max.message.bytes
	AppendTime    bool // message.timestamp.type = LogAppendTime: the leader stamps each batch
}

// Fold is the state machine of an internal partition: a pure function of the partition's records.
type Fold interface {
	// Apply takes one committed batch (a whole RecordBatch v2) and returns what the proposer is to be told. It must not
	// keep the bytes, nor fail: a record that cannot be read, or whose precondition does not hold, changes nothing.
	Apply(base id.Offset, batch []byte) any
	// Snapshot encodes the whole state; equal states have equal encodings.
	Snapshot() []byte
	// Restore replaces the state by an encoded one.
	Restore([]byte) error
}
