package gateway

import (
	"fmt"
	"strconv"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// resolve finds the topic that a request names. An id of 0 means whichever topic has the name; another one must be that
// topic's. Errors: ErrUnknownTopic, ErrTopicRecreated.
func resolve(state *catalog.State, name string, topic id.TopicID) (*catalog.Topic, error) {
	t := state.Topic(id.Topic(name))
	if t == nil {
		return nil, fmt.Errorf("there is no such topic: %w", partitions.ErrUnknownTopic)
	}
	if topic != 0 && topic != t.ID {
		return nil, fmt.Errorf("the name means %v, the request %v: %w", t.ID, topic, partitions.ErrTopicRecreated)
	}
	return t, nil
}

// resolvePartition is resolve for one partition of the topic.
func resolvePartition(state *catalog.State, name string, topic id.TopicID, number int32) (*catalog.Topic, error) {
	t, err := resolve(state, name, topic)
	if err != nil {
		return nil, err
	}
	if number < 0 || int(number) >= len(t.Partitions) {
		return nil, fmt.Errorf("the topic has %d partitions: %w", len(t.Partitions), partitions.ErrUnknownTopic)
	}
	return t, nil
}

// resolveWritable is resolve for requests that change the topic or its records: the broker's own topics are not for that.
func resolveWritable(state *catalog.State, name string, topic id.TopicID) (*catalog.Topic, error) {
	t, err := resolve(state, name, topic)
	if err != nil {
		return nil, err
	}
	if internal(t) {
		return nil, fmt.Errorf("the topic is the broker's own, for reading only: %w", catalog.ErrInvalidName)
	}
	return t, nil
}

// internal tells whether the topic is the broker's own.
func internal(t *catalog.Topic) bool { return t.ID < catalog.FirstUserTopic }

// subject names a topic in a message.
func subject(topic string) string { return "topic " + quote(topic) }

// subjectPartition names a partition in a message.
func subjectPartition(topic string, number int32) string {
	return fmt.Sprintf("topic %s partition %d", quote(topic), number)
}

// quote writes what a client calls a topic. What is longer than any name is cut: a message is not to be a multiple of what
// the client sent.
func quote(name string) string {
	if len(name) <= catalog.MaxNameBytes {
		return strconv.Quote(name)
	}
	return fmt.Sprintf("%q... (%d bytes)", name[:32], len(name))
}
