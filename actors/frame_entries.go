package actors

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A request for entries, and its answer:
//
//	7 entries    lo u64 | hi u64, exclusive
//	             count u32, count × { term u64 | type u8 | append time u64 | payload: length u32, bytes }, from lo on
const (
	askEntries = 7
	entryFixed = 8 + 1 + 8 + 4
)

// entriesRequest asks a certain broker for entries of its replica's log, from lo to below hi, that are known to be committed.
type entriesRequest struct {
	lo, hi id.Index
	done   func(entries []partitions.Entry, err error)
	told   partitions.Request
}

func (q *entriesRequest) number() partitions.Request             { return q.told }
func (q *entriesRequest) renumber(n partitions.Request)          { q.told = n }
func (q *entriesRequest) hand(*partitions.Replica, id.Timestamp) {}
func (q *entriesRequest) travel(*journey)                        {}
func (q *entriesRequest) lost(why error) error                   { return why }
func (q *entriesRequest) refuse(err error)                       { q.answer(nil, err) }
func (q *entriesRequest) what() byte                             { return askEntries }
func (q *entriesRequest) size() int                              { return 2 * 8 }
func (q *entriesRequest) until() id.Timestamp                    { return 0 }
func (q *entriesRequest) appendTo(b []byte, _ id.Timestamp) []byte {
	return appendNumbers(b, int64(q.lo), int64(q.hi))
}
func (q *entriesRequest) answer(entries []partitions.Entry, err error) {
	if done := q.done; done != nil {
		q.done = nil
		done(entries, err)
	}
}

func (r *frameReader) wanted() (lo, hi id.Index, err error) {
	lo, hi = id.Index(r.u64()), id.Index(r.u64())
	if lo >= hi {
		return 0, 0, fmt.Errorf("entries from %d to below %d: %w", lo, hi, partitions.ErrMalformed)
	}
	return lo, hi, r.end("entries")
}

func (q question) supplied(entries []partitions.Entry, err error) []byte {
	size := 4
	for i := range entries {
		size += entryFixed + len(entries[i].Payload)
	}
	b := q.answerFrame(err, size)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(entries)))
	for _, e := range entries {
		b = append(appendNumbers(b, int64(e.Term)), byte(e.Type))
		b = appendBytes(appendNumbers(b, int64(e.AppendTime)), e.Payload)
	}
	return b
}

// hear reads entries that share the frame's memory: they go to the disk, and nobody keeps them.
func (q *entriesRequest) hear(r *frameReader, _ hearing) error {
	refused := r.error()
	var entries []partitions.Entry
	for n, index := r.count(entryFixed), q.lo; n > 0; n, index = n-1, index+1 {
		e := partitions.Entry{Index: index, Term: id.Term(r.u64()), Type: partitions.EntryType(r.u8())}
		e.AppendTime, e.Payload = id.Timestamp(r.u64()), r.bytes()
		entries = append(entries, e)
	}
	if err := r.end("entries"); err != nil {
		return err
	}
	if id.Index(len(entries)) > q.hi-q.lo {
		return fmt.Errorf("%d entries, asked for were %d: %w", len(entries), q.hi-q.lo, partitions.ErrMalformed)
	}
	q.answer(entries, refused)
	return nil
}
