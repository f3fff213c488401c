package remote

import (
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"troupe/partitions/id"
)

// TestForeignMessagesRefused sends an admitted peer's messages with each thing that is not a link's. Without the guard most
// of them end this process.
func TestForeignMessagesRefused(t *testing.T) {
	p := newPair(t)
	batch := func(spoil func(*remote.MessageBatch)) *remote.RemoteMessage {
		m, b := frameMessage([]byte("frame"))
		spoil(b)
		return m
	}
	system := func(m proto.Message) *remote.RemoteMessage {
		return batch(func(b *remote.MessageBatch) {
			b.TypeNames[0] = string(proto.MessageName(m))
			b.Envelopes[0].MessageData, _ = proto.Marshal(m)
		})
	}
	whole := batch(func(*remote.MessageBatch) {})
	for _, c := range []struct {
		name     string
		messages []*remote.RemoteMessage
	}{
		{"no connect request", []*remote.RemoteMessage{whole}},
		{"two connect requests", []*remote.RemoteMessage{connectRequest(), connectRequest()}},
		{"a client's connect request", []*remote.RemoteMessage{{MessageType: &remote.RemoteMessage_ConnectRequest{ConnectRequest: &remote.ConnectRequest{
			ConnectionType: &remote.ConnectRequest_ClientConnection{ClientConnection: &remote.ClientConnection{}}}}}}},
		{"an empty connect request", []*remote.RemoteMessage{{MessageType: &remote.RemoteMessage_ConnectRequest{}}}},
		{"nothing", []*remote.RemoteMessage{{}}},
		{"a connect response", []*remote.RemoteMessage{{MessageType: &remote.RemoteMessage_ConnectResponse{ConnectResponse: &remote.ConnectResponse{}}}}},
		{"a disconnect request", []*remote.RemoteMessage{{MessageType: &remote.RemoteMessage_DisconnectRequest{DisconnectRequest: &remote.DisconnectRequest{}}}}},
		{"Stop", []*remote.RemoteMessage{connectRequest(), system(&actor.Stop{})}},
		{"Watch", []*remote.RemoteMessage{connectRequest(), system(&actor.Watch{Watcher: &actor.PID{Id: "x"}})}},
		{"Terminated", []*remote.RemoteMessage{connectRequest(), system(&actor.Terminated{Who: &actor.PID{Id: receptionName}})}},
		{"PoisonPill", []*remote.RemoteMessage{connectRequest(), system(&actor.PoisonPill{})}},
		{"a spawn", []*remote.RemoteMessage{connectRequest(), system(&remote.ActorPidRequest{Name: "x", Kind: "y"})}},
		{"an unknown type", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.TypeNames[0] = "no.such.Type" })}},
		{"a second type", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.TypeNames = append(b.TypeNames, "actor.Stop") })}},
		{"no type", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.TypeNames = nil })}},
		{"a type index too high", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Envelopes[0].TypeId = 1 })}},
		{"a negative type index", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Envelopes[0].TypeId = -1 })}},
		{"a target index too high", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Envelopes[0].Target = 1 })}},
		{"a negative target index", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Envelopes[0].Target = -1 })}},
		{"no target", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Targets = nil })}},
		{"a sender index", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Envelopes[0].Sender = 1 })}},
		{"another node as sender", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) {
			b.Senders = []*actor.PID{{Id: id.Node(2).String() + "/1"}}
			b.Envelopes[0].Sender = 1
		})}},
		{"another serializer", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Envelopes[0].SerializerId = 1 })}},
		{"an unknown serializer", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Envelopes[0].SerializerId = 77 })}},
		{"another actor", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Targets[0].Id = "activator" })}},
		{"a request id", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Envelopes[0].TargetRequestId = 3 })}},
		{"a header", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) {
			b.Envelopes[0].MessageHeader = &remote.MessageHeader{HeaderData: map[string]string{"a": "b"}}
		})}},
		{"no frame", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Envelopes[0].MessageData = []byte{0x0a, 0x7f} })}},
		{"a frame and more", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) {
			b.Envelopes[0].MessageData = append(b.Envelopes[0].MessageData, 0x10, 1)
		})}},
		{"no envelopes", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) { b.Envelopes = nil })}},
		{"too many envelopes", []*remote.RemoteMessage{connectRequest(), batch(func(b *remote.MessageBatch) {
			for range mergedFrames {
				b.Envelopes = append(b.Envelopes, b.Envelopes[0])
			}
		})}},
		{"too large a frame", []*remote.RemoteMessage{connectRequest(), func() *remote.RemoteMessage {
			m, _ := frameMessage(make([]byte, MaxFrame+1))
			return m
		}()}},
		{"too large a message", []*remote.RemoteMessage{connectRequest(), func() *remote.RemoteMessage {
			m, _ := frameMessage(make([]byte, messageBytes))
			return m
		}()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := dial(t, p.a.Addr(), insecure.NewCredentials()).stream(t, helloOf(guest))
			for _, m := range c.messages {
				_ = s.Send(m) // it may end at any of them
			}
			if err := fate(s); status.Code(err) != codes.PermissionDenied && status.Code(err) != codes.ResourceExhausted {
				t.Errorf("it ends with %v", err)
			} else if strings.Contains(err.Error(), "runtime error") {
				t.Errorf("the library stumbled over it: %v", err)
			}
			p.undisturbed(t)
			if len(p.a.frames) > 0 {
				t.Error("a frame came through")
			}
		})
	}
	p.a.log.says(t, "foreign message", "127.0.0.1")
	if n := strings.Count(p.a.log.String(), "cause=\"foreign message\""); n != 1 {
		t.Errorf("%d lines of the log about one cause and peer, want 1", n)
	}
}
