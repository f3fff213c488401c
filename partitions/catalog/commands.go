package catalog

import (
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A Command is one record of the catalog's log. Its preconditions are evaluated when it is applied.
type Command interface {
	// apply changes next, a state of its own, or returns why it is refused; what it did to next is then thrown away.
	// next.Version is the offset of the command's record.
	apply(next *State) (Result, error)
	// encode appends the command's bytes behind its header.
	encode(b []byte) []byte
	kind() commandKind
}

// Result is what the proposer of a command is told.
type Result struct {
	// Err is nil, or why the command was refused: a sentinel of this package or of partitions, wrapped.
	Err error
	// Topic is the one that CreateTopic created, or found there already (with ErrTopicExists), or that DeleteTopic
	// took, or AlterTopic, Assign or Moved left.
	Topic *Topic
	// First and Count are the producer ids that ReserveProducers got: First, First+1, up to Count of them.
	First id.Producer
	Count int64
	// Version is the State.Version from which on the command is applied.
	Version id.Offset
}

// Bootstrap is a command: the first of a cluster. It names the cluster and puts the catalog's own topic into the catalog.
type Bootstrap struct {
	Cluster id.Cluster
	Node    id.Node // where the catalog's first replica was born
	At      id.Timestamp
}

// CreateTopic is a command: a new topic with its partitions on given nodes.
type CreateTopic struct {
	Name       id.Topic
	Partitions int32
	Settings   map[string]string
	// Placements names the nodes of each partition's replicas, the preferred leader first: 1, 3 or 5 different ones, as many
	// as the setting replicas says where it is chosen. Whoever asks for a topic may leave it empty; whoever proposes the
	// command may not.
	Placements [][]id.Node
	At         id.Timestamp
}

// DeleteTopic is a command: the topic of that id is no more. Its name is free at once; its replicas become Doomed.
type DeleteTopic struct {
	Topic id.TopicID
}

// ReserveProducers is a command: a block of producer ids for one broker to hand out. What it does not hand out before it
// stops is lost; ids are plenty.
type ReserveProducers struct {
	Count int64
}

// Forget is a command: the bytes of doomed replicas are gone from their disks.
type Forget struct {
	Replicas []id.Replica
}

// Validate tells whether the command could be accepted by any state, once it has placements: ErrInvalidName,
// ErrInvalidPartitions or ErrInvalidSetting if not. A proposer asks before it writes to the log; apply asks again.
func (c CreateTopic) Validate() error {
	if err := validName(c.Name); err != nil {
		return err
	}
	if c.Partitions < 1 || c.Partitions > MaxPartitions {
		return fmt.Errorf("topic %q: %d partitions, allowed are 1 to %d: %w", c.Name, c.Partitions, MaxPartitions,
			ErrInvalidPartitions)
	}
	_, err := canonical(c.Settings)
	return err
}

// Replicas returns how many replicas the settings choose for each partition; 0 if they leave it open, or choose what cannot
// be.
func (c CreateTopic) Replicas() int {
	settings, err := canonical(c.Settings)
	if err != nil {
		return 0
	}
	return wantedReplicas(settings)
}

// PlaceOn returns placements that give every partition a replica on each of the nodes; they take turns in being preferred
// leader.
func PlaceOn(partitions int32, nodes ...id.Node) [][]id.Node {
	placements := make([][]id.Node, max(partitions, 0))
	for i := range placements {
		first := i % len(nodes)
		placements[i] = slices.Concat(nodes[first:], nodes[:first])
	}
	return placements
}

func (c Bootstrap) apply(next *State) (Result, error) {
	if next.Cluster != 0 {
		return Result{}, fmt.Errorf("cluster %v began already: %w", next.Cluster, ErrBootstrapped)
	}
	if c.Cluster == 0 || c.Node == 0 {
		return Result{}, fmt.Errorf("cluster %v on node %v: %w", c.Cluster, c.Node, ErrInvalidCommand)
	}
	next.Cluster = c.Cluster
	own := []partitions.Placed{{Replica: FirstReplica, Node: c.Node}}
	t := &Topic{ID: TopicID, Name: Name, Created: c.At, Partitions: []Assignment{
		{Founders: own, Replicas: own, Version: next.Version, Settled: next.Version},
	}}
	next.NextReplica = FirstReplica + 1
	next.add(t)
	next.Nodes[c.Node] = &Node{State: Active}
	return Result{Topic: t}, nil
}

func (c CreateTopic) apply(next *State) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	if t := next.Topic(c.Name); t != nil {
		return Result{Topic: t}, fmt.Errorf("topic %q exists already, as %v: %w", c.Name, t.ID, ErrTopicExists)
	}
	if err := next.Room(c.Partitions, MaxTopics, MaxPartitionsInAll); err != nil {
		return Result{}, fmt.Errorf("topic %q: %w", c.Name, err)
	}
	settings, err := canonical(c.Settings)
	if err != nil {
		return Result{}, err
	}
	if err := c.placeable(next, wantedReplicas(settings)); err != nil {
		return Result{}, err
	}
	t := &Topic{ID: next.NextTopic, Name: c.Name, Created: c.At, Settings: settings}
	t.Partitions = make([]Assignment, c.Partitions)
	for i, nodes := range c.Placements {
		own := make([]partitions.Placed, len(nodes))
		for j, n := range nodes {
			own[j] = next.place(n)
		}
		t.Partitions[i] = Assignment{Founders: own, Replicas: own, Version: next.Version, Settled: next.Version}
	}
	next.NextTopic++
	next.add(t)
	return Result{Topic: t}, nil
}

// placeable checks the placements against the state; wanted is the number of replicas that was chosen, or 0.
func (c CreateTopic) placeable(s *State, wanted int) error {
	if len(c.Placements) != int(c.Partitions) {
		return fmt.Errorf("topic %q: placements for %d partitions of %d: %w", c.Name, len(c.Placements), c.Partitions, ErrInvalidCommand)
	}
	for i, nodes := range c.Placements {
		if err := s.takes(nodes); err != nil {
			return fmt.Errorf("topic %q, partition %d: %w", c.Name, i, err)
		}
		if wanted != 0 && len(nodes) != wanted {
			return fmt.Errorf("topic %q, partition %d: %d nodes for %d replicas: %w", c.Name, i, len(nodes), wanted, ErrInvalidAssignment)
		}
	}
	return nil
}

func (c DeleteTopic) apply(next *State) (Result, error) {
	t := next.Topics[c.Topic]
	if t == nil {
		return Result{}, fmt.Errorf("topic %v: %w", c.Topic, partitions.ErrUnknownTopic)
	}
	if t.ID < FirstUserTopic {
		return Result{}, fmt.Errorf("topic %q is the broker's own: %w", t.Name, ErrInvalidName)
	}
	delete(next.Topics, t.ID)
	delete(next.ByName, t.Name)
	for n, a := range t.Partitions {
		for _, p := range a.All() {
			next.Doomed = append(next.Doomed, Doomed{Partition: id.Partition{Topic: t.ID, Number: int32(n)}, Placed: p})
		}
	}
	sortDoomed(next.Doomed)
	return Result{Topic: t}, nil
}

func (c ReserveProducers) apply(next *State) (Result, error) {
	if c.Count < 1 || c.Count > MaxReserveAtOnce {
		return Result{}, fmt.Errorf("%d producer ids at once: %w", c.Count, ErrInvalidCommand)
	}
	first := next.NextProducer
	next.NextProducer += id.Producer(c.Count)
	return Result{First: first, Count: c.Count}, nil
}

func (c Forget) apply(next *State) (Result, error) {
	next.forget(c.Replicas)
	return Result{}, nil
}
