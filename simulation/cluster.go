package simulation

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/actors"
	"troupe/gateway"
	"troupe/partitions"
	"troupe/partitions/id"
)

// Cluster is the simulated broker: what it is made of while it lives, and what ends its lives. A life is a whole new tree of
// actors on what the volume holds; when it ends by a crash, everything of it that had not run yet never does.
type Cluster struct {
	world  *World
	random *rand.Rand
	pool   *rand.Rand
	damage *rand.Rand
	// own is the life of what outlives the broker: its restarts and the plan of its faults.
	own     *Life
	system  *actor.ActorSystem
	logger  *slog.Logger
	free    int64 // bytes on the disk
	lives   int
	founded bool // some life got ready: the cluster exists

	// life is the broker's: over while it is down. The rest belongs to it.
	life   *Life
	device *Device
	disk   *Disk
	node   *actors.Node
	ready  bool
	wires  []*Wire
}

// The broker's identity.
const (
	simulatedNode    id.Node    = 0xA11CE
	simulatedCluster id.Cluster = 0xC0FFEE
)

// downAtMost is how long a broker that crashed stays down.
const downAtMost = 1500 * time.Millisecond

func newCluster(w *World) *Cluster {
	c := &Cluster{
		world: w, random: w.streams.Named("cluster"), pool: w.streams.Named("pool"), damage: w.streams.Named("damage"), own: &Life{}, life: &Life{over: true},
		device: &Device{}, free: simulatedBytes, logger: slog.New(logbook{w.trace}),
	}
	c.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	return c
}

// Up tells whether the broker runs and has opened everything.
func (c *Cluster) Up() bool { return !c.life.over && c.ready }

// describe says for a report what the broker is doing.
func (c *Cluster) describe() string {
	if c.life.over {
		return "the broker is down"
	}
	s := fmt.Sprintf("life %d, ready %v, problems %q", c.lives, c.ready, c.node.Problems())
	for _, p := range c.world.producers {
		for _, st := range p.streams {
			for _, b := range st.window {
				s += fmt.Sprintf("; %s sequence %d of %v has %d tries", p.client.name, b.Sequence, b.Partition, b.Tries)
			}
		}
	}
	return s
}

// Start begins a life.
func (c *Cluster) Start() {
	w := c.world
	c.lives++
	c.life, c.ready = &Life{}, false
	c.device = &Device{
		volume: w.volume, random: w.streams.Named(fmt.Sprintf("device %d", c.lives)), faults: &w.faults, trace: w.trace,
		room: func() int64 { return c.free }, crash: func() int { return c.rate(w.options.DiskCrash) }, fail: func() int { return c.rate(w.options.DiskError) },
	}
	w.trace.event("broker", "start", "life %d", c.lives)
	var err error
	if c.disk, err = openDisk(w, c.device); err == nil {
		err = c.begin()
	}
	if err != nil {
		c.exit(err)
	}
}

func (c *Cluster) rate(drawn int) int {
	if c.world.trouble {
		return drawn
	}
	return 0
}

func (c *Cluster) begin() error {
	w, life := c.world, c.life
	node, err := actors.NewNode(actors.Options{
		Seams: actors.Seams{
			Clock: Clock{w.scheduler, life}, Disk: c.disk,
			Pool: &Pool{
				scheduler: w.scheduler, life: life, random: c.pool, width: 4, slowest: w.options.SlowDisk, faults: &w.faults,
			},
			Dispatcher: Dispatcher{w.scheduler, life},
			Mailbox:    func() actor.Mailbox { return &Mailbox{trace: w.trace} },
		},
		Cluster: simulatedCluster, Node: simulatedNode, Gateway: "simulated:1", Version: "simulated",
		Bootstrap: !c.founded, Log: c.logger, Check: true, System: c.system, Name: fmt.Sprintf("life-%d", c.lives),
		Limits:   actors.Limits{RestAfter: w.options.RestAfter},
		Replicas: partitions.Limits{TailBytes: w.options.Tail, CheckpointBytes: w.options.Checkpoint},
	})
	if err != nil {
		return err
	}
	c.node = node
	return node.Start(func(err error) {
		if err != nil {
			c.exit(err)
			return
		}
		w.trace.event("broker", "ready", "life %d", c.lives)
		c.founded, c.ready = true, true
	})
}

// exit is a broker that gives up by itself because it cannot serve: a supervisor of processes starts it again.
func (c *Cluster) exit(err error) {
	if c.device.dead {
		return // afterStep ends it
	}
	c.world.trace.event("broker", "exit", "%v", err)
	if !c.world.trouble {
		c.world.violate(violation("not-live", "without any fault the broker gives up: %v", err))
	}
	c.end()
}

// end ends a life, however it came to that: its steps are dropped, its connections cut, and another is planned.
func (c *Cluster) end() {
	c.life.over, c.ready = true, false
	for _, wire := range slices.Clone(c.wires) {
		wire.Cut()
	}
	c.wires = nil
	wait := time.Duration(c.random.Int64N(int64(downAtMost)))
	c.world.scheduler.At(c.own, wait, c.Start)
}

// crash is the death of the process or of the whole machine.
func (c *Cluster) crash(why string) {
	if c.life.over {
		return
	}
	if c.ready && !c.device.dead {
		c.world.faults.count(FaultCrash)
	}
	if chance(c.random, 30) {
		c.world.trace.event("broker", "killed", "%s; what the system has in memory survives", why)
	} else {
		c.world.trace.event("broker", "power loss", "%s", why)
		c.world.volume.PowerLoss(c.random, &c.world.faults)
		c.injure()
	}
	c.end()
}

// afterStep looks at what a step may have left behind.
func (c *Cluster) afterStep() {
	c.world.violate(c.world.trace.raised)
	if c.device.dead && !c.life.over {
		c.crash("inside a storage step")
	}
}

// Trouble plans faults for as long as the world wants them.
func (c *Cluster) Trouble() {
	c.again(c.world.options.CrashEvery, func() {
		switch {
		case c.Up() && chance(c.random, 15):
			c.stop()
		default:
			c.crash("at any moment")
		}
		if chance(c.random, 25) { // a crash loop
			c.crashWithin(downAtMost + 200*time.Millisecond)
		}
	})
	if every := c.world.options.FullEvery; every > 0 {
		c.again(every, c.fill)
	}
	c.again(c.world.options.CutEvery, func() {
		if n := len(c.wires); n > 0 {
			c.world.faults.count(FaultCutConnection)
			c.wires[c.random.IntN(n)].Cut()
		}
	})
}

// simulatedBytes is the size of the disk. Nothing counts against it: it is full when a fault says so.
const simulatedBytes = 1 << 30

// fill takes all room but some of the reserve for a while, at times all of it.
func (c *Cluster) fill() {
	c.world.faults.count(FaultDiskFull)
	c.free = 0
	if chance(c.random, 35) {
		c.free = partitions.DefaultReserve(simulatedBytes) / 2
	}
	c.world.trace.event("disk", "full", "%d bytes are free", c.free)
	c.world.scheduler.At(c.own, time.Duration(c.random.Int64N(int64(4*time.Second))), func() { c.free = simulatedBytes })
}

// crashWithin plans one more crash, soon: at best while the broker founds its cluster or recovers.
func (c *Cluster) crashWithin(most time.Duration) {
	c.world.scheduler.At(c.own, time.Duration(c.random.Int64N(int64(most))), func() {
		if c.world.trouble {
			c.crash("soon after it started")
		}
	})
}

// Heal ends the time of faults. Half of the runs restart the broker once more; so does one whose register refuses to be
// written, which asks its operator for that.
func (c *Cluster) Heal() {
	c.free = simulatedBytes
	if chance(c.random, 50) || c.disk.refused != nil {
		c.crash("for the last time")
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

// stop ends a life in order. Nothing of it may be lost, not even when the power goes right after.
func (c *Cluster) stop() {
	c.world.trace.event("broker", "stop", "life %d", c.lives)
	c.ready = false
	c.node.Stop(func() {
		c.world.trace.event("broker", "stopped", "life %d", c.lives)
		c.world.marks.count(MarkStop)
		c.world.volume.PowerLoss(c.random, &c.world.faults)
		c.injure()
		c.end()
	})
}

// Connect gives a client a wire to the broker, which is cut soon where there is none, or one that is not ready: like the
// production program, this one listens only once its node is.
func (c *Cluster) Connect(client *Client) *Wire {
	wire := &Wire{scheduler: c.world.scheduler, random: c.random, life: &Life{}, client: client.life, hungUp: client.hungUp, torn: func() {}}
	wire.down.arrives = client.received
	if !c.Up() {
		wire.up.arrives = func([]byte) {}
		c.world.scheduler.At(client.life, wire.delay(), wire.Cut)
		return wire
	}
	session := gateway.NewSession(c.node.Router(), gateway.Limits{}, func(r gateway.Reply) {
		payload := r.Frame().Payload()
		r.Done()
		client.emitted(payload)
		wire.Answer(payload)
	})
	wire.up.arrives = func(payload []byte) {
		c.world.trace.mixBytes(payload)
		if _, err := session.Receive(payload); err != nil {
			c.world.violate(violation("malformed-request", "the session says of %s: %v", client.name, err))
		}
	}
	wire.torn = func() {
		c.wires = slices.DeleteFunc(c.wires, func(other *Wire) bool { return other == wire })
		session.Close()
	}
	c.wires = append(c.wires, wire)
	return wire
}
