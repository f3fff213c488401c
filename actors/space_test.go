package actors

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// room sets how many MiB of the disk are free, of 1000 with a reserve of 50, and lets the broker see it.
func (w *testWorld) room(free int64) {
	w.t.Helper()
	w.disk.mu.Lock()
	w.disk.space.Free = free << 20
	w.disk.mu.Unlock()
	w.pass(w.node.stage.limits.SpaceEvery)
}

func (w *testWorld) createErr(name id.Topic) error {
	w.t.Helper()
	var got answers[error]
	w.node.Router().CreateTopic(catalog.CreateTopic{Name: name, Partitions: 1}, func(_ *catalog.Topic, err error) { got.take(err) })
	w.run()
	return got.only(w.t)
}

// A full disk refuses what takes room, and goes on with all else, until it has room again. Nobody restarts anything.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	topic, doomed := w.create("orders", 1), w.create("doomed", 1)
	p := id.Partition{Topic: topic.ID}
	for _, v := range []string{"a", "b", "c"} {
		w.produce(p, v)
	}
	w.room(49)
	for range 2 {
		a := w.produce(p, "d")
		if !errors.Is(a.Err, partitions.ErrDiskFull) {
			t.Fatalf("produced: %+v", a)
		}
		for _, part := range []string{"/memory", "49.0 MiB free", "50.0 MiB", "topic trim"} {
			if !strings.Contains(a.Err.Error(), part) {
				t.Errorf("%q does not name %q", a.Err, part)
			}
		}
		if err := w.createErr("more"); !errors.Is(err, partitions.ErrDiskFull) {
			t.Fatalf("created: %v", err)
		}
		if got := values(t, w.fetch(p, 1).Batches); !slices.Equal(got, []string{"b", "c"}) {
			t.Fatalf("read %q", got)
		}
		if s := w.status(p); !s.Ready {
			t.Fatalf("status %+v", s)
		}
		if got := w.node.Problems(); len(got) != 1 || !strings.Contains(got[0], "/memory") {
			t.Fatalf("problems %q", got)
		}
		w.crash() // it is full for the next life too
		w.room(49)
	}
	if a := w.deleteRecords(p, 1); a.Err != nil || w.memory(topic, 0).base.NextOffset != 1 {
		t.Fatalf("deleted: %+v, base at offset %d", a, w.memory(topic, 0).base.NextOffset)
	}
	w.delete(doomed.ID)
	if w.node.Router().Catalog().Topic("doomed") != nil {
		t.Fatal("a topic cannot be deleted")
	}
	w.disk.spaceErr = fmt.Errorf("statfs: %w", errDisk) // nobody knows: nothing changes
	w.room(1000)
	if a := w.produce(p, "d"); !errors.Is(a.Err, partitions.ErrDiskFull) {
		t.Fatalf("produced: %+v", a)
	}
	w.disk.spaceErr = nil
	w.room(54) // not yet a tenth above the reserve
	if a := w.produce(p, "d"); !errors.Is(a.Err, partitions.ErrDiskFull) || !strings.Contains(a.Err.Error(), "54.0 MiB free") {
		t.Fatalf("produced: %+v", a)
	}
	w.room(55)
	if a := w.produce(p, "d"); a.Err != nil || a.Base != 3 {
		t.Fatalf("produced: %+v", a)
	}
	w.create("more", 1)
	if got := w.node.Problems(); len(got) != 0 {
		t.Fatalf("problems %q", got)
	}
	if s, reserve := w.node.Space(); s.Total != 1000<<20 || s.Free > 55<<20 || s.Free < 54<<20 || reserve != 50<<20 {
		t.Fatalf("space %+v, reserve %d", s, reserve)
	}
}

// What is written between two looks at the disk counts: it does not use up the reserve.
func TestFullBetweenLooks(t *testing.T) {
	w := newWorld(t)
	p := id.Partition{Topic: w.create("orders", 1).ID}
	w.room(52)
	large := strings.Repeat("x", 900_000)
	for range 2 {
		if a := w.produce(p, large); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	w.produce(p, large)
	if a := w.produce(p, large); !errors.Is(a.Err, partitions.ErrDiskFull) {
		t.Fatalf("produced: %+v", a)
	}
	w.room(60)
	if a := w.produce(p, large); a.Err != nil {
		t.Fatal(a.Err)
	}
}

// A checkpoint and a base that find no room are tried again; the partition serves meanwhile.
func TestNoRoomForCheckpoint(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	p := id.Partition{Topic: topic.ID}
	for _, v := range []string{"a", "b", "c"} {
		w.produce(p, v)
	}
	m := w.memory(topic, 0)
	none := func() error { return fmt.Errorf("no room: %w", partitions.ErrDiskFull) }
	m.onSave, m.onDrop = none, none
	if a := w.deleteRecords(p, 2); a.Err != nil {
		t.Fatalf("deleted: %+v", a)
	}
	w.pass(3 * time.Second)
	if a := w.produce(p, "d"); a.Err != nil || m.checkpoints != 0 {
		t.Fatalf("produced %+v, %d checkpoints", a, m.checkpoints)
	}
	m.onSave = nil
	w.pass(2 * time.Second)
	if m.checkpoints != 1 || m.base.NextOffset != 0 {
		t.Fatalf("%d checkpoints, base at offset %d", m.checkpoints, m.base.NextOffset)
	}
	m.onDrop = nil
	w.pass(2 * time.Second)
	if m.base.NextOffset != 2 || m.open != 1 {
		t.Fatalf("base at offset %d, open %d times", m.base.NextOffset, m.open)
	}
	if s := w.status(p); s.Problem != "" {
		t.Fatalf("problem %q", s.Problem)
	}
}
