package gateway

import (
	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
)

// alterTopic proposes other settings for a topic. What no state of the catalog would accept is refused before it is
// proposed.
func (s *Session) alterTopic(c call, r *protocol.AlterTopicRequest, seen sight) {
	topic, err := seen.resolveWritable(r.Topic, r.TopicID)
	if err == nil {
		err = catalog.AlterTopic{Set: r.Settings, Unset: r.Unset}.Validate()
	}
	if err != nil {
		c.refuse(s.refusal(subject(r.Topic), err))
		return
	}
	command := catalog.AlterTopic{Topic: topic.ID, Set: r.Settings, Unset: r.Unset}
	s.broker.AlterTopic(command, func(t *catalog.Topic, err error) {
		if err != nil {
			c.refuse(s.refusal(subject(r.Topic), err))
			return
		}
		c.reply(&protocol.AlterTopicResponse{TopicID: t.ID, Settings: t.Settings})
	})
}
