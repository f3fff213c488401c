package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// produceFrom produces records first to last-1 to partition 0, a batch each, without waiting for their fate, 100 ms apart,
// and calls between before each of them.
func produceFrom(t *testing.T, c *Client, first, last int, fates *[]error, between func(i int)) {
	t.Helper()
	for i := first; i < last; i++ {
		if between != nil {
			between(i)
		}
		r := (&Record{Topic: "t", Value: []byte(value(i))}).ToPartition(0)
		if err := c.Produce(t.Context(), r, func(_ *Record, err error) { *fates = append(*fates, err) }); err != nil {
			t.Fatal(err)
		}
		<-time.After(100 * time.Millisecond)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (b *fakeBroker) holds(t *testing.T, n int) {
	t.Helper()
	if d := cmp.Diff(wanted(n), b.values(t, "t", 0)); d != "" {
		t.Error(d)
	}
	b.sentOnce(t)
}

// The old leader refuses and points to the new one: the next batch goes there, and the rest stay there.
func TestHintIsFollowed(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 3)
		c := b.client(t, WithBatchBytes(1))
		var fates []error
		produceFrom(t, c, 0, 30, &fates, func(i int) {
			if i == 10 {
				b.elect(2, 1)
			}
		})
		allDelivered(t, fates, 30)
		b.holds(t, 30)
		if old, now, other := b.asked(1, protocol.APIProduce), b.asked(2, protocol.APIProduce), b.asked(3, protocol.APIProduce); old > 12 || now < 20 || other != 0 {
			t.Errorf("%d produces to the old leader, %d to the new one, %d to the third", old, now, other)
		}
	})
}

// The old leader forwards: nothing fails, and the term in an answer tells that another leads. The client goes there, and
// waits for what is in flight before it does.
func TestLeaderIsFollowedWithoutAFailure(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 3)
		for n := range 3 {
			b.on(n+1, func(n *fakeNode) { n.forwards = true })
		}
		var troubles int
		c := b.client(t, WithBatchBytes(1), WithTrouble(func(string, int32, error) { troubles++ }))
		var fates []error
		held := make(chan struct{})
		b.fault = func(n int, _ *protocol.ProduceRequest) fault {
			if n == 10 { // in flight at the old leader when the news come
				return fault{held: held}
			}
			return fault{}
		}
		produceFrom(t, c, 0, 30, &fates, func(i int) {
			switch i {
			case 10:
				b.elect(2, 1, 3)
			case 14:
				if n := b.asked(2, protocol.APIProduce); n != 0 {
					t.Errorf("%d produces by another route while one was in flight", n)
				}
				close(held)
			}
		})
		allDelivered(t, fates, 30)
		b.holds(t, 30)
		if now := b.asked(2, protocol.APIProduce); now < 12 || troubles != 0 {
			t.Errorf("%d produces to the new leader, %d failures", now, troubles)
		}
	})
}

// A lane that always has something in flight turns as well: it stops for as long as that takes.
func TestABusyLaneTurns(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 3)
		for n := range 3 {
			b.on(n+1, func(n *fakeNode) { n.forwards = true })
		}
		b.fault = func(int, *protocol.ProduceRequest) fault {
			late := make(chan struct{})
			time.AfterFunc(350*time.Millisecond, func() { close(late) })
			return fault{held: late}
		}
		c := b.client(t, WithBatchBytes(1))
		var fates []error
		produceFrom(t, c, 0, 60, &fates, func(i int) {
			if i == 20 {
				b.elect(2, 1, 3)
			}
		})
		allDelivered(t, fates, 60)
		b.holds(t, 60)
		if now := b.asked(2, protocol.APIProduce); now < 30 {
			t.Errorf("%d produces to the new leader", now)
		}
	})
}

// A leader dies with answers owed; another is elected a second later. Nothing is lost, doubled or sent under another id. The
// old one comes back believing what it did: nobody goes back to it.
func TestLeaderDiesAndComesBack(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 3)
		c := b.client(t, WithBatchBytes(1), WithBroker("fake:1", "fake:2"))
		var fates []error
		b.fault = func(n int, _ *protocol.ProduceRequest) fault { return fault{cutAfter: n == 11} }
		produceFrom(t, c, 0, 60, &fates, func(i int) {
			switch i {
			case 10: // appended, and its answer is lost
				go func() {
					<-time.After(50 * time.Millisecond)
					b.kill(1)
					<-time.After(time.Second)
					b.elect(3, 2)
				}()
			case 40:
				b.on(1, func(n *fakeNode) { n.down = false })
			}
		})
		allDelivered(t, fates, 60)
		b.holds(t, 60)
		if back := b.asked(1, protocol.APIProduce); back > 12 {
			t.Errorf("%d produces to the leader that died", back)
		}
	})
}

// A leader that hangs keeps its connections open and answers nothing, not even a Ping: it is left soon after another is elected,
// by writers, readers and questions alike.
func TestFrozenLeaderIsLeft(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 3)
		b.fill(t, 0, 10, 10)
		c := b.client(t)
		if err := c.Consume(t.Context(), "t", FromStart()); err != nil {
			t.Fatal(err)
		}
		read(t, c, 10)
		b.on(1, func(n *fakeNode) { n.frozen = true })
		b.elect(2, 3)
		start := time.Now()
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte(value(10))}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > patience+2*lookPause {
			t.Errorf("written after %v", took)
		}
		read(t, c, 1)
		if _, err := c.ListOffsets(t.Context(), "t", FromEnd()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 2*(patience+lookPause)+defaults().fetchWait {
			t.Errorf("all of it took %v", took)
		}
		b.sentOnce(t)
	})
}

// A broker that is only slow answers a Ping: it is waited for.
func TestSlowLeaderIsWaitedFor(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 3)
		slow := make(chan struct{})
		b.fault = func(n int, _ *protocol.ProduceRequest) fault {
			if n == 1 {
				return fault{held: slow}
			}
			return fault{}
		}
		c := b.client(t)
		time.AfterFunc(20*time.Second, func() { close(slow) })
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte(value(0))}); err != nil {
			t.Fatal(err)
		}
		if b.produces != 1 || b.asked(1, protocol.APIPing) == 0 {
			t.Errorf("%d sends, %d pings", b.produces, b.asked(1, protocol.APIPing))
		}
	})
}

// Nobody answers for the whole delivery timeout: what was sent is unknown, and what was not is certainly not done.
func TestUnknownIsToldHonestly(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 3)
		b.fault = func(n int, _ *protocol.ProduceRequest) fault { return fault{cutAfter: n == 2} }
		c := b.client(t, WithBatchBytes(1), WithDeliveryTimeout(10*time.Second))
		var fates []error
		produceFrom(t, c, 0, 4, &fates, func(i int) {
			if i == 1 { // its answer is lost, and nobody can be connected to any more
				for n := range 3 {
					b.on(n+1, func(n *fakeNode) { n.down = true })
				}
			}
		})
		for i, err := range fates {
			if unknown := errors.Is(err, ErrOutcomeUnknown); unknown != (i == 1) || (err == nil) != (i == 0) {
				t.Errorf("record %d: %v", i, err)
			}
		}
		b.holds(t, 2)
	})
}

// The settings name brokers that are gone, and one that answers once: the others are known from it.
func TestBrokersToldOfAreAskedToo(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 3)
		for n := range 3 {
			b.on(n+1, func(n *fakeNode) { n.forwards = true })
		}
		c := b.client(t, WithBroker("gone:1", "gone:2", "fake:2"))
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte(value(0))}); err != nil {
			t.Fatal(err)
		}
		b.kill(1)
		b.kill(2)
		b.elect(3)
		for i := range 3 {
			if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte(value(i + 1))}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.ListOffsets(t.Context(), "t", FromEnd()); err != nil {
			t.Fatal(err)
		}
		b.holds(t, 4)
	})
}

// A broker that is behind with the catalog knows no such topic. It is not believed.
func TestBrokerBehindIsNotBelieved(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 2)
		for n := range 2 {
			b.on(n+1, func(n *fakeNode) { n.forwards = true })
		}
		c := b.client(t, WithBroker("fake:1", "fake:2"))
		b.on(2, func(n *fakeNode) { n.catalog, n.blind = 4, true })
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte(value(0))}); err != nil {
			t.Fatal(err)
		}
		b.kill(1)
		time.AfterFunc(3*time.Second, func() { b.on(2, func(n *fakeNode) { n.catalog, n.blind = 6, false }) })
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte(value(1))}); err != nil {
			t.Fatal(err)
		}
		b.holds(t, 2)
		b.on(2, func(n *fakeNode) { n.catalog, n.blind = 7, true }) // and this time it is true
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t"}); !errors.Is(err, protocol.CodeUnknownTopic) {
			t.Errorf("to a topic that is gone: %v", err)
		}
	})
}

// A broker that cannot tell whether there is such a topic is asked again, or another one is.
func TestBrokerThatCannotTell(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 2)
		for n := range 2 {
			b.on(n+1, func(n *fakeNode) { n.forwards, n.unsure = true, true })
		}
		c := b.client(t, WithBroker("fake:1", "fake:2"))
		time.AfterFunc(3*time.Second, func() { b.on(2, func(n *fakeNode) { n.unsure = false }) })
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte(value(0))}); err != nil {
			t.Fatal(err)
		}
		b.holds(t, 1)
		b.on(2, func(n *fakeNode) { n.unsure = true })
		late := b.client(t, WithBroker("fake:2"))
		if err := late.ProduceSync(t.Context(), &Record{Topic: "t"}); !errors.Is(err, protocol.CodeNotReady) {
			t.Errorf("while no broker can tell: %v", err)
		}
	})
}

// A broker that cannot do what is asked, and cannot reach the one that can, points to it.
func TestCallsFollowHints(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 3)
		b.elect(3, 1, 2)
		c := b.client(t, WithBroker("fake:1"))
		if _, err := c.CreateTopic(t.Context(), "new", 1, nil); err != nil {
			t.Fatal(err)
		}
		if n := b.asked(3, protocol.APICreateTopic); n != 1 {
			t.Errorf("node 3 leads the catalog and was asked %d times", n)
		}
	})
}

// Readers follow the leader, too.
func TestReaderFollowsTheLeader(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 2, 3)
		b.fill(t, 0, 10, 10)
		b.fill(t, 1, 10, 10)
		c := b.client(t)
		if err := c.Consume(t.Context(), "t", FromStart()); err != nil {
			t.Fatal(err)
		}
		read(t, c, 20)
		for i, leader := range []int{2, 3, 1} {
			b.elect(leader, 1, 2, 3)
			if i == 1 {
				b.kill(2)
			}
			before := b.asked(leader, protocol.APIFetch)
			b.fill(t, 0, 10, 10)
			b.fill(t, 1, 10, 10)
			read(t, c, 20)
			if b.asked(leader, protocol.APIFetch) == before {
				t.Errorf("node %d leads and is not asked", leader)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if f := c.Poll(ctx); f.Len() != 0 {
			t.Errorf("%d records more than there are", f.Len())
		}
	})
}

// What is known of a topic in use is looked up now and then: brokers that join are asked when the others are gone.
func TestMetadataIsRefreshed(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 3)
		for n := range 3 {
			b.on(n+1, func(n *fakeNode) { n.forwards = true })
		}
		joining := b.nodes["fake:3"]
		b.mu.Lock()
		delete(b.nodes, "fake:3")
		b.mu.Unlock()
		c := b.client(t, WithBroker("fake:1", "fake:2"))
		produce := func(i int) {
			if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte(value(i))}); err != nil {
				t.Fatal(err)
			}
		}
		produce(0)
		b.mu.Lock()
		b.nodes["fake:3"] = joining
		b.mu.Unlock()
		<-time.After(longestAge + time.Second)
		produce(1) // finds that what is known is old
		synctest.Wait()
		b.kill(1)
		b.kill(2)
		b.elect(3)
		produce(2)
		b.holds(t, 3)
	})
}

// A broker is spoken to in versions that it knows.
func TestOldBrokerIsSpokenToInItsVersion(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeCluster("t", 1, 1)
		b.on(1, func(n *fakeNode) { n.old = true })
		c := b.client(t)
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t"}); err != nil {
			t.Fatal(err)
		}
		b.on(1, func(n *fakeNode) {
			if v := n.spoken[protocol.APIMetadata]; v != 1 {
				t.Errorf("Metadata in version %d", v)
			}
		})
	})
}

// What is told of an earlier term is old, whoever tells it; a guess counts only where nothing better is known.
func TestNewsCountByTheirTerm(t *testing.T) {
	about := &topic{leads: make([]leading, 1)}
	tell := func(address string, term id.Term, want string) {
		t.Helper()
		about.hear([]protocol.MetadataPartition{{Leader: 1, Term: term}}, map[id.Node]string{1: address})
		if got := about.leader(0); got != want {
			t.Errorf("told of %s in term %d: goes to %s, want %s", address, term, got, want)
		}
	}
	tell("guess", 0, "guess")
	tell("other guess", 0, "other guess")
	tell("a", 3, "a")
	tell("guess", 0, "a")
	tell("b", 2, "a")
	tell("b", 3, "b")
	if !about.heed(0, 5, nil) || about.heed(0, 5, nil) && time.Since(about.looked) < relook {
		t.Error("an answer of a later term asks for the leader, once")
	}
	tell("c", 4, "b")
	tell("guess", 0, "b")
	tell("d", 5, "d")
	if !about.stale(0, 4) || about.stale(0, 5) {
		t.Error("term 4 is stale, term 5 is not")
	}
	refusal := protocol.NewError(protocol.CodeNotLeader, "not here")
	refusal.Details = protocol.Details{Leader: 2, Gateway: "e", Term: 6}
	if !about.heed(0, 0, refusal) || about.leader(0) != "e" {
		t.Errorf("after a hint: %s", about.leader(0))
	}
	refusal.Details = protocol.Details{Leader: 1, Gateway: "d", Term: 5}
	if about.heed(0, 0, refusal); about.leader(0) != "e" {
		t.Errorf("after an old hint: %s", about.leader(0))
	}
}
