package simulation

import (
	"time"

	"troupe/partitions"
)

// simulatedBytes is the size of a volume. Nothing counts against it: it is full when a fault says so.
const simulatedBytes = 1 << 30

// fill takes all room but some of the reserve for a while, at times all of it.
func (b *Broker) fill() {
	b.world.faults.count(FaultDiskFull)
	b.free = 0
	if chance(b.random, 35) {
		b.free = partitions.DefaultReserve(simulatedBytes) / 2
	}
	b.world.trace.event(b.name, "disk full", "%d bytes are free", b.free)
	b.world.scheduler.At(b.own, time.Duration(b.random.Int64N(int64(4*time.Second))), func() { b.free = simulatedBytes })
}

// crashWithin plans one more crash, soon: at best while the broker founds its cluster or recovers.
func (b *Broker) crashWithin(most time.Duration) {
	b.world.scheduler.At(b.own, time.Duration(b.random.Int64N(int64(most))), func() {
		if b.world.trouble {
			b.crash("soon after it started")
		}
	})
}

// Heal ends the time of faults. Half of the brokers are restarted once more; so is one whose register refuses to be written,
// which asks its operator for that.
func (b *Broker) Heal() {
	b.free = simulatedBytes
	if chance(b.random, 50) || b.disk.refused != nil {
		b.crash("for the last time")
	}
}
