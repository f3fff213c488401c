package gateway

import (
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// initProducer hands out a producer id.
func (s *Session) initProducer(c call) {
	s.broker.InitProducer(func(p id.Producer, epoch int16, err error) {
		if err != nil {
			c.refuse(s.refusal("a new producer id", err))
			return
		}
		c.reply(&protocol.InitProducerResponse{Producer: p, Epoch: epoch})
	})
}
