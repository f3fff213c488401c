package simulation

import (
	"errors"
	"slices"

	"troupe/gateway/protocol"
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

// quarantined tells whether the partition's log was found damaged when it was opened last.
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
