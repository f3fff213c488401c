package actors

import (
	"errors"
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
)

// storage is the child that owns the write side of a partition's log, through all its lives. Orders queue in it; one at a
// time runs on the pool, so that an fsync holds up no actor. All writes that have queued by then become one Append and one
// Sync: the more a disk has to do, the more each of its fsyncs carries.
//
// Invariants: orders run in the order they came; nothing is written to a log after a write to it failed; a log is closed
// after every job on it has ended.
type storage struct {
	*stage
	plan      *plan
	partition *actor.PID
	self      *actor.PID

	instance uint64         // of the newest open order
	log      partitions.Log // nil while there is none open
	broken   bool           // a write or checkpoint of this log failed
	written  bool           // since idle was last asked
	watched  bool           // idle is on its way
	queue    []any          // orders that wait
	running  bool           // a job is on the pool
	batch    []partitions.Write
}

// done is what a job tells the child that it has ended.
type done struct {
	unlogged
	report any // for the partition
	log    partitions.Log
	opened bool
	closed bool
	broken bool
}

// Receive takes orders and the ends of jobs.
func (s *storage) Receive(c actor.Context) {
	defer s.rescue("storage of "+s.plan.address.name, func(err error) {
		s.send(s.partition, failed{instance: s.instance, err: err})
	})
	switch m := c.Message().(type) {
	case *actor.Started:
		s.self, s.partition = c.Self(), c.Parent()
	case openOrder, writeOrder, saveOrder, trimOrder, fillOrder, closeOrder, removeOrder:
		s.queue = append(s.queue, m)
		s.next()
	case done:
		s.finish(m)
		s.next()
	case idle:
		s.idle(m)
	}
}

// next starts the next job, unless one runs.
func (s *storage) next() {
	for !s.running && len(s.queue) > 0 {
		switch o := s.queue[0].(type) {
		case openOrder:
			s.instance, s.watched = o.instance, false
			s.run(1, func() done { return s.open(o.instance, o.damage) })
		case writeOrder:
			s.write(o.instance)
		case saveOrder:
			s.save(o)
		case trimOrder:
			s.trim(o)
		case restOrder:
			s.rest(o)
		case fillOrder:
			s.fill(o)
		case closeOrder:
			s.run(1, func() done { return s.close(o.instance) })
		case removeOrder:
			s.run(1, s.remove)
		}
	}
}

// run gives the pool a job that carries out the first n orders.
func (s *storage) run(n int, job func() done) {
	rest := copy(s.queue, s.queue[n:])
	clear(s.queue[rest:])
	s.queue = s.queue[:rest]
	s.running = true
	self := s.self
	s.seams.Pool.Run(func() { s.send(self, job()) })
}

func (s *storage) finish(d done) {
	s.running = false
	clear(s.batch) // the entries belong to the tail cache from here on
	switch {
	case d.opened:
		s.log, s.broken, s.written = d.log, false, false
		s.watch()
	case d.closed:
		s.log = nil
	case d.broken:
		s.broken = true
	}
	if d.report != nil {
		s.send(s.partition, d.report)
	}
}

// write makes everything durable that has queued before the first other order.
func (s *storage) write(instance uint64) {
	s.batch = s.batch[:0]
	n := 0
	for ; n < len(s.queue); n++ {
		o, ok := s.queue[n].(writeOrder)
		if !ok {
			break
		}
		s.batch = append(s.batch, o.writes...)
	}
	if s.log == nil || s.broken {
		s.queue = slices.Delete(s.queue, 0, n)
		return
	}
	s.written = true
	s.watch()
	log, writes := s.log, s.batch
	s.run(n, func() (d done) {
		defer s.rescue("write", func(err error) { d = s.failure(instance, "write", err) })
		if err := s.commit(log, writes); err != nil {
			return s.failure(instance, "write", err)
		}
		return done{report: persisted{instance: instance, through: writes[len(writes)-1].Sequence}}
	})
}

// commit appends writes to the log and makes them durable. Whoever is told of an acknowledgement relies on the Sync.
func (s *stage) commit(log partitions.Log, writes []partitions.Write) error {
	if err := log.Append(writes); err != nil {
		return err
	}
	began := s.elapsed()
	if err := log.Sync(); err != nil {
		return err
	}
	entries, bytes := 0, int64(0)
	for i := range writes {
		entries += len(writes[i].Entries)
		for k := range writes[i].Entries {
			bytes += int64(len(writes[i].Entries[k].Payload))
		}
	}
	s.meter.Synced(s.elapsed()-began, entries)
	if s.room.spent(bytes) {
		s.send(s.warden, crossed{})
	}
	return nil
}

// save makes a checkpoint durable. Where there is no room for it, it is tried again later: the log is as it was.
func (s *storage) save(o saveOrder) {
	if s.log == nil || s.broken || o.instance != s.instance {
		s.queue = slices.Delete(s.queue, 0, 1)
		return
	}
	log := s.log
	s.run(1, func() (d done) {
		defer s.rescue("checkpoint", func(err error) { d = s.failure(o.instance, "checkpoint", err) })
		if err := log.SaveCheckpoint(o.checkpoint); err != nil {
			if noRoom(log, err) {
				return done{report: postponed{instance: o.instance, order: o}}
			}
			return s.failure(o.instance, "checkpoint", err)
		}
		return done{report: saved{instance: o.instance, index: o.checkpoint.Index}}
	})
}

// noRoom tells that an operation failed for want of room alone, and left the log as it was.
func noRoom(log partitions.Log, err error) bool {
	return errors.Is(err, partitions.ErrDiskFull) && log.Sync() == nil
}

// trim drops the front of the log. Where the log is as it was the partition goes on, and its operator is told: what cannot
// be dropped costs room and nothing else.
func (s *storage) trim(o trimOrder) {
	if s.log == nil || s.broken || o.instance != s.instance {
		s.queue = slices.Delete(s.queue, 0, 1)
		return
	}
	log := s.log
	s.run(1, func() (d done) {
		defer s.rescue("trim", func(err error) { d = s.failure(o.instance, "trim", err) })
		base, err := o.trim.Run(log)
		switch {
		case err == nil:
		case noRoom(log, err):
			return done{report: postponed{instance: o.instance, order: o}}
		case log.Sync() != nil:
			return s.failure(o.instance, "trim", err) // poisoned
		}
		return done{report: trimmed{instance: o.instance, base: base, err: err}}
	})
}

// fill puts entries back into a damaged log.
func (s *storage) fill(o fillOrder) {
	if s.log == nil || o.instance != s.instance {
		s.queue = slices.Delete(s.queue, 0, 1)
		return
	}
	log := s.log
	s.run(1, func() (d done) {
		report := filled{instance: o.instance, through: o.entries[len(o.entries)-1].Index}
		defer s.rescue("fill", func(err error) {
			report.err = err
			d = done{report: report}
		})
		report.err = log.Fill(o.entries)
		return done{report: report}
	})
}

// watch sees to it that idle is asked, once, RestAfter from now.
func (s *storage) watch() {
	if !s.watched && s.log != nil {
		s.watched = true
		s.later(s.limits.RestAfter, s.self, idle{instance: s.instance})
	}
}

// idle has the log rest if nobody wrote to it since idle was asked last, and otherwise asks again later.
func (s *storage) idle(m idle) {
	if m.instance != s.instance {
		return
	}
	s.watched = false
	if s.written {
		s.written = false
		s.watch()
		return
	}
	s.queue = append(s.queue, restOrder{instance: m.instance})
	s.next()
}

// rest lets go of a log's memory; the next write takes it again.
func (s *storage) rest(o restOrder) {
	if s.log == nil || s.broken || o.instance != s.instance {
		s.queue = slices.Delete(s.queue, 0, 1)
		return
	}
	log := s.log
	s.run(1, func() (d done) {
		defer s.rescue("rest", func(err error) { d = s.failure(o.instance, "rest", err) })
		if err := log.Rest(); err != nil {
			return s.failure(o.instance, "rest", err)
		}
		return done{report: rested{instance: o.instance}}
	})
}

func (s *storage) failure(instance uint64, what string, err error) done {
	err = fmt.Errorf("%s: %s: %w", s.plan.address.name, what, err)
	return done{broken: true, report: failed{instance: instance, err: err}}
}

func (s *storage) open(instance uint64, damage error) (d done) {
	d = done{opened: true}
	failed := func(err error) done {
		return done{report: opened{instance: instance, err: fmt.Errorf("%s: open: %w", s.plan.address.name, err)}}
	}
	defer s.rescue("open", func(err error) {
		if d.log != nil {
			s.release(d.log)
		}
		d = failed(err)
	})
	log, err := s.plan.openLog(s.stage)
	if errors.Is(err, partitions.ErrDamaged) {
		d.report = opened{instance: instance, life: &life{quarantine: &quarantine{reason: err}}}
		return d
	}
	if err != nil {
		return failed(err)
	}
	d.log = log
	life, err := s.plan.begin(s.stage, log, damage)
	if err != nil {
		s.release(log)
		return failed(err)
	}
	d.report = opened{instance: instance, life: life}
	return d
}

func (s *storage) close(instance uint64) done {
	if s.log != nil {
		s.release(s.log)
	}
	return done{closed: true, report: closed{instance: instance}}
}

// release closes a log. An error changes nothing: what was acknowledged is durable already, and opening repairs.
func (s *storage) release(log partitions.Log) {
	defer s.rescue("close", func(error) {})
	if err := log.Close(); err != nil {
		s.stage.log.Warn("closing a log failed; it is repaired when it opens", "partition", s.plan.address.name, "error", err)
	}
}

func (s *storage) remove() (d done) {
	defer s.rescue("remove", func(err error) { d = done{report: removed{err: err}} })
	return done{report: removed{err: s.seams.Disk.Remove(s.plan.address.partition, s.plan.address.replica)}}
}
