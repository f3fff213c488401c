package catalog

import "troupe/partitions/id"

// CreateTopic is a command: a new topic with its partitions on given nodes.
type CreateTopic struct {
	Name       id.Topic
	Partitions int32
	Settings   map[string]string
	Nodes      []id.Node // candidates; each partition gets one replica
	At         id.Timestamp
}
