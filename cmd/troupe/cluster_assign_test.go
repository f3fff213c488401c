package main

import (
	"bytes"
	"strings"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// TestClusterPartitionsAndAssign looks at a broker's partitions, assigns one to where it is, and meets every refusal.
func TestClusterPartitionsAndAssign(t *testing.T) {
	gateway := broker(t).Gateway
	at := "--broker=127.0.0.1:1," + gateway // nobody listens at the first
	must(t, "", "topic", "create", "pets", "--partitions", "2", at)
	var status struct{ Nodes []jsonNode }
	decode(t, must(t, "", "cluster", "status", "--output", "json", at), &status)
	node := status.Nodes[0]
	if node.State != "active" || node.Replicas != 3 || node.Leaders != 3 {
		t.Errorf("broker %+v", node)
	}
	var listed []struct {
		Topic     string
		Partition int
		Settled   bool
		Members   []jsonMember
	}
	decode(t, must(t, "", "cluster", "partitions", "--output", "json", at), &listed)
	if len(listed) != 3 || listed[0].Topic != "__catalog" || !listed[2].Settled || len(listed[2].Members) != 1 || listed[2].Members[0].Role != "leader" {
		t.Errorf("partitions %+v", listed)
	}
	for _, c := range []struct {
		name, line    string
		code          int
		out, problems string
	}{
		{"partitions", "cluster partitions pets", exitFine, node.Node[:leastDigits], ""},
		{"nothing moves", "cluster partitions --unsettled", exitFine, "", "All of the 3 partitions"},
		{"no such topic", "cluster partitions dogs", exitFailed, "", "dogs"},
		{"to where it is", "cluster assign pets/1 --nodes " + node.Node[:leastDigits] + " --wait", exitFine, "pets/1 has arrived on 1 broker", ""},
		{"without waiting", "cluster assign pets/1 --nodes " + node.Node, exitFine, "tells how far it is", ""},
		{"without brokers", "cluster assign pets/1", exitUsage, "", "--nodes"},
		{"no partition", "cluster assign pets --nodes " + node.Node, exitUsage, "", "TOPIC/N"},
		{"a broker nobody knows", "cluster assign pets/1 --nodes xyz", exitUsage, "", "cluster status"},
		{"one that is not there", "cluster assign pets/7 --nodes " + node.Node, exitFailed, "", "UNKNOWN_TOPIC_OR_PARTITION"},
		{"a broker twice", "cluster assign pets/1 --nodes " + strings.Repeat(node.Node+",", 2) + node.Node, exitFailed, "", "INVALID_ASSIGNMENT"},
		{"made from another assignment", "cluster assign pets/1 --if 77 --nodes " + node.Node, exitFailed, "", "cluster partitions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := troupe(t, "", append(strings.Fields(c.line), at)...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || !strings.Contains(got.problems, c.problems) {
				t.Errorf("troupe %s: exit %d\n%s%s\nwant exit %d with %q and %q", c.line, got.code, got.out, got.problems, c.code, c.out, c.problems)
			}
		})
	}
}

// TestReplicasAreShown shows partitions whose replicas move, or are away.
func TestReplicasAreShown(t *testing.T) {
	const a, b, c, d = id.Node(0xaaaa1 << 44), id.Node(0xaaaa2 << 44), id.Node(0xcccc << 48), id.Node(0xdddd << 48)
	member := func(n id.Node, role, state string) protocol.DescribedReplica {
		return protocol.DescribedReplica{Replica: 1, Node: n, Role: role, State: state}
	}
	topic := &protocol.DescribeTopicResponse{Topic: "pets", Partitions: []protocol.DescribedPartition{
		{Leader: a, Role: "leader", Settled: true, Replicas: []id.Node{a, b, c},
			Members: []protocol.DescribedReplica{member(a, "leader", ""), member(b, "voter", "replicate"), member(c, "voter", "replicate")}},
		{Partition: 1, Leader: a, Role: "leader", Settled: true, Replicas: []id.Node{a, b, c},
			Members: []protocol.DescribedReplica{member(a, "leader", ""), member(b, "voter", "away"), member(c, "voter", "replicate")}},
		{Partition: 2, Leader: b, Role: "leader", Assigned: 9, Replicas: []id.Node{b, c, d}, Members: []protocol.DescribedReplica{
			member(b, "leader", ""), member(c, "learner", "snapshot"), member(d, "joining", ""), member(a, "leaving", "replicate")}},
		{Partition: 3, Role: "follower", Settled: true, Replicas: []id.Node{a}},
		{Partition: 4, Role: "stopped", Problem: "stopped, a bug", Replicas: []id.Node{d}},
	}}
	var out bytes.Buffer
	s := &session{output: "table", out: &out, problems: &out}
	if err := s.clusterPartitions([]*protocol.DescribeTopicResponse{topic}, true); err != nil {
		t.Fatal(err)
	}
	want := `TOPIC  PARTITION  LEADER            REPLICAS                                                    ASSIGNED  STATE
pets   1          aaaa100000000000  aaaa1 aaaa2 (away) cccc0                                    0         leader, 1 of 3 away
pets   2          aaaa200000000000  aaaa2 cccc0 (learner, snapshot) dddd0 (joining) aaaa1 (leaving)  9         leader, moving
pets   3          none              aaaa1                                                       0         follower, no leader
pets   4          none              dddd0                                                       0         stopped: a bug
`
	squeeze := func(text string) []string {
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i] = strings.Join(strings.Fields(lines[i]), " ")
		}
		return lines
	}
	if diff := cmp.Diff(squeeze(want), squeeze(out.String())); diff != "" {
		t.Error(diff)
	}
}

// TestBrokersAreFoundByTheirFirstDigits names brokers the way people do.
func TestBrokersAreFoundByTheirFirstDigits(t *testing.T) {
	nodes := []protocol.ClusterNode{{Node: 0xabc1 << 48}, {Node: 0xabc2 << 48}, {Node: 0xd << 60}}
	for digits, want := range map[string]id.Node{"abc1": 0xabc1 << 48, "ABC2": 0xabc2 << 48, "d": 0xd << 60, "abc": 0, "e": 0, "": 0} {
		if got, err := findNode(digits, nodes); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %v, %v", digits, got, err)
		}
	}
}
