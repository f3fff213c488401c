package client

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"troupe/gateway/protocol"

	"github.com/google/go-cmp/cmp"
)

// Sent and never answered: nobody knows. Never sent: certainly not done.
func TestDeliveryTimeout(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.fault = func(int, *protocol.ProduceRequest) fault { return fault{silent: true} }
		c := b.client(t, WithDeliveryTimeout(10*time.Second))
		start := time.Now()
		err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte("lost")})
		var told *Error
		if !errors.Is(err, ErrOutcomeUnknown) || !errors.Is(err, ErrDeliveryTimeout) || !errors.As(err, &told) ||
			told.Code() != protocol.CodeOutcomeUnknown || told.Retriable() || told.Outcome() != protocol.Unknown {
			t.Fatalf("sent and never answered: %v", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
		b.mu.Lock()
		b.fault, b.down = nil, true
		b.mu.Unlock()
		b.cutAll()
		synctest.Wait()
		err = c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte("never sent")})
		if !errors.Is(err, ErrDeliveryTimeout) || errors.Is(err, ErrOutcomeUnknown) || !Retriable(err) {
			t.Fatalf("never sent: %v", err)
		}
		b.mu.Lock()
		b.down = false
		b.mu.Unlock()
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte("back")}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"back"}, b.values(t, "t", 0)); d != "" {
			t.Error(d)
		}
	})
}

// After the answer to one batch is lost for good, those sent after it are unknown too; later ones are not.
func TestUnknownSpreadsToWhatWasSentAfter(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.fault = func(n int, _ *protocol.ProduceRequest) fault { return fault{silent: n <= 5} }
		c := b.client(t, WithBatchBytes(1), WithDeliveryTimeout(10*time.Second))
		var fates []error
		for i := range 8 {
			if err := c.Produce(t.Context(), &Record{Topic: "t", Value: []byte(value(i))}, func(_ *Record, err error) { fates = append(fates, err) }); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, err := range fates {
			if unknown := errors.Is(err, ErrOutcomeUnknown); unknown != (i < 5) || (i >= 5 && err != nil) {
				t.Errorf("record %d: %v", i, err)
			}
		}
		if d := cmp.Diff([]string{"00005", "00006", "00007"}, b.values(t, "t", 0)); d != "" {
			t.Error(d)
		}
	})
}

// A refused batch leaves a gap in the sequence: what follows goes under another producer id, once and in order.
func TestRefusedBatchDoesNotStopOthers(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		next := make(chan struct{})
		b.fault = func(n int, _ *protocol.ProduceRequest) fault {
			switch n {
			case 3:
				return fault{code: protocol.CodeBatchTooLarge, held: next}
			case 4:
				close(next)
			}
			return fault{}
		}
		c := b.client(t, WithBatchBytes(1))
		var fates []error
		for i := range 10 {
			if err := c.Produce(t.Context(), &Record{Topic: "t", Value: []byte(value(i))}, func(_ *Record, err error) { fates = append(fates, err) }); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, err := range fates {
			if refused := errors.Is(err, protocol.CodeBatchTooLarge); refused != (i == 2) {
				t.Errorf("record %d: %v", i, err)
			}
		}
		want := append(wanted(2), wanted(10)[3:]...)
		if d := cmp.Diff(want, b.values(t, "t", 0)); d != "" {
			t.Error(d)
		}
	})
}

// A partition that forgot the producer cannot tell whether it has the batch: unknown, and never sent under a new id.
func TestUnknownProducerIsUnknown(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		c := b.client(t)
		allDelivered(t, produceEach(t, c, 2), 2)
		b.mu.Lock()
		clear(b.topics["t"].partitions[0].producers)
		b.mu.Unlock()
		err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte("once")})
		if !errors.Is(err, ErrOutcomeUnknown) || !errors.Is(err, protocol.CodeUnknownProducer) {
			t.Fatalf("forgotten producer: %v", err)
		}
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte("next")}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(append(wanted(2), "next"), b.values(t, "t", 0)); d != "" {
			t.Error(d)
		}
	})
}

// Without idempotence a lost answer is unknown at once: nothing is sent twice.
func TestLeaderAcksAreNotSentAgain(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.fault = func(n int, _ *protocol.ProduceRequest) fault { return fault{cutAfter: n == 1} }
		c := b.client(t, WithAcks(protocol.AcksLeader))
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte("a")}); !errors.Is(err, ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte("b")}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"a", "b"}, b.values(t, "t", 0)); d != "" {
			t.Error(d)
		}
	})
}

func TestTopicRecreated(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		c := b.client(t)
		allDelivered(t, produceEach(t, c, 2), 2)
		b.mu.Lock()
		b.create("t", 2)
		b.mu.Unlock()
		r := (&Record{Topic: "t", Value: []byte("x")}).ToPartition(0)
		if err := c.ProduceSync(t.Context(), r); !errors.Is(err, protocol.CodeTopicRecreated) {
			t.Fatalf("to the old life of the topic: %v", err)
		}
		if err := c.ProduceSync(t.Context(), (&Record{Topic: "t", Value: []byte("y")}).ToPartition(1)); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"y"}, b.values(t, "t", 1)); d != "" {
			t.Error(d)
		}
	})
}

func TestBatchAboveTheBrokersLimitFailsHere(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.limits.BatchBytes = 5000
		c := b.client(t)
		err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: bytes.Repeat([]byte("x"), 6000)})
		if !errors.Is(err, protocol.CodeBatchTooLarge) || b.produces != 0 {
			t.Fatalf("%v, %d produces", err, b.produces)
		}
		allDelivered(t, produceEach(t, c, 3), 3)
	})
}

func TestCloseSettlesEverything(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 2)
		b.fault = func(int, *protocol.ProduceRequest) fault { return fault{silent: true} }
		c := b.client(t)
		var sent, lingering error
		if err := c.Produce(t.Context(), (&Record{Topic: "t"}).ToPartition(0), func(_ *Record, err error) { sent = err }); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		if err := c.Produce(t.Context(), (&Record{Topic: "t"}).ToPartition(1), func(_ *Record, err error) { lingering = err }); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if !errors.Is(sent, ErrOutcomeUnknown) || !errors.Is(lingering, ErrClosed) || errors.Is(lingering, ErrOutcomeUnknown) {
			t.Errorf("sent: %v; lingering: %v", sent, lingering)
		}
		if err := c.Produce(t.Context(), &Record{Topic: "t"}, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		c.Close()
	})
}

// A broker that stops answering is given up after the request timeout, and the batch goes again on a new connection.
func TestSilentBrokerIsLeft(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.fault = func(n int, _ *protocol.ProduceRequest) fault { return fault{silent: n == 1} }
		c := b.client(t, WithRequestTimeout(5*time.Second))
		if err := c.ProduceSync(t.Context(), &Record{Topic: "t", Value: []byte(value(0))}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(wanted(1), b.values(t, "t", 0)); d != "" || b.produces != 2 {
			t.Errorf("%d produces: %s", b.produces, d)
		}
	})
}

// After a refusal nothing is sent until all in flight is answered and the pause is over: it would be out of order.
func TestNothingIsSentWhileOneMustGoAgain(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		first, second := make(chan struct{}), make(chan struct{})
		b.fault = func(n int, _ *protocol.ProduceRequest) fault {
			switch n {
			case 1:
				return fault{code: protocol.CodeNotReady, held: first}
			case 2:
				close(first)
				return fault{held: second}
			}
			return fault{}
		}
		c := b.client(t, WithBatchBytes(1))
		for i := range 5 {
			if err := c.Produce(t.Context(), &Record{Topic: "t", Value: []byte(value(i))}, nil); err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				<-time.After(time.Second) // the first is refused, the second is in flight
			}
		}
		<-time.After(time.Second)
		if b.produces != 2 {
			t.Errorf("%d sends while the second was in flight", b.produces)
		}
		close(second)
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(wanted(5), b.values(t, "t", 0)); d != "" {
			t.Error(d)
		}
	})
}

func TestJudge(t *testing.T) {
	first, behind := &parcel{alone: true}, &parcel{}
	refusal := func(c protocol.Code) error { return protocol.NewError(c, "refused") }
	lost := fmt.Errorf("reset: %w", errLost)
	for _, c := range []struct {
		name       string
		err        error
		p          *parcel
		idempotent bool
		want       verdict
		maybe      bool
	}{
		{"fine", nil, first, true, delivered, false},
		{"not sent", errNotSent, first, false, sendAgain, false},
		{"lost", lost, first, true, sendAgain, true},
		{"lost, not idempotent", lost, first, false, failed, true},
		{"there already", refusal(protocol.CodeDuplicate), first, true, delivered, false},
		{"no leader", refusal(protocol.CodeNotLeader), first, false, sendAgain, false},
		{"unknown", refusal(protocol.CodeOutcomeUnknown), first, true, sendAgain, true},
		{"unknown, not idempotent", refusal(protocol.CodeOutcomeUnknown), first, false, failed, true},
		{"overtaken", refusal(protocol.CodeOutOfOrderSequence), behind, true, sendAgain, false},
		{"gap", refusal(protocol.CodeOutOfOrderSequence), first, true, failed, false},
		{"overtaken by the first", refusal(protocol.CodeUnknownProducer), behind, true, sendAgain, true},
		{"forgotten", refusal(protocol.CodeUnknownProducer), first, true, failed, true},
		{"fenced", refusal(protocol.CodeFencedProducer), first, true, failed, false},
		{"too large", refusal(protocol.CodeBatchTooLarge), first, true, failed, false},
		{"broken broker", refusal(protocol.CodeInternal), first, true, failed, true},
		{"a code to come", &protocol.Error{Code: 999, Retriable: true}, first, true, sendAgain, true},
	} {
		if got := judge(c.err, c.p, c.idempotent); got != c.want {
			t.Errorf("%s: verdict %d, want %d", c.name, got, c.want)
		}
		if got := mayHaveHappened(c.err); got != c.maybe {
			t.Errorf("%s: may have happened %v, want %v", c.name, got, c.maybe)
		}
	}
}
