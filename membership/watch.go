package membership

import (
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/serf/serf"

	"troupe/partitions/id"
)

// listen takes serf's events as fast as they come: serf stands still otherwise.
func (c *Cluster) listen(events <-chan serf.Event) {
	for {
		select {
		case e := <-events:
			if _, ok := e.(serf.MemberEvent); ok {
				signal(c.look)
			}
		case <-c.closing:
			return
		}
	}
}

// watch looks whenever there is something to see.
func (c *Cluster) watch() {
	defer c.watched.Done()
	timer := time.NewTimer(c.options.Pace.Rejoin)
	defer timer.Stop()
	for {
		select {
		case <-c.look:
		case <-timer.C:
		case <-c.closing:
			return
		}
		again := c.refresh()
		c.settle()
		c.report()
		timer.Reset(min(again, c.options.Pace.Rejoin))
	}
}

// refresh looks at all that serf knows and tells the view of it. It returns in what time it would look different by itself.
func (c *Cluster) refresh() (again time.Duration) {
	now := time.Now()
	all := c.everyone()
	known := NewView(c.known.Load().Version()+1, all)
	c.known.Store(known)
	again = c.options.Pace.Rejoin
	c.mu.Lock()
	self := c.self
	c.mu.Unlock()
	var shown []Member
	for _, m := range all {
		if m.Node == self.Node || m.Cluster != self.Cluster || m.Epoch != self.Epoch {
			continue
		}
		steady, until := c.flapping.steady(m, now)
		if m.Alive && !steady {
			m.Alive = false
			again = min(again, until.Sub(now))
		}
		shown = append(shown, m)
	}
	c.flapping.forget(func(node id.Node) bool { _, found := known.Member(node); return found })
	c.publish(append(shown, self))
	return again
}

// everyone reads serf. Who is alive memberlist says: serf's own state may rest at "leaving" for a broker that left and is
// back, because it orders farewells by a clock that starts anew with every start.
func (c *Cluster) everyone() []Member {
	alive := map[string]bool{}
	for _, n := range c.serf.Memberlist().Members() {
		alive[n.Name] = true
	}
	members := c.serf.Members()
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Member
	for _, s := range members {
		m, err := memberOf(s)
		if err != nil {
			continue // the door refused it
		}
		m.Alive = alive[s.Name]
		m.Left = !m.Alive && s.Status == serf.StatusLeft
		all = append(all, m)
	}
	c.displaced(all)
	for i, m := range all {
		all[i] = c.successor(m)
	}
	return all
}

// memberOf translates all but the state.
func memberOf(s serf.Member) (Member, error) {
	node, err := id.ParseNode(s.Name)
	if err != nil {
		return Member{}, fmt.Errorf("a broker at %s calls itself %.40q: %w", gossipAddress(s.Addr, s.Port), s.Name, ErrTags)
	}
	m, err := decodeTags(s.Tags)
	m.Node, m.Gossip = node, gossipAddress(s.Addr, s.Port)
	if err != nil {
		return m, fmt.Errorf("node %v at %s: %w", node, m.Gossip, err)
	}
	return m, nil
}

// settle makes a cluster id that was met durable, or founds a cluster when that is due, and tells others what changed.
func (c *Cluster) settle() {
	c.mu.Lock()
	met, epoch, self := c.met, c.metEpoch, c.self
	due := false
	if met == 0 && c.options.Expect > 0 {
		f := founding{self: self.Node, listed: c.seeds}
		for _, m := range c.known.Load().Members() {
			if m.Alive {
				f.seen = append(f.seen, m)
			}
		}
		due, c.waiting = f.decide()
		c.founding = due
	}
	c.mu.Unlock()

	var err error
	switch {
	case due:
		met, err = c.options.Found()
	case self.Cluster == 0 && met != 0:
		err = c.options.Adopt(met, epoch)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.founding = false
	switch {
	case err != nil:
		c.waiting = err.Error()
		c.note(Problem{Member: self, Err: fmt.Errorf("the id of the cluster is not durable yet: %w", err)})
	case self.Cluster == 0 && met != 0:
		c.met, c.self.Cluster, c.self.Epoch = met, met, epoch
		close(c.joined)
		signal(c.changed)
		signal(c.look)
	}
}

// spread gossips this broker's tags whenever they change.
func (c *Cluster) spread() {
	for {
		select {
		case <-c.changed:
		case <-c.closing:
			return
		}
		c.mu.Lock()
		self := c.self
		c.mu.Unlock()
		tags, err := encodeTags(self)
		if err != nil {
			panic(fmt.Sprintf("membership: own tags, which were checked, do not encode: %v", err))
		}
		if err := c.serf.SetTags(tags); err != nil {
			c.log.Debug("new tags were not gossiped at once; they go with the next exchange", "reason", err)
		}
	}
}

// note keeps a problem for watch to report, if it was not told lately. The caller holds mu.
func (c *Cluster) note(p Problem) {
	key, now := fmt.Sprint(p.Stop, p.Err), time.Now()
	if last, found := c.reported[key]; found && now.Sub(last) < remindTime || len(c.problems) >= mostProblems {
		return
	}
	if len(c.reported) >= mostReported {
		clear(c.reported)
	}
	c.reported[key] = now
	c.problems = append(c.problems, p)
	signal(c.look)
}

// report tells the problems that were noted.
func (c *Cluster) report() {
	c.mu.Lock()
	problems := c.problems
	c.problems = nil
	c.mu.Unlock()
	for _, p := range problems {
		c.log.Warn("gossip met a problem", "problem", p.Error(), "must_stop", p.Stop)
		if c.options.Problem != nil {
			c.options.Problem(p)
		}
	}
}

// stranger notes that somebody without our secret was heard.
func (c *Cluster) stranger(address string) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(Problem{Member: Member{Gossip: host}, Err: fmt.Errorf("from %s: %w", host, ErrSecret)})
}
