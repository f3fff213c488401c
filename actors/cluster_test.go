package actors

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"troupe/membership"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// testCluster runs several brokers on the test's goroutine, in one order, joined by links that lose and delay what a test
// says.
type testCluster struct {
	*testWorld
	brokers []*testBroker
	cut     map[[2]id.Node]bool // links that do not exist, by direction
	// lose is asked for every frame, if set: true loses it silently. hold: it waits until the test lets it go.
	lose, hold func(from, to id.Node, frame []byte) bool
	held       []func()
	delay      time.Duration
	frames     int
	limits     Limits
}

// testBroker is one data directory and its lives.
type testBroker struct {
	cluster *testCluster
	id      id.Node
	disk    *memoryDisk
	lives   uint64
	skew    id.Timestamp // of its clock
	life    *testLife    // nil while it is down
	node    *Node
	ready   []error
}

// testLife is the world of one life: when it is over nothing of it runs any more.
type testLife struct {
	*testBroker
	over bool
}

func (l *testLife) Now() id.Timestamp { return l.cluster.now + l.skew }

func (l *testLife) After(d time.Duration, f func()) func() {
	return l.cluster.After(d, func() { l.ifAlive(f) })
}

func (l *testLife) ifAlive(f func()) {
	if !l.over {
		f()
	}
}

func (l *testLife) Run(job func()) { l.cluster.Run(func() { l.ifAlive(job) }) }

func (l *testLife) Schedule(f func()) { l.cluster.Schedule(func() { l.ifAlive(f) }) }

func (l *testLife) Throughput() int { return 1 << 30 }

// Send delivers a copy, and spoils what it was given: nobody may look at a frame after it was sent.
func (l *testLife) Send(to id.Node, frame []byte) bool {
	c, from := l.cluster, l.id
	if len(frame) > MaxFrameBytes {
		c.t.Errorf("a frame of %d bytes", len(frame))
	}
	other := c.broker(to)
	if other == nil || other.life == nil || c.cut[[2]id.Node{from, to}] {
		return false
	}
	copied := slices.Clone(frame)
	for i := range frame {
		frame[i] = 0xEE
	}
	c.frames++
	if c.lose != nil && c.lose(from, to, copied) {
		return true
	}
	life := other.life
	deliver := func() { life.ifAlive(func() { other.node.Receive(from, copied) }) }
	switch {
	case c.hold != nil && c.hold(from, to, copied):
		c.held = append(c.held, deliver)
	case c.delay > 0:
		c.After(c.delay, deliver)
	default:
		c.actors = append(c.actors, deliver)
	}
	return true
}

// View implements membership.Feed: everybody knows who is up.
func (c *testCluster) View() *membership.View {
	var all []membership.Member
	for _, b := range c.brokers {
		all = append(all, membership.Member{
			Node: b.id, Incarnation: b.lives, Gateway: fmt.Sprintf("broker-%d:1", b.id), Alive: b.life != nil, Catalog: b.id == c.brokers[0].id,
		})
	}
	return membership.NewView(1, all)
}

// newCluster starts brokers 1 to n; the first holds the catalog.
func newCluster(t *testing.T, n int, limits Limits) *testCluster {
	w := &testWorld{t: t, now: 1_000_000}
	c := &testCluster{testWorld: w, cut: map[[2]id.Node]bool{}, limits: limits}
	for i := range n {
		c.brokers = append(c.brokers, &testBroker{cluster: c, id: id.Node(i + 1), disk: newMemoryDisk()})
	}
	for _, b := range c.brokers {
		b.start()
	}
	c.run()
	c.pass(time.Second)
	for _, b := range c.brokers {
		if len(b.ready) != 1 || b.ready[0] != nil {
			t.Fatalf("broker %d: started %v, problems %q", b.id, b.ready, b.node.Problems())
		}
	}
	return c
}

func (c *testCluster) broker(node id.Node) *testBroker {
	for _, b := range c.brokers {
		if b.id == node {
			return b
		}
	}
	return nil
}

func (b *testBroker) start() {
	b.lives++
	b.life, b.ready = &testLife{testBroker: b}, nil
	n, err := NewNode(Options{
		Seams:   Seams{Clock: b.life, Disk: b.disk, Pool: b.life, Dispatcher: b.life, Peers: b.life},
		Cluster: 0xc, Node: b.id, Incarnation: b.lives, Members: b.cluster, Bootstrap: b.id == 1, Check: true, Limits: b.cluster.limits,
	})
	if err != nil {
		b.cluster.t.Fatal(err)
	}
	b.node = n
	for _, other := range b.cluster.brokers { // links may begin before the broker does
		if other != b && other.life != nil {
			other.node.Reachable(b.id, true)
			n.Reachable(other.id, true)
		}
	}
	if err := n.Start(func(err error) { b.ready = append(b.ready, err) }); err != nil {
		b.cluster.t.Fatal(err)
	}
}

// kill loses the process and what was not synced. The others' links to it end.
func (b *testBroker) kill() {
	b.life.over, b.life = true, nil
	b.disk.powerLoss()
	for _, other := range b.cluster.brokers {
		if other.life != nil {
			other.node.Reachable(b.id, false)
		}
	}
}

// split cuts both directions between two brokers, or joins them again.
func (c *testCluster) split(a, b *testBroker, apart bool) {
	c.cut[[2]id.Node{a.id, b.id}], c.cut[[2]id.Node{b.id, a.id}] = apart, apart
	a.node.Reachable(b.id, !apart)
	b.node.Reachable(a.id, !apart)
}

// letGo delivers what was held.
func (c *testCluster) letGo() {
	held := c.held
	c.held, c.hold = nil, nil
	for _, f := range held {
		f()
	}
	c.run()
}

// until lets time pass until something is so.
func (c *testCluster) until(what string, so func() bool) {
	c.t.Helper()
	for range 400 {
		c.run()
		if so() {
			return
		}
		c.pass(50 * time.Millisecond)
	}
	c.t.Fatalf("after 20 seconds: not %s", what)
}

// create makes a topic on the given brokers, asking one of them, and waits until all know it.
func (c *testCluster) create(through *testBroker, name id.Topic, n int32, on ...*testBroker) *catalog.Topic {
	c.t.Helper()
	var nodes []id.Node
	for _, b := range on {
		nodes = append(nodes, b.id)
	}
	var got answers[error]
	var topic *catalog.Topic
	through.node.Router().CreateTopic(catalog.CreateTopic{Name: name, Partitions: n, Placements: catalog.PlaceOn(n, nodes...)},
		func(t *catalog.Topic, err error) {
			topic = t
			got.take(err)
		})
	c.until("created", func() bool { return len(got.all) > 0 })
	if err := got.only(c.t); err != nil {
		c.t.Fatalf("create %s through %d: %v", name, through.id, err)
	}
	if through.node.Router().Catalog().Topic(name) == nil {
		c.t.Fatalf("broker %d does not show the topic that it created", through.id)
	}
	c.until("known everywhere", func() bool {
		return !slices.ContainsFunc(c.brokers, func(b *testBroker) bool {
			return b.life != nil && b.node.Router().Catalog().Topic(name) == nil
		})
	})
	return topic
}

// leader waits until one of the living brokers leads a partition and the others have heard of it.
func (c *testCluster) leader(p id.Partition) *testBroker {
	c.t.Helper()
	var found *testBroker
	c.until(fmt.Sprintf("a leader of %v", p), func() bool {
		found = nil
		for _, b := range c.brokers {
			if b.life != nil && b.node.router.find(p).leading() {
				found = b
			}
		}
		if found == nil {
			return false
		}
		for _, b := range c.brokers {
			if node, _ := leaderOf(b, p); b.life != nil && node != found.id {
				return false
			}
		}
		return true
	})
	return found
}

func leaderOf(b *testBroker, p id.Partition) (id.Node, id.Term) {
	if b.life == nil {
		return 0, 0
	}
	return b.node.Router().Leader(p)
}

func (b *testBroker) send(p id.Partition, values ...string) *answers[partitions.ProduceAnswer] {
	a := &answers[partitions.ProduceAnswer]{}
	q := partitions.Produce{Batch: testBatch(b.cluster.now, values...), Acks: partitions.AcksQuorum, ExpectEnd: partitions.NoExpectation}
	b.node.Router().Produce(p, q, a.take)
	return a
}

func (b *testBroker) produce(p id.Partition, values ...string) partitions.ProduceAnswer {
	b.cluster.t.Helper()
	a := b.send(p, values...)
	b.cluster.until("answered", func() bool { return len(a.all) > 0 })
	return a.only(b.cluster.t)
}

func (b *testBroker) fetch(p id.Partition, at id.Offset) partitions.FetchAnswer {
	b.cluster.t.Helper()
	a := &answers[partitions.FetchAnswer]{}
	b.node.Router().Fetch(p, partitions.Fetch{Offset: at, MaxBytes: 1 << 30}, a.take)
	b.cluster.until("answered", func() bool { return len(a.all) > 0 })
	return a.only(b.cluster.t)
}
