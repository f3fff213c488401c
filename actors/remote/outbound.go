package remote

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"troupe/partitions/id"
)

const (
	// connectTime is how long a connection may take, from dialing to the end of the handshake.
	connectTime = 5 * time.Second
	// The pause after a link broke or did not come about doubles from retryLeast to retryMost, and begins anew after a link
	// that held for longer than that.
	retryLeast = 50 * time.Millisecond
	retryMost  = 2 * time.Second
)

// correspondent is a node that frames are sent to, over one outlet after the other.
type correspondent struct {
	link *Link
	node id.Node

	mu       sync.Mutex
	outlet   *outlet // nil: none yet, or the last one ended
	failures int     // in a row
	retry    time.Time
}

// send hands over a frame, and begins a link where there is none.
func (c *correspondent) send(frame []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outlet == nil && !c.begin() {
		return false
	}
	o := c.outlet
	n := charge(len(frame))
	if o.bytes+n > c.link.options.PeerBytes {
		return false
	}
	p := &parcel{outlet: o, frame: frame}
	o.waiting = append(o.waiting, p)
	o.bytes += n
	// Under the lock: the library must get frames in the order of waiting.
	c.link.system.Root.Send(o.target, p)
	return true
}

// begin makes an outlet, which dials as soon as it gets its first frame. The lock is held.
func (c *correspondent) begin() bool {
	if c.link.now().Before(c.retry) {
		return false
	}
	address, known := c.link.options.Address(c.node)
	if !known {
		return false
	}
	o := &outlet{to: c, key: fmt.Sprintf("%v-%d", c.node, c.link.numbers.Add(1)), address: address}
	o.target = actor.NewPID(o.key, receptionName)
	c.link.outlets.Store(o.key, o)
	c.outlet = o
	return true
}

// outlet is one attempt at a link to a node, and the link that comes of it. The library knows it by its key, as the address
// of an actor system: no two attempts share anything there, so that what the library still does for one that ended (it sleeps,
// tells of its end late, drops its queue unseen) touches no other.
type outlet struct {
	to      *correspondent
	key     string // host of its target, as the library believes
	address string // host:port that is dialed
	target  *actor.PID

	// The correspondent's lock guards what follows.
	//
	// Invariants: waiting holds what was given to the library and not sent, in that order; bytes is what it is charged, at
	// most PeerBytes; an outlet that is over holds nothing.
	waiting []*parcel
	bytes   int
	cancel  context.CancelCauseFunc // of its stream; nil until it dials
	chain   []*x509.Certificate     // that the peer showed
	upSince time.Time               // zero: not yet
	trouble error                   // why no connection came about
	over    bool
}

// parcel is a frame on its way through the library. To the library it is a message of type frameType.
type parcel struct {
	outlet *outlet
	frame  []byte // nil when sent or dropped; the correspondent's lock guards it
}

// ProtoReflect implements proto.Message: the bytes on the wire are those of a BytesValue.
func (p *parcel) ProtoReflect() protoreflect.Message {
	p.outlet.to.mu.Lock()
	defer p.outlet.to.mu.Unlock()
	return (&wrapperspb.BytesValue{Value: p.frame}).ProtoReflect()
}

// String says nothing of the frame: the library prints what it drops.
func (p *parcel) String() string { return "a frame for " + p.outlet.key }

// sent takes the oldest frames out of the account.
func (o *outlet) sent(frames int) {
	o.to.mu.Lock()
	defer o.to.mu.Unlock()
	for _, p := range o.waiting[:min(frames, len(o.waiting))] {
		o.bytes -= charge(len(p.frame))
		p.frame = nil
	}
	o.waiting = o.waiting[min(frames, len(o.waiting)):]
}

// claim permits one stream, once.
func (o *outlet) claim(cancel context.CancelCauseFunc) error {
	o.to.mu.Lock()
	defer o.to.mu.Unlock()
	if o.over || o.cancel != nil {
		return errReplaced
	}
	o.cancel = cancel
	return nil
}

// up tells that the peer answers.
func (o *outlet) up() {
	o.to.mu.Lock()
	defer o.to.mu.Unlock()
	if !o.over {
		o.upSince = o.to.link.now()
		o.to.link.tellReception(reached{o.to.node, true})
	}
}

// end drops what waits, and has the next frame begin anew after a pause. Only the first call counts.
func (o *outlet) end(err error) {
	c, l := o.to, o.to.link
	c.mu.Lock()
	if o.over {
		c.mu.Unlock()
		return
	}
	o.over = true
	if o.trouble != nil {
		err = o.trouble
	}
	for _, p := range o.waiting {
		p.frame = nil
	}
	o.waiting, o.bytes = nil, 0
	now := l.now()
	if !o.upSince.IsZero() && now.Sub(o.upSince) > retryMost {
		c.failures = 0
	}
	c.retry = now.Add(min(retryLeast<<min(c.failures, 10), retryMost))
	c.failures++
	c.outlet = nil
	cancel := o.cancel
	l.tellReception(reached{c.node, false})
	c.mu.Unlock()

	if cancel != nil {
		cancel(err)
	}
	l.outlets.Delete(o.key)
	l.refusals.tell("no link to a broker", fmt.Sprintf("node %v at %s", c.node, o.address), err)
	l.system.EventStream.Publish(&remote.EndpointTerminatedEvent{Address: o.key})
}

// dialOutlet connects to the address of an outlet.
func (l *Link) dialOutlet(ctx context.Context, key string) (net.Conn, error) {
	o, found := l.outlet(key)
	if !found {
		return nil, errReplaced
	}
	if !l.keys.secured() && !isLoopback(o.address) {
		err := fmt.Errorf("%s is not on this machine, and this broker has no secret: %w", o.address, errPlain)
		l.connectionFailed(key, err)
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", o.address)
}

// connectionFailed keeps why the connection of an outlet did not come about.
func (l *Link) connectionFailed(key string, err error) {
	if o, found := l.outlet(key); found {
		o.to.mu.Lock()
		o.trouble = err
		o.to.mu.Unlock()
	}
}

func (l *Link) outlet(key string) (*outlet, bool) {
	o, found := l.outlets.Load(key)
	if !found {
		return nil, false
	}
	return o.(*outlet), true
}

// hostDialed is the host of an outlet's address.
func (l *Link) hostDialed(key string) string {
	if o, found := l.outlet(key); found {
		if host, _, err := net.SplitHostPort(o.address); err == nil {
			return host
		}
	}
	return ""
}

// openStream shakes hands with the peer that an outlet dials. It stands between the library and gRPC.
func (l *Link) openStream(ctx context.Context, d *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	o, found := l.outlet(conn.Target())
	if !found {
		conn.Close()
		return nil, errReplaced
	}
	ctx, cancel := context.WithCancelCause(ctx)
	if err := o.claim(cancel); err != nil {
		conn.Close()
		return nil, err
	}
	s := &outbound{outlet: o, conn: conn}
	s.late = time.AfterFunc(connectTime, func() { s.end(errSilent) })
	ctx = metadata.AppendToOutgoingContext(ctx, helloKey, string(appendHello(nil, l.options.Identity)))
	stream, err := open(ctx, d, conn, method, options...)
	if err == nil {
		s.ClientStream = stream
		err = l.meet(o, stream)
	}
	if err != nil {
		s.end(explainBroken(err))
		return nil, err
	}
	return s, nil
}

// meet reads the hello of the peer that answers, which must be the node that was meant.
func (l *Link) meet(o *outlet, s grpc.ClientStream) error {
	given, err := s.Header()
	if err != nil {
		return err
	}
	if len(given.Get(helloKey)) == 0 { // refused: the reason is where the stream ends
		if err := s.RecvMsg(new(remote.RemoteMessage)); err != nil {
			return err
		}
	}
	p, _ := peer.FromContext(s.Context())
	bond, known := p.AuthInfo.(*bond)
	if !known {
		return errHandshake
	}
	i, err := l.recognise(given, bond)
	if err != nil {
		return err
	}
	if i.Node != o.to.node {
		return fmt.Errorf("node %v answers where node %v was meant: %w", i.Node, o.to.node, errMet)
	}
	o.to.mu.Lock()
	o.chain = bond.chain
	o.to.mu.Unlock()
	return nil
}

// explainBroken gives an error of gRPC a word that the log knows.
func explainBroken(err error) error {
	for _, s := range nextSteps {
		if errors.Is(err, s.err) {
			return err
		}
	}
	switch {
	case strings.Contains(err.Error(), "remote error: tls: "): // how TLS 1.3 tells, after the dialer's handshake has succeeded
		return fmt.Errorf("the other broker refuses this one's certificate: %w: %w", errStranger, err)
	case status.Code(err) == codes.PermissionDenied:
		return fmt.Errorf("%w: %s", errRefused, status.Convert(err).Message())
	}
	return fmt.Errorf("%w: %w", errBroken, err)
}

// outbound is a stream that frames leave by.
type outbound struct {
	grpc.ClientStream
	outlet *outlet
	conn   *grpc.ClientConn
	late   *time.Timer // ends a stream whose peer does not answer
	heard  bool        // the answer came; RecvMsg has one caller
}

// SendMsg implements grpc.ClientStream. What it returns from has left this process's hands.
func (s *outbound) SendMsg(m any) error {
	if err := s.ClientStream.SendMsg(m); err != nil {
		return err // RecvMsg is told the reason
	}
	if message, ok := m.(*remote.RemoteMessage); ok {
		s.outlet.sent(len(message.GetMessageBatch().GetEnvelopes()))
	}
	return nil
}

// RecvMsg implements grpc.ClientStream. A peer answers once; whatever it says later ends the stream.
func (s *outbound) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	switch {
	case err != nil:
		s.end(explainBroken(err))
		return status.Error(codes.Unavailable, err.Error()) // an EOF would have the library believe that all is well
	case s.heard:
		s.end(fmt.Errorf("the peer says more than its answer: %w", errForeign))
		return status.Error(codes.Unavailable, errForeign.Error())
	}
	if s.heard = true; s.late.Stop() {
		s.outlet.up()
	}
	return nil
}

// CloseSend implements grpc.ClientStream: the library has given the stream up.
func (s *outbound) CloseSend() error {
	s.end(errBroken)
	return nil
}

// end ends the outlet, and the connection: gRPC would open it again and again, for nobody.
func (s *outbound) end(err error) {
	s.late.Stop()
	s.outlet.end(err)
	s.conn.Close()
}

// review ends the links whose peer is believed no more.
func (l *Link) review() {
	l.transport.review()
	l.outlets.Range(func(_, each any) bool {
		o := each.(*outlet)
		o.to.mu.Lock()
		chain := o.chain
		o.to.mu.Unlock()
		if len(chain) > 0 && l.keys.verify(chain, x509.ExtKeyUsageServerAuth, l.hostDialed(o.key)) != nil {
			o.end(errWithdrawn)
		}
		return true
	})
}
