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
	// settings are what the partition was told last.
	settings partitions.Settings
	settled  bool
	leaving  bool
}

// reconcile makes this broker what the newest state says.
func (c *curator) reconcile() {
	s := c.board.fold.Load()
	if s == nil || c.state != nil && s.Version <= c.state.Version || c.halting != nil {
		return
	}
	c.state = s
	for _, topic := range s.TopicIDs() {
		for n, a := range s.Topics[topic].Partitions {
			for _, r := range a.Replicas {
				switch t := c.tenants[r.Replica]; {
				case r.Node != c.stage.node:
				case t == nil && topic == catalog.TopicID:
					c.hold(r.Replica, s.Topics[topic].Partitions[n].Founders)
				case t == nil:
					c.admit(s.Topics[topic], int32(n), r.Replica)
				case t.address != c.own:
					c.configure(t, s.Topics[topic].Effective())
				}
			}
		}
	}
	for _, r := range slices.Sorted(maps.Keys(c.tenants)) {
		if t := c.tenants[r]; s.Topics[t.address.partition.Topic] == nil && !t.leaving && t.address != c.own {
			t.leaving = true
			c.send(c.node, leaveOrder{address: t.address, leave: leave{remove: true}})
			c.complete(t.address.partition.Topic)
		}
	}
	c.publish(s)
	c.leaders.forget(func(p id.Partition) bool {
		return p.Topic < s.NextTopic && p.Topic != catalog.TopicID && s.Topics[p.Topic] == nil
	})
	c.sweep()
}

// admit starts a partition.
func (c *curator) admit(t *catalog.Topic, number int32, replica id.Replica) {
	at := id.Partition{Topic: t.ID, Number: number}
	p := &plan{
		address: newAddress(c.stage, c.node, at, replica), founders: t.Partitions[number].Founders,
		settings: t.Effective(), limits: c.limit, create: true,
	}
	c.tenants[replica] = &tenant{address: p.address, settings: p.settings}
	c.send(c.node, spawnOrder{partition: newPartition(c.stage, p, c.self)})
}

// configure tells a partition that its topic's settings are others now.
func (c *curator) configure(t *tenant, settings partitions.Settings) {
	if t.settings != settings {
		t.settings = settings
		c.send(c.node, configureOrder{address: t.address, configure: configure{settings: settings}})
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
