package wal

import (
	"math"
	"sort"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// pointBytes is the least distance between two points of a sparse index: about as much as is read and thrown away to find
// an offset.
const pointBytes = 16 << 10

// sparse tells roughly where in a segment an entry, an offset or a time is. It is made while appending, and by one scan
// for a segment from before the opening; it is never stored. An answer leads to the last point at or before what is
// wanted, so a reader only ever walks forward from it.
type sparse struct {
	points []point
	// next is the offset behind the last batch; newest is the largest timestamp. Both only count where points is not
	// empty: a segment without batches has none.
	next   id.Offset
	newest id.Timestamp
	// damaged: some bytes do not verify, or entries are missing at the end. damagedEnd: so behind the last batch.
	damaged, damagedEnd bool
}

// point is the place of one batch.
type point struct {
	at     int64
	index  id.Index
	base   id.Offset
	newest id.Timestamp // of this batch and the following ones before the next point
}

// span is what the index keeps of one batch, or of a gap: that is found by its offsets, so that what lies in front of it is
// never taken for the end, and is younger than no time.
type span struct {
	base, next id.Offset
	newest     id.Timestamp
}

// spanOf tells what offsets an entry holds; ok is false when it holds none.
func spanOf(e *partitions.Entry) (s span, ok bool) {
	if e.Type != partitions.EntryGap {
		return batchSpan(e)
	}
	g, err := partitions.ParseGap(e.Payload)
	if err != nil || g.First == g.Next {
		return span{}, false
	}
	return span{base: g.First, next: g.Next, newest: math.MinInt64}, true
}

// batchSpan tells what offsets and times an entry holds; ok is false when it is no batch.
func batchSpan(e *partitions.Entry) (s span, ok bool) {
	if e.Type != partitions.EntryBatch {
		return span{}, false
	}
	h, err := batch.ParseHeader(e.Payload)
	if err != nil {
		return span{}, false // only possible if it was written so: the frame's checksum verified
	}
	return span{base: h.BaseOffset, next: h.NextOffset(), newest: h.MaxTimestamp}, true
}

// add notes a batch. Batches are added in the order of the segment.
func (x *sparse) add(at int64, index id.Index, s span) {
	n := len(x.points)
	if n == 0 || at-x.points[n-1].at >= pointBytes {
		x.points = append(x.points, point{at: at, index: index, base: s.base, newest: s.newest})
	} else {
		x.points[n-1].newest = max(x.points[n-1].newest, s.newest)
	}
	if n == 0 {
		x.newest = s.newest
	}
	x.next, x.newest = s.next, max(x.newest, s.newest)
	x.damagedEnd = false
}

// scan indexes a whole segment. want is the index that must follow its last entry, 0 when that is not known.
func scan(owner id.Replica, s SegmentBytes, want id.Index) (*sparse, error) {
	x := &sparse{}
	w := walk(owner, s.Bytes, s.First)
	for {
		st, ok, err := w.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if st.bad {
			x.damaged, x.damagedEnd = true, true
			continue
		}
		if sp, ok := spanOf(&st.frame.Entry); ok {
			x.add(int64(st.at), st.index, sp)
		}
	}
	if want != 0 && w.expect != want {
		x.damaged, x.damagedEnd = true, true
	}
	return x, nil
}

// atIndex returns the last known place at or before an entry; first is the segment's first index.
func (x *sparse) atIndex(first, index id.Index) (at int64, from id.Index) {
	i := sort.Search(len(x.points), func(i int) bool { return x.points[i].index > index })
	if i == 0 {
		return 0, first
	}
	return x.points[i-1].at, x.points[i-1].index
}

// atOffset likewise, for the batch that holds an offset.
func (x *sparse) atOffset(first id.Index, offset id.Offset) (at int64, from id.Index) {
	i := sort.Search(len(x.points), func(i int) bool { return x.points[i].base > offset })
	if i == 0 {
		return 0, first
	}
	return x.points[i-1].at, x.points[i-1].index
}

// atTime returns the first point with a batch whose largest timestamp is at or after t.
func (x *sparse) atTime(t id.Timestamp) (at int64, from id.Index, ok bool) {
	for _, p := range x.points {
		if p.newest >= t {
			return p.at, p.index, true
		}
	}
	return 0, 0, false
}
