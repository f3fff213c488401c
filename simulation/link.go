package simulation

import (
	"bytes"
	"time"

	"troupe/actors"
	"troupe/partitions/id"
)

// link is one direction between two brokers.
type link struct {
	network    *Network
	from, to   *station
	connection *connection // nil: none, and the sender knows
	blocked    int         // cuts that lie over it: what is sent is lost
	clogs      int         // reasons to hold back what arrives
}

// connection is one life of a link.
type connection struct {
	life  *Life    // over when it has ended, whether or not the sender knows
	ends  *Life    // the receiver's
	node  id.Node  // the sender
	to    id.Node  // the receiver: whoever comes after it in its place is another
	queue [][]byte // sent and not arrived, in order
	bytes int      // of queue
	held  int      // arrivals that wait for the end of a clog
}

// mostQueued bounds what a link holds; above it, it refuses.
const mostQueued = 16 << 20

// String names the link by its ends.
func (l *link) String() string { return letter(l.from.number) + " to " + letter(l.to.number) }

// stands tells whether there is a living connection.
func (l *link) stands() bool { return l.connection != nil && !l.connection.life.over }

// renew begins a connection.
func (l *link) renew() {
	l.lose()
	if l.connection != nil {
		l.from.peer.Reachable(l.connection.to, false)
	}
	l.connection = &connection{life: &Life{}, ends: l.to.life, node: l.from.node, to: l.to.node}
	l.network.trace.mix(uint64(l.from.number)<<8 | uint64(l.to.number))
	l.from.peer.Reachable(l.to.node, true)
}

// lose ends a connection without telling anybody.
func (l *link) lose() {
	if c := l.connection; c != nil {
		c.life.over = true
		c.queue, c.bytes, c.held = nil, 0, 0
	}
}

// learn tells the sender after a while that its connection has ended.
func (l *link) learn(after time.Duration) {
	lost, sender := l.connection, l.from.life
	if lost == nil {
		return
	}
	n := l.network
	n.scheduler.At(sender, after, func() {
		if l.connection == lost && l.from.peer != nil {
			l.connection = nil
			l.from.peer.Reachable(lost.to, false)
			n.dial(l.from.number, l.to.number)
		}
	})
}

// send puts a frame on its way. What happens to it on the way the sender does not learn.
func (l *link) send(frame []byte) bool {
	n, c := l.network, l.connection
	if c == nil || c.bytes+len(frame) > mostQueued {
		return false
	}
	frame = l.takeOver(frame)
	if c.life.over || l.blocked > 0 {
		return true
	}
	if !n.trouble() {
		l.put(c, frame)
		return true
	}
	if n.random.IntN(10_000) < n.weather.Lost && n.plan.strike(FaultLostFrame, l.String()) {
		return true
	}
	if n.random.IntN(100_000) < n.weather.Broken {
		if what, spoilt := n.broken(frame); n.plan.strike(what, l.String()) {
			frame = spoilt
		}
	}
	l.put(c, frame)
	if repeatable(frame) && n.random.IntN(10_000) < n.weather.Doubled && n.plan.strike(FaultDoubledFrame, l.String()) {
		l.put(c, bytes.Clone(frame))
	}
	return true
}

// takeOver makes the frame the link's own. At times its bytes are spoilt for a sender that still looks at them.
func (l *link) takeOver(frame []byte) []byte {
	if l.network.random.IntN(8) > 0 {
		return frame
	}
	own := bytes.Clone(frame)
	for i := range frame {
		frame[i] = 0xEE
	}
	return own
}

// repeatable tells that a frame may arrive twice, or before one sent earlier: it carries replica messages (actors/frame.go).
func repeatable(frame []byte) bool { return len(frame) > 1 && frame[1] == 1 }

func (l *link) put(c *connection, frame []byte) {
	c.queue = append(c.queue, frame)
	c.bytes += len(frame)
	l.network.scheduler.At(c.life, l.delay(), func() { l.arrive(c) })
}

func (l *link) delay() time.Duration {
	n := l.network
	if n.trouble() && n.random.IntN(10_000) < n.weather.Slow {
		if slow := time.Duration(n.random.Int64N(int64(n.weather.Slowest))); n.plan.strike(FaultSlowFrame, l.String()) {
			return slow
		}
	}
	return time.Duration(n.random.Int64N(int64(n.weather.Latency)))
}

// arrive hands the next frame to the receiver, once nothing holds it back.
func (l *link) arrive(c *connection) {
	switch {
	case c.ends.over:
		return
	case l.clogs > 0:
		c.held++
		return
	case c.ends.paused:
		c.ends.hold(c.life, func() { l.arrive(c) })
		return
	}
	n, next := l.network, 0
	if len(c.queue) > 1 && n.trouble() && n.random.IntN(10_000) < n.weather.Overtakes {
		if other := n.random.IntN(len(c.queue)); repeatable(c.queue[other]) && n.plan.strike(FaultOvertakingFrame, l.String()) {
			next = other
		}
	}
	frame := c.queue[next]
	c.queue = append(c.queue[:next], c.queue[next+1:]...)
	c.bytes -= len(frame)
	n.trace.mixBytes(frame)
	l.to.peer.Receive(c.node, frame)
}

// release lets arrive what was held back, in whatever order the links' turns come.
func (l *link) release() {
	c := l.connection
	if c == nil {
		return
	}
	for ; c.held > 0; c.held-- {
		l.network.scheduler.At(c.life, time.Duration(l.network.random.Int64N(int64(20*time.Millisecond))), func() { l.arrive(c) })
	}
}

// broken returns what a receiver must refuse in place of a frame: a part of it, another layout, an unknown kind, or more
// bytes than a frame may have.
func (n *Network) broken(frame []byte) (Fault, []byte) {
	spoilt := bytes.Clone(frame)
	switch n.random.IntN(4) {
	case 0:
		return FaultCutFrame, spoilt[:n.random.IntN(len(spoilt))]
	case 1:
		spoilt[0] += byte(1 + n.random.IntN(255))
	case 2:
		spoilt[1] |= 0x80
	default:
		return FaultOversizeFrame, append(spoilt, make([]byte, actors.MaxFrameBytes+1-len(spoilt))...)
	}
	return FaultForeignFrame, spoilt
}
