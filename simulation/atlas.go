package simulation

import (
	"troupe/partitions/id"
)

// Atlas is the map of what is damaged where. It bounds the plan of faults by what the brokers must survive: of a partition's
// replicas at most a quorum less one are damaged at a time, and none while its voters change or there is one only. Where there
// is one broker only, damage must be told; where there are several, it must be repaired or refused, and excuses nothing.
type Atlas struct {
	world  *World
	harmed map[id.Replica]*Harm
	// byPartition lists the same, in the order in which they were first harmed.
	byPartition map[id.Partition][]*Harm
}

func newAtlas(w *World) *Atlas {
	return &Atlas{world: w, harmed: map[id.Replica]*Harm{}, byPartition: map[id.Partition][]*Harm{}}
}

// permits tells whether one more replica of a partition may be damaged.
func (a *Atlas) permits(p id.Partition, r id.Replica) bool {
	if !a.world.several() {
		return true
	}
	size := a.world.ledger.firm(p)
	sick := 1
	for _, h := range a.byPartition[p] {
		if h.sick && h.replica != r {
			sick++
		}
	}
	return size > 1 && sick < size/2+1
}

// harm notes that a replica is damaged now.
func (a *Atlas) harm(p id.Partition, r id.Replica) *Harm {
	h := a.harmed[r]
	if h == nil {
		h = &Harm{partition: p, replica: r}
		a.harmed[r] = h
		a.byPartition[p] = append(a.byPartition[p], h)
	}
	h.sick = true
	return h
}

// any tells whether some replica of a partition was ever damaged.
func (a *Atlas) any(p id.Partition) bool { return len(a.byPartition[p]) > 0 }

// sole is what was done to the only replica of a partition of the only broker; nil where it was spared, and where there are
// several brokers: those excuse nothing.
func (a *Atlas) sole(p id.Partition) *Harm {
	if a.world.several() || !a.any(p) {
		return nil
	}
	return a.byPartition[p][0]
}

// excuses lists the harm to partitions that have one replica.
func (a *Atlas) excuses() map[id.Partition]*Harm {
	all := map[id.Partition]*Harm{}
	for p := range a.byPartition {
		if h := a.sole(p); h != nil {
			all[p] = h
		}
	}
	return all
}

// sick counts the replicas of a partition that are damaged now.
func (a *Atlas) sick(p id.Partition) int {
	sick := 0
	for _, h := range a.byPartition[p] {
		if h.sick {
			sick++
		}
	}
	return sick
}

// settled notes that a partition's replicas are these, and all of them have caught up: whatever was damaged and is no longer
// among them does not matter any more.
func (a *Atlas) settled(p id.Partition, among func(id.Replica) bool) {
	for _, h := range a.byPartition[p] {
		if h.sick && !among(h.replica) {
			h.sick = false
			a.world.marks.count(MarkReplaced)
			a.world.trace.event("damage", "replaced", "replica %d of %v is no longer needed", h.replica, p)
		}
	}
}

// whole notes that a replica's log was found whole.
func (a *Atlas) whole(r id.Replica) {
	if h := a.harmed[r]; h != nil && h.sick {
		h.sick = false
	}
}
