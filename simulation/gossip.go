package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"troupe/membership"
	"troupe/partitions/id"
)

// Gossip tells every broker who is there, as serf does: late, and at times wrongly.
type Gossip struct {
	cluster *Cluster
	random  *rand.Rand
	own     *Life // of the errors that are planned
	feeds   []*feed
}

// feed is what one broker is told. It is a membership.Feed.
type feed struct {
	view  *membership.View
	known map[id.Node]membership.Member
	// frozen: the view stands still.
	frozen bool
}

// View returns the newest view.
func (f *feed) View() *membership.View { return f.view }

func newGossip(c *Cluster) *Gossip {
	g := &Gossip{cluster: c, random: c.world.streams.Named("gossip"), own: &Life{}}
	for range c.world.options.Nodes {
		f := &feed{known: map[id.Node]membership.Member{}}
		f.publish()
		g.feeds = append(g.feeds, f)
	}
	return g
}

// publish makes what the broker knows its view.
func (f *feed) publish() {
	members := make([]membership.Member, 0, len(f.known))
	for _, m := range f.known { // in any order: a view is sorted
		members = append(members, m)
	}
	version := uint64(1)
	if f.view != nil {
		version = f.view.Version() + 1
	}
	f.view = membership.NewView(version, members)
}

// hear takes what somebody says of a member. News of an earlier incarnation are none.
func (f *feed) hear(m membership.Member) {
	if known, ok := f.known[m.Node]; ok && (known.Incarnation > m.Incarnation || known == m) {
		return
	}
	f.known[m.Node] = m
	if !f.frozen {
		f.publish()
	}
}

func (b *Broker) member(alive bool) membership.Member {
	return membership.Member{
		Node: b.identity, Incarnation: uint64(b.lives), Gateway: b.name + ":1", Peer: b.name + ":2", Version: "simulated", Alive: alive,
	}
}

// joined tells of a broker that has started. It knows only itself, and hears of the others.
func (g *Gossip) joined(b *Broker) {
	f := g.feeds[b.number]
	clear(f.known)
	f.hear(b.member(true))
	for _, other := range g.cluster.brokers {
		if other != b {
			g.tell(other, b.member(true))
			g.later(b, func() { f.hear(other.member(!other.life.over)) })
		}
	}
}

// left tells of a broker that has died or stopped.
func (g *Gossip) left(b *Broker) {
	for _, other := range g.cluster.brokers {
		if other != b {
			g.tell(other, b.member(false))
		}
	}
}

// tell lets a broker hear of another, after a while.
func (g *Gossip) tell(b *Broker, m membership.Member) {
	g.later(b, func() { g.feeds[b.number].hear(m) })
}

// later is when gossip arrives: mostly within a second, at times much later.
func (g *Gossip) later(b *Broker, f func()) {
	wait := time.Duration(g.random.Int64N(int64(time.Second)))
	if g.cluster.world.trouble && chance(g.random, 5) {
		if late := time.Duration(g.random.Int64N(int64(15 * time.Second))); g.cluster.world.plan.strike(FaultLateView, b.name) {
			wait = late
		}
	}
	g.cluster.world.scheduler.At(b.life, wait, f)
}

// err is one error of one broker's view about another.
func (g *Gossip) err() {
	w := g.cluster.world
	i, j := g.cluster.network.pair()
	f, about := g.feeds[i], g.cluster.brokers[j]
	if g.cluster.brokers[i].life.over || about.life.over {
		return
	}
	wrong := func() { f.hear(about.member(false)) }
	right := func() { f.hear(about.member(!about.life.over)) }
	lasts := time.Duration(g.random.Int64N(int64(4 * time.Second)))
	switch where := fmt.Sprintf("%s about %s, for %v", letter(i), letter(j), lasts.Round(time.Millisecond)); g.random.IntN(3) {
	case 0:
		if !w.plan.strike(FaultFalseDeath, where) {
			return
		}
		w.trace.event("gossip", "false death", "%s believes for %v that %s is dead", letter(i), lasts, letter(j))
		wrong()
		w.scheduler.At(g.own, lasts, right)
	case 1:
		times := between(g.random, 2, 6)
		if !w.plan.strike(FaultFlap, where) {
			return
		}
		w.trace.event("gossip", "flap", "%s sees %s come and go", letter(i), letter(j))
		for n := range times {
			w.scheduler.At(g.own, time.Duration(2*n)*lasts/10, wrong)
			w.scheduler.At(g.own, time.Duration(2*n+1)*lasts/10, right)
		}
	default:
		if !w.plan.strike(FaultStaleView, where) {
			return
		}
		w.trace.event("gossip", "stale view", "%s's, for %v", letter(i), lasts)
		f.frozen = true
		w.scheduler.At(g.own, lasts, func() { f.frozen = false; f.publish() })
	}
}

// heal makes every view right and current.
func (g *Gossip) heal() {
	g.own.over = true
	g.own = &Life{}
	for i, f := range g.feeds {
		f.frozen = false
		f.publish()
		for _, about := range g.cluster.brokers {
			g.tell(g.cluster.brokers[i], about.member(!about.life.over))
		}
	}
}
