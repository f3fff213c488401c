package protocol

import (
	"fmt"
	"testing"
)

func benchmarkProduce(size int) *ProduceRequest {
	return &ProduceRequest{Topic: "access-log", TopicID: 17, Acks: AcksQuorum,
		Partitions: []ProducePartition{{Partition: 3, Batch: make([]byte, size), ExpectEnd: NoOffset}}}
}

// The cost of a produce's frame must not grow with its batch: nothing looks into it.
func BenchmarkEncodeProduce(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m := benchmarkProduce(size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				EncodeRequest(7, m)
			}
		})
	}
}

func BenchmarkDecodeProduce(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			payload := EncodeRequest(7, benchmarkProduce(size)).Payload()
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				_, body, err := ParseRequest(payload)
				if err != nil {
					b.Fatal(err)
				}
				if err := body.Decode(new(ProduceRequest)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeRecords(b *testing.B) {
	w := NewRecordsWriter()
	for range 1000 {
		w.Append(Record{Key: []byte("key"), Value: make([]byte, 100), Timestamp: 1700000000000})
	}
	payload := EncodeRequest(7, &ProduceRequest{Topic: "t", Partitions: []ProducePartition{{Records: w.Records()}}}).Payload()
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		_, body, err := ParseRequest(payload)
		if err != nil {
			b.Fatal(err)
		}
		var m ProduceRequest
		if err := body.Decode(&m); err != nil {
			b.Fatal(err)
		}
		for range m.Partitions[0].Records.All() {
		}
	}
}

func BenchmarkEncodeFetched(b *testing.B) {
	m := &FetchResponse{Partitions: []FetchedPartition{{Topic: "t", Batches: [][]byte{make([]byte, 1<<19), make([]byte, 1<<19)}}}}
	b.ReportAllocs()
	b.SetBytes(1 << 20)
	for b.Loop() {
		EncodeResponse(7, m)
	}
}

// No allocation per record, and none that grows with a batch.
func TestAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("under the race detector, which -short goes with, pools forget on purpose")
	}
	count := func(f func()) float64 { return testing.AllocsPerRun(10, f) }
	decode := func(m *ProduceRequest) func() {
		payload := EncodeRequest(7, m).Payload()
		return func() {
			_, body, err := ParseRequest(payload)
			if err == nil {
				err = body.Decode(new(ProduceRequest))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if small, large := count(decode(benchmarkProduce(100))), count(decode(benchmarkProduce(1<<20))); large > small+1 {
		t.Errorf("decoding a batch of 1 MiB takes %v allocations, one of 100 bytes %v", large, small)
	}
	records := func(n int) *ProduceRequest {
		w := NewRecordsWriter()
		for range n {
			w.Append(Record{Key: []byte("key"), Value: make([]byte, 100)})
		}
		return &ProduceRequest{Topic: "t", Partitions: []ProducePartition{{Records: w.Records()}}}
	}
	if few, many := count(decode(records(2))), count(decode(records(2000))); many > few+1 {
		t.Errorf("decoding 2000 records takes %v allocations, 2 records %v", many, few)
	}
	large := benchmarkProduce(1 << 20)
	if bytes := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			EncodeRequest(7, large)
		}
	}).AllocedBytesPerOp(); bytes > 4096 {
		t.Errorf("encoding a batch of 1 MiB allocates %d bytes", bytes)
	}
}
