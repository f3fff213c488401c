package client

import (
	"errors"

	"troupe/gateway/protocol"
)

// verdict is what an answer means for the oldest parcel in flight.
type verdict uint8

const (
	delivered verdict = iota
	sendAgain
	failed // refused, or the outcome is unknown: parcel.maybe tells which
)

// judge reads the answer to a parcel's last send. The parcel's maybe has been brought up to date before.
func judge(err error, p *parcel, idempotent bool) verdict {
	var refusal *protocol.Error
	switch {
	case err == nil:
		return delivered
	case !errors.As(err, &refusal):
		if idempotent || errors.Is(err, errNotSent) {
			return sendAgain
		}
		return failed
	}
	switch refusal.Code {
	case protocol.CodeDuplicate:
		return delivered
	case protocol.CodeOutOfOrderSequence, protocol.CodeUnknownProducer:
		// One that was overtaken, or whose predecessor failed, is in its place the next time.
		if !p.alone {
			return sendAgain
		}
		return failed
	case protocol.CodeOutcomeUnknown:
		if idempotent {
			return sendAgain
		}
		return failed
	case protocol.CodeUnknownTopic, protocol.CodeTopicRecreated:
		// A broker that is behind with the catalog says so, too. If it is true, the topic is looked up meanwhile, and its end
		// ends the lane.
		return sendAgain
	}
	if refusal.Retriable {
		return sendAgain
	}
	return failed
}

// mayHaveHappened tells whether a send with this error may have taken effect. A partition that does not remember the
// producer cannot tell whether it has the batch from an earlier send.
func mayHaveHappened(err error) bool {
	var refusal *protocol.Error
	switch {
	case err == nil:
		return false
	case errors.As(err, &refusal):
		return refusal.Outcome() == protocol.Unknown || refusal.Code == protocol.CodeUnknownProducer
	}
	return errors.Is(err, errLost)
}

// topicIsGone tells that the topic of the request is no more.
func topicIsGone(err error) bool {
	return errors.Is(err, protocol.CodeTopicRecreated) || errors.Is(err, protocol.CodeUnknownTopic)
}

// refused tells that a broker said no, and would again.
func refused(err error) bool {
	var refusal *protocol.Error
	return errors.As(err, &refusal) && !refusal.Retriable
}
