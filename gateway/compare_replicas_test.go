package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// TestCompareReplicas asks for a piece, and of what is not there.
func TestCompareReplicas(t *testing.T) {
	b := newFakeBroker(t, topic("orders", 1))
	c := newTalk(t, b, Limits{})
	a, _ := b.Catalog().Assignment(id.Partition{Topic: b.Catalog().Topic("orders").ID})
	got := as[*protocol.CompareReplicasResponse](t, c.ask(&protocol.CompareReplicasRequest{Topic: "orders", From: 4}))
	want := &protocol.CompareReplicasResponse{
		TopicID: 16, From: 4, Through: 9, End: 9, Offset: -1,
		Replicas: []protocol.ComparedReplica{{Node: testNode, Replica: a.Replicas[0].Replica, Verdict: "equal", Offset: -1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := c.ask(&protocol.CompareReplicasRequest{Topic: "orders", Partition: 1}).err; codeOf(err) != protocol.CodeUnknownTopic {
		t.Error(err)
	}
}
