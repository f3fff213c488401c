package gateway

import (
	"errors"
	"strings"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// refusals maps the sentinels of the rooms behind the gateway to codes. An error unwraps to one of them; the first match
// counts.
var refusals = []struct {
	sentinel error
	code     protocol.Code
}{
	// First: an unknown outcome tells why it is unknown, and that reason alone may be one that means "not done".
	{partitions.ErrOutcomeUnknown, protocol.CodeOutcomeUnknown},
	{partitions.ErrNotLeader, protocol.CodeNotLeader},
	{partitions.ErrStaleLeader, protocol.CodeStaleLeader},
	{partitions.ErrNotReady, protocol.CodeNotReady},
	{partitions.ErrThrottled, protocol.CodeThrottled},
	// Before the range: a damaged log that holds less than it did must not make a client begin elsewhere.
	{partitions.ErrDamaged, protocol.CodeDamaged},
	{partitions.ErrOffsetOutOfRange, protocol.CodeOffsetOutOfRange},
	{partitions.ErrOffsetMismatch, protocol.CodeOffsetMismatch},
	{partitions.ErrDuplicate, protocol.CodeDuplicate},
	{partitions.ErrOutOfOrderSequence, protocol.CodeOutOfOrderSequence},
	{partitions.ErrUnknownProducer, protocol.CodeUnknownProducer},
	{partitions.ErrFencedProducer, protocol.CodeFencedProducer},
	{partitions.ErrInvalidBatch, protocol.CodeInvalidBatch},
	{partitions.ErrBatchTooLarge, protocol.CodeBatchTooLarge},
	{partitions.ErrUnavailable, protocol.CodeUnavailable},
	{partitions.ErrDiskFull, protocol.CodeDiskFull},
	{partitions.ErrUnknownTopic, protocol.CodeUnknownTopic},
	{partitions.ErrTopicRecreated, protocol.CodeTopicRecreated},

	// A log that refuses to open: nothing was proposed to it.
	{partitions.ErrMisplaced, protocol.CodeUnavailable},
	{partitions.ErrNewer, protocol.CodeUnavailable},
	{partitions.ErrMalformed, protocol.CodeUnavailable},
	// A log that failed or closed under a request: it may have been written.
	{partitions.ErrPoisoned, protocol.CodeOutcomeUnknown},
	{partitions.ErrClosed, protocol.CodeOutcomeUnknown},

	{catalog.ErrTopicExists, protocol.CodeTopicExists},
	{catalog.ErrInvalidName, protocol.CodeInvalidTopicName},
	{catalog.ErrInvalidSetting, protocol.CodeInvalidSetting},
	{catalog.ErrInvalidPartitions, protocol.CodeInvalidPartitions},
	{catalog.ErrTooMany, protocol.CodeTooManyTopics},
	{catalog.ErrTooFewNodes, protocol.CodeTooFewBrokers},
	{catalog.ErrInvalidAssignment, protocol.CodeInvalidAssignment},
	{catalog.ErrAssignmentChanged, protocol.CodeAssignmentChanged},
	{catalog.ErrMoveUnderWay, protocol.CodeMoveUnderWay},
	{catalog.ErrUnknownNode, protocol.CodeUnknownBroker},
	{catalog.ErrNodeInUse, protocol.CodeBrokerInUse},
	{partitions.ErrNotRecoverable, protocol.CodeNotRecoverable},
	// What only the broker itself can cause.
	{catalog.ErrBootstrapped, protocol.CodeInternal},
	{catalog.ErrInvalidCommand, protocol.CodeInternal},
	{catalog.ErrInvalidSnapshot, protocol.CodeInternal},

	{batch.ErrMalformed, protocol.CodeInvalidBatch},
	{batch.ErrChecksum, protocol.CodeInvalidBatch},
	{batch.ErrCodec, protocol.CodeInvalidBatch},
	{batch.ErrTooLarge, protocol.CodeBatchTooLarge},
}

// refusal turns an error into what the client is told of it; subject names the partition or topic. An error that no table
// knows is INTERNAL, with its outcome unknown. nil stays nil.
func (s *Session) refusal(subject string, err error) *protocol.Error {
	if err == nil {
		return nil
	}
	code, text := protocol.CodeInternal, err.Error()
	for _, r := range refusals {
		if errors.Is(err, r.sentinel) {
			code, text = r.code, spoken(text, r.sentinel)
			break
		}
	}
	e := protocol.NewError(code, "%s", sentence(subject, text))
	if code == protocol.CodeThrottled {
		e.Details.WaitMillis = int64(s.limits.ThrottleMillis)
		e.Details.Limit = "partition"
	}
	var leader *partitions.NotLeaderError
	if code == protocol.CodeNotLeader && errors.As(err, &leader) {
		e.Details.Leader, e.Details.Gateway, e.Details.Term = leader.Leader, s.gatewayOf(leader.Leader), leader.Term
	}
	var bounds *partitions.RangeError
	if errors.As(err, &bounds) {
		e.Details.Asked, e.Details.LogStart, e.Details.LogEnd = bounds.Asked, bounds.LogStart, bounds.LogEnd
	}
	return e
}

// gatewayOf finds where a broker's gateway listens; empty if this broker does not know.
func (s *Session) gatewayOf(node id.Node) string {
	if node == 0 {
		return ""
	}
	for _, n := range s.broker.Cluster().Nodes {
		if n.Node == node {
			return n.Gateway
		}
	}
	return ""
}

// readRefusal is refusal for requests that change nothing: their outcome cannot be unknown, they may simply be sent again.
func (s *Session) readRefusal(subject string, err error) *protocol.Error {
	e := s.refusal(subject, err)
	if e != nil && e.Code == protocol.CodeOutcomeUnknown {
		return protocol.NewError(protocol.CodeUnavailable, "%s", sentence(subject, err.Error()))
	}
	return e
}

// spoken is an error's text without its sentinel's: the code says that already, in words that clients know.
func spoken(text string, sentinel error) string {
	word := sentinel.Error()
	if rest, ok := strings.CutSuffix(text, ": "+word); ok {
		return rest
	}
	return strings.Replace(text, word+": ", "", 1)
}

// sentence names the subject, unless the text begins with it.
func sentence(subject, text string) string {
	if strings.HasPrefix(text, subject) {
		return text
	}
	return subject + ": " + text
}
