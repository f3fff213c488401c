package simulation

import (
	"slices"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// wipe takes a broker's disk, with its name and everything that was promised on it. What comes back is another broker, with an
// empty disk: it refills under new ids.
func (c *Cluster) wipe(b *Broker) {
	w := c.world
	lost, permitted := c.heldBy(b.identity)
	if !permitted {
		return
	}
	if !w.plan.strike(FaultWipedDisk, b.name) {
		return
	}
	c.replace(b, lost)
}

// replace puts another broker in a broker's place, which was lost with these replicas.
func (c *Cluster) replace(b *Broker, lost map[id.Partition]id.Replica) {
	w := c.world
	for p, r := range lost { // any order: each is noted alone
		w.atlas.harm(p, r)
	}
	w.trace.event(b.name, "wiped", "with %d replicas", len(lost))
	b.losePower("with its disk")
	c.wiped++
	b.identity = firstNode + id.Node(100*c.wiped+b.number)
	b.newDisk()
	b.logs = nil
}

// lostAtBirth notes which replicas of a topic are to live on brokers that lost their disks, and their names, while it was made.
func (c *Cluster) lostAtBirth(t *catalog.Topic) {
	for n, p := range t.Partitions {
		for _, placed := range p.Replicas {
			if !slices.ContainsFunc(c.brokers, func(b *Broker) bool { return b.identity == placed.Node }) {
				c.world.atlas.harm(id.Partition{Topic: t.ID, Number: int32(n)}, placed.Replica)
			}
		}
	}
}

// heldBy lists the replicas that a node holds of living partitions, if all of them may be lost at once.
func (c *Cluster) heldBy(node id.Node) (lost map[id.Partition]id.Replica, permitted bool) {
	lost = map[id.Partition]id.Replica{}
	living := c.world.livingPartitions()
	for _, r := range c.world.ledger.replicas { // all or nothing: the order does not matter
		if r.node == node && !slices.Contains(living, r.partition) && !c.world.deleted[id.Partition{Topic: r.partition.Topic}] {
			return nil, false // of a topic whose creation no client knows of yet
		}
	}
	for _, p := range living {
		members := c.voters(p)
		if members == nil {
			return nil, false
		}
		i := slices.IndexFunc(members, func(m partitions.Placed) bool { return m.Node == node })
		if i < 0 {
			continue
		}
		if !c.world.atlas.permits(p, members[i].Replica) {
			return nil, false
		}
		lost[p] = members[i].Replica
	}
	return lost, true
}
