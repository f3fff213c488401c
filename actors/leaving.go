package actors

import (
	"maps"
	"slices"

	"troupe/partitions/id"
)

// leave takes a partition's report that it has ended.
func (c *curator) leave(m gone) {
	replica := m.address.replica
	leaving := c.tenants[replica] != nil && c.tenants[replica].leaving
	delete(c.tenants, replica)
	c.yielded(replica)
	if leaving && c.halting == nil {
		if m.erased {
			c.erasing[replica] = true
			c.erase(replica, nil)
		} else {
			c.later(c.limits.RestartDelayMost, c.self, retry{})
		}
		c.again() // another replica of the catalog's may wait for its place
	}
	c.ready() // what has left is not waited for
	c.finish()
}

// sweep erases the doomed replicas of this node that no actor serves: a crash may have come between the deletion of a
// topic and that of its bytes.
func (c *curator) sweep() {
	if c.state == nil || c.halting != nil {
		return
	}
	for _, d := range c.state.Doomed {
		if d.Node != c.stage.node || c.tenants[d.Replica] != nil || c.erasing[d.Replica] {
			continue
		}
		c.erasing[d.Replica] = true
		c.erasures++
		s, self := c.stage, c.self
		s.seams.Pool.Run(func() {
			m := erased{replica: d.Replica}
			defer func() { s.send(self, m) }()
			defer s.rescue("erase", func(err error) { m.err = err })
			m.err = s.seams.Disk.Remove(d.Partition, d.Replica)
		})
	}
}

// erase notes that a doomed replica's bytes are gone, or tries again later.
func (c *curator) erase(replica id.Replica, err error) {
	if err != nil {
		c.log.Error("the bytes of a deleted replica could not be removed", "replica", uint64(replica), "error", err,
			"next", "it is tried again by itself; look at the disk if that goes on")
		delete(c.erasing, replica)
		c.later(c.limits.RestartDelayMost, c.self, retry{})
		return
	}
	c.erased = append(c.erased, replica)
	c.forget()
}

// forget tells the catalog what is erased.
func (c *curator) forget() {
	if c.forgetting || len(c.erased) == 0 || c.halting != nil || c.broken != nil {
		return
	}
	c.forgetting = true
	n := min(len(c.erased), forgetAtOnce)
	forgetOrder{slices.Clone(c.erased[:n])}.begin(c)
}

// yield has every partition hand over what it leads here.
func (c *curator) yield(done func()) {
	if c.yields != nil || c.halting != nil {
		c.safely(done)
		return
	}
	c.yields, c.yielding = done, map[id.Replica]bool{}
	for _, r := range slices.Sorted(maps.Keys(c.tenants)) {
		c.yielding[r] = true
		c.send(c.node, yieldOrder{address: c.tenants[r].address})
	}
	c.yielded(0)
}

// yielded notes that a replica leads nothing any more.
func (c *curator) yielded(r id.Replica) {
	delete(c.yielding, r)
	if done := c.yields; done != nil && (len(c.yielding) == 0 || c.halting != nil) {
		c.yields = nil
		c.safely(done)
	}
}

// halt stops every partition, then the broker.
func (c *curator) halt(done func()) {
	if c.halting != nil {
		return
	}
	c.halting = done
	c.yielded(0)
	c.fail(errStopped)
	c.refuseAll()
	for _, r := range slices.Sorted(maps.Keys(c.tenants)) {
		c.send(c.node, leaveOrder{address: c.tenants[r].address})
	}
	c.finish()
}

// finish ends a stopping broker's tree once nothing of it runs.
func (c *curator) finish() {
	if c.halting == nil || len(c.tenants) > 0 || c.erasures > 0 {
		return
	}
	c.system.Root.Stop(c.node)
	c.safely(c.halting)
}
