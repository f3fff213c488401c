package actors

import (
	"maps"
	"slices"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// tenant is a partition that runs on this broker.
type tenant struct {
	address *address
	// settings and assignment are what the partition was told last.
	settings   partitions.Settings
	assignment id.Offset
	settled    bool
	leaving    bool
}

// reconcile makes this broker what the newest state says.
func (c *curator) reconcile() {
	s := c.board.fold.Load()
	if s == nil || c.state != nil && s.Version <= c.state.Version || c.halting != nil {
		return
	}
	c.state = s
	wanted := map[id.Replica]bool{}
	for _, topic := range s.TopicIDs() {
		for n, a := range s.Topics[topic].Partitions {
			for _, r := range a.All() {
				// One whose log is lost is no use to anybody; its bytes stay until the catalog says otherwise.
				if r.Node == c.stage.node && !slices.Contains(a.Ruined, r.Replica) {
					wanted[r.Replica] = true
					c.accommodate(s.Topics[topic], int32(n), r.Replica)
				}
			}
		}
	}
	for _, r := range slices.Sorted(maps.Keys(c.tenants)) {
		if !wanted[r] && r < s.NextReplica { // a state from before an id was given says nothing of it
			c.dismiss(r)
		}
	}
	c.publish(s)
	c.lookForStrays()
	c.report()
	c.leaders.forget(func(p id.Partition) bool {
		return p.Topic < s.NextTopic && p.Topic != catalog.TopicID && s.Topics[p.Topic] == nil
	})
	c.sweep()
}

// accommodate sees to it that a replica runs here, and that it knows what the catalog says of it.
func (c *curator) accommodate(t *catalog.Topic, number int32, replica id.Replica) {
	switch known := c.tenants[replica]; {
	case known != nil && !known.leaving:
		c.configure(known, t, number)
	case known != nil:
	case t.ID == catalog.TopicID && c.own == nil:
		c.hold(replica, t.Partitions[number].Founders)
		c.configure(c.tenants[replica], t, number)
	case t.ID != catalog.TopicID && c.tenants[t.Partitions[number].Inherits(replica)] == nil: // else when that one has ended
		c.admit(t, number, replica)
	}
}

// admit starts a partition.
func (c *curator) admit(t *catalog.Topic, number int32, replica id.Replica) {
	at, a := id.Partition{Topic: t.ID, Number: number}, t.Partitions[number]
	p := &plan{
		address: newAddress(c.stage, c.node, at, replica), founders: a.Founders,
		settings: t.Effective(), assignment: assignmentOf(a), limits: c.limit, survivor: a.Inherits(replica), create: true,
	}
	c.tenants[replica] = &tenant{address: p.address, settings: p.settings, assignment: a.Version}
	c.send(c.node, spawnOrder{partition: newPartition(c.stage, p, c.self)})
}

func assignmentOf(a catalog.Assignment) partitions.Assignment {
	return partitions.Assignment{Version: a.Version, Replicas: a.Replicas}
}

// configure tells a partition that its topic's settings, or its assignment, are others now.
func (c *curator) configure(t *tenant, topic *catalog.Topic, number int32) {
	settings, a := topic.Effective(), topic.Partitions[number]
	if t.settings == settings && t.assignment == a.Version {
		return
	}
	t.settings, t.assignment = settings, a.Version
	c.send(c.node, configureOrder{address: t.address, configure: configure{settings: settings, assignment: assignmentOf(a)}})
}

// dismiss ends a replica that belongs here no more. Its bytes go only where the catalog has doomed them by its id.
func (c *curator) dismiss(replica id.Replica) {
	t := c.tenants[replica]
	if replica >= c.state.NextReplica {
		return // the state is older than the replica: a copy of the catalog that lags behind what made it
	}
	if t.leaving || t.address == c.own && c.state.Topics[catalog.TopicID] == nil {
		return // before the cluster's first command nobody is in the catalog, its own partition neither
	}
	t.leaving = true
	doomed := slices.ContainsFunc(c.state.Doomed, func(d catalog.Doomed) bool { return d.Replica == replica })
	c.send(c.node, leaveOrder{address: t.address, leave: leave{remove: doomed}})
	c.complete(t.address.partition.Topic)
	if t.address == c.own {
		c.own = nil
		c.follow()
	}
}

// publish writes the table anew.
func (c *curator) publish(s *catalog.State) {
	table := make(map[id.Partition]*address, len(c.tenants))
	for _, t := range c.tenants { // into a map: the order does not matter
		if !t.leaving {
			table[t.address.partition] = t.address
		}
	}
	c.board.view.Store(newView(s, table))
}
