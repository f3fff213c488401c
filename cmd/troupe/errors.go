package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
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
	case errors.Is(err, client.ErrDeliveryTimeout) && !strings.Contains(err.Error(), client.ErrUnreachable.Error()):
		return errors.New(oneLine(err)) // the last attempt says what is wrong
	case errors.Is(err, client.ErrDeliveryTimeout):
		return fmt.Errorf("%w; is the broker at %s alive? `troupe cluster status` asks it", err, broker)
	case errors.As(err, &refused):
		return explainRefusal(err, refused)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no broker answers at %s; start one with `troupe serve`, or name another with --broker or TROUPE_BROKER", broker)
	case errors.As(err, &unresolved):
		return fmt.Errorf("cannot find the host of broker %s (%v); see --broker and TROUPE_BROKER", broker, unresolved)
	case errors.Is(err, client.ErrUnreachable) && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("something at %s takes connections and gives no answer: a broker that hangs, whose log may tell why, or no "+
			"Troupe broker at all; --broker and TROUPE_BROKER name another", broker)
	case errors.Is(err, client.ErrUnreachable):
		return fmt.Errorf("no Troupe broker answers at %s (%s); see --broker and TROUPE_BROKER", broker, oneLine(err))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w; is %s a Troupe broker, and alive? `troupe cluster status` asks it", err, broker)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.Is(err, catalog.ErrInvalidSetting):
		return spoken(err, catalog.ErrInvalidSetting, "`troupe topic create --help` lists the settings")
	case errors.Is(err, catalog.ErrInvalidName):
		return spoken(err, catalog.ErrInvalidName, "choose another name")
	case errors.Is(err, catalog.ErrInvalidPartitions):
		return spoken(err, catalog.ErrInvalidPartitions, "choose another --partitions")
	}
	return err
}

// spoken is an error without the words that are for programs, and with the next step.
func spoken(err, sentinel error, step string) error {
	return errors.New(strings.TrimSuffix(err.Error(), ": "+sentinel.Error()) + "; " + step)
}

// oneLine is an error's text on one line: several that were joined stand on lines of their own.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// explainRefusal adds the next step to what a broker said.
func explainRefusal(err error, refused *protocol.Error) error {
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
	protocol.CodeUnknownTopic:      "`troupe topic list` shows what there is, `troupe topic create` makes one",
	protocol.CodeTopicExists:       "--if-not-exists makes that fine",
	protocol.CodeBatchTooLarge:     "raise the limit, to 4MiB at most, with `troupe topic alter TOPIC --set max.message.bytes=4MiB`, or try --compression",
	protocol.CodeTooFewBrokers:     "`troupe cluster status` lists the brokers",
	protocol.CodeAssignmentChanged: "`troupe cluster partitions` shows what it is now",
	protocol.CodeMoveUnderWay:      "`troupe cluster partitions` tells how far it is",
	protocol.CodeUnknownBroker:     "`troupe cluster status` lists the brokers",
	protocol.CodeNotRecoverable:    "`troupe cluster status` shows who is there, `troupe cluster partitions` who has replicas",
	protocol.CodeUnavailable:       "see `troupe cluster status` and the broker's log",
	protocol.CodeDamaged:           "see `troupe cluster status` and the broker's log",
}
