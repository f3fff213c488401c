package actors

import (
	"errors"
	"slices"
	"testing"
	"time"

	"troupe/partitions"
	"troupe/partitions/id"
)

// stop stops the broker and checks that nothing of it is left open.
func (w *testWorld) stop() {
	w.t.Helper()
	stopped := 0
	w.node.Stop(func() { stopped++ })
	w.pass(time.Minute)
	if stopped != 1 {
		w.t.Fatalf("stopped %d times", stopped)
	}
	for r, m := range w.disk.replicas {
		if m.open != 0 {
			w.t.Fatalf("replica %d stays open", r)
		}
	}
	if len(w.timers) > 0 && slices.ContainsFunc(w.timers, func(t *testTimer) bool { return t.f != nil }) {
		w.t.Fatalf("%d timers run on", len(w.timers))
	}
}

func (w *testWorld) delete(t id.TopicID) {
	w.t.Helper()
	var got answers[error]
	w.node.Router().DeleteTopic(t, got.take)
	w.run()
	if err := got.only(w.t); err != nil {
		w.t.Fatal(err)
	}
}

func TestDeleteWhileRequestsAreInFlight(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 2)
	parked := &answers[partitions.FetchAnswer]{}
	w.node.Router().Fetch(at(topic, 0), partitions.Fetch{MaxBytes: 1, Until: w.now + 60_000}, parked.take)
	w.run()
	w.holding = true
	var deleted answers[error]
	w.node.Router().DeleteTopic(topic.ID, deleted.take)
	w.run()
	w.jobs[0]() // the catalog's write
	w.jobs = w.jobs[1:]
	flying := w.send(at(topic, 1), "x") // handed over before the partition hears of its end
	w.run()
	w.holding = false
	w.run()
	if err := deleted.only(t); err != nil {
		t.Fatal(err)
	}
	if a := flying.only(t); !errors.Is(a.Err, partitions.ErrOutcomeUnknown) || errors.Is(a.Err, partitions.ErrUnknownTopic) {
		t.Errorf("in flight: %v", a.Err)
	}
	if a := parked.only(t); !errors.Is(a.Err, partitions.ErrUnknownTopic) {
		t.Errorf("parked: %v", a.Err)
	}
	if a := w.produce(at(topic, 0), "x"); !errors.Is(a.Err, partitions.ErrUnknownTopic) {
		t.Errorf("afterwards: %v", a.Err)
	}
	if len(w.disk.replicas) != 1 || len(w.node.Router().Catalog().Doomed) != 0 {
		t.Errorf("%d replicas on disk, doomed %v", len(w.disk.replicas), w.node.Router().Catalog().Doomed)
	}
	if again := w.create("orders", 1); again.ID == topic.ID {
		t.Error("a topic id was used twice")
	}
	w.stop()
}

func TestBytesOfDeletedTopicsGoEventually(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 3)
	w.disk.onRemove = func(id.Replica) error { return errDisk }
	w.delete(topic.ID)
	w.pass(2 * DefaultLimits.RestartDelayMost)
	if len(w.disk.replicas) != 4 || len(w.node.Router().Catalog().Doomed) != 3 {
		t.Fatalf("%d replicas on disk, doomed %v", len(w.disk.replicas), w.node.Router().Catalog().Doomed)
	}
	w.disk.onRemove = nil
	w.crash() // the broker that comes back erases what the one before could not
	if len(w.disk.replicas) != 1 || len(w.node.Router().Catalog().Doomed) != 0 {
		t.Fatalf("%d replicas on disk, doomed %v", len(w.disk.replicas), w.node.Router().Catalog().Doomed)
	}
	topic = w.create("orders", 3)
	w.disk.onRemove = func(id.Replica) error { return errDisk }
	w.delete(topic.ID)
	w.disk.onRemove = nil
	w.pass(2 * DefaultLimits.RestartDelayMost) // so does this one, later
	if len(w.disk.replicas) != 1 || len(w.node.Router().Catalog().Doomed) != 0 {
		t.Fatalf("%d replicas on disk, doomed %v", len(w.disk.replicas), w.node.Router().Catalog().Doomed)
	}
}

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	w.produce(at(topic, 0), "a")
	parked := &answers[partitions.FetchAnswer]{}
	w.node.Router().Fetch(at(topic, 0), partitions.Fetch{Offset: 1, MaxBytes: 1, Until: w.now + 60_000}, parked.take)
	w.holding = true
	flying := w.send(at(topic, 0), "b")
	w.run()
	stopped := 0
	w.node.Stop(func() { stopped++ })
	w.run()
	late := w.send(at(topic, 0), "c")
	w.run()
	if a := late.only(t); !errors.Is(a.Err, partitions.ErrUnavailable) {
		t.Errorf("after the stop: %v", a.Err)
	}
	if a := parked.only(t); a.Err != nil || a.Batches != nil {
		t.Errorf("parked: %+v", a)
	}
	if stopped != 0 || len(flying.all) != 0 {
		t.Fatalf("stopped %d times, in flight %+v", stopped, flying.all)
	}
	w.holding = false
	w.run()
	if a := flying.only(t); a.Err != nil || a.Base != 1 {
		t.Errorf("in flight: %+v", a)
	}
	m := w.memory(topic, 0)
	if stopped != 1 || m.open != 0 || m.checkpoints != 1 || m.checkpoint.NextOffset != 2 {
		t.Fatalf("stopped %d times, open %d, %d checkpoints, the last at offset %d", stopped, m.open, m.checkpoints,
			m.checkpoint.NextOffset)
	}
	var got answers[error]
	w.node.Router().InitProducer(func(_ id.Producer, _ int16, err error) { got.take(err) })
	w.run()
	if err := got.only(t); !errors.Is(err, partitions.ErrUnavailable) {
		t.Error(err)
	}
	w.crash()
	if f := w.fetch(at(topic, 0), 0); f.HighWatermark != 2 {
		t.Errorf("after the stop: %+v", f)
	}
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	w.holding = true
	flying := w.send(at(topic, 0), "b")
	w.run()
	stopped := 0
	w.node.Stop(func() { stopped++ })
	w.pass(DefaultLimits.StopWait)
	if a := flying.only(t); !errors.Is(a.Err, partitions.ErrOutcomeUnknown) {
		t.Fatalf("%+v", a)
	}
	w.holding = false
	w.run()
	if stopped != 1 {
		t.Fatalf("stopped %d times", stopped)
	}
	flying.only(t)
}

func TestStopWhileOpening(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 3)
	_ = topic
	w.stop()
	w.disk.powerLoss()
	w.actors, w.jobs, w.timers, w.holding = nil, nil, nil, true
	n, err := NewNode(Options{Seams: Seams{Clock: w, Disk: w.disk, Pool: w, Dispatcher: w}, Cluster: 0xc, Node: 7})
	if err != nil {
		t.Fatal(err)
	}
	w.node = n
	var ready answers[error]
	if err := n.Start(ready.take); err != nil {
		t.Fatal(err)
	}
	w.run()
	n.Stop(func() {})
	w.run()
	if err := ready.only(t); !errors.Is(err, partitions.ErrUnavailable) {
		t.Fatal(err)
	}
	w.holding = false
	w.pass(time.Second)
	for r, m := range w.disk.replicas {
		if m.open != 0 {
			t.Errorf("replica %d stays open", r)
		}
	}
}

// A broker that yields leads nothing any more, and goes on to answer.
func TestYield(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	topic := c.create(c.brokers[0], "orders", 6, c.brokers...)
	c.create(c.brokers[0], "alone", 1, c.brokers[0])
	for n := range int32(6) {
		c.leader(at(topic, n))
	}
	yields := c.brokers[0]
	var done answers[bool]
	yields.node.Yield(func() { done.take(true) })
	c.until("yielded", func() bool { return len(done.all) == 1 })
	for n := range int32(6) {
		if leader := c.leader(at(topic, n)); leader == yields {
			t.Errorf("partition %d is still led by who yields", n)
		}
		if a := yields.produce(at(topic, n), "x"); a.Err != nil {
			t.Errorf("partition %d: %v", n, a.Err)
		}
	}
	c.pass(20 * time.Second) // in which leaders give way to preferred ones
	for n := range int32(6) {
		if s := yields.node.router.find(at(topic, n)).status(c); s.Role == partitions.RoleLeader {
			t.Errorf("partition %d came back", n)
		}
	}
	yields.node.Yield(func() { done.take(true) })
	c.run()
	if len(done.all) != 2 {
		t.Error("who has nothing to hand over is not done at once")
	}
}

// A stop that comes before the actors have begun is not lost.
func TestStopRightAfterStart(t *testing.T) {
	w := newWorld(t)
	w.create("orders", 3)
	w.stop()
	w.actors, w.jobs, w.timers = nil, nil, nil
	n, err := NewNode(Options{Seams: Seams{Clock: w, Disk: w.disk, Pool: w, Dispatcher: w}, Cluster: 0xc, Node: 7, Check: true})
	if err != nil {
		t.Fatal(err)
	}
	w.node = n
	if err := n.Start(func(error) {}); err != nil {
		t.Fatal(err)
	}
	w.stop()
}
