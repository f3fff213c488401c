package partitions

import (
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"troupe/partitions/id"
)

// SnapshotTicks is how long a leader waits for a follower to say that it has installed a snapshot. A lost one would
// otherwise wedge the follower for ever.
const SnapshotTicks = 100

// strangersMost bounds how many replicas outside of the applied configuration are remembered.
const strangersMost = 16

// peers is about the other replicas of the partition.
type peers struct {
	// strangers are replicas that no applied entry has named, with the node they wrote from: a founder of a configuration
	// that this replica has not heard of, or one that has been removed.
	strangers []Placed
	// snapshots are on their way to followers, in the order they were sent.
	snapshots []travelling
	silent    int // ticks since a leader was heard
	ticks     int // since the replica began
	// heard tells at which of these ticks a replica was heard last, of those heard within ElectionTicks or little more. Raft's
	// own note is no answer: with every election timeout it begins anew, and then nobody has been heard for a moment.
	heard map[id.Replica]int
}

// tick counts, and forgets who was not heard for too long.
func (p *peers) tick() {
	if p.ticks++; p.ticks%ElectionTicks == 0 {
		maps.DeleteFunc(p.heard, func(r id.Replica, _ int) bool { return !p.active(r) })
	}
}

// active tells whether a replica was heard within the last election timeout.
func (p *peers) active(r id.Replica) bool {
	at, found := p.heard[r]
	return found && p.ticks-at <= ElectionTicks
}

type travelling struct {
	to    id.Replica
	ticks int // since it was sent
}

// Step takes a message from a replica on an authenticated node. What is not for this replica, or comes from another node
// than the one its sender is known to live on, changes nothing.
func (r *Replica) Step(from id.Node, m Message, now id.Timestamp) {
	r.tell(now)
	if r.failure != nil {
		return
	}
	home := r.home(m.From)
	if m.To != r.options.Replica || m.From == m.To || home != 0 && home != from {
		r.counts.Strays++
		return
	}
	if home == 0 {
		r.meet(Placed{Replica: m.From, Node: from})
	}
	if home != 0 { // of whom nothing was known there may be any number
		if r.peers.heard == nil {
			r.peers.heard = map[id.Replica]int{}
		}
		r.peers.heard[m.From] = r.peers.ticks
	}
	if k := m.Kind(); (k == KindAppend || k == KindHeartbeat || k == KindSnapshot) && m.Term() >= r.term {
		r.peers.silent = 0
	}
	// The only errors are those of answers from peers that have left.
	if err := r.step(func() error { return r.node.Step(m.raft) }); err != nil && err != raft.ErrStepPeerNotFound {
		panic(&InvariantError{"raft takes what peers send", err, m.Kind()})
	}
}

// Unreachable tells that something for a peer was certainly not sent. A snapshot that was on its way to it counts as lost.
func (r *Replica) Unreachable(peer id.Replica) {
	if r.failure != nil || r.role != RoleLeader {
		return
	}
	r.step(func() error { r.node.ReportUnreachable(uint64(peer)); return nil })
	r.peers.snapshots = slices.DeleteFunc(r.peers.snapshots, func(s travelling) bool {
		if s.to == peer {
			r.step(func() error { r.node.ReportSnapshot(uint64(peer), raft.SnapshotFailure); return nil })
		}
		return s.to == peer
	})
}

// home is the node that a replica is known to live on; 0 when nothing is known.
func (r *Replica) home(replica id.Replica) id.Node {
	for _, places := range [...][]Placed{r.applied.nodes, r.steering.want.Replicas, r.peers.strangers} {
		for _, p := range places {
			if p.Replica == replica {
				return p.Node
			}
		}
	}
	return 0
}

// meet remembers where a stranger wrote from, so that it can be answered. A replica lives on one node for ever.
func (r *Replica) meet(p Placed) {
	if len(r.peers.strangers) == strangersMost {
		r.peers.strangers = slices.Delete(r.peers.strangers, 0, 1)
	}
	r.peers.strangers = append(r.peers.strangers, p)
}

// part remembers those who were members, or were to be: they may be answered yet.
func (r *Replica) part(before []Placed) {
	r.peers.strangers = slices.DeleteFunc(r.peers.strangers, func(p Placed) bool { return wanted(r.applied.nodes, p.Replica) })
	for _, p := range before {
		if r.home(p.Replica) == 0 {
			r.meet(p)
		}
	}
}

// post puts a message of raft's for a peer into the outbox.
func (r *Replica) post(m *pb.Message) {
	to := id.Replica(m.GetTo())
	if m.GetType() == pb.MsgSnap {
		m = r.addressed(m)
		r.peers.snapshots = append(r.peers.snapshots, travelling{to: to})
		r.counts.SnapshotsSent++
	}
	out := Message{From: r.options.Replica, To: to, Node: r.home(to), raft: m}
	if out.Kind() == 0 {
		panic(&InvariantError{"raft sends peers what they understand", m.GetType(), nil})
	}
	r.outbox.Messages = append(r.outbox.Messages, out)
}

// addressed fills in a snapshot's bytes: the base, with its recipient as a learner where it is no member yet, since raft
// discards a snapshot that does not name its recipient. The entries behind the base tell how it became one.
func (r *Replica) addressed(m *pb.Message) *pb.Message {
	c, to := *r.trimming.base, id.Replica(m.GetTo())
	if !c.Configuration.holds(to) {
		c.Configuration.Learners = sorted(append(slices.Clone(c.Configuration.Learners), to))
		c.Nodes = placedSorted(append(slices.Clone(c.Nodes), Placed{Replica: to, Node: r.home(to)}))
	}
	return &pb.Message{
		Type: m.Type, From: m.From, To: m.To, Term: m.Term, Snapshot: c.toRaft(c.AppendTo(nil)),
	}
}

// watchSnapshots counts the ticks of what is on its way, and gives up what takes too long: raft then sends it again.
func (r *Replica) watchSnapshots() {
	if len(r.peers.snapshots) == 0 {
		return
	}
	installing := map[id.Replica]bool{}
	r.node.WithProgress(func(peer uint64, _ raft.ProgressType, p tracker.Progress) {
		installing[id.Replica(peer)] = p.State == tracker.StateSnapshot
	})
	var lost []id.Replica
	r.peers.snapshots = slices.DeleteFunc(r.peers.snapshots, func(s travelling) bool { return !installing[s.to] })
	for i := range r.peers.snapshots {
		s := &r.peers.snapshots[i]
		if s.ticks++; s.ticks >= SnapshotTicks {
			lost = append(lost, s.to)
		}
	}
	for _, peer := range lost {
		r.Unreachable(peer)
	}
}

// install takes a snapshot's state, and returns it for the disk; nil when it cannot be read, which ends the replica.
func (r *Replica) install(s *pb.Snapshot) *Checkpoint {
	c, err := ParseCheckpoint(s.GetData())
	if err == nil && r.options.Fold != nil && c.Fold != nil {
		err = r.options.Fold.Restore(c.Fold)
	}
	if err != nil {
		r.fail(fmt.Errorf("snapshot of entry %d: %w", s.GetMetadata().GetIndex(), err))
		return nil
	}
	before := r.applied.nodes
	r.applied.restore(c)
	r.steering.sealed = c.Assignment == 0
	r.part(before)
	r.log.reset(c)
	r.trimming = trimming{base: c, start: c.LogStart, pending: r.trimming.pending}
	r.checkpoint.saved, r.checkpoint.start, r.checkpoint.bytes = c.Index, c.LogStart, 0
	r.counts.SnapshotsInstalled++
	return c
}

// notLeader makes the error of one who does not lead, with who does as far as it is known.
func (r *Replica) notLeader() error {
	return &NotLeaderError{Leader: r.home(r.leader), Term: r.term}
}

func sorted(replicas []id.Replica) []id.Replica {
	slices.Sort(replicas)
	return replicas
}

func placedSorted(places []Placed) []Placed {
	slices.SortFunc(places, func(a, b Placed) int { return compare(a.Replica, b.Replica) })
	return places
}
