package actors

import (
	"errors"
	"slices"
	"testing"
	"time"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A log rests when nobody has written for a while: once, and again after it was written to.
func TestIdleLogRests(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	p := id.Partition{Topic: topic.ID}
	m := w.memory(topic, 0)
	after := w.node.stage.limits.RestAfter
	w.produce(p, "a")
	for range 5 { // as long as somebody writes
		w.pass(after / 2)
		w.produce(p, "b")
	}
	if m.rests != 0 {
		t.Fatalf("a log that is written to rested %d times", m.rests)
	}
	w.pass(2 * after)
	if m.rests != 1 {
		t.Fatalf("rested %d times, want once", m.rests)
	}
	read := 0
	m.onRead = func() error { read++; return nil }
	if got := values(t, w.fetch(p, 4).Batches); !slices.Equal(got, []string{"b", "b"}) || read != 1 {
		t.Fatalf("read %q in %d reads of the log", got, read)
	}
	w.pass(time.Hour)
	if m.rests != 1 {
		t.Fatalf("a resting log rested %d times", m.rests)
	}
	if a := w.produce(p, "c"); a.Err != nil || a.Base != 6 {
		t.Fatalf("produced %+v", a)
	}
	w.pass(2 * after)
	if m.rests != 2 {
		t.Fatalf("rested %d times, want twice", m.rests)
	}
	w.produce(p, "d") // a log that fails to rest is opened anew
	m.onRest = func() error { return errDisk }
	w.pass(2 * after)
	m.onRest = nil
	w.pass(w.node.stage.limits.RestartDelayMost)
	if a := w.produce(p, "e"); a.Err != nil || a.Base != 8 {
		t.Fatalf("produced %+v", a)
	}
	if a := w.fetch(p, 9); errors.Is(a.Err, partitions.ErrDamaged) {
		t.Fatal(a.Err)
	}
}
