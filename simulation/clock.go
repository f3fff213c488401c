package simulation

import (
	"errors"
	"time"

	"troupe/partitions/id"
)

// epoch is what a right clock shows when a simulation begins: 2026-01-01 00:00 UTC.
const epoch id.Timestamp = 1_767_225_600_000

// Clock shows a life the scheduler's time, as wrong as its broker's clock is. It is an actors.Clock.
type Clock struct {
	scheduler *Scheduler
	life      *Life
	drift     *Drift // nil: it is right
}

// Drift is how wrong the clock of a broker is.
type Drift struct {
	ahead time.Duration // of the time it shows, either way
	pace  int           // in percent: how long its timers take
	burst int           // so many timers of at most a tick fire at once
	// panics, if set, tells the next look at the clock in a partition's tick whether it panics.
	panics func() bool
}

// errInjected is what an actor panics with because the plan of faults says so.
var errInjected = errors.New("simulation: a panic by plan")

// burstTimer is the longest timer that a burst shortens.
const burstTimer = 60 * time.Millisecond

// rightNow is the true virtual moment in milliseconds.
func (s *Scheduler) rightNow() id.Timestamp { return epoch + id.Timestamp(s.now/time.Millisecond) }

// Now is the virtual moment in milliseconds, as the broker's clock shows it.
func (c Clock) Now() id.Timestamp {
	if c.drift == nil {
		return c.scheduler.rightNow()
	}
	if panics := c.drift.panics; panics != nil && c.scheduler.trace.handling == "actors.tick" {
		c.drift.panics = nil
		if panics() {
			c.life.panicked = true
			panic(errInjected)
		}
	}
	return c.scheduler.rightNow() + id.Timestamp(c.drift.ahead/time.Millisecond)
}

// After calls f once, at d from now or a little later, unless the life is over by then.
func (c Clock) After(d time.Duration, f func()) (cancel func()) {
	if c.drift != nil {
		d = d * time.Duration(c.drift.pace) / 100
		if c.drift.burst > 0 && d <= burstTimer {
			c.drift.burst--
			d = 0
		}
	}
	return c.scheduler.At(c.life, d, f)
}
