package membership

import (
	"fmt"
	"slices"
	"strings"

	"troupe/partitions/id"
)

// founding is what a broker that was started with --bootstrap-expect knows, while it has no cluster.
type founding struct {
	self   id.Node
	listed []seed
	seen   []Member // alive, this broker included
}

// seed is one address to join.
type seed struct {
	name      string   // as it was given
	addresses []string // ip:port; none while it has not been resolved
}

// decide tells whether this broker creates the cluster: everyone listed, this broker among them, is seen, nobody else, none
// has a cluster, and this is the lowest node. All of them see the same list, so one at most creates; the others meet its
// cluster and adopt it. In every other case it tells what is waited for.
func (f founding) decide() (create bool, waiting string) {
	at := map[string]Member{}
	for _, m := range f.seen {
		if m.Cluster != 0 {
			return false, fmt.Sprintf("%s belongs to cluster %v, which is adopted", m.Gossip, m.Cluster)
		}
		at[m.Gossip] = m
	}
	var missing []string
	found := map[id.Node]string{}
	for _, s := range f.listed {
		i := slices.IndexFunc(s.addresses, func(address string) bool { return at[address].Node != 0 })
		if i < 0 {
			missing = append(missing, s.name)
			continue
		}
		node := at[s.addresses[i]].Node
		if other, twice := found[node]; twice {
			return false, fmt.Sprintf("%s and %s are one broker; --join must list every broker once", other, s.name)
		}
		found[node] = s.name
	}
	switch {
	case found[f.self] == "" && len(missing) == 0:
		return false, fmt.Sprintf("--join lists %d brokers, but not this one", len(f.listed))
	case len(missing) > 0:
		return false, fmt.Sprintf("%d of %d brokers seen; not yet %s", len(found), len(f.listed), strings.Join(missing, ", "))
	}
	lowest := f.self
	for _, m := range f.seen {
		if found[m.Node] == "" {
			return false, fmt.Sprintf("%s waits for a cluster too, but --join does not list it", m.Gossip)
		}
		lowest = min(lowest, m.Node)
	}
	if lowest != f.self {
		return false, fmt.Sprintf("%s creates the cluster", found[lowest])
	}
	return true, ""
}
