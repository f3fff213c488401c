package actors

import (
	"encoding/binary"
	"errors"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// The body of an answer repeats what was asked, so that one cannot be taken for another:
//
//	+------+--------+------+-------+------------------------------------------------------+
//	| life | number | what | error | body                                                 |   u64, u64, u8, frame_error.go
//	+------+--------+------+-------+------------------------------------------------------+
//	1 produce   base | append time | bounds | duplicate u8 | result
//	2 fetch     bounds | skip | verified u8 | count u32, count × { length u32, batch }
//	3 offsets   offset | time | bounds | verified u8
//	4 delete    bounds
//	5 describe  frame_status.go
//	6 fold      length u32, a snapshot of the catalog's state
//
//	bounds      log start | high watermark | term           all u64, as the fields without a size are
//	result      0 u8, or 1 u8 | error | topic u64 | name: length u32, bytes | first | count | version: the catalog's
const (
	answerHeader = 8 + 8 + 1
	boundsBytes  = 3 * 8
)

// answerFrame begins the answer to a question, with room for so many bytes of body. A broker that stops has done nothing, and
// another one will lead soon: who asked may wait for that.
func (q question) answerFrame(err error, body int) []byte {
	if errors.Is(err, errStopped) && !errors.Is(err, partitions.ErrOutcomeUnknown) {
		err = fmt.Errorf("%w: the broker asked stops", partitions.ErrNotReady)
	}
	b := startFrame(frameAnswer, answerHeader+1+body)
	b = binary.LittleEndian.AppendUint64(b, q.life)
	b = append(binary.LittleEndian.AppendUint64(b, q.number), q.what)
	return appendError(b, err)
}

// answered reads the head of an answer, up to its error.
func (r *frameReader) answered() (question, error) {
	q := question{life: r.u64(), number: r.u64(), what: r.u8()}
	if r.short {
		return q, r.malformed("answer")
	}
	return q, nil
}

func appendNumbers(b []byte, all ...int64) []byte {
	for _, v := range all {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

func appendBounds(b []byte, start, watermark id.Offset, term id.Term) []byte {
	return appendNumbers(b, int64(start), int64(watermark), int64(term))
}

func (r *frameReader) bounds(start, watermark *id.Offset, term *id.Term) {
	*start, *watermark, *term = id.Offset(r.u64()), id.Offset(r.u64()), id.Term(r.u64())
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func (q question) produced(a partitions.ProduceAnswer) []byte {
	b := q.answerFrame(a.Err, 2*8+boundsBytes+2)
	b = appendNumbers(b, int64(a.Base), int64(a.AppendTime))
	b = appendBool(appendBounds(b, a.LogStart, a.HighWatermark, a.Term), a.Duplicate)
	result, ok := a.Result.(catalog.Result)
	if !ok {
		return append(b, 0)
	}
	b = appendError(append(b, 1), result.Err)
	topic := &catalog.Topic{}
	if result.Topic != nil {
		topic = result.Topic
	}
	b = appendBytes(appendNumbers(b, int64(topic.ID)), topic.Name)
	return appendNumbers(b, int64(result.First), result.Count, int64(result.Version))
}

func (r *frameReader) produced() (partitions.ProduceAnswer, error) {
	a := partitions.ProduceAnswer{Err: r.error(), Base: id.Offset(r.u64()), AppendTime: id.Timestamp(r.u64())}
	r.bounds(&a.LogStart, &a.HighWatermark, &a.Term)
	a.Duplicate = r.bool()
	if r.bool() {
		result := catalog.Result{Err: r.error()}
		t := &catalog.Topic{ID: id.TopicID(r.u64()), Name: id.Topic(r.bytes())}
		if t.ID != 0 {
			result.Topic = t
		}
		r.short = r.short || t.ID == 0 && t.Name != ""
		result.First, result.Count, result.Version = id.Producer(r.u64()), int64(r.u64()), id.Offset(r.u64())
		a.Result = result
	}
	return a, r.end("produced")
}

func (q question) fetched(a partitions.FetchAnswer) []byte {
	size := boundsBytes + 8 + 1 + 4
	for _, batch := range a.Batches {
		size += 4 + len(batch)
	}
	b := q.answerFrame(a.Err, size)
	b = appendNumbers(appendBounds(b, a.LogStart, a.HighWatermark, a.Term), int64(a.Skip))
	b = appendBool(b, a.Verified)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(a.Batches)))
	for _, batch := range a.Batches {
		b = appendBytes(b, batch)
	}
	return b
}

// fetched reads batches that share the frame's memory: they go to a client, and nobody keeps them.
func (r *frameReader) fetched() (partitions.FetchAnswer, error) {
	a := partitions.FetchAnswer{Err: r.error()}
	r.bounds(&a.LogStart, &a.HighWatermark, &a.Term)
	a.Skip, a.Verified = id.Offset(r.u64()), r.bool()
	if n := r.count(4); n > 0 {
		a.Batches = make([][]byte, n)
		for i := range a.Batches {
			a.Batches[i] = r.bytes()
		}
	}
	return a, r.end("fetched")
}

func (q question) listed(a partitions.OffsetAnswer) []byte {
	b := q.answerFrame(a.Err, 2*8+boundsBytes+1)
	b = appendNumbers(b, int64(a.Offset), int64(a.Time))
	return appendBool(appendBounds(b, a.LogStart, a.HighWatermark, a.Term), a.Verified)
}

func (r *frameReader) listed() (partitions.OffsetAnswer, error) {
	a := partitions.OffsetAnswer{Err: r.error(), Offset: id.Offset(r.u64()), Time: id.Timestamp(r.u64())}
	r.bounds(&a.LogStart, &a.HighWatermark, &a.Term)
	a.Verified = r.bool()
	return a, r.end("listed")
}

func (q question) deleted(a partitions.DeleteAnswer) []byte {
	return appendBounds(q.answerFrame(a.Err, boundsBytes), a.LogStart, a.HighWatermark, a.Term)
}

func (r *frameReader) deleted() (partitions.DeleteAnswer, error) {
	a := partitions.DeleteAnswer{Err: r.error()}
	r.bounds(&a.LogStart, &a.HighWatermark, &a.Term)
	return a, r.end("deleted")
}

func (q question) folded(snapshot []byte, err error) []byte {
	return appendBytes(q.answerFrame(err, 4+len(snapshot)), snapshot)
}

func (r *frameReader) folded() (snapshot []byte, refused, err error) {
	refused = r.error()
	snapshot = r.bytes()
	return snapshot, refused, r.end("folded")
}
