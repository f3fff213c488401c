package actors

import (
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// testWorld runs a broker on the test's goroutine: actors, pool jobs and timers take turns in one order.
type testWorld struct {
	t       *testing.T
	disk    *memoryDisk
	actors  []func()
	jobs    []func()
	timers  []*testTimer
	now     id.Timestamp
	holding bool // jobs wait until the test runs them
	node    *Node
}

type testTimer struct {
	at id.Timestamp
	f  func()
}

func newWorld(t *testing.T) *testWorld {
	w := &testWorld{t: t, disk: newMemoryDisk(), now: 1_000_000}
	w.boot(nil)
	return w
}

func (w *testWorld) Now() id.Timestamp { return w.now }

func (w *testWorld) After(d time.Duration, f func()) func() {
	t := &testTimer{at: w.now + id.Timestamp(d.Milliseconds()), f: f}
	w.timers = append(w.timers, t)
	return func() { t.f = nil }
}

func (w *testWorld) Run(job func()) { w.jobs = append(w.jobs, job) }

func (w *testWorld) Schedule(f func()) { w.actors = append(w.actors, f) }

func (w *testWorld) Throughput() int { return 1 << 30 }

// boot starts a broker on whatever the disk holds. It returns what Start reported.
func (w *testWorld) boot(change func(*Options)) error {
	w.t.Helper()
	w.actors, w.jobs, w.timers = nil, nil, nil
	o := Options{
		Seams:   Seams{Clock: w, Disk: w.disk, Pool: w, Dispatcher: w},
		Cluster: 0xc, Node: 7, Gateway: "127.0.0.1:9642", Version: "test", Bootstrap: true, Check: true,
	}
	if change != nil {
		change(&o)
	}
	n, err := NewNode(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.node = n
	var reports []error
	if err := n.Start(func(err error) { reports = append(reports, err) }); err != nil {
		w.t.Fatal(err)
	}
	w.run()
	if len(reports) != 1 {
		w.t.Fatalf("start reported %d times: %v", len(reports), reports)
	}
	return reports[0]
}

// crash loses the process and everything that was not synced, and boots again.
func (w *testWorld) crash() {
	w.t.Helper()
	w.disk.powerLoss()
	if err := w.boot(nil); err != nil {
		w.t.Fatalf("start after a crash: %v", err)
	}
}

// run lets everything happen that can without time passing.
func (w *testWorld) run() {
	for {
		switch {
		case len(w.actors) > 0:
			f := w.actors[0]
			w.actors = w.actors[1:]
			f()
		case len(w.jobs) > 0 && !w.holding:
			w.job()
		default:
			return
		}
	}
}

// job runs the first job that waits.
func (w *testWorld) job() {
	f := w.jobs[0]
	w.jobs = w.jobs[1:]
	f()
}

// pass lets time pass, timer by timer.
func (w *testWorld) pass(d time.Duration) {
	end := w.now + id.Timestamp(d.Milliseconds())
	for {
		w.run()
		next := -1
		for i, t := range w.timers {
			if t.at <= end && (next < 0 || t.at < w.timers[next].at) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		t := w.timers[next]
		w.timers = slices.Delete(w.timers, next, next+1)
		w.now = max(w.now, t.at)
		if t.f != nil {
			t.f()
		}
	}
	w.now = end
	w.run()
}

// answers counts and keeps what completions were called with.
type answers[T any] struct{ all []T }

func (a *answers[T]) take(v T) { a.all = append(a.all, v) }

func (a *answers[T]) only(t *testing.T) T {
	t.Helper()
	if len(a.all) != 1 {
		t.Fatalf("completed %d times, want once: %+v", len(a.all), a.all)
	}
	return a.all[0]
}

func (w *testWorld) create(name id.Topic, n int32) *catalog.Topic {
	w.t.Helper()
	var got answers[error]
	var topic *catalog.Topic
	w.node.Router().CreateTopic(catalog.CreateTopic{Name: name, Partitions: n}, func(t *catalog.Topic, err error) {
		topic = t
		got.take(err)
	})
	w.run()
	if err := got.only(w.t); err != nil {
		w.t.Fatalf("create %s: %v", name, err)
	}
	return topic
}

func (w *testWorld) send(p id.Partition, values ...string) *answers[partitions.ProduceAnswer] {
	a := &answers[partitions.ProduceAnswer]{}
	q := partitions.Produce{Batch: testBatch(w.now, values...), Acks: partitions.AcksQuorum, ExpectEnd: partitions.NoExpectation}
	w.node.Router().Produce(p, q, a.take)
	return a
}

func (w *testWorld) produce(p id.Partition, values ...string) partitions.ProduceAnswer {
	w.t.Helper()
	a := w.send(p, values...)
	w.run()
	return a.only(w.t)
}

func (w *testWorld) fetch(p id.Partition, at id.Offset) partitions.FetchAnswer {
	w.t.Helper()
	a := &answers[partitions.FetchAnswer]{}
	w.node.Router().Fetch(p, partitions.Fetch{Offset: at, MaxBytes: 1 << 30}, a.take)
	w.run()
	return a.only(w.t)
}

func (w *testWorld) status(p id.Partition) partitions.Status {
	w.t.Helper()
	a := &answers[partitions.Status]{}
	w.node.Router().Describe(p, a.take)
	w.run()
	return a.only(w.t)
}

// memory is the disk of a topic's partition.
func (w *testWorld) memory(t *catalog.Topic, n int) *memory {
	return w.disk.replicas[t.Partitions[n].Replicas[0].Replica]
}

func testBatch(at id.Timestamp, values ...string) []byte {
	b := batch.NewBuilder(batch.None)
	for _, v := range values {
		b.Append(at, nil, []byte(v), nil)
	}
	bytes, err := b.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	if err != nil {
		panic(err)
	}
	return bytes
}

// values reads the records of batches.
func values(t *testing.T, batches [][]byte) []string {
	t.Helper()
	var all []string
	for _, b := range batches {
		records, err := batch.Decode(nil, b, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			all = append(all, string(r.Value))
		}
	}
	return all
}

var _ actor.Dispatcher = (*testWorld)(nil)
