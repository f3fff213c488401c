package gateway

import (
	"fmt"
	"strconv"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// sight is the catalog as a request is to see it.
type sight struct {
	*catalog.State
	// doubt is why it may be older than the request; nil: what it does not have was not there when the request came.
	doubt error
}

// missing is what is said of a topic or partition that is not in sight.
func (s sight) missing(sentence string) error {
	if s.doubt != nil {
		return fmt.Errorf("%s, as far as this broker knows: %w", sentence, s.doubt)
	}
	return fmt.Errorf("%s: %w", sentence, partitions.ErrUnknownTopic)
}

// resolve finds the topic that a request names. An id of 0 means whichever topic has the name; another one must be that
// topic's. Errors: ErrUnknownTopic, ErrTopicRecreated, or the doubt instead.
func (s sight) resolve(name string, topic id.TopicID) (*catalog.Topic, error) {
	t := s.Topic(id.Topic(name))
	switch {
	case t == nil:
		return nil, s.missing("there is no such topic")
	case topic == 0 || topic == t.ID:
		return t, nil
	case topic > t.ID && s.doubt != nil:
		return nil, s.missing(fmt.Sprintf("the name means %v, the request %v", t.ID, topic))
	}
	return nil, fmt.Errorf("the name means %v, the request %v: %w", t.ID, topic, partitions.ErrTopicRecreated)
}

// resolvePartition is resolve for one partition of the topic.
func (s sight) resolvePartition(name string, topic id.TopicID, number int32) (*catalog.Topic, error) {
	t, err := s.resolve(name, topic)
	if err != nil {
		return nil, err
	}
	return t, s.holds(t, number)
}

// holds tells whether a topic has a partition of that number.
func (s sight) holds(t *catalog.Topic, number int32) error {
	if number < 0 || int(number) >= len(t.Partitions) {
		return s.missing(fmt.Sprintf("the topic has %d partitions", len(t.Partitions)))
	}
	return nil
}

// resolveWritable is resolve for requests that change the topic or its records: the broker's own topics are not for that.
func (s sight) resolveWritable(name string, topic id.TopicID) (*catalog.Topic, error) {
	t, err := s.resolve(name, topic)
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
