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

func at(t *catalog.Topic, n int32) id.Partition { return id.Partition{Topic: t.ID, Number: n} }

func TestProduceAndFetchAcrossACrash(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 3)
	if topic.ID != catalog.FirstUserTopic || w.node.Router().Catalog().Topic("orders") != topic {
		t.Fatalf("created %+v, the catalog shows %+v", topic, w.node.Router().Catalog().Topic("orders"))
	}
	if a := w.produce(at(topic, 1), "a", "b"); a.Err != nil || a.Base != 0 {
		t.Fatalf("first: %+v", a)
	}
	if a := w.produce(at(topic, 1), "c"); a.Err != nil || a.Base != 2 || a.HighWatermark != 3 {
		t.Fatalf("second: %+v", a)
	}
	check := func() {
		t.Helper()
		f := w.fetch(at(topic, 1), 0)
		if d := cmp.Diff([]string{"a", "b", "c"}, values(t, f.Batches)); d != "" || f.Err != nil || f.HighWatermark != 3 {
			t.Fatalf("%v, %d (-want +got):\n%s", f.Err, f.HighWatermark, d)
		}
		if f := w.fetch(at(topic, 0), 0); f.Err != nil || f.Batches != nil {
			t.Fatalf("another partition: %+v", f)
		}
	}
	check()
	w.crash()
	check()
	if d := cmp.Diff(topic, w.node.Router().Catalog().Topic("orders")); d != "" {
		t.Fatalf("the topic after a crash (-want +got):\n%s", d)
	}
	if p := w.node.Problems(); len(p) != 0 {
		t.Fatal(p)
	}
}

func TestListOffsets(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	w.produce(at(topic, 0), "a")
	w.pass(time.Second)
	late := w.now
	w.produce(at(topic, 0), "b", "c")
	for _, c := range []struct {
		list   partitions.ListOffsets
		offset id.Offset
		time   id.Timestamp
	}{
		{partitions.ListOffsets{At: partitions.OffsetEarliest}, 0, -1},
		{partitions.ListOffsets{At: partitions.OffsetLatest}, 3, -1},
		{partitions.ListOffsets{At: partitions.OffsetAtTime, Time: late}, 1, late},
		{partitions.ListOffsets{At: partitions.OffsetAtTime, Time: late + 1}, 3, -1},
	} {
		a := &answers[partitions.OffsetAnswer]{}
		w.node.Router().ListOffsets(at(topic, 0), c.list, a.take)
		w.run()
		if got := a.only(t); got.Err != nil || got.Offset != c.offset || got.Time != c.time {
			t.Errorf("%+v: %+v", c.list, got)
		}
	}
}

func TestRefusedTopics(t *testing.T) {
	w := newWorld(t)
	first := w.create("orders", 1)
	ask := func(c catalog.CreateTopic) (*catalog.Topic, error) {
		var got answers[error]
		var topic *catalog.Topic
		w.node.Router().CreateTopic(c, func(t *catalog.Topic, err error) { topic = t; got.take(err) })
		w.run()
		return topic, got.only(t)
	}
	if topic, err := ask(catalog.CreateTopic{Name: "orders", Partitions: 1}); !errors.Is(err, catalog.ErrTopicExists) || topic != first {
		t.Errorf("again: %+v, %v", topic, err)
	}
	if _, err := ask(catalog.CreateTopic{Name: "a/b", Partitions: 1}); !errors.Is(err, catalog.ErrInvalidName) {
		t.Errorf("bad name: %v", err)
	}
	var got answers[error]
	w.node.Router().DeleteTopic(99, got.take)
	w.run()
	if err := got.only(t); !errors.Is(err, partitions.ErrUnknownTopic) {
		t.Errorf("delete: %v", err)
	}
	nowhere := id.Partition{Topic: 99}
	if a := w.produce(nowhere, "x"); !errors.Is(a.Err, partitions.ErrUnknownTopic) {
		t.Errorf("produce: %v", a.Err)
	}
	if a := w.fetch(nowhere, 0); !errors.Is(a.Err, partitions.ErrUnknownTopic) {
		t.Errorf("fetch: %v", a.Err)
	}
	if s := w.status(nowhere); s.Role != partitions.RoleStopped || s.Problem == "" {
		t.Errorf("describe: %+v", s)
	}
}

func TestProducerIDsAreNeverGivenTwice(t *testing.T) {
	w := newWorld(t)
	seen := map[id.Producer]bool{}
	draw := func(n int) {
		t.Helper()
		asked, done := n, 0
		for range asked {
			w.node.Router().InitProducer(func(p id.Producer, epoch int16, err error) {
				done++
				if err != nil || p <= 0 || epoch != 0 || seen[p] {
					t.Errorf("producer %d, epoch %d, %v, seen before: %v", p, epoch, err, seen[p])
				}
				seen[p] = true
			})
		}
		w.run()
		if done != asked {
			t.Fatalf("%d of %d answered", done, asked)
		}
	}
	draw(3)
	draw(int(DefaultLimits.Proposals))
	w.crash()
	draw(3)
	w.crash()
	draw(1000)
}

func TestWaitsEnd(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	park := func() (*answers[partitions.FetchAnswer], func()) {
		a := &answers[partitions.FetchAnswer]{}
		q := partitions.Fetch{Offset: w.status(at(topic, 0)).HighWatermark, MaxBytes: 100, Until: w.now + 1000}
		stop := w.node.Router().Fetch(at(topic, 0), q, a.take)
		w.run()
		if len(a.all) != 0 {
			t.Fatalf("a fetch at the end did not wait: %+v", a.all)
		}
		return a, stop
	}
	timeout, _ := park()
	w.pass(1100 * time.Millisecond)
	if a := timeout.only(t); a.Err != nil || a.Batches != nil {
		t.Errorf("time over: %+v", a)
	}
	woken, _ := park()
	w.produce(at(topic, 0), "a")
	if a := woken.only(t); a.Err != nil || len(a.Batches) != 1 {
		t.Errorf("woken: %+v", a)
	}
	given, stop := park()
	stop()
	stop()
	w.run()
	if a := given.only(t); a.Err != nil || a.Batches != nil || a.HighWatermark != 1 {
		t.Errorf("given up: %+v", a)
	}
	stop()
	w.produce(at(topic, 0), "b")
	w.pass(2 * time.Second)
	given.only(t)
}

func TestIdlePartitionsCostNothing(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 50)
	w.produce(at(topic, 3), "a")
	w.pass(time.Second)
	for _, a := range w.node.board.view.Load().order {
		if a.ticking.Load() {
			t.Errorf("%s is idle and gets ticks", a.name)
		}
	}
	steps := 0
	for range 20 {
		w.pass(partitions.TickMillis * time.Millisecond)
		steps += len(w.actors)
	}
	if steps != 0 {
		t.Errorf("%d steps left over", steps)
	}
}

func TestNothingIsBornWithoutPermission(t *testing.T) {
	w := &testWorld{t: t, disk: newMemoryDisk(), now: 1000}
	err := w.boot(func(o *Options) { o.Bootstrap = false })
	if !errors.Is(err, partitions.ErrUnavailable) || len(w.disk.replicas) != 0 || len(w.node.Problems()) == 0 {
		t.Fatalf("%v, %d replicas, %v", err, len(w.disk.replicas), w.node.Problems())
	}
}

func TestAnotherClustersDiskIsRefused(t *testing.T) {
	w := newWorld(t)
	w.disk.powerLoss()
	err := w.boot(func(o *Options) { o.Cluster = 0xd })
	if !errors.Is(err, partitions.ErrMisplaced) || len(w.node.Problems()) == 0 {
		t.Fatalf("%v, %v", err, w.node.Problems())
	}
	var got answers[error]
	w.node.Router().InitProducer(func(_ id.Producer, _ int16, err error) { got.take(err) })
	w.run()
	if err := got.only(t); !errors.Is(err, partitions.ErrUnavailable) {
		t.Fatal(err)
	}
}

// TestAnotherEpochIsRefused: a broker follows the catalog of its own epoch, and none that began later or was given up.
func TestAnotherEpochIsRefused(t *testing.T) {
	w := newWorld(t)
	const epoch = id.Epoch(1<<32 | 7)
	var got answers[partitions.ProduceAnswer]
	w.node.Router().Produce(catalog.Partition(), partitions.Produce{
		Batch: catalog.Batch(catalog.Succeed{Epoch: epoch, Survivor: catalog.FirstReplica}, 1), Acks: partitions.AcksQuorum, ExpectEnd: partitions.NoExpectation,
	}, got.take)
	w.run()
	if a := got.only(t); a.Err != nil || a.Result.(catalog.Result).Err != nil {
		t.Fatalf("%+v", a)
	}
	for _, other := range []id.Epoch{0, epoch + 1} {
		w.disk.powerLoss()
		if err := w.boot(func(o *Options) { o.Epoch = other }); !errors.Is(err, partitions.ErrMisplaced) || len(w.node.Problems()) == 0 {
			t.Fatalf("epoch %v: %v, %v", other, err, w.node.Problems())
		}
	}
	w.disk.powerLoss()
	n, err := NewNode(Options{
		Seams: Seams{Clock: w, Disk: w.disk, Pool: w, Dispatcher: w}, Cluster: 0xc, Epoch: 2 << 32, Node: 7, Bootstrap: true,
	})
	if err == nil {
		err = n.Start(func(err error) { t.Errorf("it has started, or given up: %v", err) })
	}
	if w.run(); err != nil || len(n.Problems()) == 0 || !strings.Contains(n.Problems()[0], "waits for that of epoch 2-") {
		t.Fatalf("%v, %v", err, n.Problems())
	}
}

func TestClusterShowsThisBroker(t *testing.T) {
	w := newWorld(t)
	want := partitions.ClusterView{Cluster: 0xc, Self: 7, Nodes: []partitions.NodeView{
		{Node: 7, Gateway: "127.0.0.1:9642", Version: "test", Alive: true},
	}}
	if d := cmp.Diff(want, w.node.Router().Cluster()); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
	if _, err := NewNode(Options{}); !errors.Is(err, ErrOptions) {
		t.Fatal(err)
	}
}
