package actors

import (
	"encoding/binary"
	"fmt"
	"math"

	"troupe/partitions"
	"troupe/partitions/id"
)

// The body of a request to the broker that leads a partition:
//
//	+------+--------+-----------+------+-----------------------------------------------------+
//	| life | number | partition | what | body                                                |   u64, u64, -, u8
//	+------+--------+-----------+------+-----------------------------------------------------+
//	1 produce   acks u8 | expected end u64 | batch: length u32, bytes
//	2 fetch     offset u64 | most bytes u32 | wait u32: milliseconds
//	3 offsets   at u8 | time u64
//	4 delete    before u64
//	5 describe
//	6 fold      (the catalog's partition) the whole state
//	7 entries   frame_entries.go
//	8 digest    digest.go
//
// life counts the sender's starts, number the requests of one life, upwards: so that an answer meets its own question, and
// a question is not answered twice.
const (
	askProduce  = 1
	askFetch    = 2
	askOffsets  = 3
	askDelete   = 4
	askDescribe = 5
	askFold     = 6

	requestHeader = 8 + 8 + partitionBytes + 1
	numberAt      = frameHeader + 8 // in a frame of a request or of an answer
)

// forwarded is a request that can travel to another broker.
type forwarded interface {
	request
	travel(j *journey)
	renumber(n partitions.Request)
	what() byte
	// size bounds what appendTo appends.
	size() int
	appendTo(b []byte, now id.Timestamp) []byte
	// until is when the asked one gives up waiting by itself; at or before now: it does not wait.
	until() id.Timestamp
	// hear completes it with the answer.
	hear(r *frameReader, h hearing) error
}

// requestFrame makes the frame of a request; setNumber fills in its number.
func requestFrame(life uint64, p id.Partition, q forwarded, now id.Timestamp) []byte {
	b := startFrame(frameRequest, requestHeader+q.size())
	b = binary.LittleEndian.AppendUint64(b, life)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	return q.appendTo(append(appendPartition(b, p), q.what()), now)
}

func setNumber(frame []byte, number uint64) { binary.LittleEndian.PutUint64(frame[numberAt:], number) }

// question is the head of a request that came from another broker.
type question struct {
	life, number uint64
	partition    id.Partition
	what         byte
}

func (r *frameReader) question() (question, error) {
	q := question{life: r.u64(), number: r.u64(), partition: r.partition(), what: r.u8()}
	if r.short || q.number == 0 {
		return q, r.malformed("request")
	}
	return q, nil
}

func (q *produceRequest) what() byte          { return askProduce }
func (q *produceRequest) size() int           { return 1 + 8 + 4 + len(q.Batch) }
func (q *produceRequest) until() id.Timestamp { return 0 }

func (q *produceRequest) appendTo(b []byte, _ id.Timestamp) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, byte(q.Acks)), uint64(q.ExpectEnd))
	return appendBytes(b, q.Batch)
}

func (r *frameReader) produce() (partitions.Produce, error) {
	q := partitions.Produce{Acks: partitions.Acks(r.u8()), ExpectEnd: id.Offset(r.u64()), Batch: r.bytes()}
	if q.Acks < partitions.AcksQuorum || q.Acks > partitions.AcksLeader {
		return q, fmt.Errorf("acks %d: %w", q.Acks, partitions.ErrMalformed)
	}
	return q, r.end("produce")
}

func (q *fetchRequest) what() byte          { return askFetch }
func (q *fetchRequest) size() int           { return 8 + 4 + 4 }
func (q *fetchRequest) until() id.Timestamp { return q.Until }

// fetchAnswerBytes is how many bytes of batches an answer to another broker may hold; one batch always fits.
const fetchAnswerBytes = 4 << 20

func (q *fetchRequest) appendTo(b []byte, now id.Timestamp) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(q.Offset))
	b = binary.LittleEndian.AppendUint32(b, uint32(min(max(q.MaxBytes, 0), fetchAnswerBytes)))
	return binary.LittleEndian.AppendUint32(b, uint32(min(max(q.Until-now, 0), math.MaxUint32)))
}

// fetch reads a fetch. Clocks of brokers differ: what travels is how long to wait.
func (r *frameReader) fetch(now id.Timestamp) (partitions.Fetch, error) {
	q := partitions.Fetch{Offset: id.Offset(r.u64()), MaxBytes: int(r.u32()), Until: now + id.Timestamp(r.u32())}
	if q.MaxBytes > fetchAnswerBytes {
		return q, fmt.Errorf("fetch of %d bytes: %w", q.MaxBytes, partitions.ErrMalformed)
	}
	return q, r.end("fetch")
}

func (q *offsetsRequest) what() byte          { return askOffsets }
func (q *offsetsRequest) size() int           { return 1 + 8 }
func (q *offsetsRequest) until() id.Timestamp { return 0 }

func (q *offsetsRequest) appendTo(b []byte, _ id.Timestamp) []byte {
	return binary.LittleEndian.AppendUint64(append(b, byte(q.At)), uint64(q.Time))
}

func (r *frameReader) listOffsets() (partitions.ListOffsets, error) {
	q := partitions.ListOffsets{At: partitions.OffsetAt(r.u8()), Time: id.Timestamp(r.u64())}
	if q.At < partitions.OffsetEarliest || q.At > partitions.OffsetAtTime {
		return q, fmt.Errorf("offset %d: %w", q.At, partitions.ErrMalformed)
	}
	return q, r.end("list offsets")
}

func (q *deleteRequest) what() byte          { return askDelete }
func (q *deleteRequest) size() int           { return 8 }
func (q *deleteRequest) until() id.Timestamp { return 0 }

func (q *deleteRequest) appendTo(b []byte, _ id.Timestamp) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(q.Before))
}

func (r *frameReader) deleteRecords() (partitions.DeleteRecords, error) {
	q := partitions.DeleteRecords{Before: id.Offset(r.u64())}
	return q, r.end("delete records")
}

func (q *describeRequest) what() byte                               { return askDescribe }
func (q *describeRequest) size() int                                { return 0 }
func (q *describeRequest) until() id.Timestamp                      { return 0 }
func (q *describeRequest) appendTo(b []byte, _ id.Timestamp) []byte { return b }

func (q *foldRequest) what() byte                               { return askFold }
func (q *foldRequest) size() int                                { return 0 }
func (q *foldRequest) until() id.Timestamp                      { return 0 }
func (q *foldRequest) appendTo(b []byte, _ id.Timestamp) []byte { return b }
