package client

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// TestGapsAreTold: between batches, in front of them, and where nothing follows.
func TestGapsAreTold(t *testing.T) {
	at := func(base id.Offset, records int) []byte {
		b := batch.NewBuilder(batch.None)
		for range records {
			b.Append(1, nil, []byte("v"), nil)
		}
		out, err := b.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
		if err != nil {
			t.Fatal(err)
		}
		batch.Stamp(out, base, 1)
		return out
	}
	r := &reading{topic: &topic{name: "pets"}, next: 3}
	answers := []protocol.FetchedPartition{
		{Batches: [][]byte{at(2, 3), at(5, 1), at(10, 2)}, HighWatermark: 40, NextOffset: 12},
		{Batches: [][]byte{at(20, 1)}, HighWatermark: 40, NextOffset: 21},
		{HighWatermark: 40, NextOffset: 40},
		{HighWatermark: 40, NextOffset: 40},
	}
	var d decoder
	for i := range answers {
		news, _ := r.take(&answers[i], d.decode(&answers[i], r.next), time.Now())
		if want := i < 3; news != want {
			t.Errorf("answer %d: news %v", i, news)
		}
	}
	got, ok := r.polled()
	if diff := cmp.Diff([]Gap{{6, 10}, {12, 20}, {21, 40}}, got.Gaps); diff != "" || !ok || len(got.Records) != 6 || r.next != 40 {
		t.Errorf("%d records, then at %d (-want +got):\n%s", len(got.Records), r.next, diff)
	}
	r.ready.Gaps = []Gap{{40, 50}} // alone it is news too
	if _, ok := r.polled(); !ok {
		t.Error("a gap is not polled")
	}
}

// TestFetchReservesWhatItMayBring: a parked fetch holds its MaxBytes of the connection's budget at the broker.
func TestFetchReservesWhatItMayBring(t *testing.T) {
	c, err := New(WithFetchBytes(1 << 20))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	one := &reading{topic: &topic{name: "pets"}}
	for partitions, want := range map[int]int32{1: 1 << 20, 3: 3 << 20, 9: fetchFrameBytes} {
		group := make([]*reading, partitions)
		for i := range group {
			group[i] = one
		}
		if got := c.reader.request(group).MaxBytes; got != want {
			t.Errorf("%d partitions: MaxBytes %d, want %d", partitions, got, want)
		}
	}
}
