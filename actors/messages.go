package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
	"troupe/partitions/id"
)

// Messages between the actors of one broker. Those that follow from a replica or its log carry its instance number.

// unlogged marks messages whose loss in a dead letter is no news.
type unlogged struct{}

// IgnoreDeadLetterLogging keeps protoactor from logging (and from starting a timer to throttle the logging).
func (unlogged) IgnoreDeadLetterLogging() {}

type (
	// wake: something waits behind the door.
	wake struct{ unlogged }
	// tick: TickMillis have passed.
	tick struct{ unlogged }
	// beat: the ticker's own timer.
	beat struct{ unlogged }
	// yield: from now on, hand over what is led here. done, of the catalog's actor, is called when that is over.
	yield struct {
		unlogged
		done func()
	}
	// leave: close the log and end; with remove, delete it.
	leave struct {
		unlogged
		remove bool
	}
	// configure: the topic has other settings, or the partition another assignment, for this life and all that follow.
	configure struct {
		unlogged
		settings   partitions.Settings
		assignment partitions.Assignment
	}
	// look: it is time to look at the room on the disk. measured: the pool has. roomChanged: the disk is full now, or has
	// room again.
	look     struct{ unlogged }
	measured struct {
		unlogged
		space partitions.Space
		err   error
	}
	roomChanged struct{ unlogged }
	// crossed: by what was written since, the disk is full.
	crossed struct{ unlogged }
	// idle: it is time to look whether a log is still written to.
	idle struct {
		unlogged
		instance uint64
	}
	// unreachable: something for a replica on another broker was certainly not sent; problem says why, where that is news
	// for an operator.
	unreachable struct {
		unlogged
		replica id.Replica
		problem string
	}
	// flush: a tick has passed while something waited for it.
	flush struct{ unlogged }
	// scrubRound: it is time to look at every log again. scrubStep: the next segment may be read. scrub: verify the segment at
	// an index. scrubbed: the pool has; the partition tells the scrubber. Without instance it is the scrubber that is told.
	scrubRound struct{ unlogged }
	scrubStep  struct {
		unlogged
		turn uint64
	}
	scrub struct {
		unlogged
		to   *actor.PID
		turn uint64
		from id.Index
	}
	scrubbed struct {
		unlogged
		instance uint64
		to       *actor.PID
		turn     uint64
		next     id.Index // 0: there is no more
		bytes    int64
		err      error
	}
	// hurry: StopWait is over.
	hurry struct{ unlogged }
	// reopen: the delay before another attempt is over.
	reopen struct {
		unlogged
		instance uint64
	}
	// fetched and searched: the pool has run a Read or a Search.
	fetched struct {
		unlogged
		instance uint64
		answer   partitions.FetchAnswer
	}
	searched struct {
		unlogged
		instance uint64
		answer   partitions.OffsetAnswer
	}
)

// Steps of mending, and what is read for peers: see mending.go, digest.go.
type (
	looked struct {
		unlogged
		instance uint64
		holes    []partitions.Hole
		err      error
	}
	given struct {
		unlogged
		instance uint64
		entries  []partitions.Entry
		err      error
	}
	supplied struct {
		unlogged
		instance uint64
		request  *entriesRequest
		entries  []partitions.Entry
		err      error
	}
	digested struct {
		unlogged
		instance uint64
		request  *digestRequest
		answer   partitions.Digest
	}
	mendAgain struct {
		unlogged
		instance uint64
	}
)

// Orders to a storage child. It carries them out one after the other.
type (
	openOrder struct {
		unlogged
		instance uint64
		damage   error // partition.damage
	}
	writeOrder struct {
		unlogged
		instance uint64
		writes   []partitions.Write
	}
	saveOrder struct {
		unlogged
		instance   uint64
		checkpoint *partitions.Checkpoint
	}
	trimOrder struct {
		unlogged
		instance uint64
		trim     *partitions.Trim
	}
	restOrder struct {
		unlogged
		instance uint64
	}
	closeOrder struct {
		unlogged
		instance uint64
	}
	fillOrder struct {
		unlogged
		instance uint64
		entries  []partitions.Entry
	}
	removeOrder struct{ unlogged }
)

// Reports of a storage child.
type (
	opened struct {
		unlogged
		instance uint64
		life     *life // nil with err
		err      error
	}
	persisted struct {
		unlogged
		instance uint64
		through  uint64
	}
	saved struct {
		unlogged
		instance uint64
		index    id.Index
	}
	trimmed struct {
		unlogged
		instance uint64
		base     *partitions.Checkpoint // as it was where err is set
		err      error
	}
	rested struct {
		unlogged
		instance uint64
	}
	// postponed: there was no room on the disk to carry out an order; it is to come again.
	postponed struct {
		unlogged
		instance uint64
		order    any
	}
	failed struct {
		unlogged
		instance uint64
		err      error
	}
	filled struct {
		unlogged
		instance uint64
		through  id.Index // the last entry given
		err      error
	}
	closed struct {
		unlogged
		instance uint64
	}
	removed struct {
		unlogged
		err error
	}
)

// Reports to the catalog's actor.
type (
	// applied: the catalog's fold has a newer state.
	applied struct{ unlogged }
	// settled: a partition has opened and serves, or does not.
	settled struct {
		unlogged
		address *address
		serving bool
	}
	// yielded: a partition that was told to yield leads nothing any more, or nothing that others could lead.
	yielded struct {
		unlogged
		address *address
	}
	// gone: a partition has ended; erased tells that its bytes are deleted.
	gone struct {
		unlogged
		address *address
		erased  bool
	}
	// erased: a job has deleted a doomed replica that no actor served, or could not.
	erased struct {
		unlogged
		replica id.Replica
		err     error
	}
	// news: the catalog's leader has answered what is new. whole: it has sent the whole state.
	news struct {
		unlogged
		answer partitions.FetchAnswer
	}
	whole struct {
		unlogged
		snapshot []byte
		err      error
	}
	// tailAgain: it is time to ask the catalog's leader anew.
	tailAgain struct{ unlogged }
	// electing: it is time to look again whether the partitions of a new topic have leaders.
	electing struct {
		unlogged
		topic id.TopicID
	}
	// overdue: it is time to conclude what this broker's own state does not show yet.
	overdue struct {
		unlogged
		decision *decision
	}
	// newest: the catalog's leader has answered how far it is. outdated: it is time to look who waits for that for too long.
	newest struct {
		unlogged
		answer partitions.OffsetAnswer
	}
	outdated struct{ unlogged }
	// createOverdue: whoever created a topic has waited long enough for its partitions to open.
	createOverdue struct {
		unlogged
		topic id.TopicID
	}
	// retry: look again at what is doomed and not forgotten.
	retry struct{ unlogged }
	// reached: the partition's leader lives here, and its configuration is what that version of the assignment wants.
	reached struct {
		unlogged
		partition id.Partition
		version   id.Offset
	}
	// forgotten: a replica here has lost its log, or what it must know of it.
	forgotten struct {
		unlogged
		replica id.Replica
	}
	// reported: a broker says that these replicas of its have lost their logs.
	reported struct {
		unlogged
		from     id.Node
		replicas []id.Replica
	}
	// rounds: it is time to look how the cluster is.
	rounds struct{ unlogged }
	// halt: stop the broker.
	halt struct {
		unlogged
		done func()
	}
)

// Orders to the node's actor. All go through it, so that none overtakes the start of its
// partition.
type (
	spawnOrder struct {
		unlogged
		partition *partition
	}
	courierOrder struct {
		unlogged
		peer *peer
	}
	yieldOrder struct {
		unlogged
		address *address
	}
	leaveOrder struct {
		unlogged
		address *address
		leave   leave
	}
	configureOrder struct {
		unlogged
		address   *address
		configure configure
	}
)
