package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"troupe/partitions"
	"troupe/partitions/id"
)

// Node is a broker as the catalog knows it: whether it may hold replicas, not whether it is alive.
type Node struct {
	State NodeState
	Rack  string // where it stands; replicas of one partition go to different racks if they can. Empty: nobody said
}

// NodeState is stored: never change a value.
type NodeState uint8

// The states of a node.
const (
	Active   NodeState = 1 // takes replicas
	Draining NodeState = 2 // keeps those it has until they have moved; whoever places new ones passes it by
	Gone     NodeState = 3 // was dismissed: its id never comes back
)

// String returns the word that people read.
func (s NodeState) String() string {
	switch s {
	case Active:
		return "active"
	case Draining:
		return "draining"
	case Gone:
		return "gone"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MaxRackBytes bounds the name of a rack.
const MaxRackBytes = 249

// maxNodes bounds the brokers that were ever in the cluster: far more than can be, and what a snapshot can hold.
const maxNodes = 10_000

// Enlist is a command: a broker is in the cluster, in this rack. One that drains goes on draining.
type Enlist struct {
	Node id.Node
	Rack string
}

// Drain is a command: a broker is to take no more replicas, and those it has are to move away; or, with On false, it takes
// replicas again.
type Drain struct {
	Node id.Node
	On   bool
}

// Dismiss is a command: a broker without replicas leaves the cluster for ever. What bytes it still had to remove are
// forgotten with it.
type Dismiss struct {
	Node id.Node
}

// NodeIDs returns every node's id in ascending order, those that are gone included.
func (s *State) NodeIDs() []id.Node { return slices.Sorted(maps.Keys(s.Nodes)) }

// count returns how many nodes are in a state.
func (s *State) count(state NodeState) (n int) {
	for _, node := range s.Nodes { // any order: only sums
		if node.State == state {
			n++
		}
	}
	return n
}

// known returns a node that is not gone.
func (s *State) known(n id.Node) (*Node, error) {
	node := s.Nodes[n]
	switch {
	case node == nil:
		return nil, fmt.Errorf("broker %v: %w", n, ErrUnknownNode)
	case node.State == Gone:
		return nil, fmt.Errorf("broker %v is gone for ever; start it with an empty data directory to give it another id: %w", n, ErrUnknownNode)
	}
	return node, nil
}

func (c Enlist) apply(next *State) (Result, error) {
	switch {
	case c.Node == 0 || len(c.Rack) > MaxRackBytes:
		return Result{}, fmt.Errorf("node %v in a rack whose name takes %d bytes, allowed are %d: %w", c.Node, len(c.Rack), MaxRackBytes, ErrInvalidCommand)
	case next.Nodes[c.Node] == nil && len(next.Nodes) >= maxNodes:
		return Result{}, fmt.Errorf("%d nodes were in the cluster, as many as can be: %w", len(next.Nodes), ErrTooMany)
	}
	state := Active
	if next.Nodes[c.Node] != nil {
		node, err := next.known(c.Node)
		if err != nil {
			return Result{}, err
		}
		state = node.State
	}
	next.Nodes[c.Node] = &Node{State: state, Rack: c.Rack}
	return Result{}, nil
}

func (c Drain) apply(next *State) (Result, error) {
	node, err := next.known(c.Node)
	if err != nil {
		return Result{}, err
	}
	state := Active
	if c.On {
		state = Draining
	}
	next.Nodes[c.Node] = &Node{State: state, Rack: node.Rack}
	if left := next.count(Active); c.On && node.State == Active {
		if topics := next.wider(left); len(topics) > 0 {
			return Result{}, fmt.Errorf("without broker %v %d are left to take replicas, too few for %s; start another one first: %w",
				c.Node, left, sample(topics), ErrNodeInUse)
		}
	}
	return Result{}, nil
}

func (c Dismiss) apply(next *State) (Result, error) {
	node, err := next.known(c.Node)
	if err != nil {
		return Result{}, err
	}
	if topics := next.holding(c.Node); len(topics) > 0 {
		return Result{}, fmt.Errorf("broker %v still has replicas of %s; drain it, and wait until they have moved: %w",
			c.Node, sample(topics), ErrNodeInUse)
	}
	next.Nodes[c.Node] = &Node{State: Gone, Rack: node.Rack}
	next.Doomed = slices.DeleteFunc(next.Doomed, func(d Doomed) bool { return d.Node == c.Node })
	if len(next.Doomed) == 0 {
		next.Doomed = nil
	}
	return Result{}, nil
}

// wider lists the topics that have, or want, more replicas than n. The catalog's own shrinks with the cluster.
func (s *State) wider(n int) []string {
	return s.pick(func(t *Topic) bool {
		return t.ID >= FirstUserTopic && (wantedReplicas(t.Settings) > n ||
			slices.ContainsFunc(t.Partitions, func(a Assignment) bool { return len(a.Replicas) > n }))
	})
}

// holding lists the topics with replicas on a node, those that leave included.
func (s *State) holding(n id.Node) []string {
	return s.pick(func(t *Topic) bool {
		return slices.ContainsFunc(t.Partitions, func(a Assignment) bool {
			return slices.ContainsFunc(a.All(), func(p partitions.Placed) bool { return p.Node == n })
		})
	})
}

// pick lists the names of the topics that f holds for, oldest first.
func (s *State) pick(f func(*Topic) bool) (names []string) {
	for _, topic := range s.TopicIDs() {
		if t := s.Topics[topic]; f(t) {
			names = append(names, string(t.Name))
		}
	}
	return names
}

// sample names the first few.
func sample(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
