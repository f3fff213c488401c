package client

import (
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// Header is a name and a value that travel with a record.
type Header = batch.RecordHeader

// NoOffset stands in Record.Offset where the offset is not known.
const NoOffset = protocol.NoOffset

// Record is one record, written or read.
//
// A record given to Produce belongs to the client until its callback: do not change it before. Its bytes are copied by
// Produce and may be changed as soon as that returns.
type Record struct {
	Topic string
	// Partition is where the record is; Produce sets it. To choose it yourself, call ToPartition.
	Partition int32
	// Offset is where the record is in its partition; set before the callback, NoOffset after an error, and also when the
	// broker knows only that it has the record, or was asked for no acknowledgement.
	Offset id.Offset
	// Timestamp counts in milliseconds. The zero time becomes the moment of Produce.
	Timestamp time.Time
	// Key chooses the partition, as in Kafka: equal keys meet in one partition. Nil: records are spread, a batch at a time.
	Key   []byte
	Value []byte // nil is a tombstone
	// Headers travel along, in order.
	Headers []Header

	pinned bool // Partition was chosen by ToPartition
}

// ToPartition makes Produce write the record to that partition, whatever its key, and returns the record.
func (r *Record) ToPartition(number int32) *Record {
	r.Partition, r.pinned = number, true
	return r
}
