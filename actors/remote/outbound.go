package remote

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

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
	ctx = metadata.AppendToOutgoingContext(ctx, helloKey, string(appendHello(nil, l.options.Identity)), meantKey, o.to.node.String())
	stream, err := open(ctx, d, conn, method, options...)
	if err == nil {
		s.ClientStream = stream
		err = l.meet(o, stream)
	}
	if err != nil {
		why := explainBroken(err)
		if errors.Is(why, errDisowned) {
			l.options.Disowned(fmt.Errorf("node %v: %w", o.to.node, why))
		}
		s.end(why)
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
	o.met, o.chain = i, bond.chain
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
	case status.Code(err) == twinCode:
		return fmt.Errorf("%w: %s", errDisowned, status.Convert(err).Message())
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
