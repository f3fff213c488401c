package gateway

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// queued waits until n frames wait for room.
func (b *budget) queued(n int) {
	for {
		b.mu.Lock()
		have := len(b.waiting)
		b.mu.Unlock()
		if have == n {
			return
		}
		runtime.Gosched()
	}
}

// Frames get room in the order in which they asked; a smaller one, or a response, does not slip past.
func TestBudgetIsFair(t *testing.T) {
	b := newBudget(10)
	first := b.hold()
	if !first.try(8) || b.hold().try(3) {
		t.Fatal("8 of 10 are taken, and then 3 more")
	}
	var order []int
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, n := range []int{9, 9, 2} {
		all.Go(func() {
			h := b.hold()
			if !h.wait(n, nil) {
				t.Error("gave up")
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			h.release()
		})
		b.queued(i + 1)
	}
	if b.used != 8 || b.hold().try(1) {
		t.Error("a response overtook the frames that wait")
	}
	first.release()
	all.Wait()
	if diff := cmp.Diff([]int{0, 1, 2}, order); diff != "" || b.used != 0 {
		t.Errorf("%d bytes are held by nobody; let in: %s", b.used, diff)
	}
}

// Frames that hold a part and wait for the rest finish one after the other, though the budget is too small for any two; the
// budget is overdrawn by one of them at a time.
func TestBudgetDoesNotLock(t *testing.T) {
	b := newBudget(100)
	var frames [5]*hold
	for i := range frames {
		frames[i] = b.hold()
		frames[i].try(20)
	}
	finished := make(chan *hold)
	for _, h := range frames {
		go func() {
			if !h.wait(30, nil) || !h.wait(50, nil) {
				t.Error("gave up")
			}
			finished <- h
		}()
	}
	b.queued(4)
	for range frames {
		h := <-finished
		b.mu.Lock()
		if b.used > 100+80 || b.overdrawn != nil && b.overdrawn != h {
			t.Errorf("%d bytes are held, and another frame overdraws", b.used)
		}
		b.mu.Unlock()
		h.release()
	}
	if b.used != 0 {
		t.Errorf("%d bytes are held by nobody", b.used)
	}
}

// Who gives up leaves no gap in the queue.
func TestBudgetForgetsWhoGivesUp(t *testing.T) {
	b := newBudget(10)
	first, gone, given := b.hold(), make(chan struct{}), make(chan bool)
	first.try(5)
	go func() { given <- b.hold().wait(9, gone) }()
	b.queued(1)
	go func() { given <- b.hold().wait(2, nil) }()
	b.queued(2)
	close(gone)
	if one, other := <-given, <-given; one == other {
		t.Errorf("got %v and %v", one, other)
	}
	if b.used != 7 {
		t.Errorf("%d bytes are held", b.used)
	}
}

// A client whose frame finds no room is not read, and is when there is some; its time for the frame stands still.
func TestFramesWaitForTheBudgetOfAll(t *testing.T) {
	b := newFakeBroker(t, topic("a", 2))
	large := produceTo("a", 0, batchOf(t, "v", 20_000, testStart))
	s, dial := serve(t, b, Limits{InflightBytesInAll: 400_000, FrameTime: 50 * time.Millisecond})
	l, other := dial().hello(), dial().hello()
	taken := s.shared.bytes.hold()
	if !taken.try(390_000) {
		t.Fatal("the budget is not empty")
	}
	go l.send(large)
	s.shared.bytes.queued(1)
	<-time.After(60 * time.Millisecond) // more than FrameTime
	if n := len(b.seen()); n != 0 {
		t.Errorf("the broker has %d requests", n)
	}
	taken.release()
	if _, a := l.receive(); a.err != nil {
		t.Errorf("got %v", a.err)
	}
	other.send(&protocol.PingRequest{})
	if _, a := other.receive(); a.err != nil {
		t.Error(a.err)
	}
}

// Where there is no room for a response the request is refused, before anything is read for it, and the session goes on.
func TestResponsesAreThrottled(t *testing.T) {
	c := newTalk(t, newFakeBroker(t, topic("a", 1)), Limits{})
	taken := c.session.shared.bytes.hold()
	if !taken.try(c.session.limits.InflightBytesInAll) {
		t.Fatal("the budget is not empty")
	}
	for _, m := range []protocol.Message{
		fetchOf("a", 0, 0), &protocol.MetadataRequest{}, &protocol.DescribeTopicRequest{Topic: "a"},
		produceTo("a", 0, batchOf(t, "v", 1, testStart)), &protocol.ListOffsetsRequest{Partitions: []protocol.OffsetPartition{{Topic: "a"}}},
		&protocol.DeleteRecordsRequest{Partitions: []protocol.DeletePartition{{Topic: "a"}}},
	} {
		a := c.ask(m)
		if codeOf(a.err) != protocol.CodeThrottled || a.err.Details.Limit != "inflight_bytes_in_all" || a.err.Details.WaitMillis != 100 {
			t.Errorf("%v: got %v", m.API(), a.err)
		}
	}
	taken.release()
	as[*protocol.FetchResponse](t, c.ask(fetchOf("a", 0, 0)))
	if n := c.session.shared.bytes.used; n != 0 {
		t.Errorf("%d bytes are held by nobody", n)
	}
}

// A fetch that waits holds nothing; woken while there is no room, it is throttled and loses nothing.
func TestParkedFetchesHoldNothing(t *testing.T) {
	b := newFakeBroker(t, topic("a", 1))
	c, p := newTalk(t, b, Limits{}), newTalk(t, b, Limits{})
	waits := c.send(fetchOf("a", 60_000, 0))
	c.pending(waits)
	all := c.session.shared.bytes
	if held := all.used; held > 2*answerBytes {
		t.Errorf("a parked fetch holds %d bytes", held)
	}
	taken := all.hold()
	taken.try(all.limit - all.used)
	p.produced("a", 0, batchOf(t, "x", 1, testStart))
	if a := c.must(waits); codeOf(a.err) != protocol.CodeThrottled {
		t.Errorf("got %v %v", a.err, a.message)
	}
	taken.release()
	if got := fetched(t, c.ask(fetchOf("a", 0, 0)))[0].Batches; len(got) != 1 {
		t.Errorf("%d batches", len(got))
	}
	if all.used != 0 {
		t.Errorf("%d bytes are held by nobody", all.used)
	}
}

func TestParkedFetchesAreBounded(t *testing.T) {
	for limit, limits := range map[string]Limits{"parked_fetches": {ParkedFetches: 2}, "parked_fetches_in_all": {ParkedFetchesInAll: 2}} {
		b := newFakeBroker(t, topic("a", 2))
		c := newTalk(t, b, limits)
		c.pending(c.send(fetchOf("a", 60_000, 0)))
		second := c.send(fetchOf("a", 60_000, 0, 1))
		c.pending(second)
		if a := c.ask(fetchOf("a", 60_000, 0)); codeOf(a.err) != protocol.CodeThrottled || a.err.Details.Limit != limit {
			t.Errorf("%s: got %v", limit, a.err)
		}
		if a := c.ask(fetchOf("a", 0, 0)); a.err != nil {
			t.Errorf("%s: one that does not wait got %v", limit, a.err)
		}
		newTalk(t, b, Limits{}).produced("a", 1, batchOf(t, "x", 1, testStart))
		as[*protocol.FetchResponse](t, c.must(second))
		c.pending(c.send(fetchOf("a", 60_000, 0))) // a place is free again
		c.session.Close()
		if n := c.session.shared.parked.Load(); n != 0 {
			t.Errorf("%s: %d parked fetches are left", limit, n)
		}
	}
}

// However a request names its topics, the answer is no multiple of it beyond the budgets.
func TestMetadataIsBounded(t *testing.T) {
	b := newFakeBroker(t, topic("a", 10_000))
	c := newTalk(t, b, Limits{})
	names := []string{"a", "a", "a", "a", "a", "a"}
	if a := c.ask(&protocol.MetadataRequest{Topics: names}); codeOf(a.err) != protocol.CodeInvalidRequest {
		t.Errorf("got %v", a.err)
	}
	as[*protocol.MetadataResponse](t, c.ask(&protocol.MetadataRequest{Topics: names[:2]}))
}

// A message quotes the beginning of a name that is none.
func TestLongNamesAreCut(t *testing.T) {
	c := newTalk(t, newFakeBroker(t), Limits{})
	name := string(make([]byte, 1<<20))
	a := as[*protocol.FetchResponse](t, c.ask(&protocol.FetchRequest{Partitions: []protocol.FetchPartition{{Topic: name}}}))
	if e := a.Partitions[0].Err; codeOf(e) != protocol.CodeUnknownTopic || len(e.Message) > 500 {
		t.Errorf("%d bytes of message: %.100v", len(e.Message), e)
	}
	for _, m := range []protocol.Message{&protocol.DeleteTopicRequest{Topic: name}, &protocol.CreateTopicRequest{Topic: name, Partitions: 1},
		&protocol.CreateTopicRequest{Topic: "x", Partitions: 1, Settings: map[string]string{name: name}},
		&protocol.CreateTopicRequest{Topic: "x", Partitions: 1, Settings: map[string]string{"replicas": name}}} {
		if a := c.ask(m); a.err == nil || len(a.err.Message) > 1500 {
			t.Errorf("%v: %d bytes of message", m.API(), len(a.err.Message))
		}
	}
}

// A client that pipelines thousands of requests has a bounded number before the broker, and another one's request goes in
// right behind those.
func TestPipeliningStarvesNobody(t *testing.T) {
	const pipelined, inflight = 5000, 64
	b := newFakeBroker(t, topic("a", 1))
	_, dial := serve(t, b, Limits{InflightRequests: inflight})
	greedy, modest := dial().hello(), dial().hello()
	b.hold()
	r := produceTo("a", 0, batchOf(t, "v", 1, testStart))
	go func() {
		for range pipelined {
			greedy.send(r)
		}
	}()
	for len(b.seen()) < inflight {
		runtime.Gosched()
	}
	modest.send(produceTo("a", 0, batchOf(t, "v", 1, testStart)))
	for len(b.seen()) < inflight+1 {
		runtime.Gosched()
	}
	if n := len(b.seen()); n != inflight+1 {
		t.Errorf("the broker has %d requests before any is answered", n)
	}
	b.release()
	_, a := modest.receive()
	base := as[*protocol.ProduceResponse](t, a).Partitions[0].BaseOffset
	if base != id.Offset(inflight) {
		t.Errorf("the modest client's record comes at offset %d, behind %d of the other's", base, inflight)
	}
	for range pipelined {
		if _, a := greedy.receive(); a.err != nil {
			t.Fatal(a.err)
		}
	}
}
