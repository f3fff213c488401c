package client

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"troupe/gateway/protocol"
)

func TestBadOptions(t *testing.T) {
	for name, option := range map[string]Option{
		"no broker":            WithBroker(),
		"no dialer":            WithDialer(nil),
		"linger below 0":       WithLinger(-1),
		"linger over delivery": WithLinger(time.Hour),
		"batch of nothing":     WithBatchBytes(0),
		"buffer below batch":   WithBufferBytes(1000),
		"no delivery timeout":  WithDeliveryTimeout(0),
		"acks":                 WithAcks(3),
		"codec":                WithCompression(9),
		"fetch wait":           WithFetchWait(time.Hour),
	} {
		if _, err := New(option); !errors.Is(err, ErrOption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPing(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		c := b.client(t)
		if took, err := c.Ping(t.Context()); err != nil || took != 0 {
			t.Fatal(took, err)
		}
		b.mu.Lock()
		b.down = true
		b.mu.Unlock()
		b.cutAll()
		<-time.After(time.Second)
		_, err := c.Ping(t.Context())
		if !errors.Is(err, ErrUnreachable) || !Retriable(err) || !strings.Contains(err.Error(), "fake:1") {
			t.Fatalf("broker away: %v", err)
		}
	})
}

// Any broker of the list will do, and one that is away is tried last afterwards.
func TestSecondBrokerServes(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		var tried []string
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			tried = append(tried, address)
			if address == "away:1" {
				return nil, errors.New("connection refused")
			}
			return b.dial(ctx, network, address)
		}
		c := b.client(t, WithBroker("away:1", "fake:1"), WithDialer(dial))
		for range 3 {
			if _, err := c.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(tried, " "); got != "away:1 fake:1" {
			t.Errorf("tried %s", got)
		}
	})
}

// A request that changes something is not sent again when its answer was lost.
func TestLostAnswerToCreateTopicIsUnknown(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		requests := 0
		dial := func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			s := &fakeSession{broker: b, conn: ours, over: make(chan struct{})}
			go func() {
				payload, _ := protocol.ReadFrame(ours, protocol.DefaultFrameBytes)
				h, _, _ := protocol.ParseRequest(payload)
				s.handle(h.Correlation, new(protocol.HelloRequest))
				_, _ = protocol.ReadFrame(ours, protocol.DefaultFrameBytes)
				requests++
				_ = ours.Close()
			}()
			return theirs, nil
		}
		c := b.client(t, WithDialer(dial))
		_, err := c.CreateTopic(t.Context(), "new", 1, nil)
		if !errors.Is(err, ErrOutcomeUnknown) || requests != 1 {
			t.Fatalf("%d requests: %v", requests, err)
		}
		if _, err := c.DescribeTopic(t.Context(), "t"); err == nil || requests < 3 {
			t.Errorf("a question is asked again: %d requests, %v", requests, err)
		}
	})
}

func TestContextEndsAWait(t *testing.T) {
	story(t, func(t *testing.T) {
		b := newFakeBroker("t", 1)
		b.fault = func(int, *protocol.ProduceRequest) fault { return fault{silent: true} }
		c := b.client(t)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := c.ProduceSync(ctx, &Record{Topic: "t"})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrOutcomeUnknown) {
			t.Error(err)
		}
		if err := c.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
