package actors

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
	"troupe/partitions/id"
)

// peer is where the rest of the broker reaches another one: the address of its courier, as address is that of a partition.
type peer struct {
	stage *stage
	node  id.Node
	pid   *actor.PID
	door  door[parcel]
	held  atomic.Int64 // bytes behind the door
	busy  atomic.Bool  // something waits for the next beat
	runs  bool         // its courier was started; the node's actor's
	up    atomic.Bool  // there is a link, as far as is known
	fresh atomic.Bool  // a link has begun, and what this broker leads was not told over it
	told  atomic.Pointer[health]

	questions questions
	assembly  assembly
}

func (p *peer) name() string { return fmt.Sprintf("courier-%v", p.node) }

// parcel is what a courier is given.
type parcel interface {
	// weight is how many bytes it takes, about.
	weight() int64
	// deliver is the courier's part of it, in its actor.
	deliver(c *courier)
}

// post gives a parcel that may be lost to the courier, or loses it: false.
func (p *peer) post(what parcel) bool {
	w := what.weight()
	if held := p.held.Add(w); held > max(p.stage.limits.PeerBytes, w) || p.door.enter(what) != nil {
		p.held.Add(-w)
		return false
	}
	return true
}

// pass gives a parcel to the courier that ends what was let in before, or takes next to nothing. False: the broker stops.
func (p *peer) pass(what parcel) bool {
	w := what.weight()
	p.held.Add(w)
	if p.door.pass(what) != nil {
		p.held.Add(-w)
		return false
	}
	return true
}

// peers finds the one courier to each broker, and has it started when it is asked for first.
type peers struct {
	stage *stage
	node  *actor.PID // the parent of all couriers

	mu    sync.Mutex
	known atomic.Pointer[known] // replaced under mu, never changed
}

type known struct {
	byNode map[id.Node]*peer
	order  []*peer // the same, ordered by node
}

func newPeers(s *stage, node *actor.PID) *peers {
	p := &peers{stage: s, node: node}
	p.known.Store(&known{})
	return p
}

// to returns the courier to a broker.
func (p *peers) to(node id.Node) *peer {
	if one := p.known.Load().byNode[node]; one != nil {
		return one
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.known.Load()
	if one := before.byNode[node]; one != nil {
		return one
	}
	added := &peer{stage: p.stage, node: node}
	added.pid = p.stage.system.NewLocalPID(p.node.Id + "/" + added.name())
	added.door.limit = p.stage.limits.PeerParcels
	added.door.wake = func() { p.stage.send(added.pid, wake{}) }
	after := &known{byNode: map[id.Node]*peer{node: added}, order: append(slices.Clone(before.order), added)}
	maps.Copy(after.byNode, before.byNode)
	slices.SortFunc(after.order, func(a, b *peer) int { return cmp.Compare(a.node, b.node) })
	p.known.Store(after)
	p.stage.send(p.node, courierOrder{peer: added})
	return added
}

// linked tells whether there is a link to a broker, as far as is known, or it is this one.
func (s *stage) linked(n id.Node) bool {
	return n == s.node || s.seams.Peers != nil && s.peers.to(n).up.Load()
}

// order returns every broker that was ever reached for, in the order of nodes.
func (p *peers) order() []*peer { return p.known.Load().order }

// Receive takes a frame that the broker from has sent: whoever calls has made sure of that. It does not block, may be called
// from any goroutine, and in the order in which a link delivers. The frame is the node's from here on.
func (n *Node) Receive(from id.Node, frame []byte) {
	if err := n.receive(n.stage.peers.to(from), frame); err != nil {
		n.stage.log.Warn("a frame of another broker was dropped", "from", from.String(), "reason", err,
			"next", "compare the versions of both brokers; if they are the same, report this")
	}
}

// Reachable tells that a link to a broker begins, or has ended: frames that were on their way then may be lost. What was
// asked over it and is not answered never will be.
func (n *Node) Reachable(node id.Node, up bool) {
	p := n.stage.peers.to(node)
	p.up.Store(up)
	if up {
		p.fresh.Store(true)
		return
	}
	p.questions.abandon()
	p.pass(&severed{})
}

func (n *Node) receive(from *peer, frame []byte) error {
	kind, body, err := openFrame(frame)
	if err != nil {
		return err
	}
	switch kind {
	case frameMessages:
		return n.deliver(from, frame)
	case frameRequest:
		return n.serve(from, body)
	case frameAnswer:
		q, err := body.answered()
		if err == nil {
			from.pass(&arrival{question: q, body: body, bytes: int64(len(frame))})
		}
		return err
	case frameCancel:
		number, err := body.cancel()
		from.questions.end(number)
		return err
	case frameLeaders:
		all, err := body.leaders()
		for _, l := range all {
			n.stage.leaders.learn(l.partition, l.term, from.node)
		}
		return err
	case frameLost:
		all, err := body.lost()
		if err == nil {
			n.stage.send(n.catalog, reported{from: from.node, replicas: all})
		}
		return err
	case frameHealth:
		problems, err := body.health()
		if err == nil {
			from.told.Store(&health{problems: problems, at: n.stage.seams.Clock.Now()})
		}
		return err
	case framePiece:
		whole, err := from.assembly.add(body, n.stage.limits.FreightBytes)
		if err != nil || whole == nil {
			return err
		}
		return n.receive(from, whole)
	}
	return fmt.Errorf("frame of kind %d: %w", kind, partitions.ErrMalformed)
}
