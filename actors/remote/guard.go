package remote

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// MaxFrame is the largest frame a link carries: the largest batch, and what goes around it.
	MaxFrame = 4<<20 + 64<<10
	// mergedFrames is how many frames travel as one message of gRPC at most. Together they stay below messageBytes.
	mergedFrames = 16
	messageBytes = 80 << 20
	// frameType is the one type of message that links carry: its bytes are a frame. The library looks types up by name, and
	// crashes over one it does not know.
	frameType = "google.protobuf.BytesValue"
	// receptionName is the one actor that links reach.
	receptionName = "link"
)

// guard lets messages of one peer pass to the library, in the one form that links have.
type guard struct {
	reception *actor.PID
	peer      *actor.PID // the sender that every frame gets, whatever the peer wrote
	connected bool       // the opening message was seen
}

// pass checks a message, and addresses its frames. It returns what its frames are charged, or errForeign. What it lets
// pass indexes no list beyond its end, names no type but ours, and reaches no actor but ours: each of these would let the
// peer end this process.
func (g *guard) pass(m *remote.RemoteMessage) (charged int, err error) {
	switch t := m.MessageType.(type) {
	case *remote.RemoteMessage_ConnectRequest:
		if t.ConnectRequest.GetServerConnection() == nil || g.connected {
			return 0, fmt.Errorf("a connect request that is not a server's first: %w", errForeign)
		}
		g.connected = true
		return 0, nil
	case *remote.RemoteMessage_MessageBatch:
		if !g.connected {
			return 0, fmt.Errorf("messages before the connect request: %w", errForeign)
		}
		return g.passBatch(t.MessageBatch)
	}
	return 0, fmt.Errorf("a message of type %T: %w", m.MessageType, errForeign)
}

func (g *guard) passBatch(b *remote.MessageBatch) (charged int, err error) {
	if len(b.GetEnvelopes()) == 0 || len(b.Envelopes) > mergedFrames {
		return 0, fmt.Errorf("%d messages in one, where 1 to %d may be: %w", len(b.GetEnvelopes()), mergedFrames, errForeign)
	}
	if len(b.TypeNames) != 1 || b.TypeNames[0] != frameType {
		return 0, fmt.Errorf("messages of types %.100q: %w", b.TypeNames, errForeign)
	}
	if len(b.Targets) != 1 || b.Targets[0].GetId() != receptionName || b.Targets[0].GetRequestId() != 0 {
		return 0, fmt.Errorf("a message to other actors than %q: %w", receptionName, errForeign)
	}
	if len(b.Senders) != 0 {
		return 0, fmt.Errorf("a message that names its sender, which the link does: %w", errForeign)
	}
	for _, e := range b.Envelopes {
		if e.TypeId != 0 || e.Target != 0 || e.Sender != 0 || e.SerializerId != 0 || e.TargetRequestId != 0 || e.SenderRequestId != 0 || e.MessageHeader != nil {
			return 0, fmt.Errorf("indices beyond the lists, or headers: %w", errForeign)
		}
		n, ok := frameBytes(e.MessageData)
		if !ok {
			return 0, fmt.Errorf("a message that holds no frame: %w", errForeign)
		}
		if n > MaxFrame {
			return 0, fmt.Errorf("a frame of %d bytes, at most %d: %w", n, MaxFrame, errForeign)
		}
		charged += charge(n)
		e.Sender = 1
	}
	b.Targets[0] = g.reception
	b.Senders = []*actor.PID{g.peer}
	return charged, nil
}

// frameOverhead is about what a frame takes beside its bytes, on each side. Frames are charged with it, so that empty ones
// meet a bound too.
const frameOverhead = 256

// charge is what a frame counts for, against every budget.
func charge(frame int) int { return frame + frameOverhead }

// frameBytes returns the length of the frame in an encoded BytesValue, which is field 1 and nothing else; nothing at all is
// an empty frame.
func frameBytes(data []byte) (n int, ok bool) {
	if len(data) == 0 {
		return 0, true
	}
	number, kind, tag := protowire.ConsumeTag(data)
	if tag < 0 || number != 1 || kind != protowire.BytesType {
		return 0, false
	}
	frame, length := protowire.ConsumeBytes(data[tag:])
	return len(frame), length >= 0 && tag+length == len(data)
}
