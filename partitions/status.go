package partitions

import (
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"

	"troupe/partitions/id"
)

// Role is what a replica is doing in its partition.
type Role uint8

// The roles. Opening, quarantined and stopped replicas do not run raft.
const (
	RoleOpening Role = iota
	RoleFollower
	RoleCandidate
	RoleLeader
	RoleLearner
	RoleQuarantined // damaged: answers reads it can verify, takes no part
	RoleStopped     // a broken invariant, or closed
)

var roleNames = [...]string{"opening", "follower", "candidate", "leader", "learner", "quarantined", "stopped"}

// String returns the word that status and metrics show.
func (r Role) String() string { return roleNames[r] }

// Status describes a replica at one moment.
type Status struct {
	Partition     id.Partition
	Replica       id.Replica
	Role          Role
	Term          id.Term
	Node          id.Node
	Leader        id.Replica // 0: none known
	LeaderNode    id.Node    // where Leader lives; 0: not known
	Ready         bool       // a leader that answers clients
	LogStart      id.Offset
	HighWatermark id.Offset
	Applied       id.Index
	First, Last   id.Index // of the log; First = Last + 1: it is empty
	LastTerm      id.Term  // of the entry at Last
	Parked        int      // fetches
	Uncommitted   int      // bytes proposed and not yet committed
	Producers     int
	Log           LogSize
	Voters        []Placed
	Learners      []Placed
	Joint         bool     // a change of the voters is under way: both quorums decide
	Incoming      []Placed // the one quorum while Joint, and the other; Voters are those of both
	Outgoing      []Placed
	Assignment    id.Offset    // the version of the assignment that the configuration follows
	Settled       bool         // the configuration is what is wanted, as far as this replica knows
	Peers         []PeerStatus // a leader's view of the other members, ordered by replica
	// Forgotten: its log is lost. It takes no part in anything, ever again.
	Forgotten bool
	// Problem is a sentence for the operator when the replica does not serve; empty otherwise.
	Problem string
	// Counts are running totals since the replica was opened.
	Counts Counts
}

// PeerStatus is how a leader sees another member.
type PeerStatus struct {
	Placed
	Learner bool
	Match   id.Index // the last entry it is known to hold
	Active  bool     // heard from within the last election timeout
	State   string   // probe, replicate or snapshot: how its entries are sent
}

// Counts are what a replica has done since it was opened.
type Counts struct {
	Batches, Records, Bytes int64 // appended as leader
	Duplicates              int64 // batches answered from the producer table
	Fetches, TailFetches    int64 // answered in all; from the tail cache
	Checkpoints             int64
	Elections               int64 // won
	SnapshotsSent           int64 // and SnapshotsInstalled: whole states, for want of entries
	SnapshotsInstalled      int64
	Reconfigurations        int64 // applied
	Strays                  int64 // messages dropped because they were for or from somebody else
}

// Counts returns the running totals alone, for whoever adds them up often.
func (r *Replica) Counts() Counts { return r.counts }

// Since returns what was added to the totals since they were earlier.
func (c Counts) Since(earlier Counts) Counts {
	return Counts{
		Batches: c.Batches - earlier.Batches, Records: c.Records - earlier.Records, Bytes: c.Bytes - earlier.Bytes,
		Duplicates: c.Duplicates - earlier.Duplicates,
		Fetches:    c.Fetches - earlier.Fetches, TailFetches: c.TailFetches - earlier.TailFetches,
		Checkpoints: c.Checkpoints - earlier.Checkpoints, Elections: c.Elections - earlier.Elections,
		SnapshotsSent:      c.SnapshotsSent - earlier.SnapshotsSent,
		SnapshotsInstalled: c.SnapshotsInstalled - earlier.SnapshotsInstalled,
		Reconfigurations:   c.Reconfigurations - earlier.Reconfigurations, Strays: c.Strays - earlier.Strays,
	}
}

// Status describes the replica.
func (r *Replica) Status() Status {
	s := Status{
		Partition: r.options.Partition, Replica: r.options.Replica, Node: r.options.Node, Role: r.role, Term: r.term, Leader: r.leader,
		LeaderNode: r.home(r.leader), Joint: len(r.applied.configuration.Outgoing) > 0, Assignment: r.applied.assignment, Settled: r.settled(),
		Ready: r.ready, LogStart: r.applied.logStart, HighWatermark: r.applied.next, Applied: r.applied.index,
		First: r.log.first, Last: r.log.last, Parked: len(r.parked), Uncommitted: r.leading.bytes, Producers: r.applied.producers.order.Len(),
		Log: r.options.Log.Size(), Counts: r.counts,
	}
	for _, p := range r.applied.nodes {
		if r.applied.configuration.votes(p.Replica) {
			s.Voters = append(s.Voters, p)
		} else {
			s.Learners = append(s.Learners, p)
		}
		if s.Joint && slices.Contains(r.applied.configuration.Voters, p.Replica) {
			s.Incoming = append(s.Incoming, p)
		}
		if slices.Contains(r.applied.configuration.Outgoing, p.Replica) {
			s.Outgoing = append(s.Outgoing, p)
		}
	}
	s.LastTerm, _ = r.log.term(s.Last) // 0: it is empty
	if r.failure != nil {
		s.Problem = r.failure.Error()
	} else if r.role == RoleLeader {
		s.Peers = r.peerStatus()
	}
	return s
}

// Standing is what of a replica's Status its owner looks at after every turn.
type Standing struct {
	Replica    id.Replica
	Role       Role
	Term       id.Term
	Ready      bool
	Leader     id.Replica
	LeaderNode id.Node
	Voters     int
	Joint      bool
	// Silent is how many ticks ago a leader of the present term was last heard; a leader hears itself. Raft keeps a leader's
	// name: a replica that was removed while it was away would believe in it for ever.
	Silent  int
	First   id.Index // of the log, an installed snapshot counted that is not on the disk yet
	Applied id.Index
}

// Standing tells where the replica stands among the others. It allocates nothing.
func (r *Replica) Standing() Standing {
	return Standing{
		Replica: r.options.Replica, Role: r.role, Term: r.term, Ready: r.ready, Leader: r.leader, LeaderNode: r.home(r.leader),
		Voters: len(r.applied.configuration.Voters), Joint: len(r.applied.configuration.Outgoing) > 0, First: r.log.first, Applied: r.applied.index, Silent: r.peers.silent,
	}
}

func (r *Replica) peerStatus() []PeerStatus {
	var all []PeerStatus
	r.node.WithProgress(func(peer uint64, kind raft.ProgressType, p tracker.Progress) {
		if replica := id.Replica(peer); replica != r.options.Replica {
			all = append(all, PeerStatus{
				Placed: Placed{Replica: replica, Node: r.home(replica)}, Learner: kind == raft.ProgressTypeLearner,
				Match: id.Index(p.Match), Active: r.peers.active(replica), State: peerStates[p.State],
			})
		}
	})
	return all
}

var peerStates = map[tracker.StateType]string{
	tracker.StateProbe: "probe", tracker.StateReplicate: "replicate", tracker.StateSnapshot: "snapshot",
}
