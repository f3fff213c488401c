package actors

import (
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// traffic is what a partition's requests are doing.
//
// Invariant: a request that is not completed is in taken[at:], held or waiting.
type traffic struct {
	letters []mail    // from the mail, being handed over
	taken   []request // from the door, in order; those before at are dealt with
	at      int
	held    []request                      // in order; while opening and settling
	waiting map[partitions.Request]request // handed to the replica, unanswered
	ticks   int                            // since this life began, while settling
	saving  int                            // checkpoints on their way to the disk
	wound   bool                           // the last checkpoint before a stop was asked for
}

// serve takes what waits behind the doors.
func (p *partition) serve() {
	p.step()
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
	case *entriesRequest:
		p.supply(q)
		return
	case *digestRequest:
		p.digest(q)
		return
	}
	switch {
	case p.phase == phaseServing:
		p.waiting[q.number()] = q
		q.hand(p.life.replica, now)
	case p.phase == phaseQuarantined:
		p.confine(q)
	case p.phase <= phaseSettling && p.tries == 0 && p.ticks < p.limits.OpeningTicks && len(p.held) < p.limits.Requests:
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

// giveUp ends the wait of a fetch with what there is; of one that no replica has seen, with that.
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
			q.refuse(partitions.ErrNotReady)
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
	q.answer(p.route.fetched(partitions.FetchAnswer{Request: n, LogStart: s.LogStart, HighWatermark: s.HighWatermark, Term: s.Term}))
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
