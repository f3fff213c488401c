package protocol

import (
	"sort"
	"strings"

	"troupe/partitions/id"
)

// DefaultPartitions is how many partitions a topic gets when CreateTopic does not say.
const DefaultPartitions = 1

// CreateTopicRequest asks for a new topic.
type CreateTopicRequest struct {
	Topic      string
	Partitions int32
	Settings   map[string]string // name to value as people write it: "retention.ms" to "7d"
}

// CreateTopicResponse answers once the broker asked knows the topic.
type CreateTopicResponse struct {
	Topic      string
	TopicID    id.TopicID
	Partitions int32
	Catalog    id.Offset // how far the broker that answers knows the catalog: whoever knows less may not know the topic
}

// API returns APICreateTopic.
func (*CreateTopicRequest) API() API { return APICreateTopic }

// API returns APICreateTopic.
func (*CreateTopicResponse) API() API { return APICreateTopic }

func (m *CreateTopicRequest) encode(w *writer) {
	w.fields(3)
	w.putStr("topic", m.Topic)
	w.putInt("partitions", int64(m.Partitions))
	w.putSettings(m.Settings)
}

func (m *CreateTopicRequest) decode(r *reader) {
	*m = CreateTopicRequest{Partitions: DefaultPartitions}
	named := false
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic, named = r.str(), true
		case "partitions":
			m.Partitions = int32(r.int(-1<<31, maxInt32))
		case "settings":
			m.Settings = r.settings()
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
}

func (m *CreateTopicResponse) encode(w *writer) {
	w.fields(4)
	w.putStr("topic", m.Topic)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putInt("partitions", int64(m.Partitions))
	w.putInt("catalog", int64(m.Catalog))
}

func (m *CreateTopicResponse) decode(r *reader) {
	*m = CreateTopicResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic = r.str()
		case "topic_id":
			m.TopicID = r.topicID()
		case "partitions":
			m.Partitions = r.partition()
		case "catalog":
			m.Catalog = r.offset()
		default:
			return false
		}
		return true
	})
}

// putSettings writes settings in the order of their names, so that equal messages have equal bytes.
func (w *writer) putSettings(settings map[string]string) {
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	sort.Strings(names)
	w.str("settings")
	w.fields(len(names))
	for _, name := range names {
		w.putStr(name, settings[name])
	}
}

func (r *reader) settings() map[string]string {
	settings := make(map[string]string)
	r.fields(func(name string) bool {
		if len(settings) == MaxSettings {
			r.fail("more than %d settings", MaxSettings)
			return true
		}
		settings[strings.Clone(name)] = r.str()
		return true
	})
	if len(settings) == 0 {
		return nil
	}
	return settings
}
