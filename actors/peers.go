package actors

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// Receive takes a frame that the broker from has sent: whoever calls has made sure of that. It does not block, may be called
// from any goroutine, and in the order in which a link delivers. The frame is the node's from here on.
func (n *Node) Receive(from id.Node, frame []byte) {
	if err := n.receive(from, frame); err != nil {
		n.stage.log.Warn("a frame of another broker was dropped", "from", from.String(), "reason", err,
			"next", "compare the versions of both brokers; if they are the same, report this")
	}
}

// Reachable tells that a link to a broker begins, or has ended. Frames that were on their way may be lost.
func (n *Node) Reachable(peer id.Node, up bool) {}

func (n *Node) receive(_ id.Node, frame []byte) error {
	kind, body, err := openFrame(frame)
	if err != nil {
		return err
	}
	switch kind {
	case frameMessages:
		_, err := body.messages()
		return err
	case frameLeaders:
		_, err := body.leaders()
		return err
	case framePiece:
		_, err := body.piece()
		return err
	case frameCancel:
		_, err := body.cancel()
		return err
	}
	return fmt.Errorf("frame of kind %d: %w", kind, partitions.ErrMalformed)
}
