package simulation

import (
	"errors"
	"fmt"
	"slices"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/id"
)

// Harm is what damage to a replica's files may lead to. The damage itself excuses nothing: what a client is not told to be
// damaged must be there, and right.
type Harm struct {
	partition id.Partition
	replica   id.Replica
	sick      bool // damaged now, as far as the plan of faults knows
	// told: a client was answered DAMAGED. From then on nothing of the partition needs to be served; what is, must be right.
	told bool
	// lossy: what was hit was durable without anything else on the disk that tells so: the limit that log.md states. It reads
	// as a tear, and everything from an offset on may be gone and its offsets used again.
	lossy bool
	from  id.Offset
	// beside: a file beside the segments was hit, and no opening has looked at it yet.
	beside bool
}

// excuses tells that a partition need not keep what it acknowledged.
func (h *Harm) excuses() bool { return h != nil && (h.told || h.lossy) }

// forgets tells that what an offset held may be something else now.
func (h *Harm) forgets(at id.Offset) bool { return h != nil && h.lossy && at >= h.from }

// refused looks at what one partition's answer says went wrong.
func (w *World) refused(p id.Partition, t *Topic, err error) {
	if !errors.Is(err, protocol.CodeDamaged) {
		w.answered(t, err)
		return
	}
	if !w.atlas.any(p) {
		w.violate(violation("false-damage", "nothing of %v was damaged, and a client of %s is told: %v", p, t.Name, err))
		return
	}
	if h := w.atlas.sole(p); h != nil && !h.told {
		h.told = true
		w.trace.event("damage", "told", "%v: %v", p, err)
		if !w.cluster.quarantined(p) {
			w.marks.count(MarkDamageRead)
		}
	}
}

// opened notes what an opening has found; doubted: its log had seen an error in this life.
func (w *World) opened(p id.Partition, r id.Replica, found partitions.Recovered, doubted bool) {
	harm := w.atlas.harmed[r]
	if damage := found.Damage; damage != nil {
		w.damaged(p, r, fmt.Sprintf("%s, %s at byte %d", damage.Reason, damage.File, damage.At))
	} else if harm != nil && harm.beside {
		harm.beside = false
		w.marks.count(MarkDamageMended)
	}
	if doubted {
		w.marks.count(MarkReopenAfterError)
	}
	if index, _ := stands(found.Newest); found.Last > index {
		w.marks.count(MarkReplay)
	}
}

// damaged notes that an opening has found damage.
func (w *World) damaged(p id.Partition, r id.Replica, why string) {
	if w.unharmed(p, r, "an opening", errors.New(why)) {
		return
	}
	w.marks.count(MarkQuarantined)
	w.trace.event("damage", "found", "%v: %s", p, why)
}

// unharmed tells that a replica was never damaged. What says that it is gives a false alarm.
func (w *World) unharmed(p id.Partition, r id.Replica, who string, err error) bool {
	if w.atlas.harmed[r] != nil {
		return false
	}
	w.violate(violation("false-damage", "nothing was damaged, and %s of replica %d of %v finds: %v", who, r, p, err))
	return true
}

// quarantined implements brokerDisk.
func (d *Disk) quarantined(p id.Partition) bool {
	for _, t := range d.newest { // any order: one of them is the partition's
		if t.partition == p && !t.closed && t.recovered.Damage != nil {
			return true
		}
	}
	return false
}

// quarantined tells whether some broker found its log of the partition damaged when it opened it last.
func (c *Cluster) quarantined(p id.Partition) bool {
	return slices.ContainsFunc(c.brokers, func(b *Broker) bool { return b.disk.quarantined(p) })
}

// admitted demands that an answer out of a quarantined partition says so.
func (c *Client) admitted(p id.Partition, refused *protocol.Error) {
	w := c.world
	if w.atlas.sole(p) != nil && (refused == nil || refused.Outcome() == protocol.Done) && c.broker.disk.quarantined(p) {
		w.violate(violation("damage-hidden", "the log of %v is damaged, and an answer from it does not say so", p))
	}
}
