package troupetest_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/gateway/troupetest"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

func TestProduceExpect(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithTopic("t", 2))
	c := broker.Client(t)
	records := func(values ...string) (all []*client.Record) {
		for _, v := range values {
			all = append(all, &client.Record{Value: []byte(v)})
		}
		return all
	}
	first := records("a", "b")
	if err := c.ProduceExpect(t.Context(), "t", 1, 0, first...); err != nil {
		t.Fatal(err)
	}
	if first[1].Offset != 1 || first[1].Partition != 1 {
		t.Errorf("the second record is at %d/%d", first[1].Partition, first[1].Offset)
	}
	for _, end := range []id.Offset{0, 1, 3, 1000} {
		err := c.ProduceExpect(t.Context(), "t", 1, end, records("no")...)
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Code() != protocol.CodeOffsetMismatch || refused.Cause.Details.LogEnd != 2 || refused.Retriable() {
			t.Errorf("expecting %d: %v", end, err)
		}
	}
	// Refusals leave no gap, and other batches do not disturb.
	if err := c.ProduceSync(t.Context(), (&client.Record{Topic: "t", Value: []byte("c")}).ToPartition(1)); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceExpect(t.Context(), "t", 1, 3, records("d")...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, consume(t, c, "t", 4)[""]); diff != "" {
		t.Error(diff)
	}
	for name, err := range map[string]error{
		"no such partition": c.ProduceExpect(t.Context(), "t", 2, 0, records("x")...),
		"negative end":      c.ProduceExpect(t.Context(), "t", 0, -1, records("x")...),
		"no records":        c.ProduceExpect(t.Context(), "t", 0, 0),
		"no such topic":     c.ProduceExpect(t.Context(), "none", 0, 0, records("x")...),
		"too large":         c.ProduceExpect(t.Context(), "t", 0, 0, &client.Record{Value: make([]byte, 2<<20)}),
	} {
		if err == nil || errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Writers who each append only where they have read to, over connections that lose answers: everyone's records are there
// once, and whoever was told "appended" has appended.
func TestExpectationsUnderContentionAndLoss(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithTopic("t", 1))
	const writers, each = 4, 25
	var all sync.WaitGroup
	want := make([]string, writers*each)
	var mu sync.Mutex
	for w := range writers {
		c := broker.Client(t, client.WithDialer(lossy()))
		all.Go(func() {
			end := id.Offset(0)
			for i := 0; i < each; {
				value := fmt.Sprintf("%d-%d", w, i)
				err := c.ProduceExpect(t.Context(), "t", 0, end, &client.Record{Value: []byte(value)})
				var refused *client.Error
				switch {
				case err == nil:
					mu.Lock()
					want[end] = value
					mu.Unlock()
					i++
					end++
				case errors.As(err, &refused) && refused.Code() == protocol.CodeOffsetMismatch:
					end = refused.Cause.Details.LogEnd
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff(want, consume(t, broker.Client(t), "t", writers*each)[""]); diff != "" {
		t.Error(diff)
	}
}
