package actors

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
)

// tally is a meter that adds up.
type tally struct {
	counts   partitions.Counts
	syncs    []time.Duration
	entries  int
	reads    int
	restarts int

	scrubbed    int64
	scrubDamage int
}

func (y *tally) Counted(c partitions.Counts) {
	y.counts.Batches += c.Batches
	y.counts.Records += c.Records
	y.counts.Bytes += c.Bytes
	y.counts.Duplicates += c.Duplicates
	y.counts.Fetches += c.Fetches
	y.counts.TailFetches += c.TailFetches
	y.counts.Checkpoints += c.Checkpoints
	y.counts.Elections += c.Elections
}

func (y *tally) Synced(took time.Duration, entries int) {
	y.syncs = append(y.syncs, took)
	y.entries += entries
}

func (y *tally) Read(time.Duration) { y.reads++ }

func (y *tally) Scrubbed(bytes int64, damaged bool) {
	y.scrubbed += bytes
	if damaged {
		y.scrubDamage++
	}
}

func (y *tally) Restarted() { y.restarts++ }

// metered boots a broker with a meter, and a stopwatch that says a millisecond more each time.
func metered(t *testing.T) (*testWorld, *tally) {
	w := &testWorld{t: t, disk: newMemoryDisk(), now: 1_000_000}
	y := &tally{}
	var reading time.Duration
	if err := w.boot(func(o *Options) {
		o.Meter = y
		o.Seams.Stopwatch = func() time.Duration { reading += time.Millisecond; return reading }
	}); err != nil {
		t.Fatal(err)
	}
	return w, y
}

// TestMeterOutlivesReplicas counts over a restart: what a replica did is counted once, whenever it ended.
func TestMeterOutlivesReplicas(t *testing.T) {
	w, y := metered(t)
	topic := w.create("orders", 1)
	w.pass(time.Second)
	before, entries := y.counts, y.entries
	for range 3 {
		if a := w.produce(at(topic, 0), "x"); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	if got := y.counts.Since(before); got.Batches != 3 || got.Records != 3 || got.Bytes == 0 {
		t.Fatalf("three records: %+v", got)
	}
	if y.entries-entries != 3 {
		t.Errorf("%d entries were synced", y.entries-entries)
	}
	m := w.memory(topic, 0)
	m.onSync = func() error { return errDisk }
	w.produce(at(topic, 0), "lost")
	if y.restarts != 1 {
		t.Errorf("%d restarts after a failed sync", y.restarts)
	}
	m.onSync = nil
	w.pass(10 * time.Second)
	if a := w.produce(at(topic, 0), "after"); a.Err != nil {
		t.Fatal(a.Err)
	}
	got := y.counts.Since(before)
	if got.Batches != 5 || got.Elections != 1 { // the lost one was appended too, as far as its replica knew
		t.Errorf("over the restart: %+v", got)
	}
	for _, took := range y.syncs {
		if took != time.Millisecond {
			t.Fatalf("a sync took %v by a stopwatch that goes on by 1ms with each reading", took)
		}
	}
}

// TestObserve asks partitions in every state how they are.
func TestObserve(t *testing.T) {
	w, _ := metered(t)
	topic := w.create("orders", 2)
	w.produce(at(topic, 1), "x")
	var seen []Observation
	take := func(o Observation) { seen = append(seen, o) }

	giveUp := w.node.Observe(take)
	w.run()
	giveUp()
	giveUp()
	if len(seen) != 1 || seen[0].Silent != 0 || len(seen[0].Problems) != 0 {
		t.Fatalf("%+v", seen)
	}
	var watermarks []int64
	for _, s := range seen[0].Partitions {
		if s.Partition.Topic == topic.ID {
			watermarks = append(watermarks, int64(s.HighWatermark))
		}
	}
	if d := cmp.Diff([]int64{0, 1}, watermarks); d != "" {
		t.Error(d)
	}

	giveUp = w.node.Observe(take) // nobody runs: nobody answers
	giveUp()
	w.run() // what comes late is dropped
	if len(seen) != 2 || seen[1].Silent != len(seen[0].Partitions) || len(seen[1].Partitions) != 0 {
		t.Fatalf("given up: %+v", seen[1:])
	}

	m := w.memory(topic, 0)
	m.onSync = func() error { return errDisk }
	w.produce(at(topic, 0), "lost")
	w.node.Observe(take)
	w.run()
	if len(seen) != 3 || len(seen[2].Problems) != 1 || seen[2].Silent != 0 {
		t.Fatalf("one restarts: %+v", seen[2:])
	}
}

// TestObserveAnEmptyBroker needs no partition to answer.
func TestObserveAnEmptyBroker(t *testing.T) {
	n, err := NewNode(Options{Seams: Seams{Clock: &testWorld{}, Disk: newMemoryDisk(), Pool: &testWorld{}}, Cluster: 1, Node: 7})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	n.Observe(func(o Observation) { seen++ })()
	if seen != 1 {
		t.Errorf("answered %d times", seen)
	}
}
