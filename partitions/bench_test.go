package partitions_test

import (
	"crypto/rand"
	"fmt"
	"testing"

	"troupe/partitions"
	"troupe/partitions/batch"
)

// discardLog is a log whose disk is infinitely fast, so that a benchmark shows the replica alone.
type discardLog struct{ memoryLog }

func (l *discardLog) Append([]partitions.Write) error { return nil }

// BenchmarkReplica shows what the core adds to a batch on its way from Produce to its answer, and to a fetch at the end.
func BenchmarkReplica(b *testing.B) {
	for _, records := range []int{1, 160} {
		b.Run(fmt.Sprintf("produce/records=%d", records), func(b *testing.B) {
			r, data := leader(b, records)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				r.Produce(partitions.Produce{Request: 1, Batch: data, Acks: partitions.AcksQuorum, ExpectEnd: -1}, 1)
				pump(r)
			}
		})
	}
	b.Run("fetch", func(b *testing.B) {
		r, data := leader(b, 160)
		r.Produce(partitions.Produce{Request: 1, Batch: data, Acks: partitions.AcksQuorum, ExpectEnd: -1}, 1)
		pump(r)
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			r.Fetch(partitions.Fetch{Request: 2, Offset: 0, MaxBytes: 1 << 20}, 1)
			r.Outbox()
		}
	})
}

func leader(b *testing.B, records int) (*partitions.Replica, []byte) {
	log := &discardLog{*bear(7)}
	r, err := partitions.New(partitions.Options{
		Replica: 7, Node: 1, Log: log, Settings: partitions.Settings{MaxBatchBytes: 1 << 20},
		Limits: partitions.Limits{CheckpointBytes: 1 << 50},
	}, 0)
	if err != nil {
		b.Fatal(err)
	}
	pump(r)
	builder := batch.NewBuilder(batch.None)
	value := make([]byte, 100)
	rand.Read(value)
	for range records {
		builder.Append(1, nil, value, nil)
	}
	data, err := builder.Build(-1, -1, -1)
	if err != nil {
		b.Fatal(err)
	}
	return r, data
}

// pump plays a disk that is done at once.
func pump(r *partitions.Replica) {
	for {
		o := r.Outbox()
		if len(o.Writes) == 0 {
			return
		}
		r.Persisted(o.Writes[len(o.Writes)-1].Sequence)
	}
}
