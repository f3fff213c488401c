package client

import (
	"errors"
	"iter"

	"troupe/partitions/id"
)

// Fetches is what one Poll returns.
type Fetches struct {
	Partitions []Fetched
	err        error // of the Poll itself
}

// Fetched is what one partition had: records, or an error, or both in this order.
type Fetched struct {
	Topic     string
	Partition int32
	// Records are in the order of their offsets, which go on where the last Fetched of this partition ended.
	Records []Record
	// LogStart and HighWatermark are the partition's bounds when the newest record was fetched; NoOffset if not known.
	LogStart, HighWatermark id.Offset
	// Gaps are offsets that no record has any more, in order: records were lost to damage, and an operator gave them up with
	// `troupe log repair --accept-loss`. Reading has gone on behind them.
	Gaps []Gap
	// Err tells why no more records came. With OFFSET_OUT_OF_RANGE, which carries both bounds, and every other error that is
	// not Retriable, the partition is not read any further until Consume is called for it again.
	Err error
}

// Gap is the offsets from First to below Next.
type Gap struct{ First, Next id.Offset }

// Len returns the number of records.
func (f Fetches) Len() int {
	n := 0
	for i := range f.Partitions {
		n += len(f.Partitions[i].Records)
	}
	return n
}

// Records ranges over all records, partition after partition.
func (f Fetches) Records() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		for i := range f.Partitions {
			records := f.Partitions[i].Records
			for k := range records {
				if !yield(&records[k]) {
					return
				}
			}
		}
	}
}

// Err returns why Poll ended without waiting on (the context's error, or ErrClosed) and every partition's error, joined;
// nil if all went well. It does not mean that there are no records.
func (f Fetches) Err() error {
	failed := []error{f.err}
	for i := range f.Partitions {
		failed = append(failed, f.Partitions[i].Err)
	}
	return errors.Join(failed...)
}
