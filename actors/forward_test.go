package actors

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

// kindOf tells what a frame is, and what is asked or answered in it.
func kindOf(frame []byte) (kind, what byte) {
	kind, r, err := openFrame(frame)
	if err != nil {
		return 0, 0
	}
	switch kind {
	case frameRequest:
		q, _ := r.question()
		return kind, q.what
	case frameAnswer:
		q, _ := r.answered()
		return kind, q.what
	}
	return kind, 0
}

// only loses or holds the frames of one kind, until so many of them have been.
func only(kind, what byte, times int) func(id.Node, id.Node, []byte) bool {
	return func(_, _ id.Node, frame []byte) bool {
		if k, w := kindOf(frame); k == kind && w == what && times > 0 {
			times--
			return true
		}
		return false
	}
}

// remote is a cluster of two, and a partition that only the second broker has.
func remote(t *testing.T, limits Limits) (*testCluster, *testBroker, *testBroker, id.Partition) {
	c := newCluster(t, 2, limits)
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers[1]), 0)
	c.until("led", func() bool { node, _ := leaderOf(c.brokers[0], p); return node == 2 })
	return c, c.brokers[0], c.brokers[1], p
}

func (b *testBroker) park(p id.Partition, at id.Offset, wait time.Duration) (*answers[partitions.FetchAnswer], func()) {
	a := &answers[partitions.FetchAnswer]{}
	q := partitions.Fetch{Offset: at, MaxBytes: 1000, Until: b.cluster.now + millis(wait)}
	stop := b.node.Router().Fetch(p, q, a.take)
	b.cluster.run()
	if len(a.all) != 0 {
		b.cluster.t.Fatalf("a fetch at the end did not wait: %+v", a.all)
	}
	return a, stop
}

func TestForwardedFetchWaits(t *testing.T) {
	c, near, far, p := remote(t, Limits{})
	woken, _ := near.park(p, 0, time.Minute)
	far.produce(p, "a")
	if a := woken.only(t); a.Err != nil || len(a.Batches) != 1 || a.HighWatermark != 1 {
		t.Errorf("woken: %+v", a)
	}
	timeout, _ := near.park(p, 1, time.Second)
	c.pass(900 * time.Millisecond)
	if len(timeout.all) != 0 {
		t.Errorf("before its time: %+v", timeout.all)
	}
	c.pass(200 * time.Millisecond)
	if a := timeout.only(t); a.Err != nil || a.Batches != nil {
		t.Errorf("time over: %+v", a)
	}
	given, stop := near.park(p, 1, time.Minute)
	stop()
	stop()
	c.run()
	if a := given.only(t); a.Err != nil || a.Batches != nil || a.HighWatermark != 1 {
		t.Errorf("given up: %+v", a)
	}
	if n := len(far.node.stage.peers.to(near.id).questions.parked); n != 0 {
		t.Errorf("%d waits are still remembered", n)
	}
}

// A wait that is given up before the request has left ends, too.
func TestForwardGivenUpEarly(t *testing.T) {
	c, near, _, p := remote(t, Limits{})
	a := &answers[partitions.FetchAnswer]{}
	stop := near.node.Router().Fetch(p, partitions.Fetch{MaxBytes: 1, Until: c.now + 60_000}, a.take)
	stop()
	c.run()
	if got := a.only(t); got.Err != nil || got.Batches != nil {
		t.Fatalf("%+v", got)
	}
}

// What may have been done is never said to have had no effect, and what has certainly not been done is.
func TestLostForwards(t *testing.T) {
	for _, lost := range []struct {
		name string
		kind byte
		done bool
	}{{"request", frameRequest, false}, {"answer", frameAnswer, true}} {
		c, near, far, p := remote(t, Limits{})
		c.lose = only(lost.kind, askProduce, 1)
		sent := near.send(p, "a")
		c.pass(DefaultLimits.ForwardWait - 100*time.Millisecond)
		if len(sent.all) != 0 {
			t.Fatalf("%s lost: answered early: %+v", lost.name, sent.all)
		}
		c.pass(200 * time.Millisecond)
		if a := sent.only(t); !errors.Is(a.Err, partitions.ErrOutcomeUnknown) || errors.Is(a.Err, partitions.ErrNotReady) {
			t.Errorf("%s lost: %v", lost.name, a.Err)
		}
		if f := far.fetch(p, 0); (len(f.Batches) == 1) != lost.done {
			t.Errorf("%s lost: the log holds %d batches", lost.name, len(f.Batches))
		}
		c.lose = only(lost.kind, askFetch, 1)
		fetched := &answers[partitions.FetchAnswer]{}
		near.node.Router().Fetch(p, partitions.Fetch{MaxBytes: 1}, fetched.take)
		c.pass(DefaultLimits.ReadWait + 100*time.Millisecond)
		if a := fetched.only(t); !errors.Is(a.Err, partitions.ErrNotReady) {
			t.Errorf("%s of a fetch lost: %v", lost.name, a.Err)
		}
	}
}

// A clock that is set back makes no wait longer.
func TestForwardsUnderAWrongClock(t *testing.T) {
	c, near, _, p := remote(t, Limits{})
	c.lose = only(frameAnswer, askProduce, 1)
	sent := near.send(p, "a")
	c.run()
	near.skew = -3_600_000
	c.pass(DefaultLimits.ForwardWait + 100*time.Millisecond)
	if a := sent.only(t); !errors.Is(a.Err, partitions.ErrOutcomeUnknown) {
		t.Errorf("%v", a.Err)
	}
	if a := near.produce(p, "b"); a.Err != nil || a.Base != 1 {
		t.Errorf("afterwards: %+v", a)
	}
}

func TestLinkEnds(t *testing.T) {
	c, near, far, p := remote(t, Limits{})
	c.lose = only(frameAnswer, askProduce, 1)
	sent := near.send(p, "a")
	parked, _ := near.park(p, 1, time.Minute)
	c.split(near, far, true)
	c.run()
	if a := sent.only(t); !errors.Is(a.Err, partitions.ErrOutcomeUnknown) {
		t.Errorf("under way: %v", a.Err)
	}
	if a := parked.only(t); !errors.Is(a.Err, partitions.ErrNotReady) {
		t.Errorf("parked: %v", a.Err)
	}
	if n := len(far.node.stage.peers.to(near.id).questions.parked); n != 0 {
		t.Errorf("%d waits of a broker that is away", n)
	}
	if a := near.produce(p, "b"); !errors.Is(a.Err, partitions.ErrNotReady) {
		t.Errorf("without a link: %v", a.Err)
	}
	c.split(near, far, false)
	if a := near.produce(p, "c"); a.Err != nil || a.Base != 1 {
		t.Errorf("with a link again: %+v", a)
	}
}

// A frame that comes twice, or from an earlier life, does nothing.
func TestForwardsHappenOnce(t *testing.T) {
	c, near, far, p := remote(t, Limits{})
	var request, answer []byte
	c.lose = func(_, _ id.Node, frame []byte) bool {
		switch kind, what := kindOf(frame); {
		case what != askProduce:
		case kind == frameRequest:
			request = slices.Clone(frame)
		case kind == frameAnswer:
			answer = slices.Clone(frame)
		}
		return false
	}
	first := near.send(p, "a")
	c.run()
	if a := first.only(t); a.Err != nil {
		t.Fatal(a.Err)
	}
	far.node.Receive(near.id, slices.Clone(request))
	near.node.Receive(far.id, slices.Clone(answer))
	c.run()
	first.only(t)
	old := slices.Clone(answer)
	near.kill()
	near.start()
	c.until("started", func() bool { node, _ := leaderOf(near, p); return len(near.ready) == 1 && node == far.id })
	second := near.send(p, "b")
	near.node.Receive(far.id, old) // of a request with the same number
	c.run()
	if a := second.only(t); a.Err != nil || a.Base != 1 {
		t.Fatalf("%+v", a)
	}
	far.node.Receive(near.id, request)
	c.run()
	if f := far.fetch(p, 0); len(values(t, f.Batches)) != 2 {
		t.Fatalf("the log holds %q", values(t, f.Batches))
	}
}

func TestForwardBudgets(t *testing.T) {
	c, near, _, p := remote(t, Limits{Forwards: 3, PeerBytes: 4 << 10})
	c.lose = func(_, _ id.Node, frame []byte) bool {
		k, w := kindOf(frame)
		return k == frameAnswer && w == askProduce
	}
	var all []*answers[partitions.ProduceAnswer]
	for range 4 {
		all = append(all, near.send(p, "a"))
		c.run()
	}
	for _, a := range all[:3] {
		if len(a.all) != 0 {
			t.Fatalf("answered: %+v", a.all)
		}
	}
	if a := all[3].only(t); !errors.Is(a.Err, partitions.ErrThrottled) {
		t.Errorf("one too many: %v", a.Err)
	}
	c.pass(11 * time.Second)
	c.lose = nil
	if a := near.produce(p, "b"); a.Err != nil {
		t.Fatalf("after the others have ended: %v", a.Err)
	}
	first, large := near.send(p, string(make([]byte, 5<<10))), near.send(p, string(make([]byte, 5<<10)))
	if a := large.only(t); !errors.Is(a.Err, partitions.ErrThrottled) {
		t.Errorf("more bytes than may wait: %v", a.Err)
	}
	c.run()
	if a := first.only(t); a.Err != nil {
		t.Errorf("one alone: %v", a.Err)
	}
	if n := near.node.stage.peers.to(2).held.Load(); n != 0 {
		t.Errorf("%d bytes are counted, and nothing waits", n)
	}
}

// Large answers come whole; a request that no frame takes is refused before anything is done.
func TestOversize(t *testing.T) {
	c, near, far, p := remote(t, Limits{})
	q := partitions.Produce{Batch: make([]byte, MaxFrameBytes), Acks: partitions.AcksQuorum, ExpectEnd: partitions.NoExpectation}
	refused := &answers[partitions.ProduceAnswer]{}
	near.node.Router().Produce(p, q, refused.take)
	if a := refused.only(t); !errors.Is(a.Err, partitions.ErrBatchTooLarge) {
		t.Errorf("too large: %v", a.Err)
	}
	q.Batch = q.Batch[:1<<20] // it reaches the leader, which looks at it
	seen := &answers[partitions.ProduceAnswer]{}
	near.node.Router().Produce(p, q, seen.take)
	c.run()
	if a := seen.only(t); !errors.Is(a.Err, partitions.ErrInvalidBatch) {
		t.Errorf("no batch: %v", a.Err)
	}
	big := string(make([]byte, 900<<10))
	for range 6 {
		if a := near.produce(p, big); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	for _, b := range []*testBroker{near, far} {
		f := b.fetch(p, 0)
		if f.Err != nil || len(f.Batches) < 4 {
			t.Errorf("broker %d: %v, %d batches", b.id, f.Err, len(f.Batches))
		}
	}
}

// Errors keep what a client needs of them.
func TestForwardedRefusals(t *testing.T) {
	c, near, far, p := remote(t, Limits{})
	for range 3 {
		far.produce(p, "x")
	}
	var bounds *partitions.RangeError
	if f := near.fetch(p, 7); !errors.As(f.Err, &bounds) || bounds.Asked != 7 || bounds.LogEnd != 3 {
		t.Errorf("beyond the end: %v", f.Err)
	}
	listed := &answers[partitions.OffsetAnswer]{}
	near.node.Router().ListOffsets(p, partitions.ListOffsets{At: partitions.OffsetLatest}, listed.take)
	deleted := &answers[partitions.DeleteAnswer]{}
	near.node.Router().DeleteRecords(p, partitions.DeleteRecords{Before: 2}, deleted.take)
	c.run()
	if a := listed.only(t); a.Err != nil || a.Offset != 3 {
		t.Errorf("listed: %+v", a)
	}
	if a := deleted.only(t); a.Err != nil || a.LogStart != 2 || a.HighWatermark != 3 {
		t.Errorf("deleted: %+v", a)
	}
	near2, far2 := &answers[partitions.Status]{}, &answers[partitions.Status]{}
	near.node.Router().Describe(p, near2.take)
	far.node.Router().Describe(p, far2.take)
	c.run()
	if d := cmp.Diff(far2.only(t), near2.only(t)); d != "" {
		t.Errorf("described (-by itself +through another):\n%s", d)
	}
	nowhere := id.Partition{Topic: 99}
	if a := near.produce(nowhere, "x"); !errors.Is(a.Err, partitions.ErrUnknownTopic) {
		t.Errorf("no topic: %v", a.Err)
	}
}

// An answer of an earlier leader is not believed once a later one is known.
func TestStaleLeader(t *testing.T) {
	c, near, far, p := remote(t, Limits{})
	far.produce(p, "x")
	c.hold = only(frameAnswer, askFetch, 1)
	fetched := &answers[partitions.FetchAnswer]{}
	near.node.Router().Fetch(p, partitions.Fetch{MaxBytes: 1}, fetched.take)
	c.run()
	_, term := leaderOf(near, p)
	near.node.stage.leaders.learn(p, term+1, 0)
	c.letGo()
	if a := fetched.only(t); !errors.Is(a.Err, partitions.ErrStaleLeader) || a.Batches != nil {
		t.Fatalf("%+v", a)
	}
}

// Nor one of the broker's own replica, which has not heard that it leads no more.
func TestStaleLeaderHere(t *testing.T) {
	c, _, far, p := remote(t, Limits{})
	far.produce(p, "x")
	ended, _ := far.park(p, 1, 200*time.Millisecond)
	givenUp, giveUp := far.park(p, 1, time.Minute)
	listed := &answers[partitions.OffsetAnswer]{}
	c.run()
	far.node.Router().ListOffsets(p, partitions.ListOffsets{At: partitions.OffsetEarliest}, listed.take)
	_, term := leaderOf(far, p)
	far.node.stage.leaders.learn(p, term+1, 0)
	giveUp()
	beyond := far.fetch(p, 99) // its successor may have it
	c.pass(time.Second)
	for _, err := range []error{ended.only(t).Err, givenUp.only(t).Err, listed.only(t).Err, beyond.Err} {
		if !errors.Is(err, partitions.ErrStaleLeader) {
			t.Errorf("answered with %v", err)
		}
	}
}

// TestSilentLeader: the machine of a leader dies, and its link does not show it. What waits for it is given up soon after
// another broker leads, or nothing would go there meanwhile.
func TestSilentLeader(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers...), 0)
	c.until("led", func() bool { node, _ := leaderOf(c.brokers[0], p); return node != 0 })
	leader, _ := leaderOf(c.brokers[0], p)
	near := c.brokers[leader%3] // the one behind it: nodes count from 1
	c.until("known", func() bool { node, _ := leaderOf(near, p); return node == leader })
	c.lose = func(from, to id.Node, _ []byte) bool { return from == leader || to == leader }
	sent := near.send(p, "a")
	c.until("led by another", func() bool { node, _ := leaderOf(near, p); return node != 0 && node != leader })
	c.pass(time.Second)
	if a := sent.only(t); !errors.Is(a.Err, partitions.ErrOutcomeUnknown) {
		t.Errorf("under way to who leads no more: %v", a.Err)
	}
	if a := near.produce(p, "b"); a.Err != nil || a.Base != 0 {
		t.Errorf("to the new leader: %+v", a)
	}
}
