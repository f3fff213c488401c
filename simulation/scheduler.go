package simulation

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// stepCost bounds the virtual time that one step takes.
const stepCost = 20 * time.Microsecond

// Scheduler runs every step of a simulation, one at a time, in an order that its stream draws among all that could run. Time
// passes a little with each step, and in leaps when nothing can run.
type Scheduler struct {
	now    time.Duration // since the beginning
	random *rand.Rand
	ready  []step
	timers timers
	made   uint64 // numbers timers, so that equal deadlines have an order
	trace  *Trace
	// after runs when a step has ended: the place for invariants that hold at every step.
	after func()
}

// Life is how long something runs: one start of the broker, one connection. Steps and timers of a life that is over are
// dropped, as a killed process drops its.
type Life struct {
	over bool
	// panicked: an actor of it panicked by plan.
	panicked bool
	// paused: its steps are held until it goes on, as those of a stopped process.
	paused bool
	held   []step
}

// hold keeps a step until the life goes on.
func (l *Life) hold(of *Life, run func()) { l.held = append(l.held, step{of, run}) }

type step struct {
	life *Life
	run  func()
}

type timer struct {
	at       time.Duration
	number   uint64
	step     step
	canceled bool
}

// NewScheduler returns a scheduler at time zero, with nothing to do.
func NewScheduler(random *rand.Rand, trace *Trace) *Scheduler {
	return &Scheduler{random: random, trace: trace, after: func() {}}
}

// Now is the virtual time since the beginning.
func (s *Scheduler) Now() time.Duration { return s.now }

// Ready queues a step to run at any moment from now on.
func (s *Scheduler) Ready(l *Life, run func()) { s.ready = append(s.ready, step{life: l, run: run}) }

// At queues a step to run at any moment from d on. The returned function cancels it.
func (s *Scheduler) At(l *Life, d time.Duration, run func()) (cancel func()) {
	s.made++
	t := &timer{at: s.now + max(d, 0), number: s.made}
	t.step = step{life: l, run: func() {
		if !t.canceled {
			run()
		}
	}}
	heap.Push(&s.timers, t)
	return func() { t.canceled = true }
}

// Pause stops a life where it is: its steps and timers wait.
func (s *Scheduler) Pause(l *Life) { l.paused = true }

// Resume lets a paused life go on with everything that has come due.
func (s *Scheduler) Resume(l *Life) {
	l.paused = false
	s.ready = append(s.ready, l.held...)
	l.held = nil
}

// Run runs steps until virtual time passes end, until says so after some step, or nothing is left to do.
func (s *Scheduler) Run(end time.Duration, until func() bool) {
	for !until() {
		if len(s.ready) == 0 && !s.leap(end) {
			return
		}
		if s.now > end {
			return
		}
		s.releaseTimers()
		s.step()
	}
}

// leap moves the clock to the next timer. It is false when there is none before end.
func (s *Scheduler) leap(end time.Duration) bool {
	for len(s.timers) > 0 && (s.timers[0].canceled || s.timers[0].step.life.over) {
		heap.Pop(&s.timers)
	}
	if len(s.timers) == 0 || s.timers[0].at > end {
		s.now = max(s.now, end)
		return false
	}
	s.now = max(s.now, s.timers[0].at)
	return true
}

func (s *Scheduler) releaseTimers() {
	for len(s.timers) > 0 && s.timers[0].at <= s.now {
		s.ready = append(s.ready, heap.Pop(&s.timers).(*timer).step)
	}
}

func (s *Scheduler) step() {
	if len(s.ready) == 0 {
		return
	}
	i, last := s.random.IntN(len(s.ready)), len(s.ready)-1
	next := s.ready[i]
	s.ready[i] = s.ready[last]
	s.ready[last] = step{}
	s.ready = s.ready[:last]
	if next.life.over {
		return
	}
	if next.life.paused {
		next.life.held = append(next.life.held, next)
		return
	}
	s.now += time.Duration(s.random.Int64N(int64(stepCost)))
	s.trace.steps++
	s.trace.mix(uint64(s.now))
	next.run()
	s.after()
}

// timers is a heap: earliest first, then in the order they were made.
type timers []*timer

func (t timers) Len() int      { return len(t) }
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)   { *t = append(*t, x.(*timer)) }
func (t timers) Less(i, j int) bool {
	return t[i].at < t[j].at || t[i].at == t[j].at && t[i].number < t[j].number
}

// Pop removes the last element, as container/heap wants it.
func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	return x
}

// moment shows a time of the simulation as seconds.
func moment(d time.Duration) string { return fmt.Sprintf("%12.6f", d.Seconds()) }
