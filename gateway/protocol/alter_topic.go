package protocol

import "troupe/partitions/id"

// AlterTopicRequest asks for other settings of a topic. What it does not name stays as it is.
type AlterTopicRequest struct {
	Topic    string
	TopicID  id.TopicID        // the life of the name that is meant; 0: whichever there is
	Settings map[string]string // name to value as people write it: "retention.ms" to "7d"
	Unset    []string          // names that follow their defaults again
}

// AlterTopicResponse answers once the broker asked follows the new settings.
type AlterTopicResponse struct {
	TopicID  id.TopicID
	Settings map[string]string // all that somebody chose for the topic, in canonical form
}

// API returns APIAlterTopic.
func (*AlterTopicRequest) API() API { return APIAlterTopic }

// API returns APIAlterTopic.
func (*AlterTopicResponse) API() API { return APIAlterTopic }

func (m *AlterTopicRequest) encode(w *writer) {
	w.fields(4)
	w.putStr("topic", m.Topic)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putSettings(m.Settings)
	w.putStrings("unset", m.Unset)
}

func (m *AlterTopicRequest) decode(r *reader) {
	*m = AlterTopicRequest{}
	named := false
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic, named = r.str(), true
		case "topic_id":
			m.TopicID = r.topicID()
		case "settings":
			m.Settings = r.settings()
		case "unset":
			m.Unset = r.strings(MaxSettings)
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
}

func (m *AlterTopicResponse) encode(w *writer) {
	w.fields(2)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putSettings(m.Settings)
}

func (m *AlterTopicResponse) decode(r *reader) {
	*m = AlterTopicResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "topic_id":
			m.TopicID = r.topicID()
		case "settings":
			m.Settings = r.settings()
		default:
			return false
		}
		return true
	})
}
