package gateway

import "troupe/gateway/protocol"

// deleteTopic proposes that a topic be no more.
func (s *Session) deleteTopic(c call, r *protocol.DeleteTopicRequest, seen sight) {
	topic, err := seen.resolveWritable(r.Topic, r.TopicID)
	if err != nil {
		c.refuse(s.refusal(subject(r.Topic), err))
		return
	}
	s.broker.DeleteTopic(topic.ID, func(err error) {
		if err != nil {
			c.refuse(s.refusal(subject(r.Topic), err))
			return
		}
		c.reply(&protocol.DeleteTopicResponse{TopicID: topic.ID})
	})
}
