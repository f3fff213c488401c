package partitions

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"

	"troupe/partitions/id"
)

// The rhythm of a replica, in ticks: see log.md, Replication.
const (
	// TickMillis is the time between two ticks.
	TickMillis = 50
	// HeartbeatTicks lie between two heartbeats of a leader.
	HeartbeatTicks = 3
	// ElectionTicks without a leader make a follower campaign; raft draws between one and two times this.
	ElectionTicks = 15
)

// Options make a Replica.
type Options struct {
	Partition id.Partition
	Replica   id.Replica // the log must have been made for it
	Node      id.Node    // where it lives
	Log       Log
	Fold      Fold // nil for ordinary partitions
	Settings  Settings
	Limits    Limits // zero fields take their defaults
}

// Limits bound what a replica holds in memory.
type Limits struct {
	TailBytes        int // applied entries kept in memory for fetches; default 1 MiB
	UncommittedBytes int // proposed and not yet applied; above it ErrThrottled; default 64 MiB
	ParkedFetches    int // above it ErrThrottled; default 10,000
	Producers        int // idempotent producers remembered; the least recently used is forgotten; default 10,000
	CheckpointBytes  int // of applied payload between two checkpoints; default 64 MiB
}

// DefaultLimits are what zero fields of Limits stand for.
var DefaultLimits = Limits{
	TailBytes:        1 << 20,
	UncommittedBytes: 64 << 20,
	ParkedFetches:    10_000,
	Producers:        10_000,
	CheckpointBytes:  64 << 20,
}

// Replica is one copy of a partition: raft's state machine for one group, the offsets, the producers and the waiting
// requests above it. It decides and does nothing: what it wants done it leaves in its Outbox, to be taken after every call.
// It belongs to one owner at a time and is not safe for concurrent use.
type Replica struct {
	options Options
	limits  Limits
	now     id.Timestamp // the latest time anybody told
	failure error        // set once, when the replica cannot go on; Outbox.Failed tells the owner

	node *raft.RawNode
	log  *raftLog // raft's view of the log; its tail also answers fetches

	role   Role
	term   id.Term
	leader id.Replica
	ready  bool // leader, and the empty entry of its own term is applied

	writes  writes  // handed out, not yet durable
	applied applied // the state as of the last applied entry
	leading leading // what only a ready leader has; zero otherwise
	parked  []Fetch // in order of arrival; every Offset lies at or above the high watermark
	starts  []start // log starts proposed and not applied
	full    error   // why batches are refused while the disk is below its reserve; nil otherwise
	latest  []latest

	checkpoint checkpointing
	trimming   trimming
	peers      peers
	steering   steering
	counts     Counts
	outbox     Outbox
}

// New builds a replica on an opened log and replays what its newest checkpoint does not cover. A replica that votes alone
// campaigns at once. The first Outbox holds what all of that wants done. It returns an error that unwraps to ErrDamaged
// when the log cannot be trusted, or ErrMisplaced when it was made for another replica.
func New(o Options, now id.Timestamp) (*Replica, error) {
	found := o.Log.Recovered()
	if found.Damage != nil {
		return nil, fmt.Errorf("replica %d of %v: %s: %w", o.Replica, o.Partition, found.Damage.Reason, ErrDamaged)
	}
	if found.Replica != o.Replica {
		return nil, fmt.Errorf("replica %d of %v: the log belongs to replica %d: %w",
			o.Replica, o.Partition, found.Replica, ErrMisplaced)
	}
	commit, err := committed(o.Log, found)
	if err != nil {
		return nil, fmt.Errorf("replica %d of %v: entries above %d: %w", o.Replica, o.Partition, found.HardState.Commit, err)
	}
	found.HardState.Commit = commit
	r := &Replica{options: o, limits: o.Limits.orDefaults(), now: now, role: RoleFollower, term: found.HardState.Term}
	r.writes.state = found.HardState
	if err := r.restore(found); err != nil {
		return nil, err
	}
	r.log = newRaftLog(o.Log, found, r.limits.TailBytes)
	r.role = r.standing()
	node, err := raft.NewRawNode(r.raftConfig(found))
	if err != nil {
		return nil, fmt.Errorf("replica %d of %v: %w", o.Replica, o.Partition, err)
	}
	r.node = node
	r.drain()
	if c := r.applied.configuration; r.failure == nil && len(c.Voters) == 1 && c.votes(o.Replica) && len(c.Outgoing) == 0 {
		r.step(node.Campaign) // nobody else can
	}
	if r.failure != nil {
		return nil, fmt.Errorf("replica %d of %v: replay: %w", o.Replica, o.Partition, r.failure)
	}
	r.considerTrim() // a stop may have interrupted the last one
	return r, nil
}

func (l Limits) orDefaults() Limits {
	fill := func(v *int, otherwise int) {
		if *v == 0 {
			*v = otherwise
		}
	}
	fill(&l.TailBytes, DefaultLimits.TailBytes)
	fill(&l.UncommittedBytes, DefaultLimits.UncommittedBytes)
	fill(&l.ParkedFetches, DefaultLimits.ParkedFetches)
	fill(&l.Producers, DefaultLimits.Producers)
	fill(&l.CheckpointBytes, DefaultLimits.CheckpointBytes)
	return l
}

// restore takes the applied state from the newest checkpoint.
func (r *Replica) restore(found Recovered) error {
	r.applied = newApplied(r.limits.Producers)
	if found.Base != nil {
		r.trimming = trimming{base: found.Base, start: found.Base.LogStart}
	}
	c := found.Newest
	if c == nil {
		return nil // registered and empty: everything comes with its first snapshot
	}
	r.applied.restore(c)
	r.steering.sealed = c.Assignment == 0
	r.checkpoint.saved, r.checkpoint.start = c.Index, c.LogStart
	if r.options.Fold != nil && c.Fold != nil {
		if err := r.options.Fold.Restore(c.Fold); err != nil {
			return fmt.Errorf("replica %d of %v: fold of checkpoint %d: %w: %w",
				r.options.Replica, r.options.Partition, c.Index, err, ErrDamaged)
		}
	}
	return nil
}

func (r *Replica) raftConfig(found Recovered) *raft.Config {
	return &raft.Config{
		ID:                        uint64(r.options.Replica),
		ElectionTick:              ElectionTicks,
		HeartbeatTick:             HeartbeatTicks,
		Storage:                   r.raftStorage(found),
		Applied:                   uint64(r.applied.index),
		AsyncStorageWrites:        true,
		MaxSizePerMsg:             1 << 20,
		MaxCommittedSizePerReady:  4 << 20,
		MaxUncommittedEntriesSize: uint64(r.limits.UncommittedBytes),
		MaxInflightMsgs:           64,
		MaxInflightBytes:          16 << 20,
		CheckQuorum:               true,
		PreVote:                   true,
		ReadOnlyOption:            raft.ReadOnlySafe,
		Logger:                    raftLogger{},
		DisableProposalForwarding: true, // the leader stamps offsets: nobody else may propose
		StepDownOnRemoval:         true,
	}
}

func (r *Replica) raftStorage(found Recovered) *raftStorage {
	return &raftStorage{
		log: r.log, state: found.HardState, newest: found.Newest, base: func() *Checkpoint { return r.trimming.base },
	}
}

func (r *Replica) votesAlone() bool {
	c := r.applied.configuration
	return len(c.Voters) == 1 && c.Voters[0] == r.options.Replica && len(c.Outgoing) == 0 && len(c.Learners) == 0
}

// standing is the role of one who neither leads nor campaigns.
func (r *Replica) standing() Role {
	if r.applied.configuration.votes(r.options.Replica) {
		return RoleFollower
	}
	return RoleLearner
}

// Tick tells the time; call it every TickMillis unless the replica is Idle. It ends waits whose time is over.
func (r *Replica) Tick(now id.Timestamp) {
	r.tell(now)
	if r.failure != nil {
		return
	}
	r.step(func() error { r.node.Tick(); return nil })
	r.peers.tick()
	if r.peers.silent++; r.role == RoleLeader {
		r.peers.silent = 0
	}
	r.endWaits()
	r.watchSnapshots()
	r.steer()
	r.flushCommit()
}

// Idle tells that ticks would change nothing: the only replica of its partition leads it, nobody waits, everything known is
// handed to the disk, and no other replica is wanted.
func (r *Replica) Idle() bool {
	return r.failure != nil || r.ready && r.votesAlone() && len(r.parked) == 0 && !r.writes.deferred && r.settled() && r.steering.sealed
}

// tell moves the replica's clock, which never runs backwards.
func (r *Replica) tell(now id.Timestamp) { r.now = max(r.now, now) }

// Configure replaces the topic's settings; batches proposed from now on follow them.
func (r *Replica) Configure(s Settings) { r.options.Settings = s }

// SetDiskFull refuses batches for a reason that unwraps to ErrDiskFull, or, with nil, takes them again. What frees the disk, a new log start and its
// checkpoint, goes on in the reserve.
func (r *Replica) SetDiskFull(why error) { r.full = why }

// Rest lets go of the memory that only the fetches of newly written records need: nobody has written for a while. They are
// answered from the log until somebody writes again.
func (r *Replica) Rest() { r.log.tail.rest(r.applied.index) }

// Close ends the replica: what is proposed and unanswered gets ErrOutcomeUnknown, everything else that waits
// ErrNotReady. Take the last Outbox afterwards.
func (r *Replica) Close() {
	if r.failure == nil {
		r.fail(ErrClosed)
		r.outbox.Failed = nil
	}
	r.role = RoleStopped
}

// Outbox takes what the replica wants done since the last call. The caller owns it.
func (r *Replica) Outbox() Outbox {
	o := r.outbox
	r.outbox = Outbox{}
	return o
}

// step runs one call into raft and everything that follows from it.
func (r *Replica) step(f func() error) error {
	if err := f(); err != nil {
		return err
	}
	r.drain()
	return nil
}

// fail ends the replica for a reason of the world's: whoever waits is told, and the owner finds it in the Outbox.
func (r *Replica) fail(err error) {
	r.failure = err
	r.outbox.Failed = err
	r.resign(fmt.Errorf("replica closed: %w", ErrNotReady))
	r.role, r.leader = RoleStopped, 0
	if errors.Is(err, ErrDamaged) {
		r.role = RoleQuarantined
	}
}
