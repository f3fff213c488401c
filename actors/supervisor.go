package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
	"troupe/partitions/id"
)

// stage is what all actors of one broker share. It does not change once they run.
type stage struct {
	system *actor.ActorSystem
	seams  Seams
	log    *slog.Logger
	meter  Meter
	limits Limits
	node   id.Node
	// life counts the starts of this broker's directory.
	life    uint64
	leaders *leaders
	peers   *peers
	room    *room
	warden  *actor.PID
	check   bool // call Replica.Check after every turn
	watch   func(*partitions.Replica)
}

// supervisor is the strategy for every actor here. Actors turn their own panics into failures (see rescue) and decide
// there what to do: protoactor's restart would lose the failing message and whatever the instance held, and counts
// restarts on the wall clock. So what reaches a strategy is a bug outside of any handler: the actor stops, and its
// Stopped handler answers whoever waits.
type supervisor struct{ log *slog.Logger }

// HandleFailure stops the child and reports it.
func (s *supervisor) HandleFailure(_ *actor.ActorSystem, parent actor.Supervisor, child *actor.PID,
	_ *actor.RestartStatistics, reason, message any) {
	s.log.Error("an actor failed outside of its handlers and is stopped", "actor", child.Id, "reason", reason,
		"message", fmt.Sprintf("%T", message))
	parent.StopChildren(child)
}

// props returns how an actor is spawned: with the seams' dispatcher and mailbox where they are set.
func (s *stage) props(a actor.Actor, more ...actor.PropsOption) *actor.Props {
	options := append([]actor.PropsOption{actor.WithSupervisor(&supervisor{s.log})}, more...)
	if s.seams.Dispatcher != nil {
		options = append(options, actor.WithDispatcher(s.seams.Dispatcher))
	}
	if s.seams.Mailbox != nil {
		options = append(options, actor.WithMailbox(s.seams.Mailbox))
	}
	return actor.PropsFromProducer(func() actor.Actor { return a }, options...)
}

// spawn starts a child under a name that nothing else has had.
func (s *stage) spawn(c actor.Context, a actor.Actor, name string) *actor.PID {
	pid, err := c.SpawnNamed(s.props(a), name)
	if err != nil {
		panic(&partitions.InvariantError{Invariant: "an actor's name is given once", Got: name, Want: err})
	}
	return pid
}

func (s *stage) send(to *actor.PID, message any) { s.system.Root.Send(to, message) }

// later sends a message after a delay of the injected clock.
func (s *stage) later(d time.Duration, to *actor.PID, message any) (cancel func()) {
	return s.seams.Clock.After(d, func() { s.send(to, message) })
}

// rescue, deferred, turns a panic into a failure that the actor handles itself.
func (s *stage) rescue(who string, failed func(error)) {
	reason := recover()
	if reason == nil {
		return
	}
	err := asError(reason)
	s.log.Error("panic", "actor", who, "reason", err, "stack", string(debug.Stack()))
	failed(err)
}

// safely runs a completion, which belongs to somebody else: what it does wrong must not keep others from theirs.
func (s *stage) safely(complete func()) {
	defer s.rescue("completion", func(error) {})
	complete()
}

// errPanicked marks a panic that named no broken invariant: its cause may pass, so the partition is tried again.
var errPanicked = errors.New("actors: panic")

func asError(reason any) error {
	if err, ok := reason.(error); ok {
		return fmt.Errorf("%w: %w", errPanicked, err)
	}
	return fmt.Errorf("%w: %v", errPanicked, reason)
}

// final tells whether a failure must not be restarted away: a broken invariant, or a log that is not for this program.
func final(err error) bool {
	var broken *partitions.InvariantError
	return errors.As(err, &broken) || errors.Is(err, partitions.ErrNewer) || errors.Is(err, partitions.ErrMisplaced)
}

// delay returns how long to wait before attempt number n (from 1) at opening a log again: it doubles up to a bound.
func (l *Limits) delay(n int) time.Duration {
	return min(l.RestartDelay<<min(n-1, 16), l.RestartDelayMost)
}
