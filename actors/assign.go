package actors

import (
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// Assign proposes other nodes for a partition's replicas. It completes when this broker knows the new assignment; the
// partition moves afterwards. Errors: partitions.ErrUnknownTopic, catalog.ErrInvalidAssignment, ErrAssignmentChanged,
// ErrMoveUnderWay, ErrUnknownNode, and those of a produce to the catalog's partition.
func (r *Router) Assign(c catalog.Assign, done func(*catalog.Topic, error)) {
	r.order(&assignOrder{command: c, done: done})
}

// Leader tells which node leads a partition and in which term, as far as this broker has heard: itself, in a term it does not
// tell, where it has a replica.
func (r *Router) Leader(p id.Partition) (id.Node, id.Term) {
	if r.find(p) == nil {
		return 0, 0
	}
	return r.stage.node, 0
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
