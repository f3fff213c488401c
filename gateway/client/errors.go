package client

import (
	"errors"
	"fmt"

	"troupe/gateway/protocol"
)

// What can go wrong on this side. Everything a broker says is an *Error.
var (
	// ErrClosed: the client was closed. What the call was about is not done.
	ErrClosed = errors.New("client: closed")
	// ErrBufferFull: TryProduce found no room for the record. Not done.
	ErrBufferFull = errors.New("client: buffer full")
	// ErrDeliveryTimeout: the record could not be delivered in time, and certainly is not appended.
	ErrDeliveryTimeout = errors.New("client: delivery timeout")
	// ErrUnreachable: no broker could be connected to. Not done.
	ErrUnreachable = errors.New("client: no broker reachable")
	// ErrOption: New was given something it cannot work with.
	ErrOption = errors.New("client: bad option")
	// ErrOutcomeUnknown: the request was sent and its fate is not known; it may or may not have taken effect, or do so yet.
	// Errors of this kind are an *Error with the code OUTCOME_UNKNOWN; errors.Is finds both.
	ErrOutcomeUnknown error = protocol.CodeOutcomeUnknown
)

// The two ways in which a connection fails a request: the difference is whether the broker may have got it.
var (
	errNotSent = errors.New("not sent")
	errLost    = errors.New("connection lost before the answer came")
)

// staleAnswer stands in the place of an answer that an earlier leader gave than one that has been seen.
var staleAnswer error = protocol.NewError(protocol.CodeStaleLeader, "an earlier leader answered")

// Error is an error with a stable code: a broker's refusal, or that an outcome is unknown.
type Error struct {
	Action string // what was to be done: "produce to hello/3"
	Cause  *protocol.Error
	Reason error // what made it so, if it was not the broker's word: a lost connection, a context
}

// Error names the action, the code and the reason.
func (e *Error) Error() string {
	if e.Reason != nil {
		return fmt.Sprintf("%s: %v (%v)", e.Action, e.Cause, e.Reason)
	}
	return fmt.Sprintf("%s: %v", e.Action, e.Cause)
}

// Unwrap returns the cause and the reason.
func (e *Error) Unwrap() []error {
	if e.Reason != nil {
		return []error{e.Cause, e.Reason}
	}
	return []error{e.Cause}
}

// Code returns the stable number of the error.
func (e *Error) Code() protocol.Code { return e.Cause.Code }

// Retriable tells whether the same request may succeed later and is safe to send again.
func (e *Error) Retriable() bool { return e.Cause.Retriable }

// Outcome tells whether the request took effect.
func (e *Error) Outcome() protocol.Outcome { return e.Cause.Outcome() }

// Retriable tells whether what failed with err may be tried again, unchanged, without doing it twice.
func Retriable(err error) bool {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Retriable()
	case errors.Is(err, ErrBufferFull), errors.Is(err, ErrDeliveryTimeout), errors.Is(err, ErrUnreachable):
		return true
	}
	return false
}

func unknownOutcome(action string, reason error) error {
	return &Error{
		Action: action,
		Cause:  protocol.NewError(protocol.CodeOutcomeUnknown, "sent, and no answer told what became of it"),
		Reason: reason,
	}
}

// explain gives a request's error its action: a refusal becomes an *Error, a lost answer an unknown outcome.
func explain(action string, err error) error {
	var refusal *protocol.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLost):
		return unknownOutcome(action, err)
	case errors.As(err, &refusal):
		return &Error{Action: action, Cause: refusal}
	}
	return fmt.Errorf("%s: %w", action, err)
}
