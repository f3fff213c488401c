package actors

import (
	"cmp"
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/catalog"
)

// cancel takes back moves whose target is away, where everybody else is here: the partition is assigned to those that had it
// before. Such a move would end when its target comes back, and not before: nobody knows here who votes meanwhile, so that
// nothing else may be decided for the partition.
func (p planner) cancel(o *outlook) []intent {
	var all []intent
	for _, at := range partitionsOf(o.state) {
		a, _ := o.state.Assignment(at)
		stay, fresh := old(a)
		away := slices.IndexFunc(fresh, func(r partitions.Placed) bool { return o.gone(r.Node, p.cancelAfter) })
		if away < 0 || slices.ContainsFunc(stay, func(r partitions.Placed) bool { return !o.here(r.Node) || o.lost[r.Replica] }) {
			continue
		}
		all = append(all, intent{
			catalog.Assign{Partition: at, Nodes: nodesOf(stay), If: a.Version},
			fmt.Sprintf("%v stays where it was: broker %v, which was to get a replica, is away", at, fresh[away].Node),
		})
	}
	return all
}

// old divides the replicas of a partition that moves into those that it had before and those that its move has made. There are
// no fresh ones where that cannot be told.
//
// Replicas are numbered upwards, so the newest ones are the fresh: as many as leave, or, where none does, the two at least that
// a growth adds. After a repair what leaves is ruined, and after a cancelled move it is what is fresh: neither goes back.
func old(a catalog.Assignment) (stay, fresh []partitions.Placed) {
	if !a.Moving() || len(a.Ruined) > 0 || len(a.Replicas) == 1 && len(a.Leaving) == 0 {
		return nil, nil
	}
	added := len(a.Leaving)
	if added == 0 {
		added = 2
	}
	newest := slices.Clone(a.Replicas)
	slices.SortFunc(newest, func(p, q partitions.Placed) int { return cmp.Compare(q.Replica, p.Replica) })
	fresh = newest[:min(added, len(newest))]
	oldest := fresh[len(fresh)-1].Replica
	if slices.ContainsFunc(a.Leaving, func(r partitions.Placed) bool { return r.Replica > oldest }) {
		return nil, nil
	}
	for _, r := range a.Replicas {
		if r.Replica < oldest {
			stay = append(stay, r)
		}
	}
	if stay = append(stay, a.Leaving...); len(stay)%2 == 0 {
		return nil, nil
	}
	return stay, fresh
}
