package actors

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"troupe/partitions"
	"troupe/partitions/id"
)

// This file is the real world: everything here reads a clock, starts a goroutine or waits. A simulation uses none of it.

// RealClock is the machine's clock.
type RealClock struct{}

// Now returns the wall clock.
func (RealClock) Now() id.Timestamp { return id.Timestamp(time.Now().UnixMilli()) }

// After calls f on a goroutine of its own after d.
func (RealClock) After(d time.Duration, f func()) (cancel func()) {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// NewStopwatch returns a reading of the machine's monotonic clock, for Seams.Stopwatch.
func NewStopwatch() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

// RealPool runs jobs on a fixed number of goroutines, which it starts as jobs come and ends when there are none.
type RealPool struct {
	most int

	mu      sync.Mutex
	queue   []func()
	running int
}

// NewPool makes a pool that runs at most n jobs at once.
func NewPool(n int) *RealPool { return &RealPool{most: n} }

// Run queues a job, and starts a goroutine for it unless as many run as may. Bounds: each partition has one job for its
// storage and one for each of its reads, and both are bounded by the requests that a broker lets in.
func (p *RealPool) Run(job func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, job)
	if p.running < p.most {
		p.running++
		go p.work()
	}
}

func (p *RealPool) work() {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.running--
			p.mu.Unlock()
			return
		}
		job := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		p.mu.Unlock()
		job()
	}
}

// crewEach is how many actors a crew runs at once for each processor: actors do not block, but now and then one waits for a
// lock.
const crewEach = 4

// actorTurns is how many messages an actor handles before it lets others have the processor.
const actorTurns = 300

// Crew runs actors on goroutines that it keeps. Protoactor's own dispatcher starts one for every wake: its stack begins small
// and is copied as it grows, which costs more than the tick that an idle partition woke for.
type Crew struct {
	most int

	mu      sync.Mutex
	queue   []func()
	resting []chan func() // who has nothing to do; the last to rest is the first to be woken
	hands   int
}

// NewCrew makes a crew for the processors there are. Its goroutines last as long as the process.
func NewCrew() *Crew { return &Crew{most: max(2, runtime.GOMAXPROCS(0)) * crewEach} }

// Throughput implements protoactor's Dispatcher.
func (c *Crew) Throughput() int { return actorTurns }

// Schedule implements protoactor's Dispatcher: run is called soon, on some goroutine.
func (c *Crew) Schedule(run func()) {
	c.mu.Lock()
	switch n := len(c.resting); {
	case n > 0:
		hand := c.resting[n-1]
		c.resting = c.resting[:n-1]
		c.mu.Unlock()
		hand <- run
		return
	case c.hands < c.most:
		c.hands++
		go c.work(run)
	default:
		c.queue = append(c.queue, run)
	}
	c.mu.Unlock()
}

func (c *Crew) work(run func()) {
	woken := make(chan func(), 1)
	for {
		run()
		c.mu.Lock()
		if len(c.queue) > 0 {
			run = c.queue[0]
			c.queue[0] = nil
			c.queue = c.queue[1:]
			c.mu.Unlock()
			continue
		}
		c.resting = append(c.resting, woken)
		c.mu.Unlock()
		run = <-woken
	}
}

// Run starts the node and waits until it is ready. It returns Start's errors, what kept the node from getting ready, or
// the context's.
func (n *Node) Run(ctx context.Context) error {
	ready := make(chan error, 1)
	if err := n.Start(func(err error) { ready <- err }); err != nil {
		return err
	}
	select {
	case err := <-ready:
		return err
	case <-ctx.Done():
		return fmt.Errorf("start: %w: %w", partitions.ErrNotReady, ctx.Err())
	}
}

// HandOver has others lead what the node leads, as far as they can, and waits until they do. It returns the context's error if
// that takes longer.
func (n *Node) HandOver(ctx context.Context) error {
	done := make(chan struct{})
	n.Yield(func() { close(done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("hand over: %w", ctx.Err())
	}
}

// Shutdown stops the node and waits until it has stopped. It returns the context's error if that takes longer.
func (n *Node) Shutdown(ctx context.Context) error {
	done := make(chan struct{})
	n.Stop(func() { close(done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop: %w", ctx.Err())
	}
}
