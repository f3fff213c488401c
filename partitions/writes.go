package partitions

import (
	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"troupe/partitions/id"
)

// writes are the steps handed to the disk and not yet durable, with what raft wants to hear once they are.
//
// Invariant: pending is ordered by sequence, all above persisted and none above handed.
type writes struct {
	handed, persisted uint64 // Write.Sequence
	pending           []pendingWrite
	state             HardState // as of the last hand state change raft told of
	// deferred tells that only the commit index changed since the last write. Nothing waits for that, so it travels with
	// the next write, or alone at the next tick.
	deferred bool
}

type pendingWrite struct {
	sequence  uint64
	last      id.Index // highest entry durable with it; 0 when it has none
	responses []*pb.Message
}

// store hands raft's append message to the disk.
func (r *Replica) store(m *pb.Message) {
	if m.Term != nil {
		state := HardState{Term: id.Term(m.GetTerm()), Vote: id.Replica(m.GetVote()), Commit: id.Index(m.GetCommit())}
		if state.Commit < r.writes.state.Commit {
			panic(&InvariantError{"the commit index never falls", state.Commit, r.writes.state.Commit})
		}
		elected := state.Term != r.writes.state.Term || state.Vote != r.writes.state.Vote
		r.writes.state, r.writes.deferred = state, true
		if elected && len(m.GetEntries()) == 0 {
			r.hand(Write{}, pendingWrite{responses: m.GetResponses()})
			return
		}
	}
	if len(m.GetEntries()) == 0 {
		r.respondAfterPending(m.GetResponses())
		return
	}
	w := Write{Entries: r.log.append(m.GetEntries())}
	r.hand(w, pendingWrite{last: r.log.last, responses: m.GetResponses()})
}

// respondAfterPending delivers responses that ask for nothing new on disk: as soon as what was handed out is durable. They
// travel with the last write instead of costing the disk a step of their own.
func (r *Replica) respondAfterPending(responses []*pb.Message) {
	if n := len(r.writes.pending); n > 0 {
		last := &r.writes.pending[n-1]
		last.responses = append(last.responses, responses...)
		return
	}
	for _, m := range responses {
		r.deliver(m)
	}
}

// flushCommit hands over a commit index that no other write took along.
func (r *Replica) flushCommit() {
	if r.failure == nil && r.writes.deferred {
		r.hand(Write{}, pendingWrite{})
	}
}

func (r *Replica) hand(w Write, p pendingWrite) {
	r.writes.handed++
	w.Sequence, p.sequence = r.writes.handed, r.writes.handed
	w.HardState, w.Changed = r.writes.state, r.writes.deferred
	r.writes.deferred = false
	r.writes.pending = append(r.writes.pending, p)
	r.outbox.Writes = append(r.outbox.Writes, w)
}

// Persisted tells that all writes up to a sequence are durable. What waited for that goes on: acknowledgements, votes, and
// with a quorum the high watermark.
func (r *Replica) Persisted(through uint64) {
	if r.failure != nil {
		return
	}
	if through > r.writes.handed || through < r.writes.persisted {
		panic(&InvariantError{"what is persisted was handed over", through, r.writes.handed})
	}
	r.writes.persisted = through
	done := 0
	for ; done < len(r.writes.pending) && r.writes.pending[done].sequence <= through; done++ {
		p := r.writes.pending[done]
		if p.last > 0 {
			r.acknowledgeLeader(p.last)
		}
		for _, m := range p.responses {
			r.deliver(m)
		}
		r.writes.pending[done] = pendingWrite{}
	}
	r.writes.pending = r.writes.pending[done:]
	r.drain()
}

// deliver hands raft a message of its own. The only errors are those of messages from peers that have left.
func (r *Replica) deliver(m *pb.Message) {
	if err := r.node.Step(m); err != nil && err != raft.ErrStepPeerNotFound {
		panic(&InvariantError{"raft accepts its own responses", err, nil})
	}
}

// drain takes everything raft has to say and acts on it, until it is silent. A read of the log that failed a checksum
// makes raft panic; that ends the replica, not the process.
func (r *Replica) drain() {
	defer func() {
		if r.log.damage == nil || r.failure != nil {
			return
		}
		recover()
		r.fail(r.log.damage)
	}()
	for r.node.HasReady() {
		ready := r.node.Ready()
		if ready.SoftState != nil {
			r.turn(ready.SoftState)
		}
		for _, m := range ready.Messages {
			switch m.GetType() {
			case pb.MsgStorageAppend:
				r.enter(id.Term(m.GetTerm()))
				r.store(m)
			case pb.MsgStorageApply:
				r.apply(m.GetEntries())
				for _, response := range m.GetResponses() {
					r.deliver(response)
				}
			default:
				panic(&InvariantError{"a replica without peers sends nothing", m.GetType(), nil})
			}
		}
		for _, state := range ready.ReadStates {
			r.confirm(state)
		}
	}
}

// enter notes the term that raft is in; 0 means unchanged.
func (r *Replica) enter(term id.Term) {
	if term < r.term && term != 0 {
		panic(&InvariantError{"the term never falls", term, r.term})
	}
	r.term = max(r.term, term)
}

// turn takes on the role that raft has.
func (r *Replica) turn(s *raft.SoftState) {
	r.leader = id.Replica(s.Lead)
	role := map[raft.StateType]Role{
		raft.StateFollower: RoleFollower, raft.StatePreCandidate: RoleCandidate,
		raft.StateCandidate: RoleCandidate, raft.StateLeader: RoleLeader,
	}[s.RaftState]
	if role == r.role {
		return
	}
	if r.role == RoleLeader {
		r.resign(ErrNotLeader)
	}
	r.role = role
	if role == RoleLeader {
		r.counts.Elections++
	}
}
