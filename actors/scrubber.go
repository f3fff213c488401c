package actors

import (
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
	"troupe/partitions/id"
)

// scrubber is the actor that has old segments read, one at a time over all partitions, at a capped rate: damage that nobody
// reads is found while there is still something to make it good from. It goes round and round. A log is read whether or not
// anybody writes to it.
//
// Invariant: at most one scrub is on its way, number turn; what answers another one is dropped.
type scrubber struct {
	*stage
	board  *board
	self   *actor.PID
	cancel func()
	left   []*address // of this round; the first one is being scrubbed
	from   id.Index   // in its log
	began  id.Timestamp
	turn   uint64
}

// Receive handles the timers and what partitions answer.
func (s *scrubber) Receive(c actor.Context) {
	defer s.rescue("scrubber", func(error) {})
	switch m := c.Message().(type) {
	case *actor.Started:
		s.self = c.Self()
		s.cancel = s.later(s.limits.RestAfter, s.self, scrubRound{})
	case scrubRound:
		s.began, s.left, s.from = s.seams.Clock.Now(), s.board.view.Load().order, 0
		s.next()
	case scrubStep:
		if m.turn == s.turn {
			s.next()
		}
	case scrubbed:
		s.took(m)
	case *actor.Stopping:
		s.cancel()
	}
}

// next asks for the next segment. A partition that does not answer, because it is gone or its disk hangs, is passed over.
func (s *scrubber) next() {
	s.turn++
	if len(s.left) == 0 {
		passed := max(0, time.Duration(s.seams.Clock.Now()-s.began)*time.Millisecond) // a clock may be set back
		s.cancel = s.later(max(s.limits.ScrubEvery-passed, s.limits.RestAfter), s.self, scrubRound{})
		return
	}
	s.send(s.left[0].pid, scrub{to: s.self, turn: s.turn, from: s.from})
	s.cancel = s.later(s.limits.ScrubPatience, s.self, scrubbed{turn: s.turn})
}

// took waits for as long as what was read may take, and goes on.
func (s *scrubber) took(m scrubbed) {
	if m.turn != s.turn {
		return
	}
	s.cancel()
	s.turn++ // the wait below is the only thing that is due
	if s.from = m.next; m.next == 0 {
		s.left = s.left[1:]
	}
	if m.bytes == 0 {
		s.next()
		return
	}
	pause := time.Duration(m.bytes) * time.Second / time.Duration(s.limits.ScrubBytes)
	s.cancel = s.later(pause, s.self, scrubStep{turn: s.turn})
}

// scrub has the pool verify a segment of the living replica's log, for the scrubber. Logs that do not serve are not looked at:
// what is wrong with them is known.
func (p *partition) scrub(m scrub) {
	if !p.running() {
		p.send(m.to, scrubbed{turn: m.turn})
		return
	}
	p.jobs++
	s, log, self, instance := p.stage, p.life.log, p.self, p.instance
	s.seams.Pool.Run(func() {
		r := scrubbed{instance: instance, to: m.to, turn: m.turn}
		defer func() { s.send(self, r) }()
		defer s.rescue("scrub", func(err error) { r.err = err })
		r.next, r.bytes, r.err = log.Scrub(m.from)
	})
}

// scrubbed shows what the scrubber met, as reads show what they meet. A replica alone goes on: other ranges are whole. One
// with peers steps aside and is mended.
func (p *partition) scrubbed(m scrubbed) {
	damaged := errors.Is(m.err, partitions.ErrDamaged)
	p.meter.Scrubbed(m.bytes, damaged)
	if m.err != nil && p.running() && p.readProblem() == "" {
		what := "serves, but its old segments cannot be read: "
		if damaged {
			what = "serves, but the scrubber met damage: "
		}
		p.complain(fmt.Sprint(what, m.err))
	}
	if damaged {
		p.stepAside(m.err)
	}
	p.send(m.to, scrubbed{turn: m.turn, next: m.next, bytes: m.bytes})
}
