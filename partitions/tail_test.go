package partitions

import (
	"testing"

	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// TestGapInTheTail: a replica that was sent a gap by its leader holds it in memory, and answers as one that reads it.
func TestGapInTheTail(t *testing.T) {
	one := func(base id.Offset) []byte {
		b := batch.NewBuilder(batch.None)
		b.Append(1, nil, []byte("v"), nil)
		out, err := b.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
		if err != nil {
			t.Fatal(err)
		}
		batch.Stamp(out, base, 1)
		return out
	}
	r := &Replica{log: &raftLog{tail: newTail(5, 1<<20)}}
	push := func(e Entry) {
		r.log.tail.push(e, toRaft(e))
		r.log.tail.check()
	}
	push(Entry{Index: 5, Type: EntryBatch, Payload: one(9)})
	push(Entry{Index: 6, Type: EntryGap, Payload: Gap{First: 10, Next: 500}.AppendTo(nil)})
	push(Entry{Index: 7, Type: EntryGap, Payload: Gap{First: 500, Next: 500}.AppendTo(nil)})
	r.applied.next = 500
	ask := func(from, skip id.Offset, batches int) {
		t.Helper()
		r.read(Fetch{Offset: from, MaxBytes: 1})
		a := r.Outbox().Fetched
		if len(a) != 1 || a[0].Skip != skip || len(a[0].Batches) != batches {
			t.Errorf("from %d: %+v", from, a)
		}
	}
	ask(9, 0, 1)
	ask(10, 500, 0)
	ask(499, 500, 0)
	push(Entry{Index: 8, Type: EntryBatch, Payload: one(500)})
	ask(499, 500, 0) // not committed yet
	r.applied.next = 501
	ask(10, 0, 1)
	ask(500, 0, 1)
	r.log.tail.cut(7)
	if r.log.tail.next != 500 {
		t.Errorf("behind the gap the offsets go on at %d", r.log.tail.next)
	}
}
