package actors

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// scrubbing boots a broker that reads one segment of a memoryLog (100 bytes) a second.
func scrubbing(t *testing.T) (*testWorld, *tally) {
	w := &testWorld{t: t, disk: newMemoryDisk(), now: 1_000_000}
	y := &tally{}
	err := w.boot(func(o *Options) {
		o.Meter = y
		o.Limits = Limits{ScrubBytes: 100, ScrubEvery: time.Hour}
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, y
}

// asked lists what a log was asked to scrub since the last call, from its front.
func asked(m *memory) (from []id.Index) {
	from = m.scrubs
	m.scrubs = nil
	return from
}

// TestScrubber reads every old segment of every log once a round, at its rate, whether or not anybody writes.
func TestScrubber(t *testing.T) {
	w, y := scrubbing(t)
	topic := w.create("orders", 2)
	for range 3 {
		w.produce(at(topic, 0), "x")
	}
	busy, idle := w.memory(topic, 0), w.memory(topic, 1)
	w.pass(w.node.stage.limits.RestAfter - time.Second) // before the first round
	if len(busy.scrubs) > 0 {
		t.Fatalf("scrubbed at once: %v", busy.scrubs)
	}
	seen := y.scrubbed
	for range 20 { // never faster than its rate
		w.pass(time.Second)
		if y.scrubbed-seen > 200 {
			t.Fatalf("%d bytes in a second", y.scrubbed-seen)
		}
		seen = y.scrubbed
	}
	w.pass(time.Minute)
	// Entry 2 is the empty one of the term; the last entry is in the segment that is written to.
	if d := cmp.Diff([]id.Index{0, 3, 4, 5}, asked(busy)); d != "" {
		t.Errorf("the busy log (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]id.Index{0}, asked(idle)); d != "" {
		t.Errorf("the idle log (-want +got):\n%s", d)
	}
	w.produce(at(topic, 1), "x")
	w.pass(time.Hour)
	if d := cmp.Diff([]id.Index{0, 3}, asked(idle)); d != "" || !slices.Equal(asked(busy), []id.Index{0, 3, 4, 5}) {
		t.Errorf("the next round (-want +got):\n%s", d)
	}
	if y.scrubDamage != 0 || len(w.node.Problems()) != 0 {
		t.Errorf("%+v, %v", y, w.node.Problems())
	}
	w.stop()
}

// TestScrubberFindsDamage before any reader does, tells of it as of what readers find, and goes on.
func TestScrubberFindsDamage(t *testing.T) {
	w, y := scrubbing(t)
	topic := w.create("orders", 2)
	for _, v := range []string{"a", "b", "c"} {
		w.produce(at(topic, 0), v)
		w.produce(at(topic, 1), v)
	}
	hurt, failing := w.memory(topic, 0), w.memory(topic, 1)
	hurt.bad[3] = true // "a"
	failing.onScrub = func() error { return errDisk }
	w.pass(time.Minute)
	if y.scrubDamage != 1 || len(asked(hurt)) != 4 || len(asked(failing)) != 4 {
		t.Fatalf("%+v", y)
	}
	for n, want := range []string{"met damage", "cannot be read"} {
		if s := w.status(at(topic, int32(n))); !s.Ready || !strings.Contains(s.Problem, want) {
			t.Errorf("partition %d: %+v", n, s)
		}
	}
	if len(w.node.Problems()) != 2 {
		t.Errorf("%v", w.node.Problems())
	}
	if a := w.produce(at(topic, 0), "d"); a.Err != nil || a.Base != 3 {
		t.Errorf("%+v", a)
	}
	w.stop()
}

// TestScrubberOutlivesPartitions: one that is deleted, or whose disk hangs, is passed over; a log closes after its scrub.
func TestScrubberOutlivesPartitions(t *testing.T) {
	w, y := scrubbing(t)
	topics := []id.Topic{"first", "second"}
	var logs []*memory
	for _, name := range topics {
		topic := w.create(name, 1)
		for range 3 {
			w.produce(at(topic, 0), "x")
		}
		logs = append(logs, w.memory(topic, 0))
	}
	w.holding = true // the disk hangs
	w.pass(w.node.stage.limits.RestAfter + 3*w.node.stage.limits.ScrubPatience)
	w.holding = false
	w.run()
	for _, m := range logs {
		if d := cmp.Diff([]id.Index{0}, asked(m)); d != "" {
			t.Fatalf("while the disk hung each log was asked for once, in its turn (-want +got):\n%s", d)
		}
	}
	all := append(logs, w.disk.replicas[catalog.FirstReplica])
	asked(all[2])
	w.pass(time.Hour) // what was answered late moves nobody in the next round
	for _, m := range all {
		if got := asked(m); got[0] != 0 || len(got) != len(m.entries) {
			t.Fatalf("asked for %v of %d entries", got, len(m.entries))
		}
	}
	w.holding = true
	w.pass(time.Hour)
	w.node.Stop(func() {})
	w.run()
	for _, m := range logs {
		if m.open != 1 {
			t.Fatal("a log was closed under its scrub")
		}
	}
	w.holding = false
	w.run()
	w.pass(time.Minute)
	for _, m := range logs {
		if m.open != 0 {
			t.Fatal("a log stays open")
		}
	}
	if y.scrubDamage != 0 {
		t.Errorf("%+v", y)
	}
}

// TestNoScrubberUnlessAsked: zero limits leave the disk alone.
func TestNoScrubberUnlessAsked(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	w.produce(at(topic, 0), "x")
	w.pass(time.Hour)
	if m := w.memory(topic, 0); len(m.scrubs) > 0 {
		t.Errorf("%v", m.scrubs)
	}
}
