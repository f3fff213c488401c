package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"troupe/partitions"
	"troupe/partitions/id"
)

// The ids a cluster begins with. The catalog's own partition is the first thing in the catalog; topics up to
// FirstUserTopic are the broker's own.
const (
	Name           id.Topic   = "__catalog"
	TopicID        id.TopicID = 1
	FirstReplica   id.Replica = 1
	FirstUserTopic id.TopicID = 16
)

// Partition names the partition whose records this package folds.
func Partition() id.Partition { return id.Partition{Topic: TopicID} }

// Limits of what the catalog takes.
const (
	MaxTopics     = 10_000 // that are not the broker's own
	MaxPartitions = 10_000 // of one topic
	// MaxPartitionsInAll bounds the partitions of all topics. What lists all of them must fit one frame of the protocol,
	// with five replicas each.
	MaxPartitionsInAll = 50_000
	MaxReplicas        = 5   // of one partition
	MaxNameBytes       = 249 // of a topic's name
	MaxReserveAtOnce   = 1 << 20
	firstProducer      = id.Producer(1)
	maxSettingsInHand  = 64 // settings in one command: more than there are names
)

// State is what the whole cluster agrees on: topics, their settings and where their replicas live. A State that has been
// handed out is immutable.
type State struct {
	// Version is the catalog partition's offset below which every record is in this state.
	Version id.Offset
	// Cluster is 0 until the cluster's first command, Bootstrap, has been applied.
	Cluster id.Cluster
	// Epoch is that of the newest recovery of the catalog itself, 0 if there was none. Its number only grows.
	Epoch id.Epoch
	// Topics and ByName hold the same topics: ByName[t.Name] = t.ID for every one of them, the catalog's own included.
	Topics map[id.TopicID]*Topic
	ByName map[id.Topic]id.TopicID
	// Nodes are the brokers that were ever enlisted, those that are gone included: a gone node never comes back.
	Nodes map[id.Node]*Node
	// Doomed are replicas of deleted topics, and such that their partition has moved away from, whose bytes may still be on
	// their node's disk, ordered by replica. Their node removes the bytes and then says so with Forget; a crash in between
	// loses nothing and leaks nothing. A replica that is not listed here is never removed.
	Doomed []Doomed
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

// empty is the state before the first command.
func empty() *State {
	return &State{
		Topics:       map[id.TopicID]*Topic{},
		ByName:       map[id.Topic]id.TopicID{},
		Nodes:        map[id.Node]*Node{},
		NextTopic:    FirstUserTopic,
		NextReplica:  FirstReplica,
		NextProducer: firstProducer,
	}
}

// Topic returns the topic of a name, or nil.
func (s *State) Topic(name id.Topic) *Topic { return s.Topics[s.ByName[name]] }

// TopicIDs returns every topic's id in ascending order: the order in which anything may be done about all of them.
func (s *State) TopicIDs() []id.TopicID { return slices.Sorted(maps.Keys(s.Topics)) }

// Count returns how many topics there are that are not the broker's own, and how many partitions these have together.
func (s *State) Count() (topics, partitions int) {
	for topic, t := range s.Topics { // any order: only sums
		if topic >= FirstUserTopic {
			topics++
			partitions += len(t.Partitions)
		}
	}
	return topics, partitions
}

// Room tells whether a topic of so many partitions may be added where topics and partitions are the most there may be:
// ErrTooMany if not.
func (s *State) Room(more int32, topics, partitions int) error {
	haveTopics, havePartitions := s.Count()
	switch {
	case haveTopics >= topics:
		return fmt.Errorf("there are %d topics, as many as there may be; delete some: %w", haveTopics, ErrTooMany)
	case havePartitions+int(more) > partitions:
		return fmt.Errorf("%d partitions more than the %d there are would be above %d; delete some topics, or create it with fewer: %w",
			more, havePartitions, partitions, ErrTooMany)
	}
	return nil
}

// Effective returns what a topic's settings mean for its partitions, defaults included.
func (t *Topic) Effective() partitions.Settings { return effective(t.Settings) }

// Replicas returns how many replicas the topic's settings choose for each partition; 0 if they leave it open.
func (t *Topic) Replicas() int { return wantedReplicas(t.Settings) }

// Values describes every setting of the topic: its value and who chose it, in the order of Settings.
func (t *Topic) Values() []Value {
	all := values(t.Settings)
	for i := range all {
		if v := &all[i]; v.Name == replicas && !v.Chosen && len(t.Partitions) > 0 {
			v.Value = strconv.Itoa(len(t.Partitions[0].Replicas)) // whoever created it chose so many
		}
	}
	return all
}

// branch copies s as deep as a command may change it: the maps and the list, not topics and nodes, which are replaced whole.
// Catalog commands are rare; a copy of the maps (a word per topic) buys readers that never lock.
func (s *State) branch() *State {
	next := *s
	next.Topics = maps.Clone(s.Topics)
	next.ByName = maps.Clone(s.ByName)
	next.Nodes = maps.Clone(s.Nodes)
	next.Doomed = slices.Clone(s.Doomed)
	return &next
}
