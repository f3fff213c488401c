package partitions

import "troupe/partitions/id"

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
	Leader        id.Replica // 0: none known
	Ready         bool       // a leader that answers clients
	LogStart      id.Offset
	HighWatermark id.Offset
	Applied       id.Index
	Last          id.Index
	Parked        int // fetches
	Uncommitted   int // bytes proposed and not yet committed
	Producers     int
	Log           LogSize
	Voters        []Placed
	// Problem is a sentence for the operator when the replica does not serve; empty otherwise.
	Problem string
	// Counts are running totals since the replica was opened.
	Counts Counts
}

// Counts are what a replica has done since it was opened.
type Counts struct {
	Batches, Records, Bytes int64 // appended as leader
	Duplicates              int64 // batches answered from the producer table
	Fetches, TailFetches    int64 // answered in all; from the tail cache
	Checkpoints             int64
	Elections               int64 // won
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
	}
}

// Status describes the replica.
func (r *Replica) Status() Status {
	s := Status{
		Partition: r.options.Partition, Replica: r.options.Replica, Role: r.role, Term: r.term, Leader: r.leader,
		Ready: r.ready, LogStart: r.applied.logStart, HighWatermark: r.applied.next, Applied: r.applied.index,
		Last: r.log.last, Parked: len(r.parked), Uncommitted: r.leading.bytes, Producers: r.applied.producers.order.Len(),
		Log: r.options.Log.Size(), Voters: r.applied.nodes, Counts: r.counts,
	}
	if r.failure != nil {
		s.Problem = r.failure.Error()
	}
	return s
}
