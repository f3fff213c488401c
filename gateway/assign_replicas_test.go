package gateway

import (
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

func TestAssignReplicas(t *testing.T) {
	b := newFakeBroker(t, topic("orders", 2))
	c := newTalk(t, b, Limits{})
	for _, n := range []id.Node{0xc3, 0xd4} {
		b.apply(catalog.Enlist{Node: n, Rack: "north"})
	}
	three := &protocol.AssignReplicasRequest{Topic: "orders", Partition: 1, Nodes: []id.Node{0xb2, testNode, 0xc3}, If: 1}
	want := &protocol.AssignReplicasResponse{TopicID: 16, Assigned: 4, Replicas: []id.Node{0xb2, testNode, 0xc3}}
	if diff := cmp.Diff(want, as[*protocol.AssignReplicasResponse](t, c.ask(three))); diff != "" {
		t.Error(diff)
	}
	for _, w := range []struct {
		m    *protocol.AssignReplicasRequest
		code protocol.Code
	}{
		{three, protocol.CodeAssignmentChanged},
		{&protocol.AssignReplicasRequest{Topic: "none", Nodes: []id.Node{testNode}, If: -1}, protocol.CodeUnknownTopic},
		{&protocol.AssignReplicasRequest{Topic: "orders", Partition: 2, Nodes: []id.Node{testNode}, If: -1}, protocol.CodeUnknownTopic},
		{&protocol.AssignReplicasRequest{Topic: "orders", TopicID: 15, Nodes: []id.Node{testNode}, If: -1}, protocol.CodeTopicRecreated},
		{&protocol.AssignReplicasRequest{Topic: "orders", Nodes: []id.Node{0xee}, If: -1}, protocol.CodeUnknownBroker},
		{&protocol.AssignReplicasRequest{Topic: "orders", Nodes: []id.Node{testNode, 0xb2}, If: -1}, protocol.CodeInvalidAssignment},
	} {
		if got := c.ask(w.m).err; codeOf(got) != w.code {
			t.Errorf("%+v: %v, want %v", w.m, got, w.code)
		}
	}
	nodes := as[*protocol.DescribeClusterResponse](t, c.ask(&protocol.DescribeClusterRequest{})).Nodes
	wantNodes := []protocol.ClusterNode{
		{Node: testNode, Gateway: "127.0.0.1:9642", Version: "1.2.3", Alive: true, Problems: []string{"t16/0 is slow"}, State: "active", Replicas: 3, Leaders: 3},
		{Node: 0xb2, Gateway: "127.0.0.1:9742", Version: "1.2.3", Replicas: 1},
		{Node: 0xc3, State: "active", Rack: "north", Replicas: 1, AgeMillis: -1},
		{Node: 0xd4, State: "active", Rack: "north", AgeMillis: -1},
	}
	if diff := cmp.Diff(wantNodes, nodes); diff != "" {
		t.Error(diff)
	}
}

// Where a broker has heard of a leader, clients are sent there; where it has not, they are sent to a guess that says so.
func TestMetadataTellsTheLeader(t *testing.T) {
	b := newFakeBroker(t, topic("orders", 1))
	c := newTalk(t, b, Limits{})
	told := func() protocol.MetadataPartition {
		return as[*protocol.MetadataResponse](t, c.ask(&protocol.MetadataRequest{Topics: []string{"orders"}})).Topics[0].Partitions[0]
	}
	b.leads = map[id.Partition]id.Node{{Topic: 16}: 0xb2}
	if diff := cmp.Diff(protocol.MetadataPartition{Leader: 0xb2, Term: 8, Replicas: []id.Node{testNode}}, told()); diff != "" {
		t.Error(diff)
	}
	b.leads[id.Partition{Topic: 16}] = 0
	if diff := cmp.Diff(protocol.MetadataPartition{Leader: testNode, Replicas: []id.Node{testNode}}, told()); diff != "" {
		t.Error(diff)
	}
}

func TestMembersAreDescribed(t *testing.T) {
	at := func(r id.Replica) partitions.Placed { return partitions.Placed{Replica: r, Node: id.Node(r)} }
	a := catalog.Assignment{Replicas: []partitions.Placed{at(1), at(2), at(5), at(6)}, Leaving: []partitions.Placed{at(3)}}
	st := partitions.Status{
		Replica: 1, Leader: 1, Last: 90, Voters: []partitions.Placed{at(1), at(2), at(3), at(4)}, Learners: []partitions.Placed{at(5)},
		Peers: []partitions.PeerStatus{
			{Placed: at(2), Match: 88, Active: true, State: "replicate"}, {Placed: at(3), Match: 7, State: "probe"},
			{Placed: at(5), Match: 5, Active: true, State: "snapshot", Learner: true},
		},
	}
	want := []protocol.DescribedReplica{
		{Replica: 1, Node: 1, Role: "leader", Match: 90},
		{Replica: 2, Node: 2, Role: "voter", State: "replicate", Match: 88},
		{Replica: 5, Node: 5, Role: "learner", State: "snapshot", Match: 5},
		{Replica: 6, Node: 6, Role: "joining"},
		{Replica: 3, Node: 3, Role: "leaving", State: "away", Match: 7},
		{Replica: 4, Node: 4, Role: "leaving"}, // of a configuration older than the assignment
	}
	if diff := cmp.Diff(want, members(a, st)); diff != "" {
		t.Error(diff)
	}
}
