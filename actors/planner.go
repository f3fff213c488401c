package actors

import (
	"fmt"
	"slices"
	"time"

	"troupe/membership"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// planner decides, for the broker that leads the catalog, what the catalog's next commands are: who is enlisted, and where
// replicas are to live. It proposes nothing itself. What it decides follows from an outlook alone, so a leader that takes
// over decides the same.
//
// What waits for nobody is taken back first; then repair comes before growth, and growth before balance. At most moves
// partitions are on the move at one time, and while a broker is away nothing moves for the sake of balance: it may come back.
// Nothing is sent where gossip and a link do not agree that somebody is there.
type planner struct {
	moves        int           // partitions on the move at one time
	cancelAfter  time.Duration // how long a broker may be away before moves to it are taken back
	replaceAfter time.Duration // how long a broker may be away before its replicas are made anew elsewhere
}

// intent is a command and why it is proposed.
type intent struct {
	command catalog.Command
	why     string
}

// plan returns the commands that bring the cluster one step on, in the order of their urgency; none when all is well or
// nothing more can be done now.
func (p planner) plan(o *outlook) []intent {
	if enlist := p.enlist(o); len(enlist) > 0 {
		return enlist // placement needs to know them
	}
	if cancelled := p.cancel(o); len(cancelled) > 0 {
		return cancelled
	}
	free := p.moves - onTheMove(o.state)
	repairs := p.repair(o)
	if len(repairs) > 0 {
		return repairs[:min(len(repairs), max(free, 1))] // a partition that waits for the dead must not wait for the living
	}
	if free <= 0 {
		return nil
	}
	moves, _ := p.rearrange(o)
	return moves[:min(len(moves), free)]
}

func onTheMove(s *catalog.State) (n int) {
	for _, t := range s.Topics { // any order: only a sum
		for _, a := range t.Partitions {
			if a.Moving() {
				n++
			}
		}
	}
	return n
}

// enlist puts brokers into the catalog that have come, or that stand in another rack now.
func (p planner) enlist(o *outlook) []intent {
	var all []intent
	for _, m := range o.view.Members() {
		known := o.state.Nodes[m.Node]
		if o.here(m.Node) && (known == nil || known.State != catalog.Gone && known.Rack != m.Rack) {
			all = append(all, intent{catalog.Enlist{Node: m.Node, Rack: m.Rack}, fmt.Sprintf("broker %v is here", m.Node)})
		}
	}
	return all
}

// repair replaces replicas whose log is lost, as long as a majority of the others can decide it.
func (p planner) repair(o *outlook) []intent {
	var all []intent
	for _, at := range partitionsOf(o.state) {
		a, _ := o.state.Assignment(at)
		var lost []id.Replica
		present := true
		for _, r := range a.Replicas {
			if o.lost[r.Replica] {
				lost = append(lost, r.Replica)
				present = present && o.here(r.Node)
			}
		}
		if len(lost) == 0 || len(lost) > len(a.Replicas)/2 || !present {
			continue
		}
		all = append(all, intent{
			catalog.Assign{Partition: at, Nodes: nodesOf(a.Replicas), Replace: lost, If: a.Version},
			fmt.Sprintf("replicas %v of %v have lost their logs", lost, at),
		})
	}
	return all
}

func partitionsOf(s *catalog.State) []id.Partition {
	var all []id.Partition
	for _, topic := range s.TopicIDs() {
		for n := range s.Topics[topic].Partitions {
			all = append(all, id.Partition{Topic: topic, Number: int32(n)})
		}
	}
	return all
}

// rearrange compares where replicas are with where they belong, and returns what differs: first what must move, because its
// broker is gone or drains, then what is to grow, then what balance asks for. The last is held back while somebody is away.
func (p planner) rearrange(o *outlook) (moves, held []intent) {
	dead := p.dead(o)
	sites := o.sites(func(n id.Node) bool { return !slices.Contains(dead, n) })
	present := o.sites(o.here)
	brokers := taking(sites)
	var current []membership.Assignment
	for _, at := range partitionsOf(o.state) {
		a, _ := o.state.Assignment(at)
		current = append(current, membership.Assignment{
			Partition: at, Nodes: nodesOf(a.Replicas), Replicas: p.wanted(o.state, at, len(a.Replicas), brokers),
		})
	}
	var must, grow, balance []intent
	for i, to := range membership.Place(sites, current) {
		a, _ := o.state.Assignment(to.Partition)
		from := current[i].Nodes
		if slices.Equal(to.Nodes, from) || len(to.Nodes)%2 == 0 || len(to.Nodes) < min(len(from), current[i].Replicas) || !p.reachable(o, from, to.Nodes) {
			continue
		}
		command := catalog.Assign{Partition: to.Partition, Nodes: to.Nodes, If: a.Version}
		if command.Replace = replaced(a, dead); !expendable(a, command.Replace) {
			continue
		}
		switch leaves := p.leaves(o, from, dead); {
		case a.Moving() && len(command.Replace) == 0:
		case leaves != 0:
			must = append(must, intent{command, fmt.Sprintf("%v moves away from broker %v", to.Partition, leaves)})
		case len(to.Nodes) != len(from):
			grow = append(grow, intent{command, fmt.Sprintf("%v goes from %d to %d replicas", to.Partition, len(from), len(to.Nodes))})
		case slices.ContainsFunc(from, func(n id.Node) bool { return !o.here(n) }): // it needs all that are here
		case slices.Equal(slices.Sorted(slices.Values(to.Nodes)), slices.Sorted(slices.Values(from))):
			balance = append(balance, intent{command, fmt.Sprintf("%v is to be led by broker %v, for balance", to.Partition, to.Nodes[0])})
		default:
			balance = append(balance, intent{command, fmt.Sprintf("%v moves for balance", to.Partition)})
		}
	}
	if len(present) < len(sites) {
		return slices.Concat(must, grow), balance
	}
	return slices.Concat(must, grow, balance), nil
}

// reachable tells whether everybody who is to get a replica is here.
func (p planner) reachable(o *outlook, from, to []id.Node) bool {
	return !slices.ContainsFunc(to, func(n id.Node) bool { return !slices.Contains(from, n) && !o.here(n) })
}

// leaves returns a node that a partition has to leave; 0 if there is none.
func (p planner) leaves(o *outlook, from, dead []id.Node) id.Node {
	for _, n := range from {
		if node := o.state.Nodes[n]; slices.Contains(dead, n) || node != nil && node.State == catalog.Draining {
			return n
		}
	}
	return 0
}

// replaced lists a partition's replicas on dead nodes: should their broker come back, they are not wanted any more.
func replaced(a catalog.Assignment, dead []id.Node) (all []id.Replica) {
	for _, r := range a.Replicas {
		if slices.Contains(dead, r.Node) {
			all = append(all, r.Replica)
		}
	}
	return all
}

// expendable tells whether a partition can do without these replicas: the others are a majority that holds all that was
// acknowledged, and can let go of them. What is replaced never comes back, so a majority that is only away would be lost by it.
// While the partition moves nobody knows here who votes: it waits for its dead, or for its operator.
func expendable(a catalog.Assignment, dead []id.Replica) bool {
	return len(dead) == 0 || !a.Moving() && 2*len(dead) < len(a.Replicas)
}

// dead lists the nodes whose replicas are to be made anew. When more than a third of the cluster is gone at one time nothing
// is: then it is the network that is ill, or this broker, and copying everything would make it worse.
func (p planner) dead(o *outlook) []id.Node {
	var all []id.Node
	total := 0
	for _, n := range o.state.NodeIDs() {
		if o.state.Nodes[n].State == catalog.Gone {
			continue
		}
		total++
		if o.gone(n, p.replaceAfter) {
			all = append(all, n)
		}
	}
	if 3*len(all) > total {
		return nil
	}
	return all
}

// wanted is how many replicas a partition should have among so many brokers: what its topic's settings choose, otherwise as
// many as the cluster is large enough for, and never fewer than it has.
func (p planner) wanted(s *catalog.State, at id.Partition, have, brokers int) int {
	if at == catalog.Partition() {
		return voters(brokers)
	}
	want := max(have, replicasUnset(brokers))
	if chosen := s.Topics[at.Topic].Replicas(); chosen != 0 {
		want = chosen
	}
	least := max(min(have, want), 1) // too few brokers do not lower it: those that are missing may only not be known yet
	for want > brokers && want > least {
		want -= 2
	}
	return max(want, least)
}

// moved makes the command with which a partition's leader reports that its assignment is reached.
func moved(at id.Partition, a catalog.Assignment) catalog.Moved {
	c := catalog.Moved{Partition: at, Version: a.Version}
	for _, l := range a.Leaving {
		c.Gone = append(c.Gone, l.Replica)
	}
	return c
}
