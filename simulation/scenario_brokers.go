package simulation

import (
	"fmt"
)

// fall ends a broker's life because a scenario says so: its process's, or its machine's. It stays down until it is started.
func (b *Broker) fall(power bool) error {
	if b.life.over {
		return fmt.Errorf("%s is down", b.name)
	}
	b.waits = true
	b.world.plan.count(FaultCrash)
	if power {
		b.losePower("by the scenario")
		return nil
	}
	b.world.trace.event(b.name, "killed", "by the scenario")
	b.end(false)
	return nil
}

// stop stops a broker in order, and waits until it has.
func (p *script) stop(b *Broker) error {
	if !b.Up() {
		return fmt.Errorf("%s does not run", b.name)
	}
	life := b.life
	b.waits = true
	p.world.plan.count(FaultStop)
	b.stop()
	if !p.wait(patience, func() bool { return life.over }) {
		return fmt.Errorf("%s does not stop: %s", b.name, b.describe())
	}
	return nil
}

func (p *script) start(b *Broker) error {
	if !b.life.over {
		return fmt.Errorf("%s runs", b.name)
	}
	b.waits = false
	b.Start()
	return nil
}

// wipe takes a broker's disk and its name. It stays down until it is started, as another.
func (p *script) wipe(b *Broker) error {
	lost, permitted := p.world.cluster.heldBy(b.identity)
	if !permitted {
		return fmt.Errorf("without what is on %s some partition has no quorum, or its voters are changing", b.name)
	}
	b.waits = true
	p.world.plan.count(FaultWipedDisk)
	p.world.cluster.replace(b, lost)
	return nil
}

func (p *script) pause(b *Broker) error {
	if b.life.over || b.life.paused {
		return fmt.Errorf("%s does not run", b.name)
	}
	p.world.plan.count(FaultPause)
	p.world.trace.event(b.name, "stands still", "")
	p.world.scheduler.Pause(b.life)
	return nil
}

func (p *script) resume(b *Broker) error {
	if !b.life.paused {
		return fmt.Errorf("%s does not stand still", b.name)
	}
	b.resume()
	return nil
}

func (p *script) fill(b *Broker) error {
	p.world.plan.count(FaultDiskFull)
	b.free = 0
	p.world.trace.event(b.name, "disk full", "by the scenario")
	return nil
}

func (p *script) free(b *Broker) error {
	b.free = simulatedBytes
	return nil
}
