package remote

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// receiveMethod is the one call that links answer.
const receiveMethod = "/remote.Remoting/Receive"

// helloKey is the metadata that carries a hello; gRPC wants the ending for bytes.
const helloKey = "troupe-link-bin"

// meantKey is the metadata by which a dialer says which node it means. It comes with a broker's address, which may have become
// another's: without a word, the stream of the mistake would replace the one by which the same dialer does mean that other.
const meantKey = "troupe-link-meant"

// mostUndelivered bounds the bytes of one peer's frames that wait for Receive: beyond it the peer's stream is not read, and
// its own budget fills.
const mostUndelivered = 16 << 20

// inbound is a stream on which a peer sends frames. It stands between gRPC and the library: what it returns from RecvMsg is
// all that the library ever sees.
type inbound struct {
	grpc.ServerStream
	link  *Link
	bond  *bond
	peer  Identity
	name  *actor.PID // that its frames come from, on this stream alone
	guard guard

	undelivered atomic.Int64
	delivered   chan struct{} // told after each delivery; holds one
}

// refuseCall refuses every call that is no stream.
func (l *Link) refuseCall(ctx context.Context, _ any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
	return nil, l.refuse(ctx, fmt.Errorf("call %s: %w", info.FullMethod, errForeign))
}

// serveStream takes a peer's stream, from its hello to its end.
func (l *Link) serveStream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	if info.FullMethod != receiveMethod {
		return l.refuse(s.Context(), fmt.Errorf("call %s: %w", info.FullMethod, errForeign))
	}
	in, err := l.welcome(s)
	if err != nil {
		return l.refuse(s.Context(), err)
	}
	l.renew(in.peer)
	l.tellReception(arrived{in})
	defer l.tellReception(departed{in})
	defer func() {
		// The guard should leave the library nothing to stumble over; if it does, only this stream ends.
		if r := recover(); r != nil {
			err = l.refuse(s.Context(), fmt.Errorf("%v: %w", r, errForeign))
		}
	}()
	return handler(srv, in)
}

// refuse logs why a peer is not served, and says it to the peer.
func (l *Link) refuse(ctx context.Context, err error) error {
	from := "unknown"
	if p, ok := peer.FromContext(ctx); ok {
		from = hostOf(p.Addr)
	}
	l.refusals.tell("a broker's link was refused", from, err)
	if errors.Is(err, errTwin) {
		return status.Error(twinCode, err.Error())
	}
	return status.Error(codes.PermissionDenied, err.Error())
}

// twinCode is how a peer is told that it is refused for errTwin: it can do something about that.
const twinCode = codes.AlreadyExists

// welcome shakes hands with a peer that dialed.
func (l *Link) welcome(s grpc.ServerStream) (*inbound, error) {
	given, _ := metadata.FromIncomingContext(s.Context())
	p, known := peer.FromContext(s.Context())
	if !known {
		return nil, errHandshake
	}
	bond, known := p.AuthInfo.(*bond)
	if !known {
		return nil, errHandshake
	}
	i, err := l.recognise(given, bond)
	if err != nil {
		return nil, err
	}
	if err := s.SendHeader(metadata.Pairs(helloKey, string(appendHello(nil, l.options.Identity)))); err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	if meant := given.Get(meantKey); len(meant) > 0 && meant[0] != l.options.Identity.Node.String() {
		return nil, fmt.Errorf("node %v means node %q here: %w", i.Node, meant[0], errMet) // which it is told by the hello
	}
	name := l.system.NewLocalPID(fmt.Sprintf("%v/%d", i.Node, l.numbers.Add(1)))
	return &inbound{
		ServerStream: s, link: l, bond: bond, peer: i, name: name, guard: guard{reception: l.reception, peer: name},
		delivered: make(chan struct{}, 1),
	}, nil
}

// recognise reads the hello of a peer, on whichever side it is, and holds it against its certificate and what is known of it.
func (l *Link) recognise(given metadata.MD, b *bond) (Identity, error) {
	values := given.Get(helloKey)
	if len(values) != 1 {
		return Identity{}, fmt.Errorf("it says no hello: %w", errHandshake)
	}
	i, err := parseHello([]byte(values[0]))
	if err != nil {
		return Identity{}, err
	}
	if err := b.vouch(i); err != nil {
		return Identity{}, err
	}
	if err := l.options.Admit(i); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", errContested, err)
	}
	return i, l.acquaintances.admit(i)
}

// RecvMsg implements grpc.ServerStream: it returns the next message that may pass.
func (in *inbound) RecvMsg(m any) error {
	for in.undelivered.Load() > mostUndelivered {
		select {
		case <-in.delivered:
		case <-in.Context().Done():
			return in.Context().Err()
		}
	}
	if err := in.ServerStream.RecvMsg(m); err != nil {
		if status.Code(err) == codes.ResourceExhausted {
			return in.link.refuse(in.Context(), fmt.Errorf("%w: %w", errForeign, err))
		}
		return err
	}
	message, ok := m.(*remote.RemoteMessage)
	if !ok {
		return in.link.refuse(in.Context(), fmt.Errorf("a %T: %w", m, errForeign))
	}
	n, err := in.guard.pass(message)
	if err != nil {
		return in.link.refuse(in.Context(), err)
	}
	in.undelivered.Add(int64(n))
	return nil
}

// release tells that a frame was given to Receive, or dropped.
func (in *inbound) release(n int) {
	in.undelivered.Add(-int64(n))
	select {
	case in.delivered <- struct{}{}:
	default:
	}
}

// cut ends the stream: one connection carries one. Not at once: closing may wait for the network.
func (in *inbound) cut() { go in.bond.conn.Close() }
