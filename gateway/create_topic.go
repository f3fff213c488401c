package gateway

import (
	"fmt"

	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// createTopic proposes a topic; where its replicas go is the broker's choice. What no state of the catalog would accept is
// refused before it is proposed.
func (s *Session) createTopic(c call, r *protocol.CreateTopicRequest) {
	command := catalog.CreateTopic{
		Name: id.Topic(r.Topic), Partitions: r.Partitions, Settings: r.Settings, At: s.broker.Now(),
	}
	if err := command.Validate(); err != nil {
		c.refuse(s.refusal(subject(r.Topic), err))
		return
	}
	// The catalog itself asks again when it applies the command, against the most that any broker may be set to.
	if state := s.broker.Catalog(); state.Topic(command.Name) == nil {
		err := state.Room(r.Partitions, s.limits.Topics, s.limits.Partitions)
		if int(r.Partitions) > s.limits.TopicPartitions {
			err = fmt.Errorf("%d partitions, allowed are 1 to %d: %w", r.Partitions, s.limits.TopicPartitions, catalog.ErrInvalidPartitions)
		}
		if err != nil {
			c.refuse(s.refusal(subject(r.Topic), err))
			return
		}
	}
	s.broker.CreateTopic(command, func(t *catalog.Topic, err error) {
		if err != nil {
			c.refuse(s.refusal(subject(r.Topic), err))
			return
		}
		c.reply(&protocol.CreateTopicResponse{Topic: string(t.Name), TopicID: t.ID, Partitions: int32(len(t.Partitions)),
			Catalog: s.broker.Catalog().Version})
	})
}
