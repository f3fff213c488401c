package gateway

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
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

	address string        // whom the connection counts for
	gone    chan struct{} // closed when no more requests are to be read

	mu       sync.Mutex
	changed  *sync.Cond // any of the below
	replies  []Reply    // to be written; at most as many as requests
	requests int        // received, and not yet written an answer to
	bytes    int        // reserved by them
	draining bool       // no more requests are read
	ended    bool       // the reader has returned: when requests is 0, so is the writer's work
	broken   bool       // the socket takes no more: replies are dropped
	left     bool       // gone is closed
	writing  bool       // the socket is being written to
}

func newConnection(s *Server, conn net.Conn) *connection {
	c := &connection{server: s, conn: conn, address: addressOf(conn), gone: make(chan struct{})}
	c.changed = sync.NewCond(&c.mu)
	c.session = newSession(s.broker, s.limits, s.shared, c.queue, func(f func()) { go f() })
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
		c.server.log.Debug("a client's connection ends", "client", c.conn.RemoteAddr().String(), "error", err)
	}
	c.session.Close()
	c.change(func() { c.ended = true })
	<-written
	linger(c.conn, c.server.limits.LingerTime)
	c.conn.Close()
}

// change makes a change under the lock and tells whoever waits for one.
func (c *connection) change(f func()) {
	c.mu.Lock()
	f()
	if (c.draining || c.broken) && !c.left {
		c.left = true
		close(c.gone)
	}
	c.mu.Unlock()
	c.changed.Broadcast()
}

// read hands frames to the session until the client ends, breaks the protocol, takes too long, or is drained.
func (c *connection) read() error {
	from := bufio.NewReaderSize(c.conn, readBuffer)
	accepted := time.Now()
	for c.room() {
		hurry := deadline{accepted.Add(c.server.limits.HandshakeTime), "handshake_ms", c.server.limits.HandshakeTime}
		if c.session.greeted {
			hurry = deadline{time.Now().Add(c.server.limits.IdleTime), "idle_ms", c.server.limits.IdleTime}
		}
		switch err := c.await(from, hurry); {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && c.session.greeted && c.unanswered():
			continue // it is the broker that owes an answer
		default:
			return c.ends(err, hurry)
		}
		held := c.server.shared.bytes.hold()
		payload, hurry, err := c.frame(from, held, hurry)
		if err != nil {
			held.release()
			return c.ends(err, hurry)
		}
		c.request(len(payload))
		reserved, err := c.session.receive(payload, held)
		c.charge(0, reserved)
		if err != nil {
			return err
		}
	}
	return nil
}

// request begins the account of a request, of which so many bytes came.
func (c *connection) request(bytes int) {
	c.session.arrived = time.Now()
	c.server.meter.Received(bytes)
	c.charge(1, 0)
}

// charge adds to what the connection owes. It tells nobody: more to do is nothing that anyone waits for, and waking the writer in
// vain costs a request more than all that is done for it here.
func (c *connection) charge(requests, bytes int) {
	c.mu.Lock()
	c.requests += requests
	c.bytes += bytes
	c.mu.Unlock()
}

// deadline is a time by which a client must have done something, and its name.
type deadline struct {
	at    time.Time
	limit string
	after time.Duration
}

// errLeaving ends the reading of a connection that is being drained or cut.
var errLeaving = errors.New("gateway: no more requests are read")

// await waits for the first byte of a frame.
func (c *connection) await(from *bufio.Reader, until deadline) error {
	if err := c.hurry(until); err != nil {
		return err
	}
	_, err := from.Peek(1)
	return err
}

// hurry sets the deadline of reads. Whoever drains or cuts has set one of its own before, which must stand.
func (c *connection) hurry(until deadline) error {
	if err := c.conn.SetReadDeadline(until.at); err != nil {
		return err
	}
	select {
	case <-c.gone:
		return errLeaving
	default:
		return nil
	}
}

// frame reads a frame that has begun, within FrameTime, and before Hello within the handshake's time. The time it waits
// for its turn in the budget of all connections is not the client's.
func (c *connection) frame(from *bufio.Reader, held *hold, begun deadline) ([]byte, deadline, error) {
	limits := &c.server.limits
	until := deadline{time.Now().Add(limits.FrameTime), "frame_ms", limits.FrameTime}
	if !c.session.greeted && begun.at.Before(until.at) {
		until = begun
	}
	if err := c.hurry(until); err != nil {
		return nil, until, err
	}
	payload, err := protocol.ReadFrameWithin(from, c.session.FrameLimit(), func(more int) error {
		if held.try(more) {
			return nil
		}
		asked := time.Now()
		if !held.wait(more, c.gone) {
			return errLeaving
		}
		until.at = until.at.Add(time.Since(asked))
		return c.hurry(until)
	})
	return payload, until, err
}

// ends tells the client why nothing more of it is read, if there is something to tell.
func (c *connection) ends(err error, until deadline) error {
	select {
	case <-c.gone:
		return nil
	default:
	}
	switch {
	case errors.Is(err, protocol.ErrFrameTooLarge):
		c.request(0)
		return c.session.tooLarge(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.request(0)
		c.session.timedOut(until.limit, until.after)
	}
	return ignoreEnd(err)
}

// unanswered tells whether the client waits for something.
func (c *connection) unanswered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests > 0
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

// queue takes a reply from the session. There is room: every reply belongs to a request that was let in.
func (c *connection) queue(r Reply) {
	c.change(func() { c.replies = append(c.replies, r) })
}

// write sends replies as they come until the reader has ended and all is answered.
func (c *connection) write() {
	var batch []Reply
	for {
		c.mu.Lock()
		for len(c.replies) == 0 && (!c.ended || c.requests > 0) {
			c.changed.Wait()
		}
		batch, c.replies = c.replies, batch[:0]
		c.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for rest := batch; len(rest) > 0; {
			n := c.send(rest)
			c.settle(rest[:n])
			rest = rest[n:]
		}
		clear(batch) // what was sent is not to be kept alive
	}
}

// writeBytes is how much is made and handed to the socket at once, one reply at least: the client has WriteTime to take
// it, and what it does not take is not made.
const writeBytes = 1 << 20

// send writes the first of the replies with as few calls of the system as can be, and returns how many. If the client does
// not take them, the connection is broken, and all are dropped.
func (c *connection) send(replies []Reply) (n int) {
	if c.isBroken() {
		for i := range replies {
			c.answered(&replies[i], 0, nil)
		}
		return len(replies)
	}
	var buffers net.Buffers
	for size := 0; n < len(replies) && size < writeBytes; n++ {
		frame, errors := replies[n].encode()
		c.answered(&replies[n], frame.Len(), errors)
		size += frame.Len()
		buffers = append(buffers, frame...)
	}
	err := c.beginWrite()
	if err == nil {
		_, err = buffers.WriteTo(c.conn)
	}
	c.change(func() { c.writing = false })
	if err != nil {
		c.server.log.Debug("a client does not take its answers", "client", c.conn.RemoteAddr().String(), "error", err)
		c.change(func() { c.broken = true })
		_ = c.conn.SetReadDeadline(time.Now()) // wakes the reader: it has nobody to read for
	}
	return n
}

// beginWrite gives the client WriteTime from now.
func (c *connection) beginWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = true
	return c.conn.SetWriteDeadline(time.Now().Add(c.server.limits.WriteTime))
}

// hurryWriter gives a client that is being written to less time.
func (c *connection) hurryWriter(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing {
		_ = c.conn.SetWriteDeadline(until) // an error is the write's to meet
	}
}

// answered ends the account of a request for the meter.
func (c *connection) answered(r *Reply, bytes int, errors []protocol.Code) {
	c.server.meter.Answered(Answered{API: r.api, Took: time.Since(r.arrived), Bytes: bytes, Errors: errors})
}

// settle gives back what replies that are written, or dropped, have held.
func (c *connection) settle(replies []Reply) {
	bytes := 0
	for i := range replies {
		bytes += replies[i].Reserved
		replies[i].Done()
	}
	c.change(func() {
		c.requests -= len(replies)
		c.bytes -= bytes
	})
}

func (c *connection) isBroken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

// linger lets the client read the last replies. Closing a socket that still holds unread requests resets it, and the reset
// may overtake what was written.
func linger(conn net.Conn, most time.Duration) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if conn.SetReadDeadline(time.Now().Add(most)) == nil {
		_, _ = io.Copy(io.Discard, conn) // ends with the client, or with the deadline
	}
}

// addressOf names whom a connection counts for: the client's IP address, whatever its port.
func addressOf(conn net.Conn) string {
	whole := conn.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(whole); err == nil {
		return host
	}
	return whole
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
