package protocol

import (
	"fmt"
	"strconv"
	"strings"

	"troupe/partitions/id"
)

// Code numbers an error. It is an error itself, for errors.Is(err, protocol.CodeThrottled). Codes are stable for ever.
type Code uint16

// The codes. What each means stands in the table below, and in PROTOCOL.md.
const (
	CodeMalformed          Code = 1
	CodeFrameTooLarge      Code = 2
	CodeHelloRequired      Code = 3
	CodeUnknownAPI         Code = 4
	CodeUnsupportedVersion Code = 5
	CodeInvalidRequest     Code = 6
	CodeInternal           Code = 7
	CodeTimedOut           Code = 8

	CodeUnknownTopic      Code = 10
	CodeTopicRecreated    Code = 11
	CodeTopicExists       Code = 12
	CodeInvalidTopicName  Code = 13
	CodeInvalidSetting    Code = 14
	CodeInvalidPartitions Code = 15
	CodeTooManyTopics     Code = 16
	CodeTooFewBrokers     Code = 17
	CodeInvalidAssignment Code = 18
	CodeAssignmentChanged Code = 19

	CodeNotLeader      Code = 20
	CodeNotReady       Code = 21
	CodeThrottled      Code = 22
	CodeOutcomeUnknown Code = 23
	CodeUnavailable    Code = 24
	CodeDamaged        Code = 25
	CodeDiskFull       Code = 26
	CodeStaleLeader    Code = 27

	CodeOffsetOutOfRange   Code = 30
	CodeOffsetMismatch     Code = 31
	CodeDuplicate          Code = 32
	CodeOutOfOrderSequence Code = 33
	CodeUnknownProducer    Code = 34
	CodeFencedProducer     Code = 35
	CodeInvalidBatch       Code = 36
	CodeBatchTooLarge      Code = 37

	CodeUnknownBroker  Code = 40
	CodeBrokerInUse    Code = 41
	CodeMoveUnderWay   Code = 42
	CodeNotRecoverable Code = 43
)

// Outcome tells whether a refused request took effect.
type Outcome uint8

// The outcomes.
const (
	// NotDone: definitely not, and never will. Sending it again cannot do it twice.
	NotDone Outcome = iota
	// Unknown: it may or may not have taken effect, or may do so yet.
	Unknown
	// Done: it has taken effect, by an earlier send.
	Done
)

// String returns the words that PROTOCOL.md uses.
func (o Outcome) String() string { return [...]string{"not done", "unknown", "done"}[o] }

// details says which keys the details of an error carry.
type details uint8

const (
	detailsNone   details = iota
	detailsRange          // asked, log_start, log_end
	detailsLimit          // limit
	detailsWait           // limit, wait_ms
	detailsLeader         // leader, gateway, term
)

// ErrorKind is what every error of one code has in common.
type ErrorKind struct {
	Code      Code
	Name      string // stable, upper case
	Retriable bool   // the same request may succeed later, unchanged, and sending it again is safe
	Outcome   Outcome
	Sentence  string
	details   details
}

// kinds is the one table of errors, in the order of their codes.
var kinds = []ErrorKind{
	{CodeMalformed, "MALFORMED", false, NotDone, "The frame is not what the protocol draws. The connection is closed.", detailsNone},
	{CodeFrameTooLarge, "FRAME_TOO_LARGE", false, NotDone, "The frame is longer than the limit told in Hello (4 KiB before Hello). The connection is closed.", detailsLimit},
	{CodeHelloRequired, "HELLO_REQUIRED", false, NotDone, "The first request of a connection must be Hello. The connection is closed.", detailsNone},
	{CodeUnknownAPI, "UNKNOWN_API", false, NotDone, "This broker has no API of that number.", detailsNone},
	{CodeUnsupportedVersion, "UNSUPPORTED_VERSION", false, NotDone, "This broker does not speak that version of the API; Hello tells which it does.", detailsNone},
	{CodeInvalidRequest, "INVALID_REQUEST", false, NotDone, "A key is missing, has a wrong type, or a value outside its range; the message names it.", detailsNone},
	{CodeInternal, "INTERNAL", false, Unknown, "The broker failed in a way it has no code for; its log says more.", detailsNone},
	{CodeTimedOut, "TIMED_OUT", false, NotDone, "The client took longer than a time told in Hello: to say Hello, to finish a frame, or to ask again. The connection is closed.", detailsLimit},

	{CodeUnknownTopic, "UNKNOWN_TOPIC_OR_PARTITION", false, NotDone, "There is no such topic, or it has no such partition.", detailsNone},
	{CodeTopicRecreated, "TOPIC_RECREATED", false, NotDone, "The topic's name now means another topic than the id in the request: it was deleted and created again.", detailsNone},
	{CodeTopicExists, "TOPIC_EXISTS", false, NotDone, "There is a topic of that name already.", detailsNone},
	{CodeInvalidTopicName, "INVALID_TOPIC_NAME", false, NotDone, "A topic's name is 1 to 249 of a-z A-Z 0-9 . _ -, not \".\" or \"..\", and does not begin with \"__\".", detailsNone},
	{CodeInvalidSetting, "INVALID_SETTING", false, NotDone, "The setting is unknown, not built yet, or its value is outside its range.", detailsNone},
	{CodeInvalidPartitions, "INVALID_PARTITIONS", false, NotDone, "The number of partitions is below 1 or above the limit.", detailsNone},
	{CodeTooManyTopics, "TOO_MANY_TOPICS", false, NotDone, "The cluster has as many topics, or partitions in all, as its limits allow.", detailsNone},

	{CodeTooFewBrokers, "TOO_FEW_BROKERS", false, NotDone, "More replicas are asked for than there are brokers to place them on.", detailsNone},
	{CodeInvalidAssignment, "INVALID_ASSIGNMENT", false, NotDone, "A partition's replicas go to 1, 3 or 5 different brokers that are not gone.", detailsNone},
	{CodeAssignmentChanged, "ASSIGNMENT_CHANGED", false, NotDone, "The partition's assignment is no longer the one that the request was made from; look again.", detailsNone},

	{CodeNotLeader, "NOT_LEADER", true, NotDone, "The partition has no leader that this broker could reach; an election may be under way. The details tell who it heard leads.", detailsLeader},
	{CodeNotReady, "NOT_READY", true, NotDone, "The partition is opening, or its new leader is not ready to serve; or the broker cannot tell now whether there is such a topic.", detailsNone},
	{CodeThrottled, "THROTTLED", true, NotDone, "A named budget of the broker is used up; wait as long as the details say. On a new connection: it is closed.", detailsWait},
	{CodeOutcomeUnknown, "OUTCOME_UNKNOWN", false, Unknown, "The request was proposed and then lost sight of. Only an idempotent producer may send it again.", detailsNone},
	{CodeUnavailable, "UNAVAILABLE", true, NotDone, "The partition is stopped or its disk fails; an operator must look.", detailsNone},
	{CodeDamaged, "DAMAGED", true, NotDone, "The partition's bytes on this broker do not verify; they are never served.", detailsNone},
	{CodeDiskFull, "DISK_FULL", true, NotDone, "The broker's disk is below its reserve; reads go on.", detailsNone},
	{CodeStaleLeader, "STALE_LEADER", true, NotDone, "A leader answered whose successor has been seen; its answer is not shown, for it may be out of date.", detailsNone},

	{CodeOffsetOutOfRange, "OFFSET_OUT_OF_RANGE", false, NotDone, "The offset is below the log start or above the log end; the details tell both.", detailsRange},
	{CodeOffsetMismatch, "OFFSET_MISMATCH", false, NotDone, "The partition does not end at expect_end_offset; the details tell where it does.", detailsRange},
	{CodeDuplicate, "DUPLICATE", false, Done, "The batch is in the log already, too long ago to tell at which offset.", detailsNone},
	{CodeOutOfOrderSequence, "OUT_OF_ORDER_SEQUENCE", false, NotDone, "A batch of this producer that comes before this one is missing.", detailsNone},
	{CodeUnknownProducer, "UNKNOWN_PRODUCER", false, NotDone, "The partition does not remember this producer, and the batch is not its first.", detailsNone},
	{CodeFencedProducer, "FENCED_PRODUCER", false, NotDone, "A newer epoch of this producer has written.", detailsNone},
	{CodeInvalidBatch, "INVALID_BATCH", false, NotDone, "The record batch contradicts itself or fails its checksum.", detailsNone},
	{CodeBatchTooLarge, "BATCH_TOO_LARGE", false, NotDone, "The record batch is larger than the topic's max.message.bytes, or beyond one of the limits told in Hello: batch_bytes, batch_records, batch_headers, record_headers, decompressed_bytes.", detailsNone},

	{CodeUnknownBroker, "UNKNOWN_BROKER", false, NotDone, "No broker of that id was ever in the cluster, or it is gone for ever.", detailsNone},
	{CodeBrokerInUse, "BROKER_IN_USE", false, NotDone, "The broker still has replicas, or those left without it could not take them.", detailsNone},
	{CodeMoveUnderWay, "MOVE_UNDER_WAY", false, NotDone, "The partition is still moving: wait until it has arrived, or assign it back to where it was.", detailsNone},
	{CodeNotRecoverable, "NOT_RECOVERABLE", false, NotDone, "The partition is not recovered with a loss: its majority may be there, or no replica can stand for it.", detailsNone},
}

// Kinds returns the table of errors, in the order of their codes. The caller must not change it.
func Kinds() []ErrorKind { return kinds }

// Kind returns what the table says of the code; ok is false for a code this version does not know.
func (c Code) Kind() (kind ErrorKind, ok bool) {
	for i := range kinds {
		if kinds[i].Code == c {
			return kinds[i], true
		}
	}
	return ErrorKind{}, false
}

// Error returns the code's name, or its number if the table has none.
func (c Code) Error() string {
	if kind, ok := c.Kind(); ok {
		return kind.Name
	}
	return "CODE_" + strconv.Itoa(int(c))
}

// Error is a refusal as it stands in a response: [code, name, message, retriable, details].
//
// Name and Retriable are what the sender said, so that a client understands codes younger than itself.
type Error struct {
	Code      Code
	Name      string
	Message   string
	Retriable bool
	Details   Details
}

// Details are the numbers that make some errors useful. PROTOCOL.md tells which error carries which.
type Details struct {
	Asked      id.Offset // the offset asked for or expected
	LogStart   id.Offset
	LogEnd     id.Offset // exclusive: the high watermark for a fetch, the next offset for a produce
	WaitMillis int64     // how long to wait before the next attempt
	Limit      string    // which limit was met, by its name in Hello; "partition": a budget of the partition
	Leader     id.Node   // who leads the partition, as far as the broker knows; 0: it does not
	Gateway    string    // where that broker's gateway listens; empty: not known
	Term       id.Term   // in which it leads, or in which nobody is known to
}

// mostMessage is how long a message may be. It may quote what a client sent, which must not come back many times as long.
const mostMessage = 1 << 10

// NewError makes an error of a code of the table, with a message that names the thing and the next step. A message above
// 1 KiB is cut.
func NewError(c Code, format string, args ...any) *Error {
	kind, ok := c.Kind()
	if !ok {
		panic(fmt.Sprintf("protocol: code %d is not in the table of errors", c))
	}
	message := fmt.Sprintf(format, args...)
	if len(message) > mostMessage {
		message = strings.ToValidUTF8(message[:mostMessage], "") + "..."
	}
	return &Error{Code: c, Name: kind.Name, Message: message, Retriable: kind.Retriable}
}

// Error returns name and message.
func (e *Error) Error() string { return e.Name + ": " + e.Message }

// Is tells whether target is the same code, as a Code or as another Error.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case Code:
		return e.Code == t
	case *Error:
		return e.Code == t.Code
	}
	return false
}

// Outcome tells whether the request took effect. Of a code younger than this table nothing is known.
func (e *Error) Outcome() Outcome {
	if kind, ok := e.Code.Kind(); ok {
		return kind.Outcome
	}
	return Unknown
}

// error writes nil or the five elements of an error.
func (w *writer) error(e *Error) {
	if e == nil {
		w.nil()
		return
	}
	w.array(5)
	w.uint(uint64(e.Code))
	w.str(e.Name)
	w.str(e.Message)
	w.bool(e.Retriable)
	kind, _ := e.Code.Kind()
	switch kind.details {
	case detailsRange:
		w.fields(3)
		w.putInt("asked", int64(e.Details.Asked))
		w.putInt("log_start", int64(e.Details.LogStart))
		w.putInt("log_end", int64(e.Details.LogEnd))
	case detailsLimit:
		w.fields(1)
		w.putStr("limit", e.Details.Limit)
	case detailsWait:
		w.fields(2)
		w.putStr("limit", e.Details.Limit)
		w.putInt("wait_ms", e.Details.WaitMillis)
	case detailsLeader:
		w.fields(3)
		w.putNode("leader", e.Details.Leader)
		w.putStr("gateway", e.Details.Gateway)
		w.putUint("term", uint64(e.Details.Term))
	default:
		w.fields(0)
	}
}

// error reads nil or an error; elements after the fifth are ignored.
func (r *reader) error() *Error {
	if r.err == nil && r.peek() == kindNil {
		r.skip()
		return nil
	}
	n := r.arrayLen()
	if r.err == nil && n < 4 {
		r.fail("an error has at least 4 elements, this one %d", n)
	}
	e := &Error{Code: Code(r.uint(1<<16 - 1)), Name: r.str(), Message: r.str(), Retriable: r.bool()}
	if n > 4 {
		r.fields(func(key string) bool {
			switch key {
			case "asked":
				e.Details.Asked = r.offset()
			case "log_start":
				e.Details.LogStart = r.offset()
			case "log_end":
				e.Details.LogEnd = r.offset()
			case "limit":
				e.Details.Limit = r.str()
			case "wait_ms":
				e.Details.WaitMillis = r.int(0, maxInt64)
			case "leader":
				e.Details.Leader = r.node()
			case "gateway":
				e.Details.Gateway = r.str()
			case "term":
				e.Details.Term = r.term()
			default:
				return false
			}
			return true
		})
	}
	for i := 5; i < n; i++ {
		r.skip()
	}
	if r.err != nil {
		return nil
	}
	return e
}
