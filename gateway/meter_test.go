package gateway

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/gateway/protocol"
)

// book is a meter that writes everything down.
type book struct {
	mu                          sync.Mutex
	connected, gone, turned     int
	received, bytesIn, bytesOut int
	answers                     map[protocol.API]int
	errors                      []protocol.Code
	longest                     time.Duration
	settled                     chan struct{} // one for each Disconnected
}

func (b *book) note(f func()) { b.mu.Lock(); defer b.mu.Unlock(); f() }

func (b *book) Connected()  { b.note(func() { b.connected++ }) }
func (b *book) TurnedAway() { b.note(func() { b.turned++ }) }

func (b *book) Disconnected() {
	b.note(func() { b.gone++ })
	b.settled <- struct{}{}
}

func (b *book) Received(bytes int) { b.note(func() { b.received++; b.bytesIn += bytes }) }

func (b *book) Answered(a Answered) {
	b.note(func() {
		b.answers[a.API]++
		b.bytesOut += a.Bytes
		b.errors = append(b.errors, a.Errors...)
		b.longest = max(b.longest, a.Took)
	})
}

// TestMeter follows two connections and one too many, over requests that succeed, fail in part, fail, and cannot be read.
func TestMeter(t *testing.T) {
	b := &book{answers: map[protocol.API]int{}, settled: make(chan struct{}, 8)}
	server, dial := serve(t, newFakeBroker(t, topic("orders", 1)), Limits{Connections: 2})
	server.Tell(b)
	began := time.Now()
	first, second := dial().hello(), dial().hello()
	third := dial()
	if _, a := third.receive(); a.err == nil || a.err.Code != protocol.CodeThrottled {
		t.Fatalf("one too many: %+v", a)
	}
	for _, m := range []protocol.Message{
		&protocol.PingRequest{},
		produceTo("nowhere", 0, nil),
		produceTo("orders", 99, batchOf(t, "x", 1, 1)),
	} {
		first.send(m)
		first.receive()
	}
	if _, err := second.conn.Write([]byte{0, 0, 0, 1, 0xc1}); err != nil { // a byte that msgpack does not know
		t.Fatal(err)
	}
	if _, a := second.receive(); a.err == nil || a.err.Code != protocol.CodeMalformed {
		t.Fatalf("%+v", a)
	}
	first.conn.Close()
	second.conn.Close()
	<-b.settled
	<-b.settled

	b.mu.Lock()
	defer b.mu.Unlock()
	if b.connected != 2 || b.gone != 2 || b.turned != 1 || b.received != 6 || b.bytesIn == 0 || b.bytesOut == 0 {
		t.Errorf("%+v", b)
	}
	want := map[protocol.API]int{protocol.APIHello: 2, protocol.APIPing: 1, protocol.APIProduce: 2, 0: 1}
	if diff := cmp.Diff(want, b.answers); diff != "" {
		t.Error(diff)
	}
	errors := []protocol.Code{protocol.CodeUnknownTopic, protocol.CodeUnknownTopic, protocol.CodeMalformed}
	if diff := cmp.Diff(errors, b.errors); diff != "" {
		t.Error(diff)
	}
	if b.longest > time.Since(began) {
		t.Errorf("a request took %v of a test that began %v ago", b.longest, time.Since(began))
	}
}

// TestMeterOfTheCut ends a connection with requests under way: each that was received is answered, as far as anyone can.
func TestMeterOfTheCut(t *testing.T) {
	b := &book{answers: map[protocol.API]int{}, settled: make(chan struct{}, 8)}
	server, dial := serve(t, newFakeBroker(t, topic("orders", 1)), Limits{})
	server.Tell(b)
	l := dial().hello()
	for range 3 {
		l.send(fetchOf("orders", 60_000, 0))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = server.Close(ctx)
	<-b.settled
	b.mu.Lock()
	defer b.mu.Unlock()
	answered := 0
	for _, n := range b.answers {
		answered += n
	}
	if b.received < 3 || answered != b.received {
		t.Errorf("%d received, %d answered", b.received, answered)
	}
}
