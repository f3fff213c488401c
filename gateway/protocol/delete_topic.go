package protocol

import "troupe/partitions/id"

// DeleteTopicRequest asks for a topic and all its records to be removed.
type DeleteTopicRequest struct {
	Topic   string
	TopicID id.TopicID // the life of the name that is meant; 0: whichever there is
}

// DeleteTopicResponse answers once the broker asked has forgotten the topic.
type DeleteTopicResponse struct {
	TopicID id.TopicID
}

// API returns APIDeleteTopic.
func (*DeleteTopicRequest) API() API { return APIDeleteTopic }

// API returns APIDeleteTopic.
func (*DeleteTopicResponse) API() API { return APIDeleteTopic }

func (m *DeleteTopicRequest) encode(w *writer) {
	w.fields(2)
	w.putStr("topic", m.Topic)
	w.putUint("topic_id", uint64(m.TopicID))
}

func (m *DeleteTopicRequest) decode(r *reader) {
	*m = DeleteTopicRequest{}
	named := false
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic, named = r.str(), true
		case "topic_id":
			m.TopicID = r.topicID()
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
}

func (m *DeleteTopicResponse) encode(w *writer) {
	w.fields(1)
	w.putUint("topic_id", uint64(m.TopicID))
}

func (m *DeleteTopicResponse) decode(r *reader) {
	*m = DeleteTopicResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "topic_id":
			m.TopicID = r.topicID()
		default:
			return false
		}
		return true
	})
}
