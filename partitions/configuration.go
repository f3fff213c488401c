package partitions

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/confchange"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"troupe/partitions/id"
)

// An EntryConfiguration's payload is raft's ConfChangeV2. Its context says which assignment it follows, little endian:
//
//	+---------+-------------------+------------+----------------------------------+
//	| version | assignment (i64)  | count u32  | count × { replica u64, node u64 } |
//	+---------+-------------------+------------+----------------------------------+
const contextVersion = 1

func (a Assignment) appendTo(dst []byte) []byte {
	le := binary.LittleEndian
	dst = append(dst, contextVersion)
	dst = le.AppendUint64(dst, uint64(a.Version))
	dst = le.AppendUint32(dst, uint32(len(a.Replicas)))
	for _, p := range a.Replicas {
		dst = le.AppendUint64(dst, uint64(p.Replica))
		dst = le.AppendUint64(dst, uint64(p.Node))
	}
	return dst
}

// parseAssignment reads the context of a change. It returns ErrMalformed, or ErrNewer for a layout unknown here.
func parseAssignment(b []byte) (a Assignment, err error) {
	d := decoder{rest: b}
	if v := d.u8(); !d.short && v != contextVersion {
		return a, fmt.Errorf("context of version %d, this program knows %d: %w", v, contextVersion, ErrNewer)
	}
	a.Version = id.Offset(d.u64())
	a.Replicas = make([]Placed, d.count(16))
	for i := range a.Replicas {
		a.Replicas[i] = Placed{Replica: id.Replica(d.u64()), Node: id.Node(d.u64())}
	}
	if d.short || len(d.rest) > 0 {
		return a, fmt.Errorf("context of %d bytes: %w", len(b), ErrMalformed)
	}
	return a, nil
}

// reconfigure applies a change of the configuration to the state alone. It computes what raft computes: where a log is
// replayed without raft around it, the result is the same.
func (a *applied) reconfigure(e Entry) error {
	var change pb.ConfChangeV2
	if err := proto.Unmarshal(e.Payload, &change); err != nil {
		return fmt.Errorf("entry %d: a change of the configuration: %w: %w", e.Index, ErrDamaged, err)
	}
	target, err := parseAssignment(change.Context)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Index, err)
	}
	next, err := a.configuration.after(&change)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Index, err)
	}
	places := slices.Clone(a.nodes)
	for _, p := range target.Replicas {
		if !wanted(places, p.Replica) {
			places = append(places, p)
		}
	}
	places = slices.DeleteFunc(places, func(p Placed) bool { return !next.holds(p.Replica) })
	a.configuration, a.nodes = next, placedSorted(places)
	a.assignment = max(a.assignment, target.Version)
	return nil
}

// after returns the configuration that follows a change.
func (c Configuration) after(change *pb.ConfChangeV2) (Configuration, error) {
	changer := confchange.Changer{Tracker: tracker.MakeProgressTracker(1, 0)}
	config, progress, err := confchange.Restore(changer, c.toRaft())
	if err != nil {
		return c, fmt.Errorf("configuration %+v: %w: %w", c, ErrDamaged, err)
	}
	changer.Tracker.Config, changer.Tracker.Progress = config, progress
	if change.LeaveJoint() {
		config, _, err = changer.LeaveJoint()
	} else if auto, joint := change.EnterJoint(); joint {
		config, _, err = changer.EnterJoint(auto, change.Changes...)
	} else {
		config, _, err = changer.Simple(change.Changes...)
	}
	if err != nil {
		return c, fmt.Errorf("configuration %+v: %w: %w", c, ErrDamaged, err)
	}
	changer.Tracker.Config = config
	return configurationOf(changer.Tracker.ConfState()), nil
}

// configurationOf reads raft's form.
func configurationOf(s *pb.ConfState) Configuration {
	ids := func(list []uint64) []id.Replica {
		var out []id.Replica
		for _, v := range list {
			out = append(out, id.Replica(v))
		}
		return sorted(out)
	}
	return Configuration{
		Voters: ids(s.GetVoters()), Outgoing: ids(s.GetVotersOutgoing()), Learners: ids(s.GetLearners()),
		LearnersNext: ids(s.GetLearnersNext()), AutoLeave: s.GetAutoLeave(),
	}
}

func (c *Configuration) equal(d Configuration) bool {
	for i, list := range c.lists() {
		if !slices.Equal(*list, *d.lists()[i]) {
			return false
		}
	}
	return c.AutoLeave == d.AutoLeave
}

// committed returns the highest commit index that a log proves: the one it was told, or that of the last change of the
// configuration but one. Raft proposes a change once the one before it is applied, so whoever holds a change can tell that
// the earlier ones are committed, and must: raft takes a configuration when it is applied, which after a restart goes as far
// as the commit index that is remembered, and that one is written without an fsync. A replica with the end of a joint change
// in its log and the commit index of before would be elected by the old voters alone, in a term in which the new ones elect
// another; or it would wait for the votes of replicas that are deleted since.
//
// It reads what lies above the commit index, and returns the log's error where that cannot be read.
func committed(log Log, found Recovered) (id.Index, error) {
	proven, change := found.HardState.Commit, id.Index(0)
	for next := found.HardState.Commit + 1; next <= found.Last; {
		entries, err := log.Entries(next, found.Last+1, 1<<20)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			if e.Type == EntryConfiguration {
				proven, change = max(proven, change), e.Index
			}
		}
		next += id.Index(len(entries))
	}
	return proven, nil
}

// applyConfiguration applies a change here and in raft.
func (r *Replica) applyConfiguration(e Entry) {
	before, was := r.applied.nodes, r.applied.configuration
	if err := r.applied.reconfigure(e); err != nil {
		panic(&InvariantError{"a committed change of the configuration can be applied", err, nil})
	}
	var change pb.ConfChangeV2
	if err := proto.Unmarshal(e.Payload, &change); err != nil {
		panic(&InvariantError{"a change that was read once can be read again", err, nil})
	}
	if got := configurationOf(r.node.ApplyConfChange(&change)); !got.equal(r.applied.configuration) {
		panic(&InvariantError{"raft's configuration is the applied one", got, r.applied.configuration})
	}
	if r.role == RoleFollower || r.role == RoleLearner {
		r.role = r.standing()
	}
	r.steering.proposed, r.steering.sealed = 0, was.equal(r.applied.configuration)
	r.counts.Reconfigurations++
	r.part(before)
}
