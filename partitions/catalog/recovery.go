package catalog

import (
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// Recovery is the record of a partition that lost a majority of its replicas for ever, and went on with what one of them had.
//
// The survivor's log becomes the beginning of a new replica's, its heir, on the same node: the heir votes alone under an id
// that nobody has voted for, while every old id is Ruined at once and Doomed when the heir leads. So the old replicas can
// never vote for, or be counted by, the new one. What they still do among themselves ends when their brokers read this
// record; until then readers and brokers that have heard of the heir's terms, which lie above all of theirs, discard their
// answers (partitions.Inheritance).
type Recovery struct {
	At       id.Timestamp
	Survivor partitions.Placed
	Heir     id.Replica
	GivenUp  []partitions.Placed // all others that were no ruin before, ordered by replica
	Version  id.Offset           // of the assignment that it made
}

// Recover is a command: the majority of a partition's replicas is lost for ever, and the partition is to go on with what this
// replica has. Whoever proposes it has made sure that no majority is there, and that none that is there has more.
type Recover struct {
	Partition id.Partition
	Survivor  id.Replica
	// If is the Version of the assignment that was looked at: who may be a member is bounded by it. There is no AnyVersion.
	If id.Offset
	At id.Timestamp
}

// maxRecoveries is how many recoveries of one partition are remembered: the newest.
const maxRecoveries = 16

// Inherits returns the replica whose log is the beginning of another's; 0: it has none.
func (a Assignment) Inherits(heir id.Replica) id.Replica {
	for _, r := range a.Recoveries {
		if r.Heir == heir {
			return r.Survivor.Replica
		}
	}
	return 0
}

// Whole returns every replica that may be a member of the partition and is not known to have lost its log.
func (a Assignment) Whole() []partitions.Placed {
	return slices.DeleteFunc(a.All(), func(p partitions.Placed) bool { return slices.Contains(a.Ruined, p.Replica) })
}

// Recoverable tells whether a partition can have lost a majority that it can do without: partitions.ErrUnknownTopic or
// partitions.ErrNotRecoverable if not.
func (s *State) Recoverable(p id.Partition) error {
	a, ok := s.Assignment(p)
	switch {
	case !ok:
		return fmt.Errorf("partition %v: %w", p, partitions.ErrUnknownTopic)
	case p == Partition():
		return fmt.Errorf("partition %v is the catalog's, which cannot decide about itself without its majority: %w", p, partitions.ErrNotRecoverable)
	case len(a.Whole()) < 2:
		return fmt.Errorf("partition %v has one replica, which needs no majority: %w", p, partitions.ErrNotRecoverable)
	}
	return nil
}

func (c Recover) apply(next *State) (Result, error) {
	if err := next.Recoverable(c.Partition); err != nil {
		return Result{}, err
	}
	a, _ := next.Assignment(c.Partition)
	t, whole := next.Topics[c.Partition.Topic], a.Whole()
	if c.If != a.Version {
		return Result{Topic: t}, fmt.Errorf("partition %v: assigned at %d, not at %d; look again: %w", c.Partition, a.Version, c.If, ErrAssignmentChanged)
	}
	at := slices.IndexFunc(whole, func(p partitions.Placed) bool { return p.Replica == c.Survivor })
	if at < 0 {
		return Result{Topic: t}, fmt.Errorf("partition %v: replica %d is none of its replicas, or has lost its log: %w", c.Partition, c.Survivor, partitions.ErrNotRecoverable)
	}
	survivor := whole[at]
	if node := next.Nodes[survivor.Node]; node != nil && node.State == Gone {
		return Result{Topic: t}, fmt.Errorf("partition %v: broker %v is gone for ever: %w", c.Partition, survivor.Node, ErrUnknownNode)
	}
	return Result{Topic: next.goOn(c.Partition, a, survivor, c.At)}, nil
}

// goOn has a partition go on with what one replica has.
func (s *State) goOn(p id.Partition, a Assignment, survivor partitions.Placed, at id.Timestamp) *Topic {
	heir := s.place(survivor.Node)
	record := Recovery{At: at, Survivor: survivor, Heir: heir.Replica, Version: s.Version}
	for _, p := range a.Whole() {
		if p != survivor {
			record.GivenUp = append(record.GivenUp, p)
		}
	}
	sortPlaced(record.GivenUp)
	to := Assignment{
		Founders: a.Founders, Replicas: []partitions.Placed{heir}, Leaving: a.All(), Version: s.Version, Settled: a.Settled,
		Recoveries: append(slices.Clone(a.Recoveries), record),
	}
	to.Recoveries = to.Recoveries[max(0, len(to.Recoveries)-maxRecoveries):]
	sortPlaced(to.Leaving)
	for _, p := range to.Leaving {
		to.Ruined = append(to.Ruined, p.Replica)
	}
	return s.assign(p, to)
}
