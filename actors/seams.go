package actors

import (
	"time"

	"troupe/partitions"
	"troupe/partitions/id"

	"github.com/asynkron/protoactor-go/actor"
)

// Seams are the places where a simulation replaces the world. Nothing else in this package reads a clock, draws a random
// number, starts a goroutine or opens a file.
type Seams struct {
	// Clock tells the time and wakes actors.
	Clock Clock
	// Disk is where this broker's logs live.
	Disk Disk
	// Pool runs blocking work (writes, fsyncs, cold reads) beside the actors.
	Pool Pool
	// Stopwatch returns a reading that only grows, for measuring how long something took and nothing else: no decision may
	// depend on it, or a simulation would not be repeatable. nil: everything takes no time.
	Stopwatch func() time.Duration
	// Peers carries frames to the other brokers; nil: there are none.
	Peers Peers
	// Dispatcher and Mailbox are given to every actor's props; nil for protoactor's own.
	Dispatcher actor.Dispatcher
	Mailbox    actor.MailboxProducer
}

// Clock is the broker's only source of time.
type Clock interface {
	Now() id.Timestamp
	// After calls f once, after d, on any goroutine; f must only send a message. The returned function cancels it.
	After(d time.Duration, f func()) (cancel func())
}

// Pool bounds how much blocking work runs at once: 4 to 8 per disk for syncs (libraries.md).
type Pool interface {
	// Run calls job on some goroutine, and returns at once. Jobs may be queued; they start in the order of Run.
	Run(job func())
}

// Peers carries frames to other brokers: each at most once, in order while a link lasts, silently lost with it. What comes
// from them goes to Node.Receive; Node.Reachable is told of links that begin and end.
type Peers interface {
	// Send hands a frame of at most MaxFrameBytes to the link to a node, and does not block. False: certainly not sent. The
	// frame belongs to the link from here on.
	Send(to id.Node, frame []byte) bool
}

// Disk creates, opens and removes replicas' logs. Its register survives the logs: an id that was once started and whose log
// is gone is amnesia, never a new beginning.
type Disk interface {
	// Create makes the durable beginning of a replica's log, and registers it. birth is a founder's; nil makes the replica
	// registered and empty, waiting for its first snapshot. Creating what exists already is no error and changes nothing.
	Create(p id.Partition, r id.Replica, birth *partitions.Checkpoint, state partitions.HardState) error
	// Open repairs and opens a log. A damaged one opens too, read-only: see Recovered().Damage. Where there is nothing to
	// read from, it returns an error that unwraps to partitions.ErrDamaged.
	Open(p id.Partition, r id.Replica) (partitions.Log, error)
	// Registered tells whether a replica was ever created here.
	Registered(r id.Replica) bool
	// Replicas returns the replicas of a partition that were created here and not removed, in ascending order. A broker that
	// starts holds the catalog by what it finds here, before it can ask anybody.
	Replicas(p id.Partition) []id.Replica
	// Held returns every replica that was created here and not removed, with its partition.
	Held() map[id.Replica]id.Partition
	// Remove deletes a replica's log for good and notes in the register that this was meant.
	Remove(p id.Partition, r id.Replica) error
	// Space tells how much room there is.
	Space() (partitions.Space, error)
}
