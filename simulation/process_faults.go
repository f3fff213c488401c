package simulation

import (
	"fmt"
	"time"

	"troupe/partitions"
)

// simulatedBytes is the size of a volume. Nothing counts against it: it is full when a fault says so.
const simulatedBytes = 1 << 30

// fill takes all room but some of the reserve for a while, at times all of it.
func (b *Broker) fill() {
	free := int64(0)
	if chance(b.random, 35) {
		free = partitions.DefaultReserve(simulatedBytes) / 2
	}
	lasts := time.Duration(b.random.Int64N(int64(4 * time.Second)))
	if !b.world.plan.strike(FaultDiskFull, fmt.Sprintf("%s, %d bytes are free, for %v", b.name, free, lasts.Round(time.Millisecond))) {
		return
	}
	b.free = free
	b.world.trace.event(b.name, "disk full", "%d bytes are free", b.free)
	b.world.scheduler.At(b.own, lasts, func() { b.free = simulatedBytes })
}

// crashWithin plans one more crash, soon: at best while the broker founds its cluster or recovers.
func (b *Broker) crashWithin(most time.Duration) {
	b.world.scheduler.At(b.own, time.Duration(b.random.Int64N(int64(most))), func() {
		if b.world.trouble {
			b.crash("soon after it started")
		}
	})
}

// pause lets the broker stand still, from 10 ms to a minute: most pauses are short. When it goes on, often its timers come all at
// once, or what others sent meanwhile has to be sent again, as to a machine that was away.
func (b *Broker) pause() {
	if b.life.over || b.life.paused {
		return
	}
	w, life := b.world, b.life
	lasts := 10 * time.Millisecond << b.random.IntN(12)
	lasts += time.Duration(b.random.Int64N(int64(lasts)/2 + 1))
	if !w.plan.strike(FaultPause, fmt.Sprintf("%s, for %v", b.name, lasts.Round(time.Millisecond))) {
		return
	}
	w.trace.event(b.name, "stands still", "for %v", lasts)
	w.scheduler.Pause(life)
	w.scheduler.At(b.own, lasts, func() {
		if life.over || !life.paused {
			return
		}
		switch {
		case chance(b.random, 30):
			b.cluster.network.resend(b.number)
		case chance(b.random, 60) && w.plan.strike(FaultTickBurst, b.name):
			b.drift.burst = min(400, int(lasts/(50*time.Millisecond)))
		}
		b.resume()
	})
}

// oversleep lets a broker that leads stand still until another leads in its place, and a little longer: then it goes on as a leader
// that does not know that it is none any more.
func (c *Cluster) oversleep() {
	b := c.brokers[c.leading()]
	if b.life.over || b.life.paused || !c.world.plan.strike(FaultOversleep, b.name) {
		return
	}
	w, life := c.world, b.life
	w.trace.event(b.name, "stands still", "and leads")
	w.scheduler.Pause(life)
	c.succession(b.number, func() {
		longer := time.Duration(b.random.Int64N(int64(1500 * time.Millisecond)))
		w.scheduler.At(b.own, longer, func() {
			if !life.over && life.paused {
				c.network.resend(b.number)
				b.resume()
			}
		})
	})
}

// resume lets the broker go on where it stood still.
func (b *Broker) resume() {
	b.world.trace.event(b.name, "goes on", "")
	b.world.scheduler.Resume(b.life)
	b.cluster.network.dialAll(b.number)
}

// missetClock makes the broker's clock wrong, or right again.
func (b *Broker) missetClock() {
	w := b.world
	switch b.random.IntN(3) {
	case 0:
		if pace := between(b.random, 85, 115); w.plan.strike(FaultClockSkew, fmt.Sprintf("%s, timers take %d %%", b.name, pace)) {
			b.drift.pace = pace
		}
	case 1:
		jump := time.Duration(b.random.Int64N(int64(2*time.Hour))) - time.Hour
		if w.plan.strike(FaultClockJump, fmt.Sprintf("%s, by %v", b.name, jump.Round(time.Millisecond))) {
			b.drift.ahead += jump
		}
	default:
		b.drift.pace, b.drift.ahead = 100, 0
	}
	w.trace.event(b.name, "clock", "%v ahead, timers take %d %%", b.drift.ahead, b.drift.pace)
}

// panicSoon lets the next partition that ticks panic.
func (b *Broker) panicSoon() {
	b.drift.panics = func() bool {
		if !b.world.plan.strike(FaultActorPanic, b.name) {
			return false
		}
		b.world.trace.event(b.name, "panics", "in the tick of a partition")
		return true
	}
}

// blackout takes the power of all brokers at once.
func (c *Cluster) blackout() {
	if !c.world.plan.strike(FaultBlackout, "all brokers") {
		return
	}
	c.world.trace.event("cluster", "blackout", "")
	for _, b := range c.brokers {
		b.losePower("of all")
	}
}

// roll restarts one broker after the other, in order, each once the one before is back.
func (c *Cluster) roll() {
	order := c.random.Perm(len(c.brokers))
	if !c.world.plan.strike(FaultRolling, "all brokers") {
		return
	}
	c.world.trace.event("cluster", "rolling restart", "")
	var next func(i int)
	next = func(i int) {
		if i == len(order) || !c.world.trouble {
			return
		}
		b := c.brokers[order[i]]
		life := b.life
		if b.Up() && !life.paused {
			b.stop()
		}
		var wait func()
		wait = func() {
			if b.Up() && b.life != life {
				next(i + 1)
			} else if c.world.trouble {
				c.world.scheduler.At(c.own, 200*time.Millisecond, wait)
			}
		}
		c.world.scheduler.At(c.own, 200*time.Millisecond, wait)
	}
	next(0)
}

// Heal ends the time of faults. Half of the brokers are restarted once more; so is one whose register refuses to be written,
// which asks its operator for that.
func (b *Broker) Heal() {
	b.free = simulatedBytes
	b.drift = Drift{pace: 100}
	if b.life.paused {
		b.world.scheduler.Resume(b.life)
	}
	if b.waits && b.life.over {
		b.Start()
	}
	b.waits = false
	if again := chance(b.random, 50); b.disk.refusing() || again && !b.life.over && b.world.plan.strike(FaultCrash, b.name) {
		b.die("for the last time")
	}
}
