package actors

import (
	"cmp"
	"maps"
	"slices"

	"troupe/membership"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// placing is the catalog's actor's part in where replicas live. On every broker it reports what leaders here have reached
// and what replicas here have lost; on the one that leads the catalog it has the planner decide, and proposes that.
//
// Invariants: at most one command of the planner's is under way, and one Moved of each partition; what is remembered of
// others' reports names replicas that the catalog has on the broker that reported them.
type placing struct {
	planner planner
	members membership.Feed

	reached   map[id.Partition]id.Offset // the version that a leader here has reached, until the catalog knows
	reporting map[id.Partition]bool      // a Moved is under way
	forgotten map[id.Replica]bool        // replicas here whose log is lost

	lost    map[id.Replica]bool // as all brokers have reported to this one
	away    map[id.Node]id.Timestamp
	intents []intent // decided, the first of them under way
	began   bool     // the rounds go on
}

func newPlacing(l Limits, m membership.Feed) placing {
	return placing{
		planner: planner{moves: l.Moves, cancelAfter: l.CancelAfter, replaceAfter: l.ReplaceAfter}, members: m,
		reached: map[id.Partition]id.Offset{}, reporting: map[id.Partition]bool{}, forgotten: map[id.Replica]bool{},
		lost: map[id.Replica]bool{}, away: map[id.Node]id.Timestamp{},
	}
}

// startRounds begins to look after the cluster, where there is one.
func (c *curator) startRounds() {
	if c.seams.Peers != nil && !c.placing.began {
		c.placing.began = true
		c.later(c.limits.RoundsEvery, c.self, rounds{})
	}
}

// rounds looks how the cluster is.
func (c *curator) rounds() {
	if c.halting != nil || c.broken != nil {
		return
	}
	c.later(c.limits.RoundsEvery, c.self, rounds{})
	if c.state == nil {
		return
	}
	c.watch()
	switch {
	case c.own == nil:
	case c.own.alone.Load():
		c.follow() // what this broker holds of the catalog may have been removed without a word
	default:
		c.tail.wanted = false
	}
	c.confess()
	c.report()
	c.govern()
}

// watch notes who has come and gone. A broker counts as away while gossip does not have it alive and no link to it is up:
// either alone may be wrong.
func (c *curator) watch() {
	p, view, now := &c.placing, c.placing.members.View(), c.seams.Clock.Now()
	for _, n := range c.state.NodeIDs() {
		m, found := view.Member(n)
		switch _, away := p.away[n]; {
		case found && m.Alive || c.linked(n):
			delete(p.away, n)
		case !away:
			p.away[n] = now
		}
	}
}

// outlook is what this broker sees of the cluster now.
func (c *curator) outlook() *outlook {
	return &outlook{
		state: c.state, view: c.placing.members.View(), now: c.seams.Clock.Now(), away: c.placing.away, lost: c.placing.lost,
		linked: c.linked,
	}
}

// govern has the planner decide, on the broker that leads the catalog and sees all of it, and proposes what it decides, one
// command after the other. What the first one changes may make the next one void; then the catalog refuses it.
func (c *curator) govern() {
	p := &c.placing
	if len(p.intents) > 0 || !c.own.leading() || c.state.Version != c.board.fold.Load().Version {
		return
	}
	if p.intents = p.planner.plan(c.outlook()); len(p.intents) > 0 {
		planOrder{p.intents[0]}.begin(c)
	}
}

// planOrder proposes what the planner decided.
type planOrder struct{ intent }

func (o planOrder) begin(c *curator) { c.propose(o.command, o) }

func (o planOrder) conclude(c *curator, _ catalog.Result, err error) {
	if err != nil {
		c.log.Info("the catalog does not take what was planned; it is planned anew", "plan", o.why, "reason", err)
		c.placing.intents = nil
		return
	}
	c.log.Info("planned", "plan", o.why)
	c.reconcile()
	if p := &c.placing; len(p.intents) > 0 {
		if p.intents = p.intents[1:]; len(p.intents) > 0 && c.own.leading() {
			planOrder{p.intents[0]}.begin(c)
			return
		}
		p.intents = nil
	}
}

func (planOrder) refuse(error) {}

// report tells the catalog what leaders here have reached.
func (c *curator) report() {
	p := &c.placing
	for _, at := range slices.SortedFunc(maps.Keys(p.reached), comparePartitions) {
		a, found := c.state.Assignment(at)
		switch version := p.reached[at]; {
		case c.halting != nil || p.reporting[at] || found && a.Version < version: // the catalog known here is behind
		case !found || a.Version > version || !a.Moving():
			delete(p.reached, at)
		default:
			p.reporting[at] = true
			movedOrder{moved(at, a)}.begin(c)
		}
	}
}

func comparePartitions(a, b id.Partition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
}

// movedOrder tells the catalog that an assignment is reached. What fails is tried again with the next round.
type movedOrder struct{ command catalog.Moved }

func (o movedOrder) begin(c *curator) { c.propose(o.command, o) }

func (o movedOrder) conclude(c *curator, _ catalog.Result, err error) {
	delete(c.placing.reporting, o.command.Partition)
	if err == nil {
		c.log.Info("partition has moved", "partition", o.command.Partition.String(), "gone", o.command.Gone)
	}
	c.reconcile()
}

func (movedOrder) refuse(error) {}

// confess tells the broker that leads the catalog which replicas here have lost their logs, until the catalog has others in
// their place.
func (c *curator) confess() {
	p := &c.placing
	if len(p.forgotten) == 0 || c.state == nil || c.seams.Peers == nil {
		return
	}
	var all []id.Replica
	for _, r := range slices.Sorted(maps.Keys(p.forgotten)) {
		if t := c.tenants[r]; t == nil || t.leaving {
			delete(p.forgotten, r)
			continue
		}
		all = append(all, r)
	}
	leader, _ := c.leaders.leader(catalog.Partition())
	switch {
	case len(all) == 0:
	case c.own.leading():
		c.hearOf(reported{from: c.stage.node, replicas: all})
	case leader != 0 && leader != c.stage.node:
		c.peers.to(leader).post(sealed(lostFrame(all)))
	}
}

// hearOf takes a broker's word for what it has lost, as far as the catalog has that on this broker. It is forgotten with the
// replicas.
func (c *curator) hearOf(m reported) {
	if c.state == nil {
		return
	}
	p, assigned := &c.placing, map[id.Replica]id.Node{}
	for _, at := range partitionsOf(c.state) {
		a, _ := c.state.Assignment(at)
		for _, r := range a.Replicas {
			assigned[r.Replica] = r.Node
		}
	}
	maps.DeleteFunc(p.lost, func(r id.Replica, _ bool) bool { return assigned[r] == 0 })
	for _, r := range m.replicas {
		if assigned[r] == m.from && !p.lost[r] {
			p.lost[r] = true
			c.log.Warn("a replica has lost its log; another is made in its place", "replica", uint64(r), "broker", m.from.String())
		}
	}
}

// again reconciles with the state that is known already.
func (c *curator) again() {
	if s := c.state; s != nil && c.halting == nil && c.broken == nil {
		c.state = nil
		c.reconcile()
		if c.state == nil {
			c.state = s
		}
	}
}
