package catalog

import "troupe/partitions/id"

// State is what the whole cluster agrees on: topics, their settings and where their replicas live. A State that has been
// handed out is immutable.
type State struct {
	Version id.Offset // the catalog partition's offset below which every record is in this state
	Topics  map[id.TopicID]*Topic
	ByName  map[id.Topic]id.TopicID
	// NextTopic, NextReplica and NextProducer are the next ids to give; none is ever given twice.
	NextTopic    id.TopicID
	NextReplica  id.Replica
	NextProducer id.Producer
}

// Topic is one topic with its partitions.
type Topic struct {
	ID         id.TopicID
	Name       id.Topic
	Created    id.Timestamp
	Settings   map[string]string // only those somebody chose, in canonical form
	Partitions []Assignment      // by partition number
}

// Assignment says which replicas a partition has. Founders never change; they are what each of them is born from.
type Assignment struct {
	Founders []Placed
	Replicas []Placed // the first is the preferred leader
}

// Placed says that a replica lives on a node.
type Placed struct {
	Replica id.Replica
	Node    id.Node
}
