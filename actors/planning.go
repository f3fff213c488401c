package actors

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// Plan tells what moves in the cluster, what will, and what is held back, as this broker sees it; nothing is done for it. The
// broker that leads the catalog carries out what is next, a few at a time. Errors: partitions.ErrNotReady while the catalog is not
// known here.
func (r *Router) Plan(done func(partitions.MovePlan, error)) { r.order(&planAsked{done: done}) }

// planAsked asks for the plan.
type planAsked struct {
	done func(partitions.MovePlan, error)
}

func (q *planAsked) begin(c *curator) {
	if c.state == nil {
		q.refuse(fmt.Errorf("the catalog is not known yet: %w", partitions.ErrNotReady))
		return
	}
	q.complete(c.placing.planner.preview(c.outlook()), nil)
}

func (q *planAsked) conclude(*curator, catalog.Result, error) {}

func (q *planAsked) complete(p partitions.MovePlan, err error) {
	if done := q.done; done != nil {
		q.done = nil
		done(p, err)
	}
}

func (q *planAsked) refuse(err error) { q.complete(partitions.MovePlan{}, err) }

// preview shows all that the planner would do, not only what it does next.
func (p planner) preview(o *outlook) partitions.MovePlan {
	var all partitions.MovePlan
	for _, at := range partitionsOf(o.state) {
		a, _ := o.state.Assignment(at)
		if !a.Moving() {
			continue
		}
		m := partitions.Move{Partition: at, Assigned: a.Version, To: nodesOf(a.Replicas), Why: fmt.Sprintf("%v is on the move", at)}
		if stay, fresh := old(a); len(fresh) > 0 {
			m.From = nodesOf(stay)
		}
		all.Moving = append(all.Moving, m)
	}
	next, held := p.rearrange(o)
	all.Next, all.Held = movesOf(o.state, next), movesOf(o.state, held)
	for _, n := range o.state.NodeIDs() {
		if o.state.Nodes[n].State != catalog.Gone && !o.here(n) {
			all.Away = append(all.Away, n)
		}
	}
	return all
}

func movesOf(s *catalog.State, intents []intent) []partitions.Move {
	var all []partitions.Move
	for _, i := range intents {
		c := i.command.(catalog.Assign)
		a, _ := s.Assignment(c.Partition)
		all = append(all, partitions.Move{Partition: c.Partition, Assigned: a.Version, From: nodesOf(a.Replicas), To: append([]id.Node(nil), c.Nodes...), Why: i.why})
	}
	return all
}
