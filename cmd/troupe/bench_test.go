package main

import (
	"context"
	"io"
	"sync/atomic"
	"testing"

	"troupe/cmd/troupe/accesslog"
	"troupe/gateway/client"
	"troupe/partitions/batch"
)

// benchBroker runs a broker in this process, so that its allocations are counted too, and returns where it listens.
func benchBroker(b *testing.B) string {
	b.Helper()
	ctx, stop := context.WithCancel(context.Background())
	in, out := io.Pipe()
	ready, ended := make(chan string, 1), make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--data", b.TempDir(), "--gateway", "127.0.0.1:0"}, nil, io.Discard, out)
		out.Close()
	}()
	go follow(in, io.Discard, ready)
	b.Cleanup(func() {
		stop()
		if code := <-ended; code != exitFine {
			b.Errorf("the broker ended with exit code %d", code)
		}
	})
	select {
	case gateway := <-ready:
		return gateway
	case code := <-ended:
		ended <- code
		b.Fatal("the broker did not start")
		return ""
	}
}

func benchClient(b *testing.B, gateway string, options ...client.Option) *client.Client {
	b.Helper()
	c, err := client.New(append(options, client.WithBroker(gateway))...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

// BenchmarkProduce is the whole path of a record, from the client library over TCP to the disk and back: acknowledged means
// fsynced. Client and broker share the process and its allocations. Bytes are those of keys and values.
func BenchmarkProduce(b *testing.B) {
	for _, shape := range []struct {
		name       string
		partitions int32
		codec      batch.Codec
	}{{"1 partition", 1, batch.None}, {"6 partitions", 6, batch.None}, {"6 partitions, zstd", 6, batch.Zstd}} {
		b.Run(shape.name, func(b *testing.B) {
			c := benchClient(b, benchBroker(b), client.WithCompression(shape.codec))
			lines := benchTopic(b, c, shape.partitions)
			var failed atomic.Int64
			var bytes int64
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				line := lines[n%len(lines)]
				bytes += int64(len(line.Client) + len(line.Text))
				err := c.Produce(b.Context(), &client.Record{Topic: "bench", Key: line.Client, Value: line.Text}, func(_ *client.Record, err error) {
					if err != nil {
						failed.Add(1)
					}
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			if err := c.Flush(b.Context()); err != nil || failed.Load() > 0 {
				b.Fatalf("flush: %v; %d records failed", err, failed.Load())
			}
			seconds := b.Elapsed().Seconds()
			b.ReportMetric(float64(b.N)/seconds, "records/s")
			b.ReportMetric(float64(bytes)/seconds/1e6, "MB/s")
		})
	}
}

// BenchmarkProduceSync is the time of one record that does not wait for company: one round trip and one fsync.
func BenchmarkProduceSync(b *testing.B) {
	c := benchClient(b, benchBroker(b), client.WithLinger(0))
	lines := benchTopic(b, c, 1)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		line := lines[n%len(lines)]
		if err := c.ProduceSync(b.Context(), &client.Record{Topic: "bench", Key: line.Client, Value: line.Text}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConsume is the whole path back, connecting included: from the segment files to records in the client's hands, six
// partitions. An iteration reads the whole topic.
func BenchmarkConsume(b *testing.B) {
	const copies = 20
	gateway := benchBroker(b)
	writer := benchClient(b, gateway)
	lines := benchTopic(b, writer, 6)
	size := 0
	for range copies {
		for _, line := range lines {
			size += len(line.Client) + len(line.Text)
			if err := writer.Produce(b.Context(), &client.Record{Topic: "bench", Key: line.Client, Value: line.Text}, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := writer.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	records := 0
	b.ReportAllocs()
	for b.Loop() {
		c, err := client.New(client.WithBroker(gateway))
		if err != nil {
			b.Fatal(err)
		}
		before := records
		err = readAll(b.Context(), c, "bench", func(*client.Record) { records++ })
		c.Close()
		if got := records - before; err != nil || got != copies*len(lines) {
			b.Fatalf("read %d records, want %d: %v", got, copies*len(lines), err)
		}
	}
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(records)/seconds, "records/s")
	b.ReportMetric(float64(records)*float64(size)/float64(copies*len(lines))/seconds/1e6, "MB/s")
}

// benchTopic makes the topic and returns the lines to write to it.
func benchTopic(b *testing.B, c *client.Client, partitions int32) []accesslog.Line {
	b.Helper()
	if _, err := c.CreateTopic(b.Context(), "bench", partitions, nil); err != nil {
		b.Fatal(err)
	}
	lines, err := accesslog.Lines()
	if err != nil {
		b.Fatal(err)
	}
	return lines
}
