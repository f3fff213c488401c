package catalog

import (
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// Assignment says which replicas a partition has, and which it is to get rid of. It is a target: the partition's leader
// changes the configuration of its replicas until it equals Replicas, and then says so with Moved.
//
// Founders never change: they are what each of the first replicas is born from. Every other replica begins empty.
type Assignment struct {
	Founders []partitions.Placed
	Replicas []partitions.Placed // 1, 3 or 5, on different nodes; the first is the preferred leader
	// Leaving are replicas that an assignment left out and that may still be members, ordered by replica. Nothing of theirs
	// is removed while they are listed here.
	Leaving []partitions.Placed
	// Ruined are those of Leaving whose log is lost, in the same order: they never come back.
	Ruined []id.Replica
	// Version is the offset of the record that wrote Replicas. A leader never acts on a lower one than it has acted on.
	Version id.Offset
	// Settled is the Version that a leader last reported as reached; while it is another than Version, a move is under way.
	Settled id.Offset
	// Recoveries are how the partition went on after it had lost its majority, oldest first.
	Recoveries []Recovery
}

// Moving tells that no leader has reported yet that its configuration equals Replicas.
func (a Assignment) Moving() bool { return a.Settled != a.Version }

// Doomed is a replica that lost its topic, or its place.
type Doomed struct {
	Partition id.Partition
	partitions.Placed
}

// Assign is a command: a partition's replicas are to live on these nodes. Nodes that have a replica keep it.
//
// While replicas are leaving, only their return (a cancelled move) or a repair (Replace) is accepted: what a partition can
// be made of at one time stays bounded.
type Assign struct {
	Partition id.Partition
	Nodes     []id.Node // 1, 3 or 5 different ones, the preferred leader first
	// Replace are replicas of the partition that lost their log (amnesia, a wiped disk). They leave for ever; their node gets
	// a replica of a new id if it is among Nodes.
	Replace []id.Replica
	// If is the Version of the assignment that this one was made from; AnyVersion accepts each.
	If id.Offset
}

// AnyVersion is an Assign.If that makes no condition.
const AnyVersion id.Offset = -1

// Moved is a command: the leader's configuration equals the Replicas of the assignment of that Version, and these replicas
// are no members any more. They become Doomed.
type Moved struct {
	Partition id.Partition
	Version   id.Offset
	Gone      []id.Replica
}

// maxLeaving bounds the replicas of a partition that leave at one time: repairs of repairs end here.
const maxLeaving = 2 * MaxReplicas

// All returns every replica that may be a member of the partition: those assigned, then those that leave.
func (a Assignment) All() []partitions.Placed { return slices.Concat(a.Replicas, a.Leaving) }

// Assignment returns a partition's assignment; ok is false if there is no such partition.
func (s *State) Assignment(p id.Partition) (a Assignment, ok bool) {
	t := s.Topics[p.Topic]
	if t == nil || p.Number < 0 || int(p.Number) >= len(t.Partitions) {
		return Assignment{}, false
	}
	return t.Partitions[p.Number], true
}

// takes tells whether nodes could hold a partition: ErrInvalidAssignment or ErrUnknownNode if not. Nodes that were not
// enlisted yet pass: whoever proposes them has seen them.
func (s *State) takes(nodes []id.Node) error {
	if n := len(nodes); n%2 == 0 || n > MaxReplicas {
		return fmt.Errorf("%d replicas, allowed are 1, 3 or 5: %w", n, ErrInvalidAssignment)
	}
	for i, n := range nodes {
		if n == 0 || slices.Contains(nodes[:i], n) {
			return fmt.Errorf("broker %v is none, or named twice: %w", n, ErrInvalidAssignment)
		}
		if known := s.Nodes[n]; known != nil && known.State == Gone {
			return fmt.Errorf("broker %v is gone for ever: %w", n, ErrUnknownNode)
		}
	}
	return nil
}

// place gives the next replica id to a node.
func (s *State) place(n id.Node) partitions.Placed {
	p := partitions.Placed{Replica: s.NextReplica, Node: n}
	s.NextReplica++
	return p
}

func (c Assign) apply(next *State) (Result, error) {
	a, ok := next.Assignment(c.Partition)
	if !ok {
		return Result{}, fmt.Errorf("partition %v: %w", c.Partition, partitions.ErrUnknownTopic)
	}
	if err := c.check(next, a); err != nil {
		return Result{Topic: next.Topics[c.Partition.Topic]}, fmt.Errorf("partition %v: %w", c.Partition, err)
	}
	to, fresh := c.target(next, a)
	if slices.Equal(to.Replicas, a.Replicas) {
		return Result{Topic: next.Topics[c.Partition.Topic]}, nil
	}
	switch returned := fresh == 0 && !slices.ContainsFunc(a.Leaving, to.leaves); {
	case len(a.Leaving) > 0 && len(c.Replace) == 0 && !returned:
		return Result{}, fmt.Errorf("partition %v: %d replicas still leave; wait, or assign it back to where it was: %w",
			c.Partition, len(a.Leaving), ErrMoveUnderWay)
	case len(to.Leaving) > maxLeaving:
		return Result{}, fmt.Errorf("partition %v: %d replicas would leave at one time, at most %d may: %w",
			c.Partition, len(to.Leaving), maxLeaving, ErrMoveUnderWay)
	}
	return Result{Topic: next.assign(c.Partition, to)}, nil
}

// check tells what is wrong with the command itself, given what it would change.
func (c Assign) check(s *State, a Assignment) error {
	if c.If != AnyVersion && c.If != a.Version {
		return fmt.Errorf("assigned at %d, not at %d; look again: %w", a.Version, c.If, ErrAssignmentChanged)
	}
	if err := s.takes(c.Nodes); err != nil {
		return err
	}
	for i, r := range c.Replace {
		if !contains(a.Replicas, r) || slices.Contains(c.Replace[:i], r) {
			return fmt.Errorf("replica %d to replace is none of its replicas, or named twice: %w", r, ErrInvalidAssignment)
		}
	}
	return nil
}

// target makes the assignment that the command asks for, and tells how many of its replicas are new.
func (c Assign) target(next *State, a Assignment) (to Assignment, fresh int) {
	to, all := Assignment{Founders: a.Founders, Version: next.Version, Recoveries: a.Recoveries}, a.All()
	lost := func(p partitions.Placed) bool {
		return slices.Contains(c.Replace, p.Replica) || slices.Contains(a.Ruined, p.Replica)
	}
	for _, n := range c.Nodes {
		// One that is assigned stands before one that leaves.
		at := slices.IndexFunc(all, func(p partitions.Placed) bool { return p.Node == n && !lost(p) })
		if at >= 0 {
			to.Replicas = append(to.Replicas, all[at])
			continue
		}
		to.Replicas = append(to.Replicas, next.place(n))
		fresh++
	}
	for _, p := range all {
		if !contains(to.Replicas, p.Replica) {
			to.Leaving = append(to.Leaving, p)
		}
	}
	sortPlaced(to.Leaving)
	to.Settled = a.Settled
	if fresh == 0 && len(to.Leaving) == 0 && !a.Moving() && len(to.Replicas) == len(a.Replicas) {
		to.Settled = to.Version // the same replicas, and another preferred leader
	}
	for _, p := range to.Leaving {
		if lost(p) {
			to.Ruined = append(to.Ruined, p.Replica)
		}
	}
	return to, fresh
}

// leaves tells whether a replica is to go.
func (a Assignment) leaves(p partitions.Placed) bool { return contains(a.Leaving, p.Replica) }

func (c Moved) apply(next *State) (Result, error) {
	a, ok := next.Assignment(c.Partition)
	if !ok {
		return Result{}, fmt.Errorf("partition %v: %w", c.Partition, partitions.ErrUnknownTopic)
	}
	t := next.Topics[c.Partition.Topic]
	if c.Version != a.Version {
		return Result{Topic: t}, fmt.Errorf("partition %v: assigned at %d, not at %d: %w", c.Partition, a.Version, c.Version, ErrAssignmentChanged)
	}
	to := a
	to.Leaving, to.Ruined = nil, nil
	for _, p := range a.Replicas {
		if slices.Contains(c.Gone, p.Replica) {
			return Result{Topic: t}, fmt.Errorf("partition %v: replica %d is assigned, it cannot be gone: %w", c.Partition, p.Replica, ErrInvalidCommand)
		}
	}
	for _, p := range a.Leaving {
		if slices.Contains(c.Gone, p.Replica) {
			next.Doomed = append(next.Doomed, Doomed{Partition: c.Partition, Placed: p})
			continue
		}
		to.Leaving = append(to.Leaving, p)
		if slices.Contains(a.Ruined, p.Replica) {
			to.Ruined = append(to.Ruined, p.Replica)
		}
	}
	if len(to.Leaving) == 0 {
		to.Settled = to.Version
	}
	sortDoomed(next.Doomed)
	return Result{Topic: next.assign(c.Partition, to)}, nil
}

// assign replaces a partition's assignment and returns the topic as it is then.
func (s *State) assign(p id.Partition, a Assignment) *Topic {
	t := *s.Topics[p.Topic]
	t.Partitions = slices.Clone(t.Partitions)
	t.Partitions[p.Number] = a
	s.add(&t)
	return &t
}
