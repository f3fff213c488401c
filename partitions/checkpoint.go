package partitions

import (
	"slices"

	"troupe/partitions/id"
)

// Checkpoint is a replica's whole state exactly as of Index, so that a restart replays only what follows.
type Checkpoint struct {
	Index         id.Index
	Term          id.Term
	Configuration Configuration
	// Nodes tells on which node each replica of Configuration lives, ordered by replica.
	Nodes []Placed
	// Assignment is the newest Assignment.Version that a change of the configuration followed.
	Assignment id.Offset
	// NextOffset is the offset that the first record after Index gets.
	NextOffset id.Offset
	LogStart   id.Offset
	// Clock is the append time of the last entry that has one.
	Clock     id.Timestamp
	Producers []ProducerState // ordered by producer id
	Fold      []byte          // the state of the partition's fold (Fold.Snapshot); nil for ordinary partitions
}

// Configuration is raft's whole ConfState: who votes and who only listens. Every list is sorted.
type Configuration struct {
	Voters       []id.Replica
	Outgoing     []id.Replica
	Learners     []id.Replica
	LearnersNext []id.Replica
	AutoLeave    bool
}

// votes tells whether a replica's vote counts, now or until a change under way is complete.
func (c *Configuration) votes(r id.Replica) bool {
	return slices.Contains(c.Voters, r) || slices.Contains(c.Outgoing, r)
}

// holds tells whether a replica is a member in any form.
func (c *Configuration) holds(r id.Replica) bool {
	return c.votes(r) || slices.Contains(c.Learners, r) || slices.Contains(c.LearnersNext, r)
}

// Placed says that a replica lives on a node.
type Placed struct {
	Replica id.Replica
	Node    id.Node
}

// ProducerState is what a partition remembers of an idempotent producer.
type ProducerState struct {
	Producer id.Producer
	Epoch    int16
	// Last holds the newest batches, oldest first, at most 5 (Kafka's bound of batches in flight).
	Last []Appended
	// Touched is the index of the entry that last changed this state: the least recently touched is forgotten first.
	Touched id.Index
}

// Appended is one batch that a producer has in the log.
type Appended struct {
	First, Final int32     // sequence numbers of its first and last record
	Base         id.Offset // offset of its first record
}
