package actors

import (
	"errors"

	"troupe/partitions"
)

// work is a message for the living replica. Those of an earlier life are dropped.
func (p *partition) work(message any) {
	switch m := message.(type) {
	case wake:
		p.serve()
	case tick:
		p.tick()
	case unreachable:
		if p.running() {
			p.life.replica.Unreachable(m.replica)
			if m.problem != "" {
				p.complain(m.problem)
			}
		}
	case persisted:
		if m.instance == p.instance && p.running() {
			p.life.replica.Persisted(m.through)
		}
	case saved:
		if m.instance == p.instance && p.running() {
			p.saving--
			p.life.replica.CheckpointSaved(m.index)
		}
	case trimmed:
		if m.instance == p.instance && p.running() {
			if m.err != nil {
				p.complain("serves, but its oldest records stay on disk: " + m.err.Error())
			}
			p.life.replica.Trimmed(m.base)
		}
	case rested:
		if m.instance == p.instance && p.running() {
			p.life.replica.Rest()
		}
	case postponed:
		if m.instance == p.instance && p.running() {
			p.later(p.limits.SpaceEvery, p.storage, m.order)
		}
	case failed:
		if m.instance == p.instance {
			p.fail(m.err)
		}
	case scrub:
		p.scrub(m)
	case scrubbed:
		if m.instance == p.instance {
			p.jobs--
			p.scrubbed(m)
			p.close()
		}
	case fetched:
		if m.instance == p.instance {
			p.jobs--
			p.note(m.answer.Err)
			p.answerFetch(p.bounded(m.answer))
			p.close()
		}
	case searched:
		if m.instance == p.instance {
			p.jobs--
			p.note(m.answer.Err)
			p.answerOffsets(m.answer)
			p.close()
		}
	default:
		p.repair(message)
	}
}

// running tells whether there is a replica that may be called.
func (p *partition) running() bool { return p.phase == phaseSettling || p.phase == phaseServing }

func (p *partition) tick() {
	if !p.running() {
		return
	}
	p.life.replica.Tick(p.seams.Clock.Now())
	if p.aside != nil && !p.handOver() {
		p.fail(p.aside)
		return
	}
	if p.phase != phaseSettling {
		return
	}
	if p.ticks++; p.ticks == p.limits.OpeningTicks {
		p.settle()
		p.refuseEach(p.held, partitions.ErrNotReady)
		p.held = nil
	}
}

// note takes notice of damage that a read met. With other replicas the partition steps aside and is mended, having handed
// over what it leads; alone it goes on: other ranges are whole.
func (p *partition) note(err error) {
	if p.phase != phaseServing || !errors.Is(err, partitions.ErrDamaged) {
		return
	}
	p.complain("serves, but a read met damage: " + err.Error())
	p.stepAside(err)
}

// stepAside has a damaged replica handed to mending as soon as it leads nobody, where there are others to mend it from.
func (p *partition) stepAside(err error) {
	if p.aside == nil && p.running() && p.seams.Peers != nil && len(p.others()) > 0 {
		p.aside = err
		p.ticking.Store(true)
	}
}

// turn ends the handling of every message: what the replica wants done is done, and what follows from it.
func (p *partition) turn() {
	if !p.running() {
		return
	}
	p.drain()
	p.stand()
	p.giveWay()
	p.wind()
	p.count()
	if !p.running() {
		return
	}
	if idle := p.life.replica.Idle(); p.ticking.Load() == idle {
		p.ticking.Store(!idle)
	}
	if p.check {
		p.life.replica.Check()
	}
	if p.watch != nil {
		p.watch(p.life.replica)
	}
}

// drain carries out everything the replica wants.
func (p *partition) drain() {
	out := p.life.replica.Outbox()
	p.post(out.Messages)
	if len(out.Writes) > 0 {
		p.send(p.storage, writeOrder{instance: p.instance, writes: out.Writes})
	}
	if out.Checkpoint != nil {
		p.saving++
		p.send(p.storage, saveOrder{instance: p.instance, checkpoint: out.Checkpoint})
	}
	if out.Trim != nil {
		p.send(p.storage, trimOrder{instance: p.instance, trim: out.Trim})
	}
	if p.observe != nil {
		p.observe(p.life.fold)
	}
	for _, a := range out.Produced {
		if q, ok := p.finish(a.Request).(*produceRequest); ok {
			q.answer(a)
		}
	}
	for _, a := range out.Fetched {
		p.answerFetch(a)
	}
	for _, a := range out.Offsets {
		p.answerOffsets(a)
	}
	for _, a := range out.Deleted {
		if q, ok := p.finish(a.Request).(*deleteRequest); ok {
			q.answer(a)
		}
	}
	for _, r := range out.Reads {
		p.read(r)
	}
	for _, s := range out.Searches {
		p.search(s)
	}
	if out.Failed != nil {
		p.fail(out.Failed)
	}
}

// count tells the meter what the replica has done since it was last told.
func (p *partition) count() {
	if !p.running() {
		return
	}
	if now := p.life.replica.Counts(); now != p.counted {
		p.meter.Counted(now.Since(p.counted))
		p.counted = now
	}
}

// finish takes a request out of waiting; nil if it was completed already.
func (p *partition) finish(n partitions.Request) request {
	q := p.waiting[n]
	delete(p.waiting, n)
	return q
}

func (p *partition) answerFetch(a partitions.FetchAnswer) {
	if q, ok := p.finish(a.Request).(*fetchRequest); ok {
		q.answer(p.route.fetched(a))
	}
}

// bounded tells of a range that was deleted while the pool read in it where the log begins now.
func (p *partition) bounded(a partitions.FetchAnswer) partitions.FetchAnswer {
	q, ok := p.waiting[a.Request].(*fetchRequest)
	if ok && p.running() && errors.Is(a.Err, partitions.ErrOffsetOutOfRange) {
		s := p.life.replica.Status()
		a.LogStart, a.HighWatermark = s.LogStart, s.HighWatermark
		a.Err = &partitions.RangeError{Err: partitions.ErrOffsetOutOfRange, Asked: q.Offset, LogStart: s.LogStart, LogEnd: s.HighWatermark}
	}
	return a
}

func (p *partition) answerOffsets(a partitions.OffsetAnswer) {
	if q, ok := p.finish(a.Request).(*offsetsRequest); ok {
		q.answer(p.route.listed(a))
	}
}

// status describes the partition in whatever phase it is.
func (p *partition) status() partitions.Status {
	s := partitions.Status{Partition: p.partition, Replica: p.replica, Node: p.stage.node, Problem: p.readProblem()}
	switch {
	case p.running():
		s = p.life.replica.Status()
		s.Problem = p.readProblem()
	case p.phase == phaseQuarantined:
		s = p.life.quarantine.status(s)
	case p.phase == phaseStopped || p.ending != nil:
		s.Role = partitions.RoleStopped
	default:
		s.Role = partitions.RoleOpening
	}
	return s
}

// dismiss answers every parked fetch with nothing: the broker stops.
func (p *partition) dismiss() {
	for _, n := range p.numbers() {
		if q, ok := p.waiting[n].(*fetchRequest); ok && !q.reading {
			p.empty(q)
		}
	}
}

// giveWay hands over what this partition leads, before its broker stops. It goes on to answer.
func (p *partition) giveWay() {
	if p.yields && p.ending == nil && !(p.running() && p.handOver()) && !p.yielded {
		p.yielded = true
		p.send(p.catalog, yielded{address: p.address})
	}
}

// wind brings a stopping partition to its end: requests under way are answered, leadership goes to another replica where
// one can take it, then a last checkpoint spares the next start the replay, then the log closes.
func (p *partition) wind() {
	if p.ending == nil || !p.running() || len(p.waiting) > 0 || p.handOver() {
		return
	}
	if !p.wound {
		p.wound = true
		p.life.replica.SaveCheckpoint()
		p.drain()
	}
	if p.saving == 0 {
		p.fail(nil)
	}
}
