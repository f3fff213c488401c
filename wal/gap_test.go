package wal

import (
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"
)

// TestMendAroundGaps: what a peer gives back is held against gaps as against batches, and may be one.
func TestMendAroundGaps(t *testing.T) {
	entry := func(i id.Index, kind partitions.EntryType, payload []byte) partitions.Entry {
		return partitions.Entry{Index: i, Term: 1, Type: kind, AppendTime: 5, Payload: payload}
	}
	gap := func(i id.Index, first, next id.Offset) partitions.Entry {
		return entry(i, partitions.EntryGap, partitions.Gap{First: first, Next: next}.AppendTo(nil))
	}
	whole := []partitions.Entry{
		entry(2, partitions.EntryBatch, makeBatch(0, 10, 1, 100)), gap(3, 10, 500), gap(4, 500, 500), entry(5, partitions.EntryBatch, makeBatch(500, 2, 1, 100)),
	}
	terms := KnownTerms{Base: 1, Found: []partitions.TermStart{{Index: 2, Term: 1}}, Last: 5, Highest: 1}
	without := func(index id.Index) *Mending {
		var bytes []byte
		for _, e := range whole {
			frame := AppendEntry(nil, testReplica, e, 1)
			if e.Index == index {
				frame[len(frame)-1] ^= 1
			}
			bytes = append(bytes, frame...)
		}
		m, err := Mend(testReplica, SegmentBytes{First: 2, Bytes: bytes}, 6)
		must(t, err)
		return m
	}
	for _, e := range whole {
		must(t, without(e.Index).Put(e, terms))
	}
	for _, e := range []partitions.Entry{
		gap(3, 10, 499), gap(3, 9, 500), entry(3, partitions.EntryBatch, makeBatch(10, 1, 1, 100)), gap(4, 500, 501),
		entry(5, partitions.EntryBatch, makeBatch(10, 2, 1, 100)), entry(2, partitions.EntryBatch, makeBatch(0, 11, 1, 100)),
	} {
		wantErr(t, without(e.Index).Put(e, terms), ErrContradiction)
	}
}
