package simulation

import (
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions/id"
)

// Cluster is all brokers of a run, and the plan of what goes wrong with them.
type Cluster struct {
	world  *World
	random *rand.Rand
	// own is the life of the plan: as long as the run.
	own     *Life
	system  *actor.ActorSystem
	brokers []*Broker // never empty
	network *Network
	gossip  *Gossip
	wiped   int
	founded bool // some broker got ready: the cluster exists
}

// The cluster's identity, and that of the first broker; those of the others follow.
const (
	simulatedCluster id.Cluster = 0xC0FFEE
	firstNode        id.Node    = 0xA11CE
)

func newCluster(w *World) *Cluster {
	c := &Cluster{world: w, random: w.streams.Named("cluster"), own: &Life{}}
	c.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	c.network = newNetwork(w.options.Nodes, w.scheduler, w.streams.Named("network"), w.trace, w.plan, w.options.Weather)
	c.network.trouble = func() bool { return w.trouble }
	c.gossip = newGossip(c)
	for i := range w.options.Nodes {
		c.brokers = append(c.brokers, newBroker(c, i))
	}
	return c
}

// Start begins the first life of every broker.
func (c *Cluster) Start() {
	for _, b := range c.brokers {
		b.Start()
	}
}

// cease lets go of what the brokers' disks hold, when the run is over.
func (c *Cluster) cease() {
	for _, b := range c.brokers {
		b.disk.cease()
	}
}

// Up tells whether every broker that is to runs, and has opened everything.
func (c *Cluster) Up() bool {
	for _, b := range c.brokers {
		if !b.dark && !b.Up() {
			return false
		}
	}
	return true
}

// any draws a broker.
func (c *Cluster) any() *Broker { return c.brokers[c.random.IntN(len(c.brokers))] }

// describe says for a report what the brokers are doing.
func (c *Cluster) describe() string {
	all := make([]string, len(c.brokers))
	for i, b := range c.brokers {
		all[i] = b.describe()
	}
	return strings.Join(all, "; ")
}

// afterStep looks at what a step may have left behind.
func (c *Cluster) afterStep() {
	c.world.violate(c.world.trace.raised)
	for _, b := range c.brokers {
		b.afterStep()
	}
}

// Trouble plans faults for as long as the world wants them.
func (c *Cluster) Trouble() {
	o := &c.world.options
	c.again(o.CrashEvery, func() {
		b := c.any()
		switch {
		case b.Up() && chance(c.random, 15):
			if c.world.plan.strike(FaultStop, b.name) {
				b.stop()
			}
		default:
			b.crash("at any moment")
		}
		if chance(c.random, 25) { // a crash loop
			b.crashWithin(downAtMost + 200*time.Millisecond)
		}
	})
	c.again(o.PauseEvery, func() { c.any().pause() })
	c.again(o.ClockEvery, func() { c.any().missetClock() })
	c.again(o.PanicEvery, func() { c.any().panicSoon() })
	if len(c.brokers) > 1 {
		c.again(o.PauseEvery, c.oversleep)
		c.again(o.RestartEvery, c.blackout)
		c.again(o.RestartEvery, c.roll)
		c.again(o.WipeEvery, func() { c.wipe(c.any()) })
		c.again(o.GossipEvery, c.gossip.err)
		c.network.Trouble(c.again, c)
	}
	if o.FullEvery > 0 {
		c.again(o.FullEvery, func() { c.any().fill() })
	}
	c.again(o.CutEvery, func() {
		b := c.any()
		if n := len(b.wires); n > 0 {
			if wire := b.wires[c.random.IntN(n)]; c.world.plan.strike(FaultCutConnection, b.name) {
				wire.Cut()
			}
		}
	})
}

// leading draws the number of a broker that leads something, if there is one.
func (c *Cluster) leading() int {
	if led := c.world.ledger.led(); len(led) > 0 {
		node := c.world.ledger.nodeOf(led[c.random.IntN(len(led))])
		for _, b := range c.brokers {
			if b.identity == node {
				return b.number
			}
		}
	}
	return c.any().number
}

// succession does something as soon as another leads something in a broker's place, or when that takes too long.
func (c *Cluster) succession(number int, then func()) {
	w, node := c.world, c.brokers[number].identity
	before, until := w.ledger.deposed[node], w.scheduler.Now()+longestReign
	var watch func()
	watch = func() {
		if w.ledger.deposed[node] != before || w.scheduler.Now() > until {
			then()
			return
		}
		w.scheduler.At(c.own, 20*time.Millisecond, watch)
	}
	watch()
}

// longestReign is longer than it mostly takes to replace a leader that is not heard.
const longestReign = 4 * time.Second

// Heal ends the time of faults.
func (c *Cluster) Heal() {
	c.network.heal()
	c.gossip.heal()
	for _, b := range c.brokers {
		if !b.dark {
			b.Heal()
		}
	}
}

// again does something again and again, with a mean time between.
func (c *Cluster) again(mean time.Duration, f func()) {
	c.world.scheduler.At(c.own, time.Duration(c.random.Int64N(int64(2*mean))), func() {
		if c.world.trouble {
			f()
			c.again(mean, f)
		}
	})
}
