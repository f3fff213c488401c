package simulation

import (
	"slices"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// dark chooses brokers that stay away for ever from here on, when everything else is healed: dead, or behind a cut that nobody
// mends. It chooses none where that could take the quorum of some partition.
func (c *Cluster) dark() {
	w := c.world
	order := c.random.Perm(len(c.brokers))
	chosen := order[:between(c.random, 1, (len(c.brokers)-1)/2)]
	gone := func(n id.Node) bool {
		return slices.ContainsFunc(chosen, func(i int) bool { return c.brokers[i].identity == n })
	}
	for _, p := range w.livingPartitions() {
		voters := c.voters(p)
		left := len(voters)
		for _, v := range voters {
			if gone(v.Node) {
				left--
			}
		}
		if left < len(voters)/2+1 || w.atlas.sick(p) > 0 {
			return
		}
	}
	for _, i := range chosen {
		b, dead := c.brokers[i], chance(c.random, 50)
		if !w.plan.strike(FaultDark, b.name) {
			continue
		}
		if b.dark = true; dead {
			w.trace.event(b.name, "dead", "for ever")
			b.losePower("for ever")
			continue
		}
		w.trace.event(b.name, "cut off", "for ever")
		for j := range c.brokers {
			if j != i {
				c.network.links[i][j].blocked++
				c.network.links[j][i].blocked++
				c.network.end(i, j)
			}
		}
	}
}

// livingPartitions lists those of the catalog and of all topics that were not deleted.
func (w *World) livingPartitions() []id.Partition {
	all := []id.Partition{catalog.Partition()}
	for _, t := range w.topics {
		for n := range t.Partitions {
			if !t.Deleted {
				all = append(all, id.Partition{Topic: t.ID, Number: n})
			}
		}
	}
	return all
}

// voters are a partition's, as its newest leader sees them; none where there is no leader, or where they change.
func (c *Cluster) voters(p id.Partition) []partitions.Placed {
	_, newest := c.leads(p)
	if newest == nil || newest.stands.Joint || c.world.ledger.firm(p) == 0 {
		return nil
	}
	return newest.shown.Status().Voters
}

// leads is the newest leader of a partition that is ready, and where it is; nil: there is none.
func (c *Cluster) leads(p id.Partition) (at *Broker, newest *overseen) {
	for _, b := range c.brokers {
		if b.logs == nil || b.life.over {
			continue
		}
		for _, l := range b.logs.logs { // any order: a term has one leader
			if l.partition == p && l.stands.Ready && (newest == nil || l.stands.Term > newest.stands.Term) {
				at, newest = b, l
			}
		}
	}
	return at, newest
}

// Probe appends a batch to every partition there is: once everything is at rest, that must succeed.
func (p *Producer) Probe() {
	if p.id == 0 {
		p.init(p.Probe)
		return
	}
	for _, t := range p.world.topics {
		for n := range t.Partitions {
			if !t.Deleted {
				p.stream(t, n).send()
			}
		}
	}
	p.probed = true
}
