package actors

import (
	"testing"
	"time"

	"troupe/partitions"
	"troupe/partitions/id"
)

// TestFetchSkipsAGap: where a recorded gap reaches to the end, the answer tells where to go on; a fetch there waits.
func TestFetchSkipsAGap(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	p := at(topic, 0)
	w.produce(p, "a")
	m := w.memory(topic, 0)
	w.disk.powerLoss()
	last := m.entries[len(m.entries)-1]
	m.entries = append(m.entries, partitions.Entry{
		Index: last.Index + 1, Term: last.Term, Type: partitions.EntryGap, Payload: partitions.Gap{First: 1, Next: 500}.AppendTo(nil),
	})
	m.synced = len(m.entries)
	w.crash()
	for _, from := range []id.Offset{1, 2, 499} {
		if f := w.fetch(p, from); f.Err != nil || len(f.Batches) != 0 || f.Skip != 500 || f.HighWatermark != 500 {
			t.Errorf("at %d: %+v", from, f)
		}
	}
	if f := w.fetch(p, 0); f.Skip != 0 || len(f.Batches) != 1 {
		t.Errorf("in front of it: %+v", f)
	}
	if f := w.fetch(p, 500); f.Skip != 0 || f.Err != nil {
		t.Errorf("behind it: %+v", f)
	}
	if a := w.produce(p, "b"); a.Err != nil || a.Base != 500 {
		t.Errorf("%+v", a)
	}
	w.pass(time.Second)
	if f := w.fetch(p, 1); f.Skip != 0 || len(f.Batches) != 1 {
		t.Errorf("in it, with a record behind: %+v", f)
	}
	w.stop()
}
