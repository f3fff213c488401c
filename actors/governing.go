package actors

import (
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// Drain proposes that a broker takes no more replicas and that those it has move away, or, with On false, the opposite. It
// completes when the catalog has it; the moves follow. Errors: catalog.ErrUnknownNode, ErrNodeInUse where too few brokers
// would be left for some topic, and those of a produce to the catalog's partition.
func (r *Router) Drain(c catalog.Drain, done func(error)) {
	what := "a broker is being drained"
	if !c.On {
		what = "a broker takes replicas again"
	}
	r.order(&nodeOrder{command: c, node: c.Node, what: what, done: done})
}

// Dismiss proposes that a broker without replicas leaves the cluster for ever. Errors: catalog.ErrUnknownNode, ErrNodeInUse
// while it has replicas, and those of a produce to the catalog's partition.
func (r *Router) Dismiss(c catalog.Dismiss, done func(error)) {
	r.order(&nodeOrder{command: c, node: c.Node, what: "a broker has left for ever", done: done})
}

// nodeOrder is a command about one broker.
type nodeOrder struct {
	command catalog.Command
	node    id.Node
	what    string
	done    func(error)
}

func (o *nodeOrder) begin(c *curator) { c.propose(o.command, o) }

func (o *nodeOrder) conclude(c *curator, _ catalog.Result, err error) {
	if err == nil {
		c.log.Info(o.what, "broker", o.node.String())
	}
	c.reconcile()
	o.refuse(err)
}

func (o *nodeOrder) refuse(err error) {
	if done := o.done; done != nil {
		o.done = nil
		done(err)
	}
}
