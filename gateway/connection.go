package gateway

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"troupe/gateway/protocol"
)

// readBuffer is what each connection keeps for small frames; larger ones are read past it.
const readBuffer = 16 << 10

// connection joins a socket and a session. The reader reads a frame only while the requests that are unanswered, and their
// bytes, are within limits: whoever sends faster than the broker answers, or does not read the answers, finds the socket
// full.
type connection struct {
	server  *Server
	conn    net.Conn
	session *Session

	mu       sync.Mutex
	changed  *sync.Cond // any of the below
	replies  []Reply    // to be written; at most as many as requests
	requests int        // received, and not yet written an answer to
	bytes    int        // reserved by them
	draining bool       // no more requests are read
	ended    bool       // the reader has returned: when requests is 0, so is the writer's work
	broken   bool       // the socket takes no more: replies are dropped
}

func newConnection(s *Server, conn net.Conn) *connection {
	c := &connection{server: s, conn: conn}
	c.changed = sync.NewCond(&c.mu)
	c.session = newSession(s.broker, s.limits, s.inflate, c.queue)
	return c
}

// run serves the connection to its end.
func (c *connection) run() {
	defer c.server.forget(c)
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write()
	}()
	if err := c.read(); err != nil {
		c.server.log.Debug("a client's connection ends", "client", c.conn.RemoteAddr(), "error", err)
	}
	c.session.Close()
	c.change(func() { c.ended = true })
	<-written
	c.linger()
	c.conn.Close()
}

// change makes a change under the lock and tells whoever waits for one.
func (c *connection) change(f func()) {
	c.mu.Lock()
	f()
	c.mu.Unlock()
	c.changed.Broadcast()
}

// read hands frames to the session until the client ends, breaks the protocol or is drained.
func (c *connection) read() error {
	limits := &c.server.limits
	from := bufio.NewReaderSize(c.conn, readBuffer)
	begin := time.Now().Add(limits.HandshakeTime)
	for c.room() {
		if c.session.greeted {
			begin = time.Now().Add(limits.IdleTime)
		}
		if err := c.conn.SetReadDeadline(begin); err != nil {
			return err
		}
		if c.isDraining() { // drain may have set its deadline before we set ours
			return nil
		}
		if _, err := from.Peek(1); err != nil {
			return ignoreEnd(err)
		}
		payload, err := c.frame(from, begin)
		if errors.Is(err, protocol.ErrFrameTooLarge) {
			c.change(func() { c.requests++ })
			return c.session.tooLarge(err)
		}
		if err != nil {
			return ignoreEnd(err)
		}
		c.change(func() { c.requests++ })
		reserved, err := c.session.Receive(payload)
		c.change(func() { c.bytes += reserved })
		if err != nil {
			return err
		}
	}
	return nil
}

// frame reads a frame that has begun, within FrameTime, and before Hello within the handshake's time.
func (c *connection) frame(from *bufio.Reader, begin time.Time) ([]byte, error) {
	end := time.Now().Add(c.server.limits.FrameTime)
	if !c.session.greeted && begin.Before(end) {
		end = begin
	}
	if err := c.conn.SetReadDeadline(end); err != nil {
		return nil, err
	}
	return protocol.ReadFrame(from, c.session.FrameLimit())
}

// ignoreEnd returns nil for the usual end of a connection.
func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// room waits until another request may be read; false: none will be.
func (c *connection) room() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.draining && !c.broken && (c.requests >= c.server.limits.InflightRequests || c.bytes >= c.server.limits.InflightBytes) {
		c.changed.Wait()
	}
	return !c.draining && !c.broken
}

func (c *connection) isDraining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

// queue takes a reply from the session. There is room: every reply belongs to a request that was let in.
func (c *connection) queue(r Reply) {
	c.change(func() { c.replies = append(c.replies, r) })
}

// write sends replies as they come, as many at a time as there are, until the reader has ended and all is answered.
func (c *connection) write() {
	var batch []Reply
	for {
		c.mu.Lock()
		for len(c.replies) == 0 && (!c.ended || c.requests > 0) {
			c.changed.Wait()
		}
		batch, c.replies = c.replies, batch[:0]
		broken := c.broken
		c.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		if !broken && !c.send(batch) {
			broken = true
			_ = c.conn.SetReadDeadline(time.Now()) // wakes the reader: it has nobody to read for
		}
		bytes := 0
		for i := range batch {
			bytes += batch[i].Reserved
		}
		n := len(batch)
		clear(batch) // what was sent is not to be kept alive
		c.change(func() {
			c.requests -= n
			c.bytes -= bytes
			c.broken = c.broken || broken
		})
	}
}

// send writes replies with as few calls of the system as can be; false: the client does not take them.
func (c *connection) send(batch []Reply) bool {
	var buffers net.Buffers
	for _, r := range batch {
		buffers = append(buffers, r.Frame()...)
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.server.limits.WriteTime)); err != nil {
		return false
	}
	if _, err := buffers.WriteTo(c.conn); err != nil {
		c.server.log.Debug("a client does not take its answers", "client", c.conn.RemoteAddr(), "error", err)
		return false
	}
	return true
}

// linger lets the client read the last replies. Closing a socket that still holds unread requests resets it, and the reset
// may overtake what was written.
func (c *connection) linger() {
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.conn.SetReadDeadline(time.Now().Add(c.server.limits.LingerTime)) == nil {
		_, _ = io.Copy(io.Discard, c.conn) // ends with the client, or with the deadline
	}
}

// drain has no more requests read; those that were are answered, and then the connection ends.
func (c *connection) drain() {
	c.change(func() { c.draining = true })
	_ = c.conn.SetReadDeadline(time.Now()) // wakes the reader
	c.session.Close()
}

// cut ends the connection at once.
func (c *connection) cut() {
	c.change(func() { c.broken = true })
	c.conn.Close()
}
