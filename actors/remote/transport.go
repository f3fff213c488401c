package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// mostConnections bounds the connections that others open to this broker, let in or not.
	mostConnections = 1024
	// mostHandshakes bounds those of one host that are not yet let in, so that a stranger cannot take all.
	mostHandshakes = 64
)

// preface is what every connection of gRPC begins with (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// bond is one connection whose handshake succeeded: what a stream knows of the peer at the other end.
type bond struct {
	credentials.CommonAuthInfo
	conn  net.Conn
	chain []*x509.Certificate // verified; empty on plain links
}

// AuthType implements credentials.AuthInfo.
func (b *bond) AuthType() string { return "troupe" }

// vouch returns errImpostor if the certificate speaks for another broker than the peer says it is.
func (b *bond) vouch(i Identity) error {
	if len(b.chain) == 0 {
		return nil
	}
	cluster, node, named := namedBy(b.chain[0])
	if named && (cluster != i.Cluster || node != i.Node) {
		return fmt.Errorf("it calls itself node %v of cluster %v, its certificate node %v of cluster %v: %w", i.Node, i.Cluster, node, cluster, errImpostor)
	}
	return nil
}

// transport opens connections, encrypted or plain, and keeps count of those that others opened. It implements
// credentials.TransportCredentials.
type transport struct {
	keys     *keyring
	refusals *refusals
	// host is what the outlet of a key dials, and failed is told why its connection did not come about: gRPC keeps no more
	// of an error than its text.
	host   func(key string) string
	failed func(key string, err error)

	// answering is closed when the first connection was accepted.
	answering chan struct{}
	answers   sync.Once

	mu         sync.Mutex
	count      int
	handshakes map[string]int     // under way, of each host; no zeros
	bonds      map[*bond]struct{} // of others, after their handshake
}

// Info implements credentials.TransportCredentials.
func (t *transport) Info() credentials.ProtocolInfo { return t.inner("").Info() }

// Clone implements credentials.TransportCredentials: all connections of a link are counted together.
func (t *transport) Clone() credentials.TransportCredentials { return t }

// OverrideServerName implements credentials.TransportCredentials.
func (t *transport) OverrideServerName(string) error {
	return errors.New("remote: names are checked by node")
}

func (t *transport) inner(host string) credentials.TransportCredentials {
	if !t.keys.secured() {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(t.keys.clientTLS(host))
}

// ClientHandshake implements credentials.TransportCredentials. key names an outlet.
func (t *transport) ClientHandshake(ctx context.Context, key string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := t.inner(t.host(key)).ClientHandshake(ctx, key, raw)
	if err != nil {
		err = explainTLS(err)
		t.failed(key, err)
		return nil, nil, err
	}
	return conn, newBond(conn, info), nil
}

// ServerHandshake implements credentials.TransportCredentials. gRPC gives it connectTime.
func (t *transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	t.answers.Do(func() { close(t.answering) })
	peer := hostOf(raw.RemoteAddr())
	if err := t.enter(peer); err != nil {
		t.refusals.tell("a connection was turned away", peer, err)
		return nil, nil, err
	}
	conn, info, err := t.answer(raw)
	t.settle(peer)
	if err != nil {
		t.leave(nil)
		if !errors.Is(err, io.EOF) { // somebody looked whether the port is open
			t.refusals.tell("a connection was refused", peer, err)
		}
		return nil, nil, err
	}
	b := newBond(conn, info)
	b.conn = &counted{Conn: conn, left: sync.OnceFunc(func() { t.leave(b) })}
	t.mu.Lock()
	t.bonds[b] = struct{}{}
	t.mu.Unlock()
	return b.conn, b, nil
}

func (t *transport) answer(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if t.keys.secured() {
		conn, info, err := credentials.NewTLS(t.keys.serverTLS()).ServerHandshake(raw)
		return conn, info, explainTLS(err)
	}
	head := make([]byte, len(preface))
	if _, err := io.ReadFull(raw, head); err != nil {
		return nil, nil, err
	}
	if string(head) != preface {
		return nil, nil, fmt.Errorf("it does not speak as brokers do, or it does and is encrypted: %w", errHandshake)
	}
	return insecure.NewCredentials().ServerHandshake(&replayed{Conn: raw, head: head})
}

// explainTLS tells apart why an encrypted connection did not come about.
func explainTLS(err error) error {
	var record tls.RecordHeaderError
	var alert *net.OpError // how package tls wraps what the other side refused
	switch {
	case err == nil, errors.Is(err, errStranger), errors.Is(err, io.EOF):
		return err
	case errors.As(err, &record):
		return fmt.Errorf("%w: %w", errPlain, err)
	case errors.As(err, &alert) && alert.Op == "remote error":
		return fmt.Errorf("it refuses this broker's certificate: %w: %w", errStranger, err)
	}
	return fmt.Errorf("%w: %w", errHandshake, err)
}

// review closes the connections of others whose authority is believed no more.
func (t *transport) review() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for b := range t.bonds {
		if len(b.chain) > 0 && t.keys.verify(b.chain, x509.ExtKeyUsageClientAuth, "") != nil {
			// Elsewhere: closing takes the lock, and may wait for the network to take a farewell.
			go b.conn.Close()
		}
	}
}

// enter counts a connection whose handshake begins.
func (t *transport) enter(host string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.count >= mostConnections:
		return fmt.Errorf("%d connections are open, as many as there may be: %w", mostConnections, errCrowd)
	case t.handshakes[host] >= mostHandshakes:
		return fmt.Errorf("%d connections of this host say nothing yet, as many as there may be: %w", mostHandshakes, errCrowd)
	}
	t.count++
	t.handshakes[host]++
	return nil
}

// settle ends a handshake, one way or the other.
func (t *transport) settle(host string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.handshakes[host]--; t.handshakes[host] == 0 {
		delete(t.handshakes, host)
	}
}

func (t *transport) leave(b *bond) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count--
	delete(t.bonds, b)
}

func newBond(conn net.Conn, info credentials.AuthInfo) *bond {
	b := &bond{conn: conn}
	if secured, ok := info.(credentials.TLSInfo); ok {
		b.CommonAuthInfo = secured.CommonAuthInfo
		b.chain = secured.State.PeerCertificates
	}
	return b
}

// counted is a connection that tells when it is closed.
type counted struct {
	net.Conn
	left func()
}

// Close closes the connection.
func (c *counted) Close() error {
	c.left()
	return c.Conn.Close()
}

// replayed is a connection whose first bytes were read already.
type replayed struct {
	net.Conn
	head []byte
}

// Read reads what was read before, then the rest.
func (r *replayed) Read(b []byte) (int, error) {
	if len(r.head) == 0 {
		return r.Conn.Read(b)
	}
	n := copy(b, r.head)
	r.head = r.head[n:]
	return n, nil
}

// hostOf is the peer of a connection without its port, which is another one each time.
func hostOf(a net.Addr) string {
	if host, _, err := net.SplitHostPort(a.String()); err == nil {
		return host
	}
	return a.String()
}

// isLoopback tells whether only this machine reaches an address HOST:PORT. A name other than localhost is taken to be
// reached by others.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
