package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"troupe/gateway/protocol"
)

// ErrServerClosed is what Serve returns after Close.
var ErrServerClosed = errors.New("gateway: server closed")

// Server accepts clients' connections. Each has a goroutine that reads and one that writes; nothing of one reaches another.
type Server struct {
	broker Broker
	limits Limits
	shared *shared
	log    *slog.Logger
	meter  Meter

	mu          sync.Mutex
	closed      bool // no more connections
	listeners   map[net.Listener]struct{}
	connections map[*connection]struct{}
	addresses   map[string]int // connections of each; no zeros
	turned      int            // clients being turned away
	unlogged    int            // clients turned away since lamented
	lamented    time.Time      // when the log last told of them
	hurried     time.Time      // when hurryWriters last did
	ended       sync.WaitGroup // one for each of connections, and of turned
}

// NewServer makes a server for a broker; it does nothing until Serve. Zero limits take their defaults.
func NewServer(broker Broker, limits Limits, log *slog.Logger) *Server {
	limits = limits.WithDefaults()
	s := &Server{
		broker: broker, limits: limits, shared: newShared(limits, limits.Decompressions), log: log, meter: unmetered{},
		listeners: make(map[net.Listener]struct{}), connections: make(map[*connection]struct{}), addresses: make(map[string]int),
	}
	s.shared.bytes.short = s.hurryWriters
	return s
}

// hurryWriters gives clients that do not take their answers LingerTime to begin, instead of WriteTime: somebody else waits
// for the bytes that these answers hold. A few who never read would otherwise hold up everyone.
func (s *Server) hurryWriters() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Before(s.hurried.Add(s.limits.LingerTime)) {
		return
	}
	s.hurried = now
	for c := range s.connections {
		c.hurryWriter(now.Add(s.limits.LingerTime))
	}
}

// Tell has a meter told what clients do. It is called before Serve, at most once.
func (s *Server) Tell(m Meter) { s.meter = m }

// acceptPause is how long Serve waits after a failed Accept, such as one for want of file descriptors.
const acceptPause = 50 * time.Millisecond

// Serve accepts connections until Close, and then returns ErrServerClosed; or until the listener is closed by others, and
// then returns its error. It closes the listener.
func (s *Server) Serve(l net.Listener) error {
	if !s.add(l) {
		return errors.Join(ErrServerClosed, l.Close())
	}
	defer s.remove(l)
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			s.Take(conn)
		case s.isClosed():
			return ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			s.log.Warn("a client's connection was not accepted; waiting before the next", "error", err, "wait", acceptPause.String(),
				"next", "if files run out, raise the limit of open files (ulimit -n)")
			time.Sleep(acceptPause)
		}
	}
}

// Take serves a connection that is open already, beside its caller. It is closed at once if the server is closed, and turned
// away if there are as many as may be, in all or of its address.
func (s *Server) Take(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return
	}
	c := newConnection(s, conn)
	switch {
	case len(s.connections) >= s.limits.Connections:
		s.turnAway(conn, "connections", s.limits.Connections)
	case s.addresses[c.address] >= s.limits.ConnectionsPerAddress:
		s.turnAway(conn, "connections_per_address", s.limits.ConnectionsPerAddress)
	default:
		s.connections[c] = struct{}{}
		s.addresses[c.address]++
		s.ended.Add(1)
		s.meter.Connected()
		go c.run()
	}
}

// mostTurned is how many clients are turned away with an explanation at the same time; further ones are just closed.
const mostTurned = 256

// lamentEvery is the least time between two lines of the log about clients that were turned away: whoever opens
// connections in a loop must not fill the disk with them.
const lamentEvery = time.Second

// lament logs that a client was turned away, and how many since the last line. The lock is held.
func (s *Server) lament(conn net.Conn, limit string, most int) {
	s.unlogged++
	now := time.Now()
	if now.Before(s.lamented.Add(lamentEvery)) {
		return
	}
	s.log.Warn("clients were turned away: too many connections", "client", conn.RemoteAddr().String(), "limit", limit, "most", most,
		"clients", s.unlogged, "next", "raise the setting gateway."+limit+", or close connections that are idle")
	s.lamented, s.unlogged = now, 0
}

// turnAway tells a client which limit was reached, and to come back later. The lock is held.
func (s *Server) turnAway(conn net.Conn, limit string, most int) {
	s.meter.TurnedAway()
	s.lament(conn, limit, most)
	if s.turned >= mostTurned {
		conn.Close()
		return
	}
	e := throttled(s.limits, limit, fmt.Sprintf("there are %d connections, as many as there may be", most))
	s.turned++
	s.ended.Add(1)
	go func() {
		defer s.ended.Done()
		_ = conn.SetWriteDeadline(time.Now().Add(s.limits.LingerTime))
		buffers := net.Buffers(protocol.EncodeError(0, e))
		if _, err := buffers.WriteTo(conn); err == nil { // otherwise the client is gone: there is nobody to tell
			linger(conn, s.limits.LingerTime)
		}
		conn.Close()
		s.mu.Lock()
		s.turned--
		s.mu.Unlock()
	}()
}

// forget ends the account of a connection that is closed.
func (s *Server) forget(c *connection) {
	s.mu.Lock()
	delete(s.connections, c)
	if s.addresses[c.address]--; s.addresses[c.address] == 0 {
		delete(s.addresses, c.address)
	}
	s.mu.Unlock()
	s.meter.Disconnected()
	s.ended.Done()
}

// Close drains: it accepts no more connections, reads no more requests, gives up the waits of parked fetches, and returns
// when every request that was read has been answered and its connection closed. If ctx ends before, the connections are
// cut, and Close returns ctx's error.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		l.Close() // Serve sees it and returns
	}
	for c := range s.connections {
		c.drain()
	}
	s.mu.Unlock()

	drained := make(chan struct{})
	go func() {
		s.ended.Wait()
		close(drained)
	}()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.connections {
		c.cut()
	}
	s.mu.Unlock()
	return ctx.Err()
}

func (s *Server) add(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.listeners[l] = struct{}{}
	}
	return !s.closed
}

func (s *Server) remove(l net.Listener) {
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
	l.Close()
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
