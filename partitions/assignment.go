package partitions

import (
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"troupe/partitions/id"
)

// Assignment is which replicas the catalog wants a partition to have. The partition's leader brings it about, one change of
// the configuration after the other.
type Assignment struct {
	// Version is the catalog's offset of the record that wrote the assignment: of two, the later one is higher. It fences: a
	// leader never acts on one older than what the partition's own log has followed.
	Version  id.Offset
	Replicas []Placed // the first is the preferred leader; their number is odd, a quorum of two being no better than one
}

const (
	// caughtUpEntries is how far behind the leader a replica may be to count as caught up. It will have them within a round
	// trip, and a vote that waits that long costs nobody anything.
	caughtUpEntries = 32
	// preferAfterTicks is how long a leader lets a partition rest before it hands leadership to the preferred leader, and
	// before it tries that again.
	preferAfterTicks = 100
)

// steering is how a leader brings the configuration to what is wanted.
//
// Invariant: proposed is the index of the one change that is not applied; 0 when there is none.
type steering struct {
	want     Assignment
	proposed id.Index
	sealed   bool // the last change applied is a seal, or the founders are all there ever were
	patience int  // ticks until leadership may be handed to the preferred leader
}

// Assign tells what the catalog wants; an older assignment than the one known changes nothing.
func (r *Replica) Assign(a Assignment) {
	if a.Version < r.steering.want.Version || r.failure != nil {
		return
	}
	before := r.steering.want.Replicas
	r.steering.want = Assignment{Version: a.Version, Replicas: slices.Clone(a.Replicas)}
	r.part(before)
	r.steer()
}

// Transfer hands leadership to the voter that is best fit to lead, the preferred leader before others: before a stop that
// can wait for it. It may be called again and again until the replica leads no more; where nobody is fit nothing happens.
func (r *Replica) Transfer() {
	if r.role == RoleLeader && r.failure == nil {
		r.handOver(r.applied.configuration.Voters)
	}
}

// Reached returns the version of the assignment that this leader knows to be reached for good: its configuration, as
// committed, is what the assignment wants, and sealed. ok is false for everybody else, and while there is something to do.
//
// The seal matters. A voter acts on a change once it knows that it is committed, and learns so after it holds it: were the
// old voters gone by then, and everybody restarted, the new ones would still ask them for votes. A seal is a change that
// changes nobody. A log that holds one knows that the changes before it are committed (see committed): a majority of the new
// voters that hold it needs the old ones no more, whatever else they forget.
func (r *Replica) Reached() (version id.Offset, ok bool) {
	s := &r.steering
	return s.want.Version, r.ready && r.failure == nil && len(s.want.Replicas) > 0 && r.settled() && s.sealed
}

// seal proposes the seal of a configuration, unless it has one.
func (r *Replica) seal() {
	if !r.steering.sealed {
		r.reconfigure(pb.ConfChangeTransitionAuto, change(pb.ConfChangeUpdateNode, r.options.Replica))
	}
}

// settled tells that the configuration is what is wanted, as far as this replica has applied it.
func (r *Replica) settled() bool {
	c, want := &r.applied.configuration, r.steering.want.Replicas
	if len(want) == 0 {
		return true // nobody has said otherwise
	}
	if len(c.Voters) != len(want) || len(c.Outgoing)+len(c.Learners)+len(c.LearnersNext) > 0 {
		return false
	}
	for _, w := range want {
		if !slices.Contains(c.Voters, w.Replica) {
			return false
		}
	}
	return true
}

// steer takes the next step towards what is wanted, if it can be taken now.
func (r *Replica) steer() {
	s := &r.steering
	if s.patience > 0 {
		s.patience--
	}
	if !r.ready || r.failure != nil || s.proposed != 0 || len(s.want.Replicas) == 0 || s.want.Version < r.applied.assignment {
		return
	}
	switch {
	case len(r.applied.configuration.Outgoing) > 0:
		r.leaveJoint()
	case r.settled():
		r.seal()
		r.prefer()
	default:
		r.approach()
	}
}

// approach proposes one change: learners come and go one by one, and once all that are wanted have caught up, one joint
// change makes them voters and removes the others.
func (r *Replica) approach() {
	c, want := &r.applied.configuration, r.steering.want.Replicas
	for _, l := range c.Learners {
		if !wanted(want, l) {
			r.reconfigure(pb.ConfChangeTransitionAuto, change(pb.ConfChangeRemoveNode, l))
			return
		}
	}
	for _, w := range want {
		if !c.holds(w.Replica) {
			r.reconfigure(pb.ConfChangeTransitionAuto, change(pb.ConfChangeAddLearnerNode, w.Replica))
			return
		}
	}
	var changes []*pb.ConfChangeSingle
	fit, able := r.fit(), 0
	for _, w := range want {
		at, _ := slices.BinarySearch(fit, w.Replica)
		ready := at < len(fit) && fit[at] == w.Replica
		if ready {
			able++
		}
		if !slices.Contains(c.Voters, w.Replica) {
			if !ready {
				return
			}
			changes = append(changes, change(pb.ConfChangeAddNode, w.Replica))
		}
	}
	if able <= len(want)/2 {
		return // the new configuration could not commit anything
	}
	for _, v := range c.Voters {
		if !wanted(want, v) {
			changes = append(changes, change(pb.ConfChangeRemoveNode, v))
		}
	}
	r.reconfigure(pb.ConfChangeTransitionJointExplicit, changes...)
}

// leaveJoint completes a joint change. A leader that is to go hands over first: whoever follows it completes the change.
func (r *Replica) leaveJoint() {
	c := &r.applied.configuration
	if slices.Contains(c.Voters, r.options.Replica) {
		r.reconfigure(pb.ConfChangeTransitionAuto)
		return
	}
	r.handOver(c.Voters)
}

// prefer hands leadership to the preferred leader, if that can lead.
func (r *Replica) prefer() {
	first := r.steering.want.Replicas[0].Replica
	if first == r.options.Replica || r.steering.patience > 0 {
		return
	}
	r.steering.patience = preferAfterTicks
	r.handOver([]id.Replica{first})
}

// handOver begins to hand leadership to the fittest of some voters, the preferred leader before others.
func (r *Replica) handOver(voters []id.Replica) {
	fit := r.fit()
	for _, w := range r.steering.want.Replicas {
		if slices.Contains(voters, w.Replica) && slices.Contains(fit, w.Replica) && w.Replica != r.options.Replica {
			r.step(func() error { r.node.TransferLeader(uint64(w.Replica)); return nil })
			return
		}
	}
	for _, v := range voters {
		if slices.Contains(fit, v) && v != r.options.Replica {
			r.step(func() error { r.node.TransferLeader(uint64(v)); return nil })
			return
		}
	}
}

// fit lists, in order, the members that are there and have caught up; a leader counts itself.
func (r *Replica) fit() []id.Replica {
	var fit []id.Replica
	r.node.WithProgress(func(peer uint64, _ raft.ProgressType, p tracker.Progress) {
		if id.Replica(peer) == r.options.Replica || r.peers.active(id.Replica(peer)) && p.State == tracker.StateReplicate && id.Index(p.Match)+caughtUpEntries >= r.log.last {
			fit = append(fit, id.Replica(peer))
		}
	})
	return fit
}

// reconfigure proposes a change of the configuration.
func (r *Replica) reconfigure(how pb.ConfChangeTransition, changes ...*pb.ConfChangeSingle) {
	proposal := &pb.ConfChangeV2{Transition: how.Enum(), Changes: changes, Context: r.steering.want.appendTo(nil)}
	if r.node.ProposeConfChange(proposal) != nil {
		return // leadership is being handed over, or too much is under way: it is tried again at the next tick
	}
	r.steering.proposed = r.log.last + 1
	r.drain()
}

func change(what pb.ConfChangeType, replica id.Replica) *pb.ConfChangeSingle {
	return &pb.ConfChangeSingle{Type: what.Enum(), NodeId: new(uint64(replica))}
}

func wanted(want []Placed, replica id.Replica) bool {
	return slices.ContainsFunc(want, func(p Placed) bool { return p.Replica == replica })
}
