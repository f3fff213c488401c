package actors

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A request for the sum over a range of a replica's entries, and its answer:
//
//	8 digest     lo u64 | hi u64, exclusive | most bytes u32; 0: the whole range
//	             through u64 | sum u64 | bytes u64 | offset u64
const askDigest = 8

// digestRequest asks a certain broker for the sum over its replica's entries from lo to below hi: as many of them as hold most
// bytes of payload, at least one; where most is 0 all of them.
type digestRequest struct {
	lo, hi id.Index
	most   uint32
	done   func(partitions.Digest)
	told   partitions.Request
}

func (q *digestRequest) number() partitions.Request             { return q.told }
func (q *digestRequest) renumber(n partitions.Request)          { q.told = n }
func (q *digestRequest) hand(*partitions.Replica, id.Timestamp) {}
func (q *digestRequest) travel(*journey)                        {}
func (q *digestRequest) lost(why error) error                   { return why }
func (q *digestRequest) refuse(err error)                       { q.answer(partitions.Digest{Err: err, Offset: -1}) }
func (q *digestRequest) what() byte                             { return askDigest }
func (q *digestRequest) size() int                              { return 2*8 + 4 }
func (q *digestRequest) until() id.Timestamp                    { return 0 }
func (q *digestRequest) appendTo(b []byte, _ id.Timestamp) []byte {
	return binary.LittleEndian.AppendUint32(appendNumbers(b, int64(q.lo), int64(q.hi)), q.most)
}
func (q *digestRequest) answer(d partitions.Digest) {
	if done := q.done; done != nil {
		q.done = nil
		done(d)
	}
}

func (r *frameReader) digest() (*digestRequest, error) {
	q := &digestRequest{lo: id.Index(r.u64()), hi: id.Index(r.u64()), most: r.u32()}
	if q.lo >= q.hi {
		return nil, fmt.Errorf("a digest from %d to below %d: %w", q.lo, q.hi, partitions.ErrMalformed)
	}
	return q, r.end("digest")
}

func (q question) digested(d partitions.Digest) []byte {
	return appendNumbers(q.answerFrame(d.Err, 4*8), int64(d.Through), int64(d.Sum), d.Bytes, int64(d.Offset))
}

func (q *digestRequest) hear(r *frameReader, _ hearing) error {
	d := partitions.Digest{Err: r.error(), Through: id.Index(r.u64()), Sum: r.u64(), Bytes: int64(r.u64()), Offset: id.Offset(r.u64())}
	if err := r.end("digest"); err != nil {
		return err
	}
	q.answer(d)
	return nil
}

// digestAtOnce is how much of a log is in memory while its sum is made.
const digestAtOnce = 1 << 20

// digest has the pool read a range of the log, beside whatever the partition does, and sum it up.
func (p *partition) digest(q *digestRequest) {
	known, err := p.committed(q.lo)
	if err == nil && q.most == 0 && q.hi > known+1 {
		err = fmt.Errorf("%s: entry %d, known to be committed are those up to %d: %w", p.name, q.hi-1, known, partitions.ErrNotReady)
	}
	if err != nil {
		q.refuse(err)
		return
	}
	p.jobs++
	s, log, self, instance, hi := p.stage, p.life.log, p.self, p.instance, min(q.hi, known+1)
	s.seams.Pool.Run(func() {
		m := digested{instance: instance, request: q, answer: partitions.Digest{Offset: -1}}
		defer func() { s.send(self, m) }()
		defer s.rescue("sum up entries", func(err error) { m.answer.Err = err })
		for lo := q.lo; lo < hi && m.answer.Err == nil && (q.most == 0 || m.answer.Bytes < int64(q.most)); lo = m.answer.Through + 1 {
			var entries []partitions.Entry
			entries, m.answer.Err = log.Entries(lo, hi, digestAtOnce)
			for _, e := range entries {
				m.answer.Add(e)
			}
		}
	})
}
