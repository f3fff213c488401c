package troupetest_test

import (
	"bytes"
	"fmt"
	"testing"

	"troupe/gateway/client"
	"troupe/gateway/troupetest"
)

// One operation is one record of 100 bytes, acknowledged by the quorum; client and broker share the process. The one
// allocation per operation is the record, which is the caller's.
func BenchmarkProduce(b *testing.B) {
	for _, partitions := range []int32{1, 6, 64} {
		b.Run(fmt.Sprint("partitions=", partitions), func(b *testing.B) {
			c := troupetest.Start(b, troupetest.WithTopic("t", partitions)).Client(b)
			value := bytes.Repeat([]byte("x"), 100)
			settled := func(_ *client.Record, err error) {
				if err != nil {
					b.Error(err)
				}
			}
			b.SetBytes(100)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Produce(b.Context(), &client.Record{Topic: "t", Value: value}, settled); err != nil {
					b.Fatal(err)
				}
			}
			if err := c.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// One operation is one record that waits for its acknowledgement: nothing lingers, so it is the whole path's latency.
func BenchmarkProduceSync(b *testing.B) {
	c := troupetest.Start(b, troupetest.WithTopic("t", 1)).Client(b)
	r := &client.Record{Topic: "t", Value: bytes.Repeat([]byte("x"), 100)}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.ProduceSync(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// One operation is one record of 100 bytes, read by a consumer that begins anew at every end.
func BenchmarkConsume(b *testing.B) {
	const records = 500_000
	c := troupetest.Start(b, troupetest.WithTopic("t", 6)).Client(b)
	value := bytes.Repeat([]byte("x"), 100)
	for range records {
		if err := c.Produce(b.Context(), &client.Record{Topic: "t", Value: value}, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := c.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(100)
	b.ReportAllocs()
	polled, left := 0, 0
	for b.Loop() {
		for polled == 0 {
			if left == 0 {
				left = records
				if err := c.Consume(b.Context(), "t", client.FromStart()); err != nil {
					b.Fatal(err)
				}
			}
			fetches := c.Poll(b.Context())
			if err := fetches.Err(); err != nil {
				b.Fatal(err)
			}
			polled = fetches.Len()
			left -= polled
		}
		polled--
	}
}
