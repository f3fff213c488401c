package actors

import "troupe/partitions/catalog"

// Assign proposes other nodes for a partition's replicas. It completes when this broker knows the new assignment; the
// partition moves afterwards. Errors: partitions.ErrUnknownTopic, catalog.ErrInvalidAssignment, ErrAssignmentChanged,
// ErrMoveUnderWay, ErrUnknownNode, and those of a produce to the catalog's partition.
func (r *Router) Assign(c catalog.Assign, done func(*catalog.Topic, error)) {
	r.order(&assignOrder{command: c, done: done})
}

type assignOrder struct {
	command catalog.Assign
	done    func(*catalog.Topic, error)
}

func (o *assignOrder) begin(c *curator) { c.propose(o.command, o) }

func (o *assignOrder) conclude(c *curator, r catalog.Result, err error) {
	if err == nil {
		a := r.Topic.Partitions[o.command.Partition.Number]
		c.log.Info("partition assigned", "partition", o.command.Partition.String(), "replicas", len(a.Replicas), "leaving", len(a.Leaving))
	}
	c.reconcile()
	o.complete(r.Topic, err)
}

func (o *assignOrder) complete(t *catalog.Topic, err error) {
	if done := o.done; done != nil {
		o.done = nil
		done(t, err)
	}
}

func (o *assignOrder) refuse(err error) { o.complete(nil, err) }
