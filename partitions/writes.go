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
	last      id.Index      // highest entry durable with it; 0 when it has none
	responses []*pb.Message // for raft itself, and for peers who are told of nothing that a crash can take back
}

// store hands raft's append message to the disk.
func (r *Replica) store(m *pb.Message) {
	elected := m.Term != nil && r.noteState(m)
	w, p := Write{}, pendingWrite{responses: m.GetResponses()}
	if !raft.IsEmptySnap(m.GetSnapshot()) {
		if w.Snapshot = r.install(m.GetSnapshot()); w.Snapshot == nil {
			return // it cannot be read: the replica has failed
		}
	}
	if len(m.GetEntries()) > 0 {
		w.Entries = r.log.append(m.GetEntries())
		p.last = r.log.last
	}
	if !elected && w.Snapshot == nil && len(w.Entries) == 0 {
		r.respondAfterPending(p.responses)
		return
	}
	r.hand(w, p)
}

// noteState takes raft's hard state, and tells whether somebody waits for it to be durable.
func (r *Replica) noteState(m *pb.Message) (elected bool) {
	state := HardState{Term: id.Term(m.GetTerm()), Vote: id.Replica(m.GetVote()), Commit: id.Index(m.GetCommit())}
	if state.Commit < r.writes.state.Commit {
		panic(&InvariantError{"the commit index never falls", state.Commit, r.writes.state.Commit})
	}
	elected = state.Term != r.writes.state.Term || state.Vote != r.writes.state.Vote
	r.writes.state, r.writes.deferred = state, true
	return elected
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

// deliver hands raft a message of its own, and sends those for peers. The only errors are those of messages from peers
// that have left.
func (r *Replica) deliver(m *pb.Message) {
	if to := m.GetTo(); to != uint64(r.options.Replica) {
		r.post(m)
		return
	}
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
		if !raft.IsEmptyHardState(ready.HardState) {
			r.enter(id.Term(ready.HardState.GetTerm()))
		}
		if ready.SoftState != nil {
			r.turn(ready.SoftState)
		}
		for _, m := range ready.Messages {
			switch m.GetType() {
			case pb.MsgStorageAppend:
				r.store(m)
			case pb.MsgStorageApply:
				r.apply(m.GetEntries())
				for _, response := range m.GetResponses() {
					r.deliver(response)
				}
			default:
				r.post(m)
			}
			if r.failure != nil {
				return
			}
		}
		for _, state := range ready.ReadStates {
			r.confirm(state)
		}
	}
}

// enter notes the term that raft is in.
func (r *Replica) enter(term id.Term) {
	if term < r.term {
		panic(&InvariantError{"the term never falls", term, r.term})
	}
	r.term = term
}

// turn takes on the role that raft has.
func (r *Replica) turn(s *raft.SoftState) {
	r.leader = id.Replica(s.Lead)
	role := map[raft.StateType]Role{
		raft.StateFollower: RoleFollower, raft.StatePreCandidate: RoleCandidate,
		raft.StateCandidate: RoleCandidate, raft.StateLeader: RoleLeader,
	}[s.RaftState]
	if role == RoleFollower {
		role = r.standing()
	}
	if role == r.role {
		return
	}
	if r.role == RoleLeader {
		r.resign(r.notLeader())
	}
	r.role = role
	if role == RoleLeader {
		r.counts.Elections++
	}
}
