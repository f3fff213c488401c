package gateway

import (
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// Each partition has its own answer: moved, there already, out of range, refused.
func TestDeleteRecords(t *testing.T) {
	b := newFakeBroker(t, topic("orders", 4))
	c := newTalk(t, b, Limits{})
	for p := range int32(4) {
		c.produced("orders", p, batchOf(t, "x", 4, testStart))
	}
	b.fail(id.Partition{Topic: catalog.FirstUserTopic, Number: 3}, partitions.ErrOutcomeUnknown)
	ask := func(topic string, life id.TopicID, n int32, before id.Offset) protocol.DeletePartition {
		return protocol.DeletePartition{Topic: topic, TopicID: life, Partition: n, Before: before}
	}
	got := as[*protocol.DeleteRecordsResponse](t, c.ask(&protocol.DeleteRecordsRequest{Partitions: []protocol.DeletePartition{
		ask("orders", 0, 0, 3), ask("orders", 0, 1, protocol.EverythingSoFar), ask("orders", 0, 2, 5), ask("orders", 0, 3, 1),
		ask("orders", 0, 4, 1), ask("nothing", 0, 0, 1), ask("orders", 99, 0, 1), ask("__catalog", 0, 0, 1), ask("orders", 0, 0, 1),
	}})).Partitions
	codes := make([]protocol.Code, len(got))
	for i, p := range got {
		if p.Err != nil {
			codes[i] = p.Err.Code
		}
	}
	want := []protocol.Code{0, 0, protocol.CodeOffsetOutOfRange, protocol.CodeOutcomeUnknown, protocol.CodeUnknownTopic,
		protocol.CodeUnknownTopic, protocol.CodeTopicRecreated, protocol.CodeInvalidTopicName, 0}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Fatalf("codes (-want +got):\n%s", diff)
	}
	for i, start := range map[int]id.Offset{0: 3, 1: 4, 8: 3} {
		if got[i].LogStart != start || got[i].HighWatermark != 4 || got[i].Term != 7 || got[i].TopicID != catalog.FirstUserTopic {
			t.Errorf("partition %d: %+v", i, got[i])
		}
	}
	if e := got[2].Err; e.Details.Asked != 5 || e.Details.LogEnd != 4 {
		t.Errorf("out of range: %+v", e)
	}
}
