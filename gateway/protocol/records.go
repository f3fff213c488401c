package protocol

import (
	"iter"

	"troupe/partitions/id"
)

// Record is one record in the form that people and scripts write:
//
//	[key: bin | str | nil, value: bin | str | nil, headers: [[name: str, value: bin | str | nil], ...], timestamp: int, offset: int]
//
// A producer may leave out what follows the value; a fetch gives all five.
type Record struct {
	Key, Value []byte // nil: none
	Headers    []Header
	Timestamp  id.Timestamp // NoTimestamp in a produce: when the broker receives it
	Offset     id.Offset    // ignored in a produce
}

// Header is one header of a record.
type Header struct {
	Name  string
	Value []byte
}

// MaxHeaders is how many headers a record in this form may have.
const MaxHeaders = 1024

// Records is a list of records in encoded form, checked: walking it makes no copies and cannot fail, and a request of many
// tiny records costs no more memory than its frame.
type Records struct {
	n   int
	raw []byte // n records, one after the other
}

// Len returns the number of records.
func (s *Records) Len() int { return s.n }

// Bytes returns the encoded size.
func (s *Records) Bytes() int { return len(s.raw) }

// All walks the records in order. Key, Value and Headers' values share memory with the list; the slice Headers is used
// again for the next record.
func (s *Records) All() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		r := newReader(s.raw)
		defer r.release()
		var rec Record
		for range s.n {
			rec.decode(r)
			if !yield(rec) {
				return
			}
		}
	}
}

// RecordsWriter collects records for a message.
type RecordsWriter struct {
	w *writer
	n int
}

// NewRecordsWriter returns an empty collection.
func NewRecordsWriter() *RecordsWriter {
	return &RecordsWriter{w: newBareWriter()}
}

// Append adds a record; its bytes are copied.
func (b *RecordsWriter) Append(rec Record) {
	w := b.w
	w.array(5)
	w.copied(rec.Key)
	w.copied(rec.Value)
	w.array(len(rec.Headers))
	for _, h := range rec.Headers {
		w.array(2)
		w.str(h.Name)
		w.copied(h.Value)
	}
	w.int(int64(rec.Timestamp))
	w.int(int64(rec.Offset))
	b.n++
}

// Len returns the number of records so far.
func (b *RecordsWriter) Len() int { return b.n }

// Bytes returns the encoded size so far.
func (b *RecordsWriter) Bytes() int { return b.w.buf.Len() }

// Records returns the collection. Nothing may be appended afterwards.
func (b *RecordsWriter) Records() Records { return Records{n: b.n, raw: b.w.buf.Bytes()} }

func (w *writer) putRecords(s Records) {
	w.putList("records", s.n)
	w.raw(s.raw)
}

// records checks a list of records and keeps it encoded.
func (r *reader) records() Records {
	before := r.at()
	var rec Record
	n := 0
	r.list(MaxElements, func(int) {
		if n == 0 {
			before = r.at()
		}
		rec.decode(r)
		n++
	})
	if r.err != nil || n == 0 {
		return Records{}
	}
	return Records{n: n, raw: r.data[before:r.at():r.at()]}
}

func (rec *Record) decode(r *reader) {
	*rec = Record{Headers: rec.Headers[:0], Timestamp: NoTimestamp, Offset: NoOffset}
	n := r.arrayLen()
	if r.err == nil && n < 2 {
		r.fail("a record has at least a key and a value")
	}
	rec.Key = r.text()
	rec.Value = r.text()
	if n > 2 && !r.absent() {
		r.list(MaxHeaders, func(int) {
			if n := r.arrayLen(); r.err == nil && n != 2 {
				r.fail("a header is a name and a value, this one has %d elements", n)
			}
			name := r.str()
			rec.Headers = append(rec.Headers, Header{Name: name, Value: r.text()})
		})
	}
	if n > 3 && !r.absent() {
		rec.Timestamp = r.timestamp()
	}
	if n > 4 && !r.absent() {
		rec.Offset = r.offset()
	}
	for i := 5; i < n; i++ {
		r.skip()
	}
}
