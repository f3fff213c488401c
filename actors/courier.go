package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions/id"
)

// courier is the actor between this broker and one other: what its partitions and its router send there goes through its
// hands, and so do the answers. What one turn finds behind the door travels together; heartbeats that nobody waits for
// travel with the next beat of the ticker, or with what leaves earlier.
//
// Invariants: asked holds the requests that were sent and are neither answered nor given up; requests leave in the order of
// their numbers; making holds the messages of senders, each of a size that fits a frame.
type courier struct {
	*stage
	*peer
	taken []parcel // from the door, in order; those before at are dealt with
	at    int

	making  []byte // a frame of messages; nil: none waits
	senders []sender
	urgent  bool // something in making must not wait

	number  uint64 // of the last request
	asked   map[uint64]*forward
	beats   uint64 // while something waited
	soonest uint64 // at no earlier beat is one of asked given up
	news    uint64 // leaders.news when asked was last compared with who leads

	freight freight
	late    []late // in the order in which they were made
}

// sender is who is told when a message was certainly not sent.
type sender struct {
	address *address
	to      id.Replica
}

func newCourier(p *peer) *courier {
	return &courier{stage: p.stage, peer: p, asked: map[uint64]*forward{}}
}

// Receive handles one message.
func (c *courier) Receive(ctx actor.Context) {
	defer c.rescue("courier to "+c.peer.node.String(), c.skip)
	switch ctx.Message().(type) {
	case *actor.Started, wake:
		c.serve()
	case flush:
		c.beat()
	case *actor.Stopped:
		c.refuseAll()
	}
}

// serve sends what waits behind the door.
func (c *courier) serve() {
	if c.at == len(c.taken) {
		c.taken, c.at = c.door.take(c.taken[:0], c.limits.RequestsATurn), 0
	}
	for c.at < len(c.taken) {
		what := c.taken[c.at]
		what.deliver(c)
		c.held.Add(-what.weight())
		c.at++
	}
	clear(c.taken)
	c.taken, c.at = c.taken[:0], 0
	if c.urgent {
		c.ship()
	}
	c.note()
}

// skip goes on behind what the courier panicked on. Whoever asked with it may have been heard, or not.
func (c *courier) skip(err error) {
	if c.at == len(c.taken) {
		return
	}
	what := c.taken[c.at]
	c.held.Add(-what.weight())
	c.at++
	if f, ok := what.(*forward); ok && c.asked[f.number] != f {
		c.safely(func() { f.request.refuse(f.lost(err)) })
	}
	c.send(c.pid, wake{})
}

// note has the ticker come by while anything waits for it.
func (c *courier) note() {
	busy := c.making != nil || len(c.asked) > 0 || c.freight.waits() || len(c.late) > 0
	if c.busy.Load() != busy {
		c.busy.Store(busy)
	}
}

// beat comes with every tick while something waits for it.
func (c *courier) beat() {
	c.beats++
	c.ship()
	c.carry()
	c.catchUp()
	c.supersede()
	c.expire()
	c.note()
}

// dispatch gives a frame to the link. False: certainly not sent.
func (c *courier) dispatch(frame []byte) bool {
	return c.seams.Peers != nil && c.seams.Peers.Send(c.peer.node, frame)
}

// mergeBytes is how much of messages travels in one frame, where they are not single larger ones.
const mergeBytes = 1 << 20

// letter is a message to a replica.
type letter struct {
	address *address // whose it is
	carriedMessage
}

func (l *letter) weight() int64 { return int64(l.size()) }

func (l *letter) deliver(c *courier) {
	size := frameHeader + l.size()
	if size > MaxFrameBytes {
		c.load(l)
		return
	}
	if c.making != nil && len(c.making)+size > mergeBytes {
		c.ship()
	}
	if c.making == nil {
		c.making = startFrame(frameMessages, l.size())
	}
	c.making = l.appendTo(c.making)
	c.senders = append(c.senders, sender{l.address, l.message.To})
	c.urgent = c.urgent || l.message.Urgent()
}

// ship sends the messages that have gathered.
func (c *courier) ship() {
	if c.making == nil {
		return
	}
	frame := c.making
	c.making, c.urgent = nil, false
	if !c.dispatch(frame) {
		c.unreachable(c.senders)
	}
	clear(c.senders)
	c.senders = c.senders[:0]
}

// unreachable tells each sender once that something for a peer of its was not sent.
func (c *courier) unreachable(all []sender) {
	for i, s := range all {
		if i == 0 || all[i-1] != s {
			c.send(s.address.pid, unreachable{replica: s.to})
		}
	}
}

// sealed is a frame that is complete.
type sealed []byte

func (s sealed) weight() int64 { return int64(len(s)) }

// deliver sends it. Whoever waits for what it says asks again, or gives up at its deadline.
func (s sealed) deliver(c *courier) {
	switch {
	case len(s) <= MaxFrameBytes:
		c.dispatch(s)
	case len(s)+c.freight.bytes() <= c.limits.FreightBytes:
		c.freight.add(s, sender{})
		c.carry()
	}
}

// reply is an answer that somebody waits for on the other broker.
type reply struct{ sealed }

// deliver sends it, or tries for a while: a broker that has just come may have asked before it is known here how to reach it.
func (r reply) deliver(c *courier) {
	switch {
	case len(r.sealed) > MaxFrameBytes:
		r.sealed.deliver(c)
	case !c.dispatch(r.sealed) && len(c.late) < mostLate:
		c.late = append(c.late, late{r.sealed, lateBeats})
	}
}

// late is an answer that no link has taken yet.
type late struct {
	frame []byte
	beats int // for which it is still tried
}

// How many late answers wait for a link, and for how many beats each: longer, and who has asked will have asked again.
const (
	mostLate  = 64
	lateBeats = 40 // 2 s
)

// catchUp tries late answers again.
func (c *courier) catchUp() {
	waiting := c.late
	c.late = nil
	for _, l := range waiting {
		if l.beats--; !c.dispatch(l.frame) && l.beats > 0 {
			c.late = append(c.late, l)
		}
	}
}
