package gateway

import (
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// TestDrainAndDismiss empties brokers and lets them go, and is told what cannot be.
func TestDrainAndDismiss(t *testing.T) {
	b := newFakeBroker(t, topic("orders", 2))
	c := newTalk(t, b, Limits{})
	for _, n := range []id.Node{testNode, 0xc3} {
		b.apply(catalog.Enlist{Node: n, Rack: "north"})
	}
	state := func() catalog.NodeState { return b.Catalog().Nodes[0xc3].State }
	as[*protocol.DrainNodeResponse](t, c.ask(&protocol.DrainNodeRequest{Node: 0xc3, On: true}))
	if state() != catalog.Draining {
		t.Errorf("drained: %v", state())
	}
	as[*protocol.DrainNodeResponse](t, c.ask(&protocol.DrainNodeRequest{Node: 0xc3}))
	if state() != catalog.Active {
		t.Errorf("filled again: %v", state())
	}
	as[*protocol.DismissNodeResponse](t, c.ask(&protocol.DismissNodeRequest{Node: 0xc3}))
	if state() != catalog.Gone {
		t.Errorf("dismissed: %v", state())
	}
	for _, w := range []struct {
		m    protocol.Message
		code protocol.Code
	}{
		{&protocol.DrainNodeRequest{Node: 0xff, On: true}, protocol.CodeUnknownBroker},
		{&protocol.DrainNodeRequest{Node: 0xc3, On: true}, protocol.CodeUnknownBroker},
		{&protocol.DrainNodeRequest{Node: testNode, On: true}, protocol.CodeBrokerInUse},
		{&protocol.DismissNodeRequest{Node: testNode}, protocol.CodeBrokerInUse},
	} {
		if got := c.ask(w.m).err; codeOf(got) != w.code {
			t.Errorf("%+v: %v, want %v", w.m, got, w.code)
		}
	}
}
