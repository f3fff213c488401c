package client

import (
	"bytes"
	"errors"
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
		b.fault = func(n int, _ *protocol.ProduceRequest) fault {
			if n == 3 {
				return fault{code: protocol.CodeBatchTooLarge}
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
