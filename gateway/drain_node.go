package gateway

import (
	"fmt"

	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// drainNode proposes that a broker be emptied, or filled again.
func (s *Session) drainNode(c call, r *protocol.DrainNodeRequest) {
	s.broker.Drain(catalog.Drain{Node: r.Node, On: r.On}, s.concludeNode(c, r.Node, &protocol.DrainNodeResponse{}))
}

// dismissNode proposes that a broker leave for ever.
func (s *Session) dismissNode(c call, r *protocol.DismissNodeRequest) {
	s.broker.Dismiss(catalog.Dismiss{Node: r.Node}, s.concludeNode(c, r.Node, &protocol.DismissNodeResponse{}))
}

// concludeNode answers a request about a broker.
func (s *Session) concludeNode(c call, node id.Node, answer protocol.Message) func(error) {
	return func(err error) {
		if err != nil {
			c.refuse(s.refusal(fmt.Sprintf("broker %v", node), err))
			return
		}
		c.reply(answer)
	}
}
