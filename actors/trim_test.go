package actors

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

func (w *testWorld) deleteRecords(p id.Partition, before id.Offset) partitions.DeleteAnswer {
	w.t.Helper()
	a := &answers[partitions.DeleteAnswer]{}
	w.node.Router().DeleteRecords(p, partitions.DeleteRecords{Before: before}, a.take)
	w.run()
	return a.only(w.t)
}

// Deleted records leave the disk, and stay deleted.
func TestDeleteRecords(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	p := id.Partition{Topic: topic.ID}
	for _, v := range []string{"a", "b", "c", "d"} {
		if err := w.produce(p, v).Err; err != nil {
			t.Fatal(err)
		}
	}
	if a := w.deleteRecords(p, 2); a.Err != nil || a.LogStart != 2 || a.HighWatermark != 4 {
		t.Fatalf("deleted: %+v", a)
	}
	w.run()
	m := w.memory(topic, 0)
	if m.base.NextOffset != 2 {
		t.Fatalf("the log continues from offset %d, want 2", m.base.NextOffset)
	}
	var bounds *partitions.RangeError
	for range 2 {
		if a := w.fetch(p, 1); !errors.As(a.Err, &bounds) || bounds.LogStart != 2 {
			t.Fatalf("fetch of what was deleted: %v", a.Err)
		}
		if got := values(t, w.fetch(p, 2).Batches); !slices.Equal(got, []string{"c", "d"}) {
			t.Fatalf("what is left: %q", got)
		}
		w.crash()
	}
	if a := w.deleteRecords(p, 5); !errors.Is(a.Err, partitions.ErrOffsetOutOfRange) {
		t.Fatalf("beyond the end: %+v", a)
	}
	if a := w.deleteRecords(id.Partition{Topic: 99}, 0); !errors.Is(a.Err, partitions.ErrUnknownTopic) {
		t.Fatalf("no topic: %+v", a)
	}
	if a := w.deleteRecords(catalog.Partition(), partitions.EverythingSoFar); !errors.Is(a.Err, catalog.ErrInvalidName) {
		t.Fatalf("the catalog: %+v", a)
	}
}

// Who reads on the pool while the records are deleted is told where the log begins.
func TestDeletedWhileRead(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	p := id.Partition{Topic: topic.ID}
	for _, v := range []string{"a", "b", "c"} {
		w.produce(p, v)
	}
	w.crash() // so that nothing is in the tail cache
	w.memory(topic, 0).onRead = func() error { return partitions.ErrOffsetOutOfRange }
	var bounds *partitions.RangeError
	if a := w.fetch(p, 0); !errors.As(a.Err, &bounds) || bounds.Asked != 0 || bounds.LogEnd != 3 {
		t.Fatalf("fetched: %+v", a)
	}
}

// What cannot be dropped costs room and nothing else; the next start of the partition tries again.
func TestTrimFails(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	p := id.Partition{Topic: topic.ID}
	for _, v := range []string{"a", "b", "c"} {
		w.produce(p, v)
	}
	m := w.memory(topic, 0)
	m.onDrop = func() error { return errDisk }
	if a := w.deleteRecords(p, 2); a.Err != nil {
		t.Fatalf("deleted: %+v", a)
	}
	if s := w.status(p); !s.Ready || !strings.Contains(s.Problem, "stay on disk") {
		t.Fatalf("status: %+v", s)
	}
	if a := w.produce(p, "d"); a.Err != nil || a.Base != 3 {
		t.Fatalf("produced: %+v", a)
	}
	m.onDrop = nil
	w.crash()
	if m := w.memory(topic, 0); m.base.NextOffset != 2 {
		t.Fatalf("the log continues from offset %d, want 2", m.base.NextOffset)
	}
}

// A log that a failed trim has poisoned is opened anew. Nothing acknowledged is lost.
func TestTrimPoisons(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	p := id.Partition{Topic: topic.ID}
	for _, v := range []string{"a", "b", "c"} {
		w.produce(p, v)
	}
	m := w.memory(topic, 0)
	m.onDrop = func() error {
		m.onSync = func() error { return errDisk }
		return errDisk
	}
	if a := w.deleteRecords(p, 2); a.Err != nil {
		t.Fatalf("deleted: %+v", a)
	}
	m.onDrop, m.onSync = nil, nil
	w.pass(w.node.stage.limits.RestartDelayMost)
	if got := values(t, w.fetch(p, 2).Batches); !slices.Equal(got, []string{"c"}) {
		t.Fatalf("what is left: %q", got)
	}
	if m.open != 1 || m.base.NextOffset != 2 {
		t.Fatalf("opened %d times, base at offset %d", m.open, m.base.NextOffset)
	}
}
