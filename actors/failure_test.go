package actors

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

func TestWritesThatQueueShareOneSync(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	w.pass(time.Second)
	m := w.memory(topic, 0)
	m.groups, m.syncs = nil, 0
	w.holding = true
	var all []*answers[partitions.ProduceAnswer]
	for range 10 {
		all = append(all, w.send(at(topic, 0), "x"))
		w.run()
	}
	if len(w.jobs) != 1 {
		t.Fatalf("%d jobs on the pool, want one", len(w.jobs))
	}
	for i, a := range all {
		if len(a.all) != 0 {
			t.Fatalf("%d was answered before anything was durable", i)
		}
	}
	w.holding = false
	w.run()
	for i, a := range all {
		if got := a.only(t); got.Err != nil || got.Base != id.Offset(i) {
			t.Fatalf("%d: %+v", i, got)
		}
	}
	if d := cmp.Diff([]int{1, 9}, m.groups[:2]); d != "" || m.syncs > 3 { // a third may write the commit index
		t.Fatalf("%d syncs; writes in each append (-want +got):\n%s", m.syncs, d)
	}
}

func TestAWriteErrorRestartsAndLosesNothing(t *testing.T) {
	for _, c := range []struct {
		what string
		fail func(*memory, func() error)
	}{
		{"append", func(m *memory, f func() error) { m.onAppend = f }},
		{"sync", func(m *memory, f func() error) { m.onSync = f }},
		{"panic", func(m *memory, f func() error) { m.onSync = func() error { panic(f()) } }},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			topic := w.create("orders", 1)
			if a := w.produce(at(topic, 0), "kept"); a.Err != nil {
				t.Fatal(a.Err)
			}
			m := w.memory(topic, 0)
			c.fail(m, func() error { return errDisk })
			parked := &answers[partitions.FetchAnswer]{}
			w.node.Router().Fetch(at(topic, 0), partitions.Fetch{Offset: 1, MaxBytes: 1, Until: w.now + 60_000}, parked.take)
			w.run()
			if a := w.produce(at(topic, 0), "lost"); !errors.Is(a.Err, partitions.ErrOutcomeUnknown) || !strings.Contains(a.Err.Error(), errDisk.Error()) {
				t.Fatalf("the write that failed: %v", a.Err)
			}
			if a := parked.only(t); !errors.Is(a.Err, partitions.ErrNotReady) {
				t.Fatalf("who waited: %v", a.Err)
			}
			if a := w.produce(at(topic, 0), "early"); !errors.Is(a.Err, partitions.ErrNotReady) {
				t.Fatalf("before the restart: %v", a.Err)
			}
			if m.open != 0 || len(w.node.Problems()) != 1 {
				t.Fatalf("open %d times, problems %v", m.open, w.node.Problems())
			}
			w.pass(DefaultLimits.RestartDelay) // it fails again: the election cannot be written
			if a := w.produce(at(topic, 0), "early"); !errors.Is(a.Err, partitions.ErrNotReady) {
				t.Fatalf("after a second failure: %v", a.Err)
			}
			m.onAppend, m.onSync = nil, nil
			w.pass(DefaultLimits.RestartDelay)
			if s := w.status(at(topic, 0)); s.Ready {
				t.Fatal("the delay did not grow")
			}
			w.pass(DefaultLimits.RestartDelay)
			if a := w.produce(at(topic, 0), "after"); a.Err != nil || a.Base != 1 {
				t.Fatalf("after the restart: %+v", a)
			}
			if d := cmp.Diff([]string{"kept", "after"}, values(t, w.fetch(at(topic, 0), 0).Batches)); d != "" {
				t.Fatalf("records (-want +got):\n%s", d)
			}
			if p := w.node.Problems(); len(p) != 0 {
				t.Fatal(p)
			}
		})
	}
}

func TestNothingIsWrittenAfterAFailedWrite(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	m := w.memory(topic, 0)
	m.onSync = func() error { return errDisk }
	w.holding = true
	first := w.send(at(topic, 0), "a")
	w.run()
	second := w.send(at(topic, 0), "b")
	w.run()
	w.holding = false
	w.run()
	for _, a := range []*answers[partitions.ProduceAnswer]{first, second} {
		if got := a.only(t); !errors.Is(got.Err, partitions.ErrOutcomeUnknown) {
			t.Errorf("%+v", got)
		}
	}
	if m.abused {
		t.Error("the log was written to after it failed")
	}
}

func TestABrokenInvariantStopsForGood(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 2)
	m := w.memory(topic, 0)
	m.onAppend = func() error { panic(&partitions.InvariantError{Invariant: "test", Got: 1, Want: 2}) }
	if a := w.produce(at(topic, 0), "x"); !errors.Is(a.Err, partitions.ErrOutcomeUnknown) {
		t.Fatal(a.Err)
	}
	m.onAppend = nil
	w.pass(time.Minute)
	if a := w.produce(at(topic, 0), "x"); !errors.Is(a.Err, partitions.ErrUnavailable) {
		t.Fatal(a.Err)
	}
	s := w.status(at(topic, 0))
	if s.Role != partitions.RoleStopped || s.Problem == "" || m.open != 0 || len(w.node.Problems()) != 1 {
		t.Fatalf("status %+v, open %d times, problems %v", s, m.open, w.node.Problems())
	}
	if a := w.produce(at(topic, 1), "x"); a.Err != nil {
		t.Fatalf("its neighbour: %v", a.Err)
	}
	w.stop()
}

func TestALogOfANewerProgramIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	w.disk.onOpen = func(r id.Replica) error {
		if r == topic.Partitions[0].Replicas[0].Replica {
			return partitions.ErrNewer
		}
		return nil
	}
	w.crash()
	opens := 0
	w.disk.onOpen = func(id.Replica) error { opens++; return nil }
	w.pass(time.Minute)
	if s := w.status(at(topic, 0)); s.Role != partitions.RoleStopped || opens != 0 {
		t.Fatalf("%+v, opened %d times", s, opens)
	}
}

func TestAPanickingCompletionHurtsNobodyElse(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	w.holding = true
	w.node.Router().Produce(at(topic, 0), partitions.Produce{Batch: testBatch(1, "a"), Acks: partitions.AcksQuorum,
		ExpectEnd: partitions.NoExpectation}, func(partitions.ProduceAnswer) { panic("the client's bug") })
	second := w.send(at(topic, 0), "b")
	w.holding = false
	w.run()
	if a := second.only(t); a.Err != nil && !errors.Is(a.Err, partitions.ErrOutcomeUnknown) {
		t.Fatalf("%+v", a)
	}
	w.pass(time.Second)
	if a := w.produce(at(topic, 0), "c"); a.Err != nil || a.Base != 2 {
		t.Fatalf("afterwards: %+v", a)
	}
}

func TestMessagesOfAnEarlierLifeAreDropped(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	a := w.node.board.view.Load().table[at(topic, 0)]
	w.holding = true
	produced := w.send(at(topic, 0), "x")
	w.run()
	for _, m := range []any{
		persisted{instance: 0, through: 99}, saved{instance: 0, index: 99}, failed{instance: 0, err: errDisk},
		closed{instance: 0}, opened{instance: 0, err: errDisk}, reopen{instance: 0}, fetched{instance: 0}, searched{instance: 0},
		opened{instance: 1, err: errDisk}, closed{instance: 1}, reopen{instance: 1}, // of this life, but not now
	} {
		w.node.stage.send(a.pid, m)
		w.run()
		if len(produced.all) != 0 || a.readProblem() != "" {
			t.Fatalf("%T was believed: %+v, %q", m, produced.all, a.readProblem())
		}
	}
	w.holding = false
	w.run()
	if got := produced.only(t); got.Err != nil {
		t.Fatal(got.Err)
	}
}

func TestReadsEndBeforeTheLogCloses(t *testing.T) {
	w := newWorld(t)
	w.disk.powerLoss()
	if err := w.boot(func(o *Options) { o.Replicas.TailBytes = 1 }); err != nil {
		t.Fatal(err)
	}
	topic := w.create("orders", 1)
	w.produce(at(topic, 0), "a")
	w.produce(at(topic, 0), "b")
	m := w.memory(topic, 0)
	w.holding = true
	cold := &answers[partitions.FetchAnswer]{}
	w.node.Router().Fetch(at(topic, 0), partitions.Fetch{Offset: 0, MaxBytes: 1}, cold.take)
	w.run()
	m.onAppend = func() error { return errDisk }
	lost := w.send(at(topic, 0), "x")
	w.run()
	if len(w.jobs) != 2 {
		t.Fatalf("%d jobs, want a read and a write", len(w.jobs))
	}
	read := w.jobs[0]
	w.jobs = w.jobs[1:]
	w.holding = false
	w.run() // the write fails; nothing may close the log under the read
	if !errors.Is(lost.only(t).Err, partitions.ErrOutcomeUnknown) || !errors.Is(cold.only(t).Err, partitions.ErrNotReady) {
		t.Fatalf("%+v, %+v", lost.all, cold.all)
	}
	if m.open != 1 {
		t.Fatal("the log was closed while the pool read from it")
	}
	read()
	w.run()
	if m.open != 0 {
		t.Fatal("the log stays open after the read")
	}
	cold.only(t)
	m.onAppend = nil
	w.pass(time.Second)
	if f := w.fetch(at(topic, 0), 0); f.Err != nil || len(f.Batches) != 2 {
		t.Fatalf("%+v", f)
	}
}

func TestACatalogThatCannotOpenFailsTheStart(t *testing.T) {
	w := newWorld(t)
	w.create("orders", 1)
	w.disk.powerLoss()
	w.disk.replicas[catalog.FirstReplica].damage = &partitions.Damage{Kind: partitions.DamageAmnesia, Reason: "gone"}
	if err := w.boot(nil); !errors.Is(err, partitions.ErrUnavailable) || len(w.node.Problems()) != 1 {
		t.Fatalf("%v, %v", err, w.node.Problems())
	}
	var got answers[error]
	w.node.Router().DeleteTopic(16, got.take)
	w.run()
	if err := got.only(t); !errors.Is(err, partitions.ErrDamaged) {
		t.Fatal(err)
	}
}

func TestACrashOfTheCatalogsActorLeavesPartitionsAlone(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	w.holding = true
	var ids, late answers[error]
	w.node.Router().InitProducer(func(_ id.Producer, _ int16, err error) { ids.take(err) })
	w.run()
	w.node.stage.send(w.node.catalog, settled{address: nil}) // no address: a bug
	w.run()
	if err := ids.only(t); !errors.Is(err, partitions.ErrUnavailable) {
		t.Errorf("who waited: %v", err)
	}
	w.holding = false
	w.run()
	w.node.Router().DeleteTopic(topic.ID, late.take)
	w.run()
	if err := late.only(t); !errors.Is(err, partitions.ErrUnavailable) {
		t.Errorf("who came later: %v", err)
	}
	if a := w.produce(at(topic, 0), "x"); a.Err != nil || len(w.node.Problems()) != 1 {
		t.Errorf("%v, %v", a.Err, w.node.Problems())
	}
	ids.only(t)
	w.stop()
}
