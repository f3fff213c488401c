package actors

import (
	"fmt"
	"slices"
	"time"

	"troupe/membership"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// outlook is what a broker sees of its cluster at one moment: what the catalog wants of it, and who is there. It is the
// ground for placing replicas, and does not change.
type outlook struct {
	state *catalog.State
	view  *membership.View
	now   id.Timestamp
	// away tells since when a node of the catalog's has not been seen; absent: it is there.
	away map[id.Node]id.Timestamp
	// lost are replicas whose node has reported that their log is lost.
	lost map[id.Replica]bool
	// linked tells whether there is a link to a node, or it is this broker.
	linked func(id.Node) bool
}

// here tells whether a node may be given something to do now: gossip and its link agree. A link ends with the process behind
// it, long before gossip knows; gossip knows who is to be let go.
func (o *outlook) here(n id.Node) bool { return o.alive(n) && o.linked(n) }

// alive tells whether gossip has a node alive.
func (o *outlook) alive(n id.Node) bool {
	m, found := o.view.Member(n)
	return found && m.Alive
}

// gone tells whether a node has been away for so long that its replicas are to be made anew elsewhere.
func (o *outlook) gone(n id.Node, after time.Duration) bool {
	since, away := o.away[n]
	return away && time.Duration(o.now-since)*time.Millisecond >= after
}

// sites lists the brokers that may hold replicas and that fit wants, in the order of their ids.
func (o *outlook) sites(fit func(id.Node) bool) []membership.Site {
	var all []membership.Site
	for _, n := range o.state.NodeIDs() {
		if node := o.state.Nodes[n]; node.State != catalog.Gone && fit(n) {
			all = append(all, membership.Site{Node: n, Rack: node.Rack, Draining: node.State == catalog.Draining})
		}
	}
	return all
}

// taking counts the sites that take replicas.
func taking(sites []membership.Site) (n int) {
	for _, s := range sites {
		if !s.Draining {
			n++
		}
	}
	return n
}

// replicasUnset is how many replicas a partition has where nobody has said: one while there are no three brokers, else three.
func replicasUnset(brokers int) int {
	if brokers < 3 {
		return 1
	}
	return 3
}

// voters is how many replicas the catalog has among so many brokers.
func voters(brokers int) int {
	if brokers < 5 {
		return replicasUnset(brokers)
	}
	return 5
}

// existing lists where the partitions are, for whoever places more.
func existing(s *catalog.State) []membership.Assignment {
	var all []membership.Assignment
	for _, topic := range s.TopicIDs() {
		for n, a := range s.Topics[topic].Partitions {
			all = append(all, membership.Assignment{
				Partition: id.Partition{Topic: topic, Number: int32(n)}, Replicas: len(a.Replicas), Nodes: nodesOf(a.Replicas),
			})
		}
	}
	return all
}

func nodesOf(places []partitions.Placed) []id.Node {
	nodes := make([]id.Node, len(places))
	for i, p := range places {
		nodes[i] = p.Node
	}
	return nodes
}

// placements chooses nodes for a new topic's partitions, among those that are here if these are enough. It returns
// catalog.ErrTooFewNodes where gossip knows of fewer brokers that take replicas than the topic wants.
func (o *outlook) placements(c catalog.CreateTopic) ([][]id.Node, error) {
	sites := o.sites(o.alive)
	brokers := taking(sites)
	replicas := c.Replicas()
	if replicas == 0 {
		replicas = replicasUnset(brokers)
	}
	if replicas > brokers {
		return nil, fmt.Errorf("topic %q wants %d replicas, each on another broker, of which there are %d; start more, or ask for fewer replicas: %w",
			c.Name, replicas, brokers, catalog.ErrTooFewNodes)
	}
	if here := o.sites(o.here); replicas <= taking(here) {
		sites = here
	}
	all := existing(o.state)
	for n := range c.Partitions {
		all = append(all, membership.Assignment{Partition: id.Partition{Topic: o.state.NextTopic, Number: n}, Replicas: replicas})
	}
	out := make([][]id.Node, c.Partitions)
	for _, a := range membership.Place(sites, all) {
		if a.Partition.Topic == o.state.NextTopic {
			out[a.Partition.Number] = slices.Clone(a.Nodes)
		}
	}
	return out, nil
}
