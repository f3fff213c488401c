package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"troupe/gateway/protocol"
)

// connection is one connection to a broker, past Hello. Requests are pipelined; answers find theirs by correlation.
type connection struct {
	conn    net.Conn
	address string
	hello   protocol.HelloResponse
	speaks  map[protocol.API]uint16 // the newest version of each API that the broker speaks
	silence time.Duration           // longest time the oldest request waits for an answer
	doubt   time.Duration           // how long it waits until doubted is told, again and again
	doubted func()

	writing sync.Mutex // held while a frame is written

	mu    sync.Mutex
	next  uint64
	calls map[uint64]*call // sent or about to be, and not answered; nil once the connection is over
	why   error            // why it is over
}

// call is a request whose answer is awaited.
type call struct {
	into  protocol.Message
	done  func(error)
	since time.Time
}

const readerBytes = 64 << 10

// dialConnection opens a connection and greets the broker.
func dialConnection(ctx context.Context, s *settings, address string, p purpose, doubted func(), closed func(*connection)) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.dialTimeout)
	defer cancel()
	conn, err := s.dial(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w: %w", address, err, errNotSent)
	}
	// The greeting has no reader of its own yet: closing is what ends it when the context does.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c := &connection{
		conn: conn, address: address, silence: s.requestTimeout, doubt: patience, doubted: doubted, next: 1, calls: make(map[uint64]*call),
	}
	if p == forFetch {
		c.doubt += s.fetchWait
	}
	reader := bufio.NewReaderSize(conn, readerBytes)
	err = c.greet(reader, s.name)
	if !stop() { // what it failed with is that it was closed
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("greet the broker at %s: %w: %w", address, err, errNotSent)
	}
	go func() {
		c.end(c.read(reader))
		closed(c)
	}()
	return c, nil
}

func (c *connection) greet(reader *bufio.Reader, name string) error {
	frame := net.Buffers(protocol.EncodeRequest(0, &protocol.HelloRequest{Client: name}))
	if _, err := frame.WriteTo(c.conn); err != nil {
		return err
	}
	payload, err := protocol.ReadFrame(reader, protocol.DefaultFrameBytes)
	if err != nil {
		return err
	}
	header, body, err := protocol.ParseResponse(payload)
	switch {
	case err != nil:
		return err
	case header.Err != nil:
		return header.Err
	}
	if err := body.Decode(&c.hello); err != nil {
		return err
	}
	c.speaks = make(map[protocol.API]uint16, len(c.hello.APIs))
	for _, a := range c.hello.APIs {
		c.speaks[a.API] = a.Max
	}
	return nil
}

// version returns the newest version of an API that both sides speak. One that the broker does not know is its to refuse.
func (c *connection) version(a protocol.API) uint16 {
	if theirs, ok := c.speaks[a]; ok {
		return min(theirs, a.MaxVersion())
	}
	return a.MaxVersion()
}

// send writes a request and returns; done is called exactly once, possibly before send returns, and must not block. Its
// error is nil when into was filled, a *protocol.Error when the broker refused, and otherwise wraps errNotSent or errLost.
// What m refers to is not used after send returned.
func (c *connection) send(m protocol.Message, into protocol.Message, done func(error)) {
	c.mu.Lock()
	if c.calls == nil {
		why := c.why
		c.mu.Unlock()
		done(fmt.Errorf("%w: %w", why, errNotSent))
		return
	}
	correlation := c.next
	c.next++
	c.calls[correlation] = &call{into: into, done: done, since: time.Now()}
	c.mu.Unlock()

	frame := net.Buffers(protocol.EncodeRequestIn(c.version(m.API()), correlation, m))
	c.writing.Lock()
	err := c.conn.SetWriteDeadline(time.Now().Add(c.silence))
	if err == nil {
		_, err = frame.WriteTo(c.conn)
	}
	c.writing.Unlock()
	if err != nil {
		c.end(fmt.Errorf("write: %w", err))
	}
}

// read takes answers until the connection fails, and returns why.
func (c *connection) read(reader *bufio.Reader) error {
	for {
		if err := c.awaitFrame(reader); err != nil {
			return err
		}
		payload, err := protocol.ReadFrame(reader, c.frameLimit())
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		header, body, err := protocol.ParseResponse(payload)
		if err != nil {
			return err
		}
		c.mu.Lock()
		answered := c.calls[header.Correlation]
		delete(c.calls, header.Correlation)
		c.mu.Unlock()
		switch {
		case answered == nil && header.Err != nil && header.Correlation == 0:
			// The broker's last word on the connection. It is no answer to any request, whose fate it leaves open.
			return fmt.Errorf("the broker says: %v", header.Err)
		case answered == nil:
			return fmt.Errorf("an answer to request %d, which nobody sent", header.Correlation)
		case header.Err != nil:
			answered.done(header.Err)
		default:
			if err := body.Decode(answered.into); err != nil {
				answered.done(fmt.Errorf("answer to %v: %w: %w", answered.into.API(), err, errLost))
				return err
			}
			answered.done(nil)
		}
	}
}

// awaitFrame waits for the first byte of an answer: for ever while nothing is asked, and until the oldest request has waited
// too long otherwise. The rest of the frame has the same time.
func (c *connection) awaitFrame(reader *bufio.Reader) error {
	for turn := min(c.silence, c.doubt); ; {
		if err := c.conn.SetReadDeadline(time.Now().Add(turn)); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		_, err := reader.Peek(1)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("read: %w", err)
		}
		waiting := c.waiting()
		switch turn = min(c.silence, c.doubt); {
		case waiting >= c.silence:
			return fmt.Errorf("no answer for %v", c.silence)
		case waiting >= c.doubt:
			c.doubted()
		default:
			turn -= waiting // and then it will have waited for just that long
		}
	}
}

// waiting is how long the oldest request has waited.
func (c *connection) waiting() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	oldest := time.Duration(0)
	for _, asked := range c.calls {
		oldest = max(oldest, time.Since(asked.since))
	}
	return oldest
}

func (c *connection) frameLimit() int {
	if n := c.hello.Limits.FrameBytes; n > 0 {
		return int(n)
	}
	return protocol.DefaultFrameBytes
}

// end closes the connection, once, and fails what was not answered.
func (c *connection) end(why error) {
	c.mu.Lock()
	calls := c.calls
	if calls != nil {
		c.calls, c.why = nil, why
	}
	c.mu.Unlock()
	_ = c.conn.Close()
	for _, unanswered := range calls {
		unanswered.done(fmt.Errorf("%w: %w", why, errLost))
	}
}

func (c *connection) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls == nil
}
