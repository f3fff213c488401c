package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"troupe/gateway/protocol"
	"troupe/wal"
)

// usageError is a command line that cannot be meant.
type usageError struct{ message string }

// Error returns the sentence.
func (e *usageError) Error() string { return e.message }

// usagef makes a usageError.
func usagef(format string, values ...any) error {
	return &usageError{message: fmt.Sprintf(format, values...)}
}

// explain adds the next step to errors that people meet, where the room they come from cannot know it.
func explain(err error, broker string) error {
	var unresolved *net.DNSError
	var refused *protocol.Error
	switch {
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, wal.ErrLocked):
		return err // serve says what to do
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no broker answers at %s; start one with `troupe serve`, or name another with --broker or TROUPE_BROKER", broker)
	case errors.As(err, &unresolved):
		return fmt.Errorf("cannot find the host of broker %s (%v); see --broker and TROUPE_BROKER", broker, unresolved)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w; is %s a Troupe broker, and alive? `troupe cluster status` asks it", err, broker)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case !errors.As(err, &refused):
		return err
	}
	if refused.Code == protocol.CodeOffsetMismatch {
		return fmt.Errorf("%w; somebody else has written: read on, and if it still stands, --expect-end %d", err, refused.Details.LogEnd)
	}
	if step, ok := nextSteps[refused.Code]; ok {
		return fmt.Errorf("%w; %s", err, step)
	}
	return err
}

// nextSteps are what to do about a broker's refusal.
var nextSteps = map[protocol.Code]string{
	protocol.CodeUnknownTopic:  "`troupe topic list` shows what there is, `troupe topic create` makes one",
	protocol.CodeTopicExists:   "--if-not-exists makes that fine",
	protocol.CodeBatchTooLarge: "create the topic with a larger --set max.message.bytes, or try --compression",
	protocol.CodeDiskFull:      "free some space on the broker's disk; reading goes on meanwhile",
	protocol.CodeUnavailable:   "see `troupe cluster status` and the broker's log",
	protocol.CodeDamaged:       "see `troupe cluster status` and the broker's log",
}
