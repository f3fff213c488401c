package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/id"
)

// TestPlanMoves names the topics of what is to move.
func TestPlanMoves(t *testing.T) {
	b := newFakeBroker(t, topic("orders", 1))
	c := newTalk(t, b, Limits{})
	want := &protocol.PlanMovesResponse{Away: []id.Node{0xb2}, Held: []protocol.PlannedMove{
		{Topic: "orders", TopicID: 16, Assigned: 3, From: []id.Node{testNode}, To: []id.Node{0xb2}, Why: "balance"},
	}}
	if diff := cmp.Diff(want, as[*protocol.PlanMovesResponse](t, c.ask(&protocol.PlanMovesRequest{}))); diff != "" {
		t.Error(diff)
	}
	b.failAll = partitions.ErrNotReady
	if err := c.ask(&protocol.PlanMovesRequest{}).err; codeOf(err) != protocol.CodeNotReady {
		t.Error(err)
	}
}
