package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/membership"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// What building or running a node can fail with, beside the errors of partitions.
var (
	// ErrOptions: the options contradict themselves or lack something.
	ErrOptions = errors.New("actors: invalid options")
	errStopped = fmt.Errorf("%w: the broker stops", partitions.ErrUnavailable)
)

// Options make a Node.
type Options struct {
	Seams   Seams
	Cluster id.Cluster
	Epoch   id.Epoch // of the cluster: whose catalog is followed
	Node    id.Node
	// Incarnation counts the starts of this data directory. It tells the requests of one life from those of another, and must
	// be given where there are Peers.
	Incarnation uint64
	// Members tells who is in the cluster; nil: this broker alone.
	Members membership.Feed
	Gateway string // host:port where clients reach this broker
	Version string // of the program
	// Bootstrap permits to begin the cluster on an empty disk. Without it, a broker with Peers that holds no replica of the
	// catalog follows that of others: it is ready once it has found them. Without Peers, a catalog that is not there is an
	// error: its directory may have been lost.
	Bootstrap bool
	Log       *slog.Logger // nil: nothing is logged
	Meter     Meter        // nil: nothing is counted
	// DiskReserve is how many bytes of the disk are kept for what must go on when it is full; 0:
	// partitions.DefaultReserve. With less free, batches and new topics are refused.
	DiskReserve int64
	Limits      Limits
	Replicas    partitions.Limits // of every replica
	// Check verifies every replica's whole state after each of its turns: for tests and simulations.
	Check bool
	// Watch is shown every replica after each of its turns, on its actor; nil: nobody looks.
	Watch func(*partitions.Replica)
	// System is shared by several nodes of a simulation; nil: the node has one of its own. Name is the name of the node's
	// actor, which nothing else in the system may ever have had; "" is "node".
	System *actor.ActorSystem
	Name   string
}

// Node is one broker's tree of actors.
type Node struct {
	stage   *stage
	options Options
	board   *board
	router  *Router
	orders  *door[order]
	catalog *actor.PID
	pid     *actor.PID
}

// NewNode builds a broker that does nothing until Start. It returns ErrOptions when a seam or an identity is missing.
func NewNode(o Options) (*Node, error) {
	if o.Seams.Clock == nil || o.Seams.Disk == nil || o.Seams.Pool == nil || o.Cluster == 0 || o.Node == 0 {
		return nil, fmt.Errorf("clock, disk, pool, cluster and node must be given: %w", ErrOptions)
	}
	if o.Seams.Peers != nil && (o.Members == nil || o.Incarnation == 0) {
		return nil, fmt.Errorf("with peers, members and the incarnation must be given: %w", ErrOptions)
	}
	o.Name = either(o.Name, "node")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Meter == nil {
		o.Meter = unmetered{}
	}
	if o.Members == nil {
		o.Members = membership.Single(membership.Member{Node: o.Node, Gateway: o.Gateway, Version: o.Version})
	}
	if o.System == nil {
		log := o.Log
		o.System = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(troubleOnly{log.With("library", "protoactor").Handler()})
		}))
	}
	n := &Node{options: o, board: newBoard()}
	n.stage = &stage{
		system: o.System, seams: o.Seams, log: o.Log, meter: o.Meter, limits: o.Limits.orDefaults(), node: o.Node,
		life: o.Incarnation, leaders: newLeaders(), room: &room{reserve: partitions.Reserve{Bytes: o.DiskReserve}}, check: o.Check, watch: o.Watch,
	}
	n.stage.warden = o.System.NewLocalPID(o.Name + "/warden")
	n.pid = o.System.NewLocalPID(o.Name)
	n.stage.peers = newPeers(n.stage, n.pid)
	n.catalog = o.System.NewLocalPID(o.Name + "/catalog")
	n.orders = &door[order]{limit: n.stage.limits.Proposals, wake: func() { n.stage.send(n.catalog, wake{}) }}
	n.router = &Router{stage: n.stage, board: n.board, orders: n.orders, cluster: n.Cluster, members: o.Members}
	return n, nil
}

// troubleOnly drops what a library says of its ordinary day: nobody who runs a broker knows what it speaks of.
type troubleOnly struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h troubleOnly) Enabled(c context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(c, l)
}

// WithAttrs implements slog.Handler.
func (h troubleOnly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return troubleOnly{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h troubleOnly) WithGroup(name string) slog.Handler {
	return troubleOnly{h.Handler.WithGroup(name)}
}

// Start builds the tree and returns at once. ready is called once: with nil when the catalog serves and every partition
// that lives here has opened or says in its status why not; with an error when the catalog cannot serve. Requests that
// come before are held. It returns ErrOptions when the node was started before or its name is taken.
func (n *Node) Start(ready func(error)) error {
	root := &root{stage: n.stage, board: n.board, members: n.options.Members, problems: n.Problems, curator: n.curator(ready), catalog: n.catalog}
	props := n.stage.props(root, actor.WithGuardian(&supervisor{n.stage.log}))
	if _, err := n.stage.system.Root.SpawnNamed(props, n.options.Name); err != nil {
		return fmt.Errorf("start node %q: %w: %w", n.options.Name, ErrOptions, err)
	}
	return nil
}

func (n *Node) curator(ready func(error)) *curator {
	return &curator{
		stage: n.stage, board: n.board, orders: n.orders, router: n.router, cluster: n.options.Cluster, epoch: n.options.Epoch,
		begins: n.options.Bootstrap,
		limit:  n.options.Replicas, node: n.pid, started: ready,
		placing: newPlacing(n.stage.limits, n.options.Members),
		tenants: map[id.Replica]*tenant{}, creating: map[id.TopicID][]creation{}, erasing: map[id.Replica]bool{},
	}
}

// Router takes requests to the partitions. It implements the gateway's Broker.
func (n *Node) Router() *Router { return n.router }

// Yield has other brokers lead what this one leads, as far as they can, while it goes on to serve: before Stop, so that nobody
// who writes waits longer than it takes to choose another leader. It returns at once; done is called when that is over, or the
// node stops.
func (n *Node) Yield(done func()) { n.stage.send(n.pid, yield{done: done}) }

// Stop ends a started node, once, and returns at once: no more requests are taken, what is under way is finished (for StopWait),
// each replica saves a checkpoint, and the logs close. done is called when all of that is over.
func (n *Node) Stop(done func()) { n.stage.send(n.pid, halt{done: done}) }

// Problems lists, as sentences for an operator, what keeps partitions of this broker from serving; empty when all is well.
func (n *Node) Problems() []string {
	all := n.board.problems()
	if full := n.Full(); full != "" {
		all = append([]string{full}, all...)
	}
	return all
}

// Full returns, as a sentence for an operator, why batches and new topics are refused for want of room on the disk; "" while
// there is room.
func (n *Node) Full() string {
	if err := n.stage.room.err(); err != nil {
		return strings.TrimPrefix(err.Error(), "partitions: ")
	}
	return ""
}

// Space returns how much room the disk had when it was last looked at, and the reserve in bytes; zeros before the first time.
func (n *Node) Space() (s partitions.Space, reserve int64) { return n.stage.room.space() }

// HoldsCatalog tells whether a replica of the catalog's partition runs here.
func (n *Node) HoldsCatalog() bool { return n.board.view.Load().table[catalog.Partition()] != nil }

// Cluster describes the cluster as this broker sees it.
func (n *Node) Cluster() partitions.ClusterView {
	v := partitions.ClusterView{Cluster: n.options.Cluster, Epoch: n.options.Epoch, Self: n.options.Node}
	now := n.stage.seams.Clock.Now()
	for _, m := range n.options.Members.View().Members() {
		node := partitions.NodeView{Node: m.Node, Gateway: m.Gateway, Version: m.Version, Alive: m.Alive}
		if m.Node == n.options.Node {
			node.Problems = n.Problems()
		} else {
			node.Problems, node.AgeMillis = n.stage.peers.to(m.Node).health(now)
			if old := n.stage.limits.outdated(node.AgeMillis); m.Alive && old != "" {
				node.Problems = append(slices.Clone(node.Problems), old)
			}
		}
		v.Nodes = append(v.Nodes, node)
	}
	return v
}

// root is the actor at the top: the parent of all others, so that they have one place to stop with.
type root struct {
	*stage
	board    *board
	members  membership.Feed
	problems func() []string
	curator  *curator
	catalog  *actor.PID // the curator's
}

// Receive builds the tree and adds the partitions that the catalog's actor wants.
func (r *root) Receive(c actor.Context) {
	defer r.rescue("node", func(error) {})
	switch m := c.Message().(type) {
	case *actor.Started:
		r.spawn(c, &ticker{stage: r.stage, board: r.board, herald: newHerald(r.stage, r.board, r.members, r.problems)}, "ticker")
		r.spawn(c, r.curator, "catalog")
		r.spawn(c, &warden{stage: r.stage, board: r.board}, "warden")
		for _, p := range r.peers.order() { // links may begin before the node does
			r.start(c, p)
		}
		if r.limits.ScrubBytes > 0 {
			r.spawn(c, &scrubber{stage: r.stage, board: r.board}, "scrubber")
		}
	case spawnOrder:
		r.spawn(c, m.partition, m.partition.name)
	case courierOrder:
		r.start(c, m.peer)
	case configureOrder:
		r.send(m.address.pid, m.configure)
	case yield, halt:
		r.send(r.catalog, m) // which may have been told to start a moment ago
	case yieldOrder:
		r.send(m.address.pid, yield{})
	case leaveOrder:
		r.send(m.address.pid, m.leave)
	}
}

// start spawns the courier to a broker, once.
func (r *root) start(c actor.Context, p *peer) {
	if !p.runs {
		p.runs = true
		r.spawn(c, newCourier(p), p.name())
	}
}
