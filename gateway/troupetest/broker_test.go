package troupetest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/gateway/troupetest"
	"troupe/partitions/batch"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// consume reads a topic from its start until n records have come, and returns the values per key.
func consume(t *testing.T, c *client.Client, topic string, n int) map[string][]string {
	t.Helper()
	if err := c.Consume(t.Context(), topic, client.FromStart()); err != nil {
		t.Fatal(err)
	}
	values, next := map[string][]string{}, map[int32]id.Offset{}
	for got := 0; got < n; {
		fetches := c.Poll(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for r := range fetches.Records() {
			if r.Offset != next[r.Partition] {
				t.Fatalf("partition %d: offset %d, expected %d", r.Partition, r.Offset, next[r.Partition])
			}
			next[r.Partition]++
			values[string(r.Key)] = append(values[string(r.Key)], string(r.Value))
			got++
		}
	}
	return values
}

func TestRoundTripWithEveryCodec(t *testing.T) {
	broker := troupetest.Start(t)
	for _, codec := range []batch.Codec{batch.None, batch.Gzip, batch.Snappy, batch.LZ4, batch.Zstd} {
		topic := "with-" + codec.String()
		c := broker.Client(t, client.WithCompression(codec))
		if _, err := c.CreateTopic(t.Context(), topic, 3, nil); err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{}
		for i := range 1000 {
			r := &client.Record{Topic: topic, Key: fmt.Append(nil, i%10), Value: fmt.Appendf(nil, "value %d", i),
				Headers: []client.Header{{Key: "h", Value: []byte("1")}}}
			want[string(r.Key)] = append(want[string(r.Key)], string(r.Value))
			if err := c.Produce(t.Context(), r, func(_ *client.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, consume(t, c, topic, 1000)); d != "" {
			t.Errorf("%v: %s", codec, d)
		}
	}
}

// Records produced while the broker restarts again and again are there once, in order per key.
func TestRestartsLoseAndRepeatNothing(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithTopic("t", 4))
	c := broker.Client(t, client.WithLinger(0))
	const keys, each, restarts = 8, 400, 4
	want := map[string][]string{}
	for i := range keys * each {
		r := &client.Record{Topic: "t", Key: fmt.Append(nil, i%keys), Value: fmt.Append(nil, i)}
		want[string(r.Key)] = append(want[string(r.Key)], string(r.Value))
		if err := c.Produce(t.Context(), r, func(_ *client.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if i%(keys*each/restarts) == keys*each/restarts/2 {
			broker.Restart(t)
		}
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, consume(t, broker.Client(t), "t", keys*each)); d != "" {
		t.Error(d)
	}
}

// lossy opens connections that break when an answer arrives, each after a few more answers than the one before.
func lossy() client.Dialer {
	var opened atomic.Int64
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &lossyConn{Conn: conn, reads: 2 + opened.Add(1)%7}, err
	}
}

type lossyConn struct {
	net.Conn
	reads int64
}

// Read throws away what the last permitted read brings.
func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.reads--; c.reads <= 0 && err == nil {
		return 0, errors.New("connection reset")
	}
	return n, err
}

// Answers get lost between append and acknowledgement; what was appended is recognised.
func TestLostAnswersNeitherDuplicateNorReorder(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithTopic("t", 2))
	c := broker.Client(t, client.WithDialer(lossy()), client.WithBatchBytes(1))
	want := map[string][]string{}
	for i := range 400 {
		r := &client.Record{Topic: "t", Key: fmt.Append(nil, i%4), Value: fmt.Append(nil, i)}
		want[string(r.Key)] = append(want[string(r.Key)], string(r.Value))
		if err := c.Produce(t.Context(), r, func(_ *client.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	reader := broker.Client(t)
	if d := cmp.Diff(want, consume(t, reader, "t", 400)); d != "" {
		t.Error(d)
	}
	ends, err := reader.ListOffsets(t.Context(), "t", client.FromEnd())
	if err != nil || ends[0].Offset+ends[1].Offset != 400 {
		t.Errorf("%+v, %v", ends, err)
	}
}

// Without idempotence records are acknowledged too, and AcksNone tells no offset.
func TestOtherAcks(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithTopic("t", 1))
	for i, acks := range []protocol.Acks{protocol.AcksLeader, protocol.AcksNone} {
		c := broker.Client(t, client.WithAcks(acks))
		for k := range 10 {
			r := &client.Record{Topic: "t", Key: []byte("k"), Value: fmt.Append(nil, i*10+k)}
			if err := c.ProduceSync(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if told := r.Offset != client.NoOffset; told != (acks == protocol.AcksLeader) {
				t.Errorf("acks %d: offset %d", acks, r.Offset)
			}
		}
	}
	got := consume(t, broker.Client(t), "t", 20)["k"]
	if len(got) != 20 || got[0] != "0" || got[19] != "19" {
		t.Errorf("%v", got)
	}
}

// A consumer that waits at the end goes on where it was after a restart.
func TestConsumerOutlivesARestart(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithTopic("t", 2))
	reader, writer := broker.Client(t), broker.Client(t)
	if err := reader.Consume(t.Context(), "t", client.FromEnd()); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		r := (&client.Record{Topic: "t", Value: fmt.Append(nil, round)}).ToPartition(1)
		if err := writer.ProduceSync(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if r.Offset != id.Offset(round) {
			t.Errorf("round %d: offset %d", round, r.Offset)
		}
		var got []string
		for len(got) == 0 {
			for r := range reader.Poll(t.Context()).Records() {
				got = append(got, string(r.Value))
			}
		}
		if d := cmp.Diff([]string{fmt.Sprint(round)}, got); d != "" {
			t.Error(d)
		}
		broker.Restart(t)
	}
}

func TestAdministration(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithTopic("orders", 3))
	c := broker.Client(t)
	if _, err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateTopic(t.Context(), "orders", 3, nil); !errors.Is(err, protocol.CodeTopicExists) {
		t.Errorf("created twice: %v", err)
	}
	if _, err := c.CreateTopic(t.Context(), "no/name", 3, nil); !errors.Is(err, protocol.CodeInvalidTopicName) {
		t.Errorf("bad name: %v", err)
	}
	before := time.Now()
	for range 5 {
		if err := c.ProduceSync(t.Context(), (&client.Record{Topic: "orders", Value: []byte("v")}).ToPartition(2)); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []struct {
		at   client.Position
		want id.Offset
	}{{client.FromStart(), 0}, {client.FromEnd(), 5}, {client.FromTime(before.Add(-time.Hour)), 0}, {client.FromTime(before.Add(time.Hour)), 5}} {
		listed, err := c.ListOffsets(t.Context(), "orders", q.at, 2)
		if err != nil || len(listed) != 1 || listed[0].Offset != q.want {
			t.Errorf("%v: %+v, %v", q.at, listed, err)
		}
	}
	described, err := c.DescribeTopic(t.Context(), "orders")
	if err != nil || len(described.Partitions) != 3 || described.Partitions[2].HighWatermark != 5 {
		t.Errorf("described as %+v, %v", described, err)
	}
	topics, err := c.ListTopics(t.Context())
	if err != nil || len(topics) != 1 || topics[0].Topic != "orders" {
		t.Errorf("listed as %+v, %v", topics, err)
	}
	cluster, err := c.DescribeCluster(t.Context())
	if err != nil || len(cluster.Nodes) != 1 || cluster.Nodes[0].Gateway != broker.Addr() || cluster.Topics != 1 || cluster.Partitions != 3 {
		t.Errorf("cluster %+v, %v", cluster, err)
	}
	if err := c.DeleteTopic(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(t.Context(), &client.Record{Topic: "orders"}); err == nil {
		t.Error("produced to a deleted topic")
	}
	if _, err := c.DescribeTopic(t.Context(), "orders"); !errors.Is(err, protocol.CodeUnknownTopic) {
		t.Errorf("described after it was deleted: %v", err)
	}
}

func TestOffsetOutOfRangeTellsBothBounds(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithTopic("t", 1))
	c := broker.Client(t)
	if err := c.ProduceSync(t.Context(), &client.Record{Topic: "t"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Consume(t.Context(), "t", client.FromOffset(9)); err != nil {
		t.Fatal(err)
	}
	var told *client.Error
	if err := c.Poll(t.Context()).Err(); !errors.As(err, &told) || told.Code() != protocol.CodeOffsetOutOfRange {
		t.Fatal(err)
	}
	if d := cmp.Diff(protocol.Details{Asked: 9, LogStart: 0, LogEnd: 1}, told.Cause.Details); d != "" {
		t.Error(d)
	}
}
