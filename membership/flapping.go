package membership

import (
	"time"

	"troupe/partitions/id"
)

// Flapping: a member that fails again and again is shown alive only after it stayed so for a while, twice as long at each
// failure. Leaders then do not follow it to and fro. The first failure costs nothing, leaving is none.
const (
	flapHold     = time.Second
	mostFlapHold = 32 * time.Second
	flapMemory   = 5 * time.Minute // after which failures are forgotten
)

// flapping remembers who failed how often. The zero value remembers nobody.
type flapping struct {
	of map[id.Node]*flaps
}

type flaps struct {
	alive    bool
	failures int
	failed   time.Time // last
	risen    time.Time
}

// steady tells whether a member is to be shown alive; if it is alive but not shown so, then again is when it may be.
func (f *flapping) steady(m Member, now time.Time) (shown bool, again time.Time) {
	if f.of == nil {
		f.of = map[id.Node]*flaps{}
	}
	of := f.of[m.Node]
	if of == nil {
		of = &flaps{alive: m.Alive}
		f.of[m.Node] = of
	}
	if now.Sub(of.failed) > flapMemory {
		of.failures = 0
	}
	switch {
	case of.alive && !m.Alive && !m.Left:
		of.failures++
		of.failed = now
	case !of.alive && m.Alive:
		of.risen = now
	}
	of.alive = m.Alive
	if !m.Alive || of.failures < 2 {
		return m.Alive, time.Time{}
	}
	if until := of.risen.Add(min(flapHold<<min(of.failures-2, 10), mostFlapHold)); now.Before(until) {
		return false, until
	}
	return true, time.Time{}
}

// forget drops everyone who is no longer known.
func (f *flapping) forget(known func(id.Node) bool) {
	for node := range f.of {
		if !known(node) {
			delete(f.of, node)
		}
	}
}
