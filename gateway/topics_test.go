package gateway

import (
	"fmt"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

func TestATopicsLife(t *testing.T) {
	b := newFakeBroker(t)
	c := newTalk(t, b, Limits{})
	create := &protocol.CreateTopicRequest{Topic: "orders", Partitions: 3, Settings: map[string]string{"max.message.bytes": "2KiB"}}
	if diff := cmp.Diff(&protocol.CreateTopicResponse{Topic: "orders", TopicID: 16, Partitions: 3, Catalog: 2}, as[*protocol.CreateTopicResponse](t, c.ask(create))); diff != "" {
		t.Error(diff)
	}
	if got := c.ask(create).err; codeOf(got) != protocol.CodeTopicExists {
		t.Errorf("created twice: %v", got)
	}
	c.produced("orders", 1, batchOf(t, "x", 4, testStart))
	b.fail(id.Partition{Topic: 16, Number: 2}, fmt.Errorf("its disk is gone: %w", partitions.ErrUnavailable))
	described := as[*protocol.DescribeTopicResponse](t, c.ask(&protocol.DescribeTopicRequest{Topic: "orders"}))
	leader := protocol.DescribedPartition{Leader: testNode, Role: "leader", Ready: true, Term: 7, Bytes: 100, Segments: 2, Replicas: []id.Node{testNode},
		Assigned: 1, Settled: true, Members: []protocol.DescribedReplica{{Replica: 2, Node: testNode, Role: "leader", Match: 9}}}
	second, third := leader, leader
	second.Partition, second.HighWatermark = 1, 4
	second.Members = []protocol.DescribedReplica{{Replica: 3, Node: testNode, Role: "leader", Match: 9}}
	third.Settled, third.Members = false, []protocol.DescribedReplica{{Replica: 4, Node: testNode, Match: 9}}
	third.Partition, third.Role, third.Ready, third.Leader, third.Problem = 2, "stopped", false, 0, "its disk is gone: partitions: unavailable"
	want := &protocol.DescribeTopicResponse{Topic: "orders", TopicID: 16, Created: testStart, Settings: map[string]string{"max.message.bytes": "2048"},
		Partitions: []protocol.DescribedPartition{leader, second, third}}
	if diff := cmp.Diff(want, described); diff != "" {
		t.Error(diff)
	}
	alter := &protocol.AlterTopicRequest{Topic: "orders", Settings: map[string]string{"message.timestamp.type": "logappendtime"}, Unset: []string{"max.message.bytes"}}
	altered := as[*protocol.AlterTopicResponse](t, c.ask(alter))
	if diff := cmp.Diff(&protocol.AlterTopicResponse{TopicID: 16, Settings: map[string]string{"message.timestamp.type": "LogAppendTime"}}, altered); diff != "" {
		t.Error(diff)
	}
	for code, m := range map[protocol.Code]*protocol.AlterTopicRequest{
		protocol.CodeInvalidSetting: {Topic: "orders", Unset: []string{"colour"}}, protocol.CodeUnknownTopic: {Topic: "nothing", Unset: []string{"replicas"}},
		protocol.CodeTopicRecreated: {Topic: "orders", TopicID: 15, Unset: []string{"replicas"}}, protocol.CodeInvalidTopicName: {Topic: "__catalog", Unset: []string{"replicas"}},
	} {
		if got := c.ask(m).err; codeOf(got) != code {
			t.Errorf("%+v: %v, want %v", m, got, code)
		}
	}
	if got := c.ask(&protocol.DeleteTopicRequest{Topic: "orders", TopicID: 15}).err; codeOf(got) != protocol.CodeTopicRecreated {
		t.Errorf("deleted by another id: %v", got)
	}
	if got := as[*protocol.DeleteTopicResponse](t, c.ask(&protocol.DeleteTopicRequest{Topic: "orders"})); got.TopicID != 16 {
		t.Errorf("deleted %v", got.TopicID)
	}
	for _, m := range []protocol.Message{&protocol.DeleteTopicRequest{Topic: "orders"}, &protocol.DescribeTopicRequest{Topic: "orders"}} {
		if got := c.ask(m).err; codeOf(got) != protocol.CodeUnknownTopic {
			t.Errorf("%v of a deleted topic: %v", m.API(), got)
		}
	}
	if got := as[*protocol.CreateTopicResponse](t, c.ask(create)); got.TopicID != 17 {
		t.Errorf("created again as %v", got.TopicID)
	}
	if got := c.ask(&protocol.DescribeTopicRequest{Topic: "orders", TopicID: 16}).err; codeOf(got) != protocol.CodeTopicRecreated {
		t.Errorf("described by its former id: %v", got)
	}
}

// What the catalog would refuse is refused before it is proposed, and what it does refuse reaches the client.
func TestTopicsAreRefused(t *testing.T) {
	b := newFakeBroker(t)
	c := newTalk(t, b, Limits{})
	before := b.offset
	for _, w := range []struct {
		m    protocol.Message
		code protocol.Code
	}{
		{&protocol.CreateTopicRequest{Topic: "..", Partitions: 1}, protocol.CodeInvalidTopicName},
		{&protocol.CreateTopicRequest{Topic: "__mine", Partitions: 1}, protocol.CodeInvalidTopicName},
		{&protocol.CreateTopicRequest{Topic: "a b", Partitions: 1}, protocol.CodeInvalidTopicName},
		{&protocol.CreateTopicRequest{Topic: "a", Partitions: 0}, protocol.CodeInvalidPartitions},
		{&protocol.CreateTopicRequest{Topic: "a", Partitions: -5}, protocol.CodeInvalidPartitions},
		{&protocol.CreateTopicRequest{Topic: "a", Partitions: 1 << 30}, protocol.CodeInvalidPartitions},
		{&protocol.CreateTopicRequest{Topic: "a", Partitions: 1, Settings: map[string]string{"retention.ms": "7d"}}, protocol.CodeInvalidSetting},
		{&protocol.DeleteTopicRequest{Topic: "__catalog"}, protocol.CodeInvalidTopicName},
	} {
		if got := c.ask(w.m).err; codeOf(got) != w.code {
			t.Errorf("%+v: got %v, want %v", w.m, got, w.code)
		}
	}
	if b.offset != before {
		t.Errorf("%d commands were proposed", b.offset-before)
	}
	b.apply(topic("a", 1))
	b.failAll = fmt.Errorf("step-down: %w", partitions.ErrOutcomeUnknown)
	for _, m := range []protocol.Message{&protocol.CreateTopicRequest{Topic: "b", Partitions: 1}, &protocol.InitProducerRequest{}} {
		if got := c.ask(m).err; codeOf(got) != protocol.CodeOutcomeUnknown || got.Retriable {
			t.Errorf("%v: got %v", m.API(), got)
		}
	}
}

func TestMetadataAndCluster(t *testing.T) {
	c := newTalk(t, newFakeBroker(t, topic("b", 2), topic("a", 1)), Limits{})
	one := []protocol.MetadataPartition{{Partition: 0, Leader: testNode, Term: 7, Replicas: []id.Node{testNode}}}
	two := append(one[:1:1], protocol.MetadataPartition{Partition: 1, Leader: testNode, Term: 7, Replicas: []id.Node{testNode}})
	want := &protocol.MetadataResponse{Cluster: testCluster, Catalog: 3,
		Nodes:  []protocol.MetadataNode{{Node: testNode, Gateway: "127.0.0.1:9642", Alive: true}, {Node: 0xb2, Gateway: "127.0.0.1:9742"}},
		Topics: []protocol.MetadataTopic{{Topic: "a", TopicID: 17, Partitions: one}, {Topic: "b", TopicID: 16, Partitions: two}}}
	if diff := cmp.Diff(want, as[*protocol.MetadataResponse](t, c.ask(&protocol.MetadataRequest{}))); diff != "" {
		t.Error(diff)
	}
	got := as[*protocol.MetadataResponse](t, c.ask(&protocol.MetadataRequest{Topics: []string{"__catalog", "none"}})).Topics
	if got[0].TopicID != 1 || len(got[0].Partitions) != 1 || codeOf(got[1].Err) != protocol.CodeUnknownTopic {
		t.Errorf("got %+v", got)
	}
	cluster := as[*protocol.DescribeClusterResponse](t, c.ask(&protocol.DescribeClusterRequest{}))
	if diff := cmp.Diff(&protocol.DescribeClusterResponse{Cluster: testCluster, Self: testNode, Catalog: 3, Topics: 2, Partitions: 3,
		Nodes: []protocol.ClusterNode{
			{Node: testNode, Gateway: "127.0.0.1:9642", Version: "1.2.3", Alive: true, Problems: []string{"t16/0 is slow"}, State: "active", Replicas: 4, Leaders: 4},
			{Node: 0xb2, Gateway: "127.0.0.1:9742", Version: "1.2.3"}}}, cluster); diff != "" {
		t.Error(diff)
	}
	if now := as[*protocol.PingResponse](t, c.ask(&protocol.PingRequest{})).Now; now != testStart {
		t.Errorf("ping says it is %d", now)
	}
	if p := as[*protocol.InitProducerResponse](t, c.ask(&protocol.InitProducerRequest{})); p.Producer != 4001 {
		t.Errorf("got producer %d", p.Producer)
	}
}

func TestListOffsets(t *testing.T) {
	b := newFakeBroker(t, topic("a", 2))
	c := newTalk(t, b, Limits{})
	for i := range 3 {
		c.produced("a", 0, batchOf(t, "x", 2, testStart+id.Timestamp(i*10)))
	}
	b.fail(id.Partition{Topic: 16, Number: 1}, partitions.ErrNotReady)
	ask := func(at protocol.OffsetAt, when id.Timestamp) protocol.OffsetPartition {
		return protocol.OffsetPartition{Topic: "a", At: at, Time: when}
	}
	r := &protocol.ListOffsetsRequest{Partitions: []protocol.OffsetPartition{
		ask(protocol.OffsetEarliest, -1), ask(protocol.OffsetLatest, -1), ask(protocol.OffsetAtTime, testStart+5), ask(protocol.OffsetAtTime, testStart+50),
		{Topic: "a", Partition: 1}, {Topic: "a", Partition: 2}, {Topic: "a", TopicID: 9}}}
	got := as[*protocol.ListOffsetsResponse](t, c.ask(r)).Partitions
	var offsets []id.Offset
	var codes []protocol.Code
	for _, p := range got {
		offsets, codes = append(offsets, p.Offset), append(codes, codeOf(p.Err))
	}
	if diff := cmp.Diff([]id.Offset{0, 6, 2, 6, -1, -1, -1}, offsets); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]protocol.Code{0, 0, 0, 0, protocol.CodeNotReady, protocol.CodeUnknownTopic, protocol.CodeTopicRecreated}, codes); diff != "" {
		t.Error(diff)
	}
	if got[2].Time != testStart+10 || got[3].Time != protocol.NoTimestamp {
		t.Errorf("times %d and %d", got[2].Time, got[3].Time)
	}
}

// A response that no frame holds is refused, and the client told what to do.
func TestResponsesAreBoundedByFrames(t *testing.T) {
	c := newTalk(t, newFakeBroker(t, topic("a", 1000)), Limits{FrameBytes: 20_000})
	a := c.ask(&protocol.MetadataRequest{})
	if codeOf(a.err) != protocol.CodeInvalidRequest || a.frame > 20_000 {
		t.Errorf("got %v in a frame of %d bytes", a.err, a.frame)
	}
}
