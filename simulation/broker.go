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

// Broker is one simulated broker: what it is made of while it lives, and what ends its lives. A life is a whole new tree of
// actors on what the volume holds; when it ends by a crash, everything of it that had not run yet never does.
type Broker struct {
	world    *World
	cluster  *Cluster
	number   int
	name     string // in the trace
	identity id.Node
	random   *rand.Rand
	pool     *rand.Rand
	damage   *rand.Rand
	// own is the life of what outlives a life: the broker's restarts and the plan of its faults.
	own    *Life
	logger *slog.Logger
	// volume is the twin's. Where files are real they are the mirror's, and volume shows what a power loss has left.
	volume *Volume
	mirror *Mirror // nil for the twin
	free   int64   // bytes on the volume
	drift  Drift
	lives  int

	dark bool // it never comes back
	// waits: while it is down, it stays down until a scenario starts it.
	waits bool

	// life is over while the broker is down. The rest belongs to it.
	life   *Life
	device *Device
	disk   brokerDisk
	logs   *overseer
	node   *actors.Node
	ready  bool
	wires  []*Wire
}

// downAtMost is how long a broker that crashed stays down.
const downAtMost = 1500 * time.Millisecond

func newBroker(c *Cluster, number int) *Broker {
	name := "broker-" + string(rune('a'+number))
	streams := c.world.streams
	b := &Broker{
		world: c.world, cluster: c, number: number, name: name, identity: firstNode + id.Node(number),
		random: streams.Named(name), pool: streams.Named(name + "'s pool"), damage: streams.Named(name + "'s damage"),
		own: &Life{}, life: &Life{over: true}, device: &Device{}, free: simulatedBytes, drift: Drift{pace: 100},
		logger: slog.New(logbook{name, c.world.trace}),
	}
	b.newDisk()
	return b
}

// newDisk gives the broker an empty disk.
func (b *Broker) newDisk() {
	if b.world.realFiles {
		b.mirror = newMirror()
		b.disk = &RealDisk{mirror: b.mirror}
		return
	}
	b.volume = NewVolume()
	b.disk = &Disk{device: &Device{volume: b.volume}}
}

// openDisk begins a life of the broker's disk.
func (b *Broker) openDisk() (err error) {
	if b.world.realFiles {
		b.disk, err = openRealDisk(b.world, b.device, b.mirror, fmt.Sprintf("%s-%d", b.name, b.lives))
		return err
	}
	disk, err := openDisk(b.world, b.device, b.disk.(*Disk).remembered())
	b.disk = disk
	return err
}

// Up tells whether the broker runs and has opened everything.
func (b *Broker) Up() bool { return !b.life.over && b.ready }

// describe says for a report what the broker is doing.
func (b *Broker) describe() string {
	if b.life.over {
		return b.name + " is down"
	}
	return fmt.Sprintf("%s is in life %d, ready %v, problems %q%s", b.name, b.lives, b.ready, b.node.Problems(), b.logs.leaderless())
}

// Start begins a life.
func (b *Broker) Start() {
	w := b.world
	b.lives++
	b.life, b.ready = &Life{}, false
	b.device = &Device{
		volume: b.volume, random: w.streams.Named(fmt.Sprintf("%s's device %d", b.name, b.lives)), plan: w.plan, trace: w.trace, broker: b.name,
		room: func() int64 { return b.free }, crash: func() int { return b.rate(w.options.DiskCrash) }, fail: func() int { return b.rate(w.options.DiskError) },
	}
	w.trace.event(b.name, "start", "life %d", b.lives)
	err := b.openDisk()
	if err == nil {
		b.logs = &overseer{brokerDisk: b.disk, broker: b, logs: map[id.Replica]*overseen{}}
		err = b.begin()
	}
	if err != nil {
		b.exit(err)
	}
}

func (b *Broker) rate(drawn int) int {
	if b.world.trouble {
		return drawn
	}
	return 0
}

func (b *Broker) begin() error {
	w, life := b.world, b.life
	node, err := actors.NewNode(actors.Options{
		Seams: actors.Seams{
			Clock: Clock{w.scheduler, life, &b.drift}, Disk: b.logs,
			Pool: &Pool{
				scheduler: w.scheduler, life: life, random: b.pool, width: 4, slowest: w.options.SlowDisk, plan: w.plan, broker: b.name,
			},
			Peers:      b.cluster.network.Port(b.number),
			Dispatcher: Dispatcher{w.scheduler, life},
			Mailbox:    func() actor.Mailbox { return &Mailbox{trace: w.trace} },
		},
		Members: b.cluster.gossip.feeds[b.number],
		Cluster: simulatedCluster, Node: b.identity, Incarnation: uint64(b.lives), Gateway: b.name + ":1", Version: "simulated",
		Bootstrap: b.number == 0 && !b.cluster.founded, Log: b.logger, Check: true, Watch: b.logs.watch, System: b.cluster.system, Name: fmt.Sprintf("%s-%d", b.name, b.lives),
		Limits:   actors.Limits{RestAfter: w.options.RestAfter, CancelAfter: w.options.ReplaceAfter / 2, ReplaceAfter: w.options.ReplaceAfter, ScrubBytes: w.options.ScrubBytes, ScrubEvery: time.Second},
		Replicas: partitions.Limits{TailBytes: w.options.Tail, CheckpointBytes: w.options.Checkpoint},
	})
	if err != nil {
		return err
	}
	b.node = node
	b.cluster.network.Join(b.number, b.identity, life, node)
	b.cluster.gossip.joined(b)
	return node.Start(func(err error) {
		if err != nil {
			b.exit(err)
			return
		}
		w.trace.event(b.name, "ready", "life %d", b.lives)
		b.cluster.founded, b.ready = true, true
	})
}

// exit is a broker that gives up by itself because it cannot serve: a supervisor of processes starts it again.
func (b *Broker) exit(err error) {
	if b.device.dead {
		return // afterStep ends it
	}
	b.world.trace.event(b.name, "exit", "%v", err)
	startled := b.life.panicked && !b.ready // the faults are over, but one of them met this very start
	if !b.world.trouble && !startled {
		b.world.violate(violation("not-live", "without any fault the broker gives up: %v", err))
	}
	b.end(false)
}

// end ends a life, however it came to that: its steps are dropped, its connections cut, and another is planned. Others notice
// the end of a whole machine late.
func (b *Broker) end(machine bool) {
	b.disk.cease()
	b.life.over, b.ready = true, false
	b.cluster.network.Leave(b.number, machine)
	b.cluster.gossip.left(b)
	for _, wire := range slices.Clone(b.wires) {
		wire.Cut()
	}
	b.wires = nil
	wait := time.Duration(b.random.Int64N(int64(downAtMost)))
	b.world.scheduler.At(b.own, wait, func() {
		if !b.dark && !b.waits && b.life.over {
			b.Start()
		}
	})
}

// crash is a death by plan, between two steps.
func (b *Broker) crash(why string) {
	if !b.life.over && b.world.plan.strike(FaultCrash, b.name) {
		b.die(why)
	}
}

// die is the death of the process or of the whole machine.
func (b *Broker) die(why string) {
	if b.life.over {
		return
	}
	if chance(b.random, 30) {
		b.world.trace.event(b.name, "killed", "%s; what the system has in memory survives", why)
		b.end(false)
		return
	}
	b.losePower(why)
}

// losePower is the death of the machine: of what was not synced, only some survives.
func (b *Broker) losePower(why string) {
	if b.life.over {
		return
	}
	b.world.trace.event(b.name, "power loss", "%s", why)
	b.cutPower()
	b.end(true)
}

// cutPower leaves of the disk what a power loss does, and less.
func (b *Broker) cutPower() {
	b.disk.cease()
	if b.world.realFiles {
		b.volume = b.mirror.powerLoss(b.random, b.world.plan, b.name)
	} else {
		b.volume.PowerLoss(b.random, b.world.plan, b.name)
	}
	b.injure()
}

// afterStep ends a life that ended inside the step.
func (b *Broker) afterStep() {
	if b.device.dead && !b.life.over {
		b.die("inside a storage step")
	}
}

// stop ends a life in order. Nothing of it may be lost, not even when the power goes right after.
func (b *Broker) stop() {
	b.world.trace.event(b.name, "stop", "life %d", b.lives)
	b.ready = false
	b.node.Stop(func() {
		b.world.trace.event(b.name, "stopped", "life %d", b.lives)
		b.world.marks.count(MarkStop)
		b.cutPower()
		b.end(true)
	})
}

// Connect gives a client a wire to the broker, which is cut soon where there is none, or one that is not ready: like the
// production program, this one listens only once its node is.
func (b *Broker) Connect(client *Client) *Wire {
	wire := &Wire{scheduler: b.world.scheduler, random: b.random, life: &Life{}, host: b.life, client: client.life, hungUp: client.hungUp, torn: func() {}}
	wire.down.arrives = client.received
	if !b.Up() {
		wire.up.arrives = func([]byte) {}
		b.world.scheduler.At(client.life, wire.delay(), wire.Cut)
		return wire
	}
	session := gateway.NewSession(witness{b.node.Router(), b}, gateway.Limits{}, func(r gateway.Reply) {
		payload := r.Frame().Payload()
		r.Done()
		client.emitted(payload)
		wire.Answer(payload)
	})
	wire.up.arrives = func(payload []byte) {
		b.world.trace.mixBytes(payload)
		if _, err := session.Receive(payload); err != nil {
			b.world.violate(violation("malformed-request", "the session says of %s: %v", client.name, err))
		}
	}
	wire.torn = func() {
		b.wires = slices.DeleteFunc(b.wires, func(other *Wire) bool { return other == wire })
		session.Close()
	}
	b.wires = append(b.wires, wire)
	return wire
}
