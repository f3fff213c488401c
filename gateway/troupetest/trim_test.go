package troupetest_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/gateway/troupetest"
	"troupe/partitions/id"
)

// TestDeleteRecords frees the disk of what it deletes, and it stays deleted over a restart.
func TestDeleteRecords(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithTopic("events", 2))
	c := broker.Client(t)
	random := rand.NewChaCha8([32]byte{1})
	value := make([]byte, 100<<10)
	const records = 100 // 10 MB: five segments
	for range records {
		_, _ = random.Read(value)
		if err := c.ProduceSync(t.Context(), (&client.Record{Topic: "events", Value: value}).ToPartition(1)); err != nil {
			t.Fatal(err)
		}
	}
	before, err := c.DescribeTopic(t.Context(), "events")
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := c.DeleteRecords(t.Context(), "events", map[int32]id.Offset{1: 90, 0: 0})
	if err != nil || len(deleted) != 2 || deleted[1].Partition != 1 || deleted[1].LogStart != 90 || deleted[1].HighWatermark != records {
		t.Fatalf("deleted %+v (%v)", deleted, err)
	}
	if _, err := c.DeleteRecords(t.Context(), "events", map[int32]id.Offset{1: records + 1}); !errors.Is(err, protocol.CodeOffsetOutOfRange) {
		t.Fatalf("beyond the end: %v", err)
	}
	broker.Restart(t)
	after, err := c.DescribeTopic(t.Context(), "events")
	if err != nil {
		t.Fatal(err)
	}
	if was, is := before.Partitions[1], after.Partitions[1]; is.Segments > 2 || is.Bytes > was.Bytes/3 || is.LogStart != 90 {
		t.Fatalf("before: %+v\nafter: %+v", was, is)
	}
	if err := c.Consume(t.Context(), "events", client.FromStart()); err != nil {
		t.Fatal(err)
	}
	for next := id.Offset(90); next < records; {
		fetches := c.Poll(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for r := range fetches.Records() {
			if r.Offset != next {
				t.Fatalf("offset %d, want %d", r.Offset, next)
			}
			next++
		}
	}
}
