package simulation

import "troupe/partitions/id"

// bound is how far somebody wanted each partition's records deleted: below it none need be found any more.
func (o *Oracle) bound() map[id.Partition]id.Offset {
	bound := map[id.Partition]id.Offset{}
	for _, t := range o.history.Trims {
		bound[t.Partition] = max(bound[t.Partition], t.Before)
	}
	return bound
}

// trims demands that what was wanted deleted is, and nothing else.
func (o *Oracle) trims() *Violation {
	bound := o.bound()
	for _, t := range o.history.Trims {
		if t.Completed != never && t.LogStart < t.Before {
			return violation("not-deleted", "%v was to begin at %d, and its answer says %d", t.Partition, t.Before, t.LogStart)
		}
	}
	for _, p := range o.history.Polls {
		if p.LogStart > bound[p.Partition] {
			return violation("deleted-unasked", "%v begins at %d, and nobody wanted more deleted than below %d", p.Partition, p.LogStart, bound[p.Partition])
		}
	}
	return nil
}
