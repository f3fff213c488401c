package catalog

import (
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// Succeed is a command: the majority of the catalog's own partition is lost for ever, and it goes on with what this replica has, in
// an epoch of its own. It is never proposed: there is nobody to propose it to. It is written behind the survivor's log as the
// end of what its heir inherits, offline, and so the first that anybody hears of the epoch.
//
// What only the lost ones had cannot be known. So that nothing contradicts it should it be met: ids go on far above any that can
// have been given meanwhile, as offsets and terms do (partitions.Inheritance), and every assignment is written anew, for a partition may
// have followed a later one, which would fence it from those to come.
type Succeed struct {
	Epoch    id.Epoch
	Survivor id.Replica
	At       id.Timestamp
}

// InheritedIDs is how many topics, replicas and producers the lost majority can have named that the survivor does not know of: a
// stated limit. At a million a second it is twelve days of nothing else.
const InheritedIDs = 1 << 40

func (c Succeed) apply(next *State) (Result, error) {
	a, ok := next.Assignment(Partition())
	if !ok || c.Epoch.Number() <= next.Epoch.Number() {
		return Result{}, fmt.Errorf("epoch %v follows epoch %v: %w", c.Epoch, next.Epoch, ErrInvalidCommand)
	}
	whole := a.Whole()
	at := slices.IndexFunc(whole, func(p partitions.Placed) bool { return p.Replica == c.Survivor })
	if at < 0 {
		return Result{}, fmt.Errorf("replica %d is none of the catalog's: %w", c.Survivor, partitions.ErrNotRecoverable)
	}
	next.Epoch = c.Epoch
	next.NextTopic += InheritedIDs
	next.NextReplica += InheritedIDs
	next.NextProducer += InheritedIDs
	for _, topic := range next.TopicIDs() {
		t := *next.Topics[topic]
		t.Partitions = slices.Clone(t.Partitions)
		for n := range t.Partitions {
			t.Partitions[n].renew(next.Version)
		}
		next.add(&t)
	}
	return Result{Topic: next.goOn(Partition(), a, whole[at], c.At)}, nil
}

// renew gives an assignment another version. Whether it was reached stays.
func (a *Assignment) renew(version id.Offset) {
	if !a.Moving() {
		a.Settled = version
	}
	a.Version = version
}
