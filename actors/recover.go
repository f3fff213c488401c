package actors

import (
	"errors"
	"fmt"
	"sync/atomic"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// Recover has a partition whose majority is lost for ever go on with what one replica has: that on the broker from, or, where
// that is 0, the one that has most. What only the lost ones had is lost. It completes when this broker knows the decision; the
// survivor's broker carries it out afterwards.
//
// Every broker that may hold a replica, and that gossip or a link has here, is asked how its replica is; Recover is refused
// while those that are here can elect a leader, or have more than the survivor. Nobody can ask those that are not here: that
// they are lost for ever, and not merely cut off, is the operator's word. See catalog.Recovery for what ends them if it was
// wrong.
//
// Errors: partitions.ErrNotRecoverable, ErrUnknownTopic, catalog.ErrAssignmentChanged, and those of a produce to the catalog's
// partition.
func (r *Router) Recover(p id.Partition, from id.Node, done func(*catalog.Topic, error)) {
	r.order(&recoverOrder{partition: p, from: from, done: done})
}

// recoverOrder asks whoever is here, then proposes.
//
// Invariant: missing statuses are still to come, each exactly once.
type recoverOrder struct {
	partition id.Partition
	from      id.Node
	assigned  id.Offset // the version of the assignment that was looked at
	there     []partitions.Status
	missing   int
	completed atomic.Bool // several statuses may be refused at one time
	done      func(*catalog.Topic, error)
}

func (o *recoverOrder) begin(c *curator) {
	if c.state == nil {
		o.refuse(fmt.Errorf("the catalog is not known yet: %w", partitions.ErrNotReady))
		return
	}
	if err := c.state.Recoverable(o.partition); err != nil {
		o.refuse(err)
		return
	}
	a, _ := c.state.Assignment(o.partition)
	o.assigned = a.Version
	var here []partitions.Placed
	for _, p := range a.Whole() {
		if c.present(p.Node) {
			here = append(here, p)
		}
	}
	o.missing = len(here)
	if o.missing == 0 {
		o.judge(c)
	}
	for _, p := range here {
		c.describe(o.partition, p, func(s partitions.Status) {
			h := heardOrder{recovery: o, status: s}
			if err := c.orders.pass(h); err != nil {
				h.refuse(err)
			}
		})
	}
}

// present tells whether a broker is seen by gossip, or has a link to this one: either may be wrong. One that is gone for ever
// does not count.
func (c *curator) present(n id.Node) bool {
	if node := c.state.Nodes[n]; node != nil && node.State == catalog.Gone {
		return false
	}
	m, found := c.placing.members.View().Member(n)
	return found && m.Alive || c.linked(n)
}

// inquiry is the question how a certain replica is. One that its broker does not have is described as stopped.
func inquiry(at id.Partition, p partitions.Placed, done func(partitions.Status)) *describeRequest {
	return &describeRequest{partition: at, replica: p.Replica, done: func(s partitions.Status) {
		if s.Replica != p.Replica {
			s = partitions.Status{Replica: p.Replica, Role: partitions.RoleStopped, Problem: fmt.Sprintf("it has replica %d", s.Replica)}
		}
		s.Node = p.Node
		done(s)
	}}
}

// describe asks a broker how its replica is. Where it does not say, the replica is described as stopped, with the reason.
func (c *curator) describe(at id.Partition, p partitions.Placed, done func(partitions.Status)) {
	q := inquiry(at, p, done)
	if p.Node == c.stage.node {
		t := c.tenants[p.Replica]
		if t == nil || t.leaving {
			q.refuse(errors.New("it does not run here"))
			return
		}
		q.renumber(t.address.next())
		t.address.ask(q)
		return
	}
	c.peers.to(p.Node).pose(at, q)
}

// heardOrder brings what a broker has said back to the catalog's actor.
type heardOrder struct {
	recovery *recoverOrder
	status   partitions.Status
}

func (h heardOrder) begin(c *curator) {
	o := h.recovery
	o.there = append(o.there, h.status)
	if o.missing--; o.missing == 0 {
		o.judge(c)
	}
}

func (heardOrder) conclude(*curator, catalog.Result, error) {}

func (h heardOrder) refuse(err error) { h.recovery.refuse(err) }

// judge decides, once everybody has been heard.
func (o *recoverOrder) judge(c *curator) {
	survivor, err := partitions.Survivor(o.there, o.from)
	if err != nil {
		o.refuse(fmt.Errorf("partition %v: %w", o.partition, err))
		return
	}
	c.propose(catalog.Recover{Partition: o.partition, Survivor: survivor.Replica, If: o.assigned, At: c.seams.Clock.Now()}, o)
}

func (o *recoverOrder) conclude(c *curator, r catalog.Result, err error) {
	if err == nil {
		all := r.Topic.Partitions[o.partition.Number].Recoveries
		last := all[len(all)-1]
		c.log.Warn("a partition that lost its majority goes on with what one replica has", "partition", o.partition.String(),
			"survivor", uint64(last.Survivor.Replica), "broker", last.Survivor.Node.String(), "heir", uint64(last.Heir), "given up", len(last.GivenUp))
	}
	c.reconcile()
	o.complete(r.Topic, err)
}

func (o *recoverOrder) complete(t *catalog.Topic, err error) {
	if !o.completed.Swap(true) {
		o.done(t, err)
	}
}

func (o *recoverOrder) refuse(err error) { o.complete(nil, err) }
