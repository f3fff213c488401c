package actors

import (
	"errors"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// traffic is what a partition's requests are doing.
//
// Invariant: a request that is not completed is in taken[at:], held or waiting.
type traffic struct {
	taken   []request // from the door, in order; those before at are dealt with
	at      int
	held    []request                      // in order; while opening and settling
	waiting map[partitions.Request]request // handed to the replica, unanswered
	ticks   int                            // since this life began, while settling
	saving  int                            // checkpoints on their way to the disk
	wound   bool                           // the last checkpoint before a stop was asked for
}

// work is a message for the living replica. Those of an earlier life are dropped.
func (p *partition) work(message any) {
	switch m := message.(type) {
	case wake:
		p.serve()
	case tick:
		p.tick()
	case persisted:
		if m.instance == p.instance && p.running() {
			p.life.replica.Persisted(m.through)
		}
	case saved:
		if m.instance == p.instance && p.running() {
			p.saving--
			p.life.replica.CheckpointSaved(m.index)
		}
	case failed:
		if m.instance == p.instance {
			p.fail(m.err)
		}
	case fetched:
		if m.instance == p.instance {
			p.jobs--
			p.note(m.answer.Err)
			p.answerFetch(m.answer)
			p.close()
		}
	case searched:
		if m.instance == p.instance {
			p.jobs--
			p.note(m.answer.Err)
			p.answerOffsets(m.answer)
			p.close()
		}
	}
}

// running tells whether there is a replica that may be called.
func (p *partition) running() bool { return p.phase == phaseSettling || p.phase == phaseServing }

func (p *partition) tick() {
	if !p.running() {
		return
	}
	p.life.replica.Tick(p.seams.Clock.Now())
	if p.phase != phaseSettling {
		return
	}
	if p.ticks++; p.ticks == p.limits.OpeningTicks {
		p.settle()
		p.refuseEach(p.held, partitions.ErrNotReady)
		p.held = nil
	}
}

// note shows damage that a read met. The replica goes on: other ranges are whole.
func (p *partition) note(err error) {
	if p.phase == phaseServing && errors.Is(err, partitions.ErrDamaged) {
		p.complain("serves, but a read met damage: " + err.Error())
	}
}

// turn ends the handling of every message: what the replica wants done is done, and what follows from it.
func (p *partition) turn() {
	if !p.running() {
		return
	}
	p.drain()
	if p.phase == phaseSettling && p.life.replica.Status().Ready {
		p.phase, p.tries, p.failure = phaseServing, 0, nil
		p.complain("")
		p.settle()
		p.release()
		p.drain()
	}
	p.wind()
	if !p.running() {
		return
	}
	if idle := p.life.replica.Idle(); p.ticking.Load() == idle {
		p.ticking.Store(!idle)
	}
	if p.check {
		p.life.replica.Check()
	}
}

// drain carries out everything the replica wants.
func (p *partition) drain() {
	out := p.life.replica.Outbox()
	if len(out.Writes) > 0 {
		p.send(p.storage, writeOrder{instance: p.instance, writes: out.Writes})
	}
	if out.Checkpoint != nil {
		p.saving++
		p.send(p.storage, saveOrder{instance: p.instance, checkpoint: out.Checkpoint})
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
	for _, r := range out.Reads {
		p.read(r)
	}
	for _, s := range out.Searches {
		p.search(s)
	}
	if out.Failed != nil {
		p.fail(out.Failed) // opening the log again tells what of it is damaged
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
		q.answer(a)
	}
}

func (p *partition) answerOffsets(a partitions.OffsetAnswer) {
	if q, ok := p.finish(a.Request).(*offsetsRequest); ok {
		q.answer(a)
	}
}

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
	batches, err := log.ReadBatches(r.From, r.Until, r.MaxBytes)
	a.Batches, a.Err = batches, both(a.Err, err)
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
	at, stamp, found, err := log.FindTime(q.Time, q.Until)
	if found && err == nil {
		a.Offset, a.Time = at, stamp
	}
	a.Err = both(a.Err, err)
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

// serve takes what waits behind the door.
func (p *partition) serve() {
	p.taken, p.at = p.door.take(p.taken[:0], p.limits.RequestsATurn), 0
	now := p.seams.Clock.Now()
	for p.at < len(p.taken) {
		p.admit(p.taken[p.at], now)
		if p.taken == nil {
			return // the replica ended meanwhile, and everyone was refused
		}
		p.at++ // not before: whoever panics in between is refused with the rest
	}
	clear(p.taken)
	p.taken, p.at = p.taken[:0], 0
}

// admit deals with one request according to the phase.
func (p *partition) admit(q request, now id.Timestamp) {
	switch q := q.(type) {
	case *describeRequest:
		q.answer(p.status())
		return
	case giveUp:
		p.giveUp(q.fetch)
		return
	}
	switch {
	case p.phase == phaseServing:
		p.waiting[q.number()] = q
		q.hand(p.life.replica, now)
	case p.phase == phaseQuarantined:
		p.confine(q)
	case p.phase <= phaseSettling && p.tries == 0 && len(p.held) < p.limits.Requests:
		p.held = append(p.held, q)
	default:
		q.refuse(p.refusal())
	}
}

// release hands over what was held, in the order it came.
func (p *partition) release() {
	now := p.seams.Clock.Now()
	for len(p.held) > 0 {
		p.admit(p.held[0], now)
		p.held = p.held[1:]
	}
	p.held = nil
}

// confine answers a request from quarantine.
func (p *partition) confine(q request) {
	z := p.life.quarantine
	switch q := q.(type) {
	case *fetchRequest:
		a, read := z.fetch(q.Fetch)
		if read == nil {
			q.answer(a)
			return
		}
		p.waiting[q.number()] = q
		p.read(*read)
	case *offsetsRequest:
		a, search := z.offsets(q.ListOffsets)
		if search == nil {
			q.answer(a)
			return
		}
		p.waiting[q.number()] = q
		p.search(*search)
	default:
		q.refuse(z.mark(nil))
	}
}

// giveUp ends the wait of a fetch with what there is.
func (p *partition) giveUp(n partitions.Request) {
	if p.phase == phaseServing {
		p.drain() // its answer may be there already
	}
	if q, ok := p.waiting[n].(*fetchRequest); ok && !q.reading {
		p.empty(q)
		return
	}
	for i, h := range p.held {
		if q, ok := h.(*fetchRequest); ok && q.number() == n {
			p.held = slices.Delete(p.held, i, i+1)
			q.answer(partitions.FetchAnswer{Request: n})
			return
		}
	}
}

// empty answers a parked fetch with nothing.
func (p *partition) empty(q *fetchRequest) {
	n := q.number()
	p.life.replica.Cancel(n)
	delete(p.waiting, n)
	s := p.life.replica.Status()
	q.answer(partitions.FetchAnswer{Request: n, LogStart: s.LogStart, HighWatermark: s.HighWatermark, Term: s.Term})
}

// dismiss answers every parked fetch with nothing: the broker stops.
func (p *partition) dismiss() {
	for _, n := range p.numbers() {
		if q, ok := p.waiting[n].(*fetchRequest); ok && !q.reading {
			p.empty(q)
		}
	}
}

// wind brings a stopping partition to its end: requests under way are answered, then a last checkpoint spares the next
// start the replay, then the log closes.
func (p *partition) wind() {
	if p.ending == nil || !p.running() || len(p.waiting) > 0 {
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

// numbers returns the requests that were handed over, in the order of their numbers.
func (p *partition) numbers() []partitions.Request {
	all := make([]partitions.Request, 0, len(p.waiting))
	for n := range p.waiting {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// refuseAll completes everything that was let in: what the replica had may have happened, the rest has not.
func (p *partition) refuseAll(why error) {
	for _, n := range p.numbers() {
		q := p.finish(n)
		p.safely(func() { q.refuse(q.lost(why)) })
	}
	p.refuseEach(p.held, why)
	p.refuseEach(p.taken[p.at:], why)
	p.held, p.taken, p.at = nil, nil, 0
}

func (p *partition) refuseEach(all []request, why error) {
	for _, q := range all {
		p.safely(func() { q.refuse(why) })
	}
}

// status describes the partition in whatever phase it is.
func (p *partition) status() partitions.Status {
	s := partitions.Status{Partition: p.partition, Replica: p.replica, Problem: p.readProblem()}
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
