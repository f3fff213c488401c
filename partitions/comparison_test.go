package partitions

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions/id"
)

// Every field of an entry counts, and their order.
func TestDigestTellsEntriesApart(t *testing.T) {
	sum := func(all ...Entry) uint64 {
		d := Digest{Offset: -1}
		for _, e := range all {
			d.Add(e)
		}
		return d.Sum
	}
	one := Entry{Index: 1, Term: 2, Type: EntryBatch, AppendTime: 3, Payload: []byte("payload")}
	two := Entry{Index: 2, Term: 2, Type: EntryEmpty}
	other := func(change func(*Entry)) Entry { e := one; change(&e); return e }
	all := map[uint64]string{sum(one, two): "two entries"}
	for name, s := range map[string]uint64{
		"one": sum(one), "in another order": sum(two, one), "none": sum(),
		"index":   sum(other(func(e *Entry) { e.Index = 9 }), two),
		"term":    sum(other(func(e *Entry) { e.Term = 9 }), two),
		"type":    sum(other(func(e *Entry) { e.Type = EntryGap }), two),
		"time":    sum(other(func(e *Entry) { e.AppendTime = 9 }), two),
		"payload": sum(other(func(e *Entry) { e.Payload = []byte("payloae") }), two),
	} {
		if same, found := all[s]; found {
			t.Errorf("%s: the sum of %s", name, same)
		}
		all[s] = name
	}
}

// Most are right; where there are no most, nobody is known to be.
func TestMajorityIsRight(t *testing.T) {
	for _, w := range []struct {
		sums    []uint64
		differs []bool
	}{
		{[]uint64{5, 5}, []bool{false, false}},
		{[]uint64{5, 6}, []bool{true, true}},
		{[]uint64{5, 6, 5}, []bool{false, true, false}},
		{[]uint64{5, 6, 7}, []bool{true, true, true}},
		{[]uint64{5, 5, 6, 6, 5}, []bool{false, false, true, true, false}},
	} {
		digests, same := make([]Digest, len(w.sums)), true
		for i, s := range w.sums {
			digests[i].Sum = s
			same = same && s == w.sums[0]
		}
		differs, equal := Judge(digests)
		if d := cmp.Diff(w.differs, differs); d != "" || equal != same {
			t.Errorf("%v: all the same: %t, who differs (-want +got):\n%s", w.sums, equal, d)
		}
	}
}

// What replicas have in common begins with the latest start and ends with what the slowest has applied.
func TestCommonRange(t *testing.T) {
	first, applied, start, watermark := Common([]Status{
		{First: 5, Applied: 90, LogStart: 10, HighWatermark: 80}, {First: 7, Applied: 70, LogStart: 8, HighWatermark: 60}, {First: 6, Applied: 80, LogStart: 9, HighWatermark: 70},
	})
	if first != 7 || applied != 70 || start != 10 || watermark != id.Offset(60) {
		t.Errorf("entries %d to %d, offsets %d to %d", first, applied, start, watermark)
	}
}
