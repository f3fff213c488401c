package actors

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/catalog"
)

func TestDoor(t *testing.T) {
	wakes := 0
	d := &door[int]{limit: 3, wake: func() { wakes++ }}
	for i := range 3 {
		if err := d.enter(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.enter(3); !errors.Is(err, partitions.ErrThrottled) {
		t.Errorf("a full door: %v", err)
	}
	if err := d.pass(4); err != nil {
		t.Errorf("what must not be refused: %v", err)
	}
	if wakes != 1 {
		t.Errorf("%d wakes before the first take", wakes)
	}
	if got := d.take(nil, 3); cmp.Diff([]int{0, 1, 2}, got) != "" || wakes != 2 {
		t.Errorf("took %v, %d wakes", got, wakes)
	}
	if got := d.take(nil, 3); cmp.Diff([]int{4}, got) != "" || wakes != 2 {
		t.Errorf("took %v, %d wakes", got, wakes)
	}
	if err := d.enter(5); err != nil || wakes != 3 {
		t.Errorf("%v, %d wakes", err, wakes)
	}
	if got := d.close(errDisk); cmp.Diff([]int{5}, got) != "" {
		t.Errorf("closing gave back %v", got)
	}
	if err := d.enter(6); !errors.Is(err, errDisk) {
		t.Errorf("a closed door: %v", err)
	}
	if got := d.close(nil); got != nil || !errors.Is(d.pass(7), errDisk) {
		t.Errorf("a second close: %v", got)
	}
}

func TestRequestsBehindAClosingDoorAreRefused(t *testing.T) {
	w := newWorld(t)
	w.disk.powerLoss()
	if err := w.boot(func(o *Options) { o.Limits.RequestsATurn = 1 }); err != nil {
		t.Fatal(err)
	}
	topic := w.create("orders", 1)
	a := w.node.board.view.Load().table[at(topic, 0)]
	var all []*answers[partitions.ProduceAnswer]
	for range 3 {
		all = append(all, w.send(at(topic, 0), "x"))
	}
	w.node.stage.send(a.pid, leave{})
	w.run()
	if got := all[0].only(t); got.Err != nil {
		t.Errorf("the one that was taken: %v", got.Err)
	}
	for _, got := range all[1:] {
		if a := got.only(t); !errors.Is(a.Err, partitions.ErrUnavailable) {
			t.Errorf("one that waited: %v", a.Err)
		}
	}
}

func TestRequestsTakenWithAPanickingOneAreAnswered(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	w.node.Router().Describe(at(topic, 0), func(partitions.Status) { panic("the client's bug") })
	a, b := w.send(at(topic, 0), "x"), w.send(at(topic, 0), "y")
	w.run()
	for _, got := range []*answers[partitions.ProduceAnswer]{a, b} {
		if a := got.only(t); !errors.Is(a.Err, partitions.ErrNotReady) {
			t.Errorf("%+v", a)
		}
	}
}

func TestRequestsBeforeAnActorStartsAreServed(t *testing.T) {
	w := newWorld(t)
	var created answers[*catalog.Topic]
	w.node.Router().CreateTopic(catalog.CreateTopic{Name: "orders", Partitions: 1}, func(t *catalog.Topic, _ error) { created.take(t) })
	var early *answers[partitions.ProduceAnswer]
	for early == nil {
		if len(w.actors) > 0 {
			f := w.actors[0]
			w.actors = w.actors[1:]
			f()
		} else {
			w.job()
		}
		if topic := w.node.Router().Catalog().Topic("orders"); topic != nil {
			early = w.send(at(topic, 0), "x") // routed, and its actor is not there yet
		}
	}
	w.run()
	if a := early.only(t); a.Err != nil {
		t.Fatal(a.Err)
	}
	created.only(t)
}

func TestCreateWaitsUntilPartitionsAreOpen(t *testing.T) {
	w := newWorld(t)
	w.holding = true
	var created answers[error]
	w.node.Router().CreateTopic(catalog.CreateTopic{Name: "orders", Partitions: 2}, func(_ *catalog.Topic, err error) { created.take(err) })
	for i := 0; len(created.all) == 0; i++ {
		w.run()
		topic := w.node.Router().Catalog().Topic("orders")
		if len(created.all) > 0 {
			for n := range int32(2) {
				if s := w.status(at(topic, n)); !s.Ready {
					t.Errorf("completed while %d is %v", n, s.Role)
				}
			}
			break
		}
		if i > 100 || len(w.jobs) == 0 {
			t.Fatalf("never completed: %d jobs", len(w.jobs))
		}
		w.job()
	}
	if err := created.only(t); err != nil {
		t.Fatal(err)
	}
}

func TestHeldRequestsAreBounded(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	w.disk.powerLoss()
	w.actors, w.jobs, w.timers = nil, nil, nil
	n, err := NewNode(Options{
		Seams: Seams{Clock: w, Disk: w.disk, Pool: w, Dispatcher: w}, Cluster: 0xc, Node: 7, Limits: Limits{Requests: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.node = n
	if err := n.Start(func(error) {}); err != nil {
		t.Fatal(err)
	}
	for n.Router().Catalog().Topic("orders") == nil {
		if len(w.actors) > 0 {
			f := w.actors[0]
			w.actors = w.actors[1:]
			f()
		} else {
			w.job()
		}
	}
	w.holding = true
	w.run() // the partition's opening waits for the pool
	var all []*answers[partitions.ProduceAnswer]
	for range 3 {
		all = append(all, w.send(at(topic, 0), "x"))
		w.run()
	}
	if a := all[2].only(t); !errors.Is(a.Err, partitions.ErrNotReady) {
		t.Errorf("the third: %v", a.Err)
	}
	w.holding = false
	w.run()
	for _, a := range all[:2] {
		if got := a.only(t); got.Err != nil {
			t.Errorf("one that was held: %v", got.Err)
		}
	}
}
