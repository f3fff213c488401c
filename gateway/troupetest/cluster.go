package troupetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"troupe/actors"
	"troupe/gateway/client"
	"troupe/membership"
	"troupe/partitions/id"
)

// Cluster is several brokers in this process that replicate to each other, without a network between them: links are
// function calls, and everybody knows at once who is up. It ends with the test that started it.
type Cluster struct {
	brokers []*Broker

	mu      sync.Mutex
	version uint64 // of the view
	members map[id.Node]membership.Member
	nodes   map[id.Node]*actors.Node // those that are up
	links   map[[2]id.Node]*link
}

// linkFrames is how many frames may be on their way over one link; what is more is refused, as by a full socket.
const linkFrames = 4096

// link carries frames from one broker to another, in order, until one of them goes.
type link struct {
	frames chan []byte
	closed chan struct{}
}

// StartCluster starts n brokers; the first begins the cluster. It fails the test if that is not possible, and stops them when
// the test ends.
func StartCluster(t testing.TB, n int, with ...Option) *Cluster {
	t.Helper()
	c := &Cluster{members: map[id.Node]membership.Member{}, nodes: map[id.Node]*actors.Node{}, links: map[[2]id.Node]*link{}}
	for i := range n {
		b := newBroker(t, with)
		b.cluster, b.founder = c, i == 0
		c.brokers = append(c.brokers, b)
		if err := b.start(); err != nil {
			t.Fatalf("start broker %d: %v", i, err)
		}
		t.Cleanup(func() {
			if err := b.stop(); err != nil {
				t.Errorf("stop broker %d: %v", i, err)
			}
		})
	}
	if err := c.await(n); err != nil {
		t.Fatal(err)
	}
	if err := c.brokers[0].createTopics(); err != nil {
		t.Fatal(err)
	}
	return c
}

// await returns when every broker knows n brokers that take replicas.
func (c *Cluster) await(n int) error {
	patience, look := time.NewTimer(patience), time.NewTicker(10*time.Millisecond)
	defer patience.Stop()
	defer look.Stop()
	for {
		ready := !slices.ContainsFunc(c.brokers, func(b *Broker) bool { return len(b.node.Router().Catalog().Nodes) < n })
		if ready {
			return nil
		}
		select {
		case <-look.C:
		case <-patience.C:
			return fmt.Errorf("the cluster has not taken in all of its %d brokers", n)
		}
	}
}

// Broker returns one of the brokers, counted from 0.
func (c *Cluster) Broker(i int) *Broker { return c.brokers[i] }

// Addrs returns the addresses of all brokers for clients.
func (c *Cluster) Addrs() []string {
	var all []string
	for _, b := range c.brokers {
		all = append(all, b.address)
	}
	return all
}

// Client returns a client that begins with all brokers' addresses. It is closed when the test ends.
func (c *Cluster) Client(t testing.TB, with ...client.Option) *client.Client {
	t.Helper()
	return c.brokers[0].Client(t, append([]client.Option{client.WithBroker(c.Addrs()...)}, with...)...)
}

// Kill takes a broker away without a word: its links and connections end, and it hands nothing over. Start brings it back.
func (c *Cluster) Kill(t testing.TB, i int) {
	t.Helper()
	c.leave(c.brokers[i].identity)
	if err := c.brokers[i].cut(); err != nil {
		t.Fatalf("kill broker %d: %v", i, err)
	}
}

// Start starts a broker again that was killed, on the same data and address.
func (c *Cluster) Start(t testing.TB, i int) {
	t.Helper()
	if err := c.brokers[i].start(); err != nil {
		t.Fatalf("start broker %d again: %v", i, err)
	}
}

// join makes a broker known, and its links.
func (c *Cluster) join(m membership.Member, n *actors.Node) {
	c.mu.Lock()
	others := make(map[id.Node]*actors.Node, len(c.nodes))
	for node, other := range c.nodes {
		others[node] = other
		c.connect(m.Node, node, other)
		c.connect(node, m.Node, n)
	}
	c.nodes[m.Node], c.members[m.Node] = n, m
	c.version++
	c.mu.Unlock()
	for node, other := range others {
		other.Reachable(m.Node, true)
		n.Reachable(node, true)
	}
}

// connect begins a link. c.mu is held.
func (c *Cluster) connect(from, to id.Node, n *actors.Node) {
	l := &link{frames: make(chan []byte, linkFrames), closed: make(chan struct{})}
	c.links[[2]id.Node{from, to}] = l
	go func() {
		for {
			select {
			case frame := <-l.frames:
				n.Receive(from, frame)
			case <-l.closed:
				return
			}
		}
	}()
}

// leave ends a broker's links, and tells everybody.
func (c *Cluster) leave(node id.Node) {
	c.mu.Lock()
	self := c.nodes[node]
	delete(c.nodes, node)
	var others []id.Node
	for pair, l := range c.links {
		if pair[0] != node && pair[1] != node {
			continue
		}
		close(l.closed)
		delete(c.links, pair)
		if pair[0] != node {
			others = append(others, pair[0])
		}
	}
	m := c.members[node]
	m.Alive = false
	c.members[node] = m
	c.version++
	told := make([]*actors.Node, len(others))
	for i, other := range others {
		told[i] = c.nodes[other]
	}
	c.mu.Unlock()
	for i, other := range told {
		other.Reachable(node, false)
		self.Reachable(others[i], false)
	}
}

// View implements membership.Feed.
func (c *Cluster) View() *membership.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []membership.Member
	for _, m := range c.members {
		all = append(all, m)
	}
	return membership.NewView(c.version, all)
}

// peers is a broker's end of its links.
type peers struct {
	cluster *Cluster
	self    id.Node
}

// Send implements actors.Peers.
func (p peers) Send(to id.Node, frame []byte) bool {
	p.cluster.mu.Lock()
	l := p.cluster.links[[2]id.Node{p.self, to}]
	p.cluster.mu.Unlock()
	if l == nil {
		return false
	}
	select {
	case l.frames <- frame:
		return true
	default:
		return false
	}
}

// Leader returns which broker leads a partition, counted from 0, as the brokers that are up have heard; -1 if none has.
func (c *Cluster) Leader(topic string, partition int32) int {
	c.mu.Lock()
	up := make(map[id.Node]*actors.Node, len(c.nodes))
	for node, n := range c.nodes {
		up[node] = n
	}
	c.mu.Unlock()
	var leader id.Node
	var newest id.Term
	for _, n := range up {
		if t := n.Router().Catalog().Topic(id.Topic(topic)); t != nil {
			node, term := n.Router().Leader(id.Partition{Topic: t.ID, Number: partition})
			if node != 0 && term >= newest {
				leader, newest = node, term
			}
		}
	}
	return slices.IndexFunc(c.brokers, func(b *Broker) bool { return b.identity == leader })
}

// String tells which brokers there are.
func (c *Cluster) String() string { return fmt.Sprint(c.Addrs()) }
