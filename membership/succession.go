package membership

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"time"
)

// succession is a later start of a node at another address than the one that memberlist keeps. Memberlist changes an address
// only after it has found the old one dead, in its own slow ways, and has been told of the new one once more: up to twenty
// seconds in which a broker that died and is back elsewhere would be reached by nobody. So the old address is asked. Where
// nothing listens the earlier start has ended, and the later one is the node from then on. One that answers or is silent may
// live: then the later start may be a copy, and waits.
type succession struct {
	earlier Member // whose address is asked
	later   Member
	ended   bool      // nothing listens there: later is the node
	stale   bool      // memberlist keeps the earlier one alive all the same
	again   time.Time // no earlier is the old address asked once more: whoever has a copy may start it in a loop
}

// contest asks whether an earlier start still lives that has a later one refused with err, and tells of the problem if it
// may. The caller holds mu.
func (c *Cluster) contest(later Member, err error) {
	s := c.successions[later.Node]
	if s == nil {
		s = &succession{}
		c.successions[later.Node] = s
	}
	now := time.Now()
	if now.Before(s.again) {
		return
	}
	s.again = now.Add(streamTime)
	known, _ := c.known.Load().Member(later.Node)
	if !s.ended {
		s.earlier = known
	}
	go func() { // it ends by itself in streamTime
		ended := nobodyListens(known.Gossip)
		c.mu.Lock()
		defer c.mu.Unlock()
		if ended {
			s.later, s.ended, s.again = later, true, time.Time{}
			signal(c.look)
			return
		}
		c.note(Problem{Member: later, Err: err})
	}()
}

// nobodyListens tells whether an address refuses connections: its machine is there, and the broker that listened has ended.
func nobodyListens(address string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), streamTime)
	defer cancel()
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		connection.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// succeeded tells whether gossip still speaks of a start that is known here to have ended. The caller holds mu.
func (c *Cluster) succeeded(heard Member) bool {
	s := c.successions[heard.Node]
	return s != nil && s.ended && heard.Incarnation == s.earlier.Incarnation && heard.Nonce == s.earlier.Nonce
}

// describe takes what a successor says of itself now, or its next start at its address: memberlist does not. The caller holds mu.
func (c *Cluster) describe(heard Member) {
	s := c.successions[heard.Node]
	if s == nil || !s.ended || heard == s.later || heard.Gossip != s.later.Gossip {
		return
	}
	same := heard.Incarnation == s.later.Incarnation && heard.Nonce == s.later.Nonce
	if same || heard.Incarnation > s.later.Incarnation {
		s.later = heard
		signal(c.look)
	}
}

// successor returns who a node is that memberlist keeps as this member, and forgets what memberlist has caught up with. The
// caller holds mu.
func (c *Cluster) successor(kept Member) Member {
	s := c.successions[kept.Node]
	switch {
	case s == nil, !s.ended && kept.Alive:
		return kept
	case !s.ended, kept.Incarnation >= s.later.Incarnation:
		delete(c.successions, kept.Node) // memberlist takes the later one in by itself, or has
		return kept
	}
	s.stale = kept.Alive
	later := s.later
	later.Alive = true
	return later
}

// unreached takes a successor back that cannot be joined: if it has ended too, nobody else would notice. As long as memberlist
// keeps the earlier one, joining proves nothing. The caller holds mu.
func (c *Cluster) unreached(address string) {
	for node, s := range c.successions { // any order: an address is one broker's
		if s.ended && !s.stale && s.later.Gossip == address {
			delete(c.successions, node)
			signal(c.look)
		}
	}
}

// displaced takes successors back at whose address another broker lives by now, as one whose disk was lost comes back under
// another id: whoever tries to join the successor there succeeds. The caller holds mu.
func (c *Cluster) displaced(kept []Member) {
	for node, s := range c.successions { // any order: each is judged alone
		if s.ended && slices.ContainsFunc(kept, func(m Member) bool { return m.Alive && m.Node != node && m.Gossip == s.later.Gossip }) {
			delete(c.successions, node)
		}
	}
}

// succeeding tells whether memberlist has yet to take a member in. The caller holds mu.
func (c *Cluster) succeeding(m Member) bool {
	s := c.successions[m.Node]
	return s != nil && s.ended && s.later.Incarnation == m.Incarnation
}
