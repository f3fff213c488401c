package gateway

import (
	"fmt"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// instantBroker answers everything at once and keeps nothing, so that a benchmark sees the gateway alone.
type instantBroker struct {
	*fakeBroker
	batches [][]byte
}

func (b *instantBroker) Produce(_ id.Partition, _ partitions.Produce, done func(partitions.ProduceAnswer)) {
	done(partitions.ProduceAnswer{AppendTime: -1})
}

func (b *instantBroker) Fetch(_ id.Partition, _ partitions.Fetch, done func(partitions.FetchAnswer)) func() {
	done(partitions.FetchAnswer{Batches: b.batches, HighWatermark: 100})
	return func() {}
}

// benchmarkSession drives one request through a session, from the frame's bytes to the reply's.
func benchmarkSession(b *testing.B, broker Broker, m protocol.Message, bytes int) {
	s := NewSession(broker, Limits{}, func(r Reply) { r.Frame(); r.Done() })
	if _, err := s.Receive(protocol.EncodeRequest(0, &protocol.HelloRequest{}).Payload()); err != nil {
		b.Fatal(err)
	}
	payload := protocol.EncodeRequest(1, m).Payload()
	b.ReportAllocs()
	b.SetBytes(int64(bytes))
	for b.Loop() {
		if _, err := s.Receive(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSessionProduce(b *testing.B) {
	broker := &instantBroker{fakeBroker: newFakeBroker(b, topic("a", 1))}
	for _, n := range []int{1, 100, 10_000} {
		for _, codec := range []batch.Codec{batch.None, batch.LZ4} {
			data := codedBatch(b, codec, "a value of some forty bytes, as logs have", n, testStart)
			b.Run(fmt.Sprintf("records=%d/%v", n, codec), func(b *testing.B) {
				benchmarkSession(b, broker, produceTo("a", 0, data), len(data))
			})
		}
	}
}

func BenchmarkSessionFetch(b *testing.B) {
	data := batchOf(b, "a value of some forty bytes, as logs have", 100, testStart)
	broker := &instantBroker{fakeBroker: newFakeBroker(b, topic("a", 1)), batches: [][]byte{data, data, data}}
	for _, form := range []protocol.Form{protocol.FormBatch, protocol.FormRecords} {
		b.Run(form.String(), func(b *testing.B) {
			r := fetchOf("a", 0, 0)
			r.Form = form
			benchmarkSession(b, broker, r, 3*len(data))
		})
	}
}

// The batch form costs the gateway no allocation per record, either way.
func TestSessionAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("under the race detector, which -short goes with, pools forget on purpose")
	}
	broker := &instantBroker{fakeBroker: newFakeBroker(t, topic("a", 1))}
	s := NewSession(broker, Limits{}, func(r Reply) { r.Frame(); r.Done() })
	count := func(m protocol.Message) float64 {
		payload := protocol.EncodeRequest(1, m).Payload()
		return testing.AllocsPerRun(10, func() {
			if _, err := s.Receive(payload); err != nil {
				t.Fatal(err)
			}
		})
	}
	count(&protocol.HelloRequest{})
	for codec := batch.None; codec.Known(); codec++ {
		few, many := codedBatch(t, codec, "v", 10, testStart), codedBatch(t, codec, "v", 2000, testStart)
		if a, b := count(produceTo("a", 0, few)), count(produceTo("a", 0, many)); b > a+8 {
			t.Errorf("%v: producing 2000 records takes %v allocations, 10 records %v", codec, b, a)
		}
		fetch := func(data []byte) float64 {
			broker.batches = [][]byte{data}
			return count(fetchOf("a", 0, 0))
		}
		if a, b := fetch(few), fetch(many); b > a+2 {
			t.Errorf("%v: fetching 2000 records takes %v allocations, 10 records %v", codec, b, a)
		}
	}
}
