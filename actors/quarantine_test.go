package actors

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"troupe/partitions"
	"troupe/partitions/id"
)

func TestDamageIsQuarantined(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 2)
	p := at(topic, 0)
	for _, v := range []string{"a", "b", "c"} {
		w.produce(p, v)
	}
	w.pass(time.Second) // the commit index is handed over
	m := w.memory(topic, 0)
	w.disk.powerLoss()
	m.damage = &partitions.Damage{Kind: partitions.DamageHole, Index: 4, Reason: "a flipped bit"}
	for i, e := range m.entries {
		if e.Type == partitions.EntryBatch {
			m.bad[m.entries[i+1].Index] = true // "b"
			break
		}
	}
	w.crash()
	check := func(at id.Offset, want ...string) {
		t.Helper()
		f := w.fetch(p, at)
		if d := cmp.Diff(want, values(t, f.Batches)); d != "" || !errors.Is(f.Err, partitions.ErrDamaged) || f.HighWatermark != 3 {
			t.Errorf("at %d: %v, %d (-want +got):\n%s", at, f.Err, f.HighWatermark, d)
		}
	}
	check(0, "a")
	check(1)
	check(2, "c")
	check(3)
	if f := w.fetch(p, 4); !errors.Is(f.Err, partitions.ErrDamaged) || !errors.Is(f.Err, partitions.ErrOffsetOutOfRange) {
		t.Errorf("above the end: %v", f.Err)
	}
	if a := w.produce(p, "x"); !errors.Is(a.Err, partitions.ErrDamaged) {
		t.Errorf("produce: %v", a.Err)
	}
	for kind, want := range map[partitions.OffsetAt]id.Offset{
		partitions.OffsetEarliest: 0, partitions.OffsetLatest: 3, partitions.OffsetAtTime: 0,
	} {
		a := &answers[partitions.OffsetAnswer]{}
		w.node.Router().ListOffsets(p, partitions.ListOffsets{At: kind, Time: 1}, a.take)
		w.run()
		if got := a.only(t); !errors.Is(got.Err, partitions.ErrDamaged) || got.Offset != want {
			t.Errorf("offset %d: %+v", kind, got)
		}
	}
	if s := w.status(p); s.Role != partitions.RoleQuarantined || s.Problem == "" || len(w.node.Problems()) != 1 {
		t.Errorf("%+v, %v", s, w.node.Problems())
	}
	if a := w.produce(at(topic, 1), "x"); a.Err != nil {
		t.Errorf("its neighbour: %v", a.Err)
	}
	w.stop()
}

// Opening looks at the end of a log only, and a replica reads what lies above the commit it knows when it leads. What it
// cannot read there is damage too, and not a reason to try again and again.
func TestDamageMetAfterOpeningIsQuarantined(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	p := at(topic, 0)
	for _, v := range []string{"a", "b", "c"} {
		w.produce(p, v)
	}
	m := w.memory(topic, 0)
	w.disk.powerLoss()                              // before the last commit index is handed over
	m.bad[m.entries[len(m.entries)-1].Index] = true // "c"
	w.crash()
	w.pass(10 * time.Second)
	for from, want := range [][]string{{"a"}, {"b"}, nil} {
		f := w.fetch(p, id.Offset(from))
		if d := cmp.Diff(want, values(t, f.Batches)[:min(1, len(f.Batches))], cmpopts.EquateEmpty()); d != "" || !errors.Is(f.Err, partitions.ErrDamaged) {
			t.Errorf("at %d: %v (-want +got):\n%s", from, f.Err, d)
		}
	}
	if a := w.produce(p, "x"); !errors.Is(a.Err, partitions.ErrDamaged) {
		t.Errorf("produce: %v", a.Err)
	}
	if s := w.status(p); s.Role != partitions.RoleQuarantined || s.Problem == "" {
		t.Errorf("%+v", s)
	}
	w.stop()
}

func TestAMissingLogIsNeverMadeAnew(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	r := topic.Partitions[0].Replicas[0].Replica
	w.disk.powerLoss()
	delete(w.disk.replicas, r)
	w.disk.removed = append(w.disk.removed, r) // the register survives
	w.crash()
	if a := w.produce(at(topic, 0), "x"); !errors.Is(a.Err, partitions.ErrDamaged) {
		t.Errorf("produce: %v", a.Err)
	}
	if f := w.fetch(at(topic, 0), 0); !errors.Is(f.Err, partitions.ErrDamaged) {
		t.Errorf("fetch: %v", f.Err)
	}
	if s := w.status(at(topic, 0)); s.Role != partitions.RoleQuarantined || w.disk.replicas[r] != nil {
		t.Errorf("%+v", s)
	}
}

func TestDamagedReadIsToldAndShown(t *testing.T) {
	w := newWorld(t)
	w.disk.powerLoss()
	if err := w.boot(func(o *Options) { o.Replicas.TailBytes = 1 }); err != nil {
		t.Fatal(err)
	}
	topic := w.create("orders", 1)
	w.produce(at(topic, 0), "a")
	w.produce(at(topic, 0), "b")
	w.memory(topic, 0).onRead = func() error { return fmt.Errorf("entry 3: %w", partitions.ErrDamaged) }
	if f := w.fetch(at(topic, 0), 0); !errors.Is(f.Err, partitions.ErrDamaged) || f.Batches != nil {
		t.Fatalf("%+v", f)
	}
	if len(w.node.Problems()) != 1 {
		t.Fatal("nobody sees the damage")
	}
	if a := w.produce(at(topic, 0), "c"); a.Err != nil {
		t.Fatal(a.Err)
	}
}
