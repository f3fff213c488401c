package troupetest_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/gateway/troupetest"
	"troupe/partitions/id"
)

// A writer and a reader work on while the leader of everything is killed, and comes back: what was acknowledged is read, each
// record once and in order.
func TestLeaderIsKilledUnderLoad(t *testing.T) {
	cluster := troupetest.StartCluster(t, 3)
	c := cluster.Client(t)
	if _, err := c.CreateTopic(t.Context(), "orders", 3, map[string]string{"replicas": "3"}); err != nil {
		t.Fatal(err)
	}
	const records = 3000
	produce := func(from, to int) {
		for i := from; i < to; i++ {
			r := &client.Record{Topic: "orders", Key: fmt.Append(nil, i%10), Value: fmt.Append(nil, i)}
			if err := c.Produce(t.Context(), r, func(_ *client.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce(0, 1000)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	leader := cluster.Leader("orders", 0)
	if leader < 0 {
		t.Fatal("nobody has heard of a leader")
	}
	start := time.Now()
	cluster.Kill(t, leader)
	produce(1000, 2000)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("1,000 records written %v after the leader was killed", time.Since(start))
	cluster.Start(t, leader)
	produce(2000, records)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends, err := c.ListOffsets(t.Context(), "orders", client.FromEnd())
	if err != nil {
		t.Fatal(err)
	}
	if n := ends[0].Offset + ends[1].Offset + ends[2].Offset; n != records {
		t.Errorf("the partitions hold %d records of %d", n, records)
	}
	got := consume(t, cluster.Client(t), "orders", records)
	for key, values := range got {
		for i, v := range values {
			if want := fmt.Sprint(i*10 + int(key[0]-'0')); v != want {
				t.Fatalf("key %s, record %d: %s, want %s", key, i, v, want)
			}
		}
	}
}

// A partition moves to other brokers while it is written, by way of a broker that holds nothing of it; nothing is lost, and
// the client goes where the partition goes.
func TestPartitionMovesUnderLoad(t *testing.T) {
	cluster := troupetest.StartCluster(t, 4)
	c := cluster.Client(t)
	if _, err := c.CreateTopic(t.Context(), "orders", 1, map[string]string{"replicas": "3"}); err != nil {
		t.Fatal(err)
	}
	described := func() protocol.DescribedPartition {
		topic, err := c.DescribeTopic(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		return topic.Partitions[0]
	}
	status, err := c.DescribeCluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := described()
	var outside id.Node
	for _, n := range status.Nodes {
		if n.Node != before.Replicas[0] && n.Node != before.Replicas[1] && n.Node != before.Replicas[2] {
			outside = n.Node
		}
	}
	written := 0
	produce := func(n int) {
		for range n {
			r := &client.Record{Topic: "orders", Value: fmt.Append(nil, written)}
			if err := c.Produce(t.Context(), r, func(_ *client.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			}); err != nil {
				t.Fatal(err)
			}
			written++
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	produce(100)
	request := &protocol.AssignReplicasRequest{Topic: "orders", Nodes: []id.Node{outside, before.Replicas[1], before.Replicas[2]}, If: before.Assigned}
	moved, err := c.AssignReplicas(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AssignReplicas(t.Context(), request); !errors.Is(err, protocol.CodeAssignmentChanged) {
		t.Errorf("made from an assignment that is no more: %v", err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		produce(10)
		p := described()
		if p.Assigned == moved.Assigned && p.Settled && p.Ready {
			if len(p.Members) != 3 || p.Members[0].Node != outside {
				t.Errorf("arrived as %+v", p.Members)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still moving: %+v", p)
		}
	}
	produce(100)
	if got := consume(t, cluster.Client(t), "orders", written)[""]; len(got) != written || got[written-1] != fmt.Sprint(written-1) {
		t.Errorf("%d records of %d", len(got), written)
	}
}
