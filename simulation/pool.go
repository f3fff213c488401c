package simulation

import (
	"math/rand/v2"
	"time"
)

// Pool runs a life's blocking work as later steps. It is an actors.Pool: jobs start in the order of Run, and at most width
// of them are under way, in whatever order they end.
type Pool struct {
	scheduler *Scheduler
	life      *Life
	random    *rand.Rand
	width     int
	slowest   time.Duration
	plan      *Plan
	broker    string // whose work it is
	busy      int
	queue     []func()
}

// Run queues a job.
func (p *Pool) Run(job func()) {
	p.queue = append(p.queue, job)
	p.start()
}

func (p *Pool) start() {
	for p.busy < p.width && len(p.queue) > 0 {
		job := p.queue[0]
		p.queue = p.queue[1:]
		p.busy++
		p.scheduler.At(p.life, p.delay(), func() {
			p.busy--
			job()
			p.start()
		})
	}
}

// delay draws how long a job takes: mostly little, at times as long as a disk that struggles.
func (p *Pool) delay() time.Duration {
	if chance(p.random, 95) {
		return time.Duration(p.random.Int64N(int64(time.Millisecond)))
	}
	slow := time.Duration(p.random.Int64N(int64(p.slowest)))
	if !p.plan.strike(FaultSlowDisk, p.broker) {
		slow = min(slow, time.Millisecond)
	}
	return slow
}
