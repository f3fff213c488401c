package actors

import (
	"errors"

	"troupe/partitions"
)

// read runs a Read of the living replica's on the pool.
func (p *partition) read(r partitions.Read) {
	if q, ok := p.waiting[r.Answer.Request].(*fetchRequest); ok {
		q.reading = true
	}
	p.jobs++
	s, log, self, instance := p.stage, p.life.log, p.self, p.instance
	s.seams.Pool.Run(func() { s.send(self, fetched{instance: instance, answer: s.readBatches(log, r)}) })
}

func (s *stage) readBatches(log partitions.Log, r partitions.Read) (a partitions.FetchAnswer) {
	a = r.Answer
	defer s.rescue("read", func(err error) { a.Err = both(a.Err, err) })
	began := s.elapsed()
	batches, err := log.ReadBatches(r.From, r.Until, r.MaxBytes)
	s.meter.Read(s.elapsed() - began)
	a.Batches, a.Err = batches, both(a.Err, err)
	a.Verified = a.Verified && err == nil
	if len(batches) == 0 && a.Err == nil {
		a.Skip = r.Until
	}
	return a
}

func (p *partition) search(q partitions.Search) {
	p.jobs++
	s, log, self, instance := p.stage, p.life.log, p.self, p.instance
	s.seams.Pool.Run(func() { s.send(self, searched{instance: instance, answer: s.findTime(log, q)}) })
}

func (s *stage) findTime(log partitions.Log, q partitions.Search) (a partitions.OffsetAnswer) {
	a = q.Answer
	defer s.rescue("search", func(err error) { a.Err = both(a.Err, err) })
	at, stamp, found, err := log.FindTime(q.Time, q.From, q.Until)
	if found && err == nil {
		a.Offset, a.Time = at, stamp
	}
	a.Err = both(a.Err, err)
	a.Verified = a.Verified && err == nil
	return a
}

// both keeps the mark that an answer already carries.
func both(mark, err error) error {
	switch {
	case mark == nil:
		return err
	case err == nil:
		return mark
	}
	return errors.Join(mark, err)
}
