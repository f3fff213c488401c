package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// TestRecoverPartition has a partition go on with what one replica has, and describes it so.
func TestRecoverPartition(t *testing.T) {
	b := newFakeBroker(t, topic("orders", 1))
	c := newTalk(t, b, Limits{})
	ask := func(from id.Node, accept bool, number int32) answered {
		return c.ask(&protocol.RecoverPartitionRequest{Topic: "orders", Partition: number, From: from, AcceptLoss: accept})
	}
	for _, w := range []struct {
		name string
		got  answered
		code protocol.Code
	}{
		{"without a word of loss", ask(0, false, 0), protocol.CodeInvalidRequest},
		{"no such partition", ask(0, true, 3), protocol.CodeUnknownTopic},
		{"one replica", ask(0, true, 0), protocol.CodeNotRecoverable},
	} {
		if codeOf(w.got.err) != w.code {
			t.Errorf("%s: %v", w.name, w.got.err)
		}
	}
	at := id.Partition{Topic: b.Catalog().Topic("orders").ID}
	b.apply(catalog.Assign{Partition: at, Nodes: []id.Node{testNode, 0xc3, 0xc4}, If: catalog.AnyVersion})
	a, _ := b.Catalog().Assignment(at)
	got := as[*protocol.RecoverPartitionResponse](t, ask(0xc3, true, 0))
	after, _ := b.Catalog().Assignment(at)
	want := protocol.Recovery{
		At: 5, Node: 0xc3, Survivor: a.Replicas[1].Replica, Heir: after.Replicas[0].Replica, Assigned: after.Version,
		GivenUp: []id.Replica{a.Replicas[0].Replica, a.Replicas[2].Replica}, Nodes: []id.Node{testNode, 0xc4},
	}
	if d := cmp.Diff(want, got.Recovery); d != "" {
		t.Errorf("recovery (-want +got):\n%s", d)
	}
	described := as[*protocol.DescribeTopicResponse](t, c.ask(&protocol.DescribeTopicRequest{Topic: "orders"}))
	if d := cmp.Diff([]protocol.Recovery{want}, described.Partitions[0].Recoveries); d != "" {
		t.Errorf("described (-want +got):\n%s", d)
	}
}
