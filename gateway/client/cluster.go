package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"troupe/gateway/protocol"
)

// purpose keeps apart what must not wait for one another: a fetch waits in the broker, a produce fills the pipe.
type purpose uint8

const (
	forCalls purpose = iota
	forProduce
	forFetch
)

// cluster holds the connections, one for each broker and purpose, and knows which brokers there are.
type cluster struct {
	settings *settings
	closing  context.Context
	watch    func(address string) (deposed func() bool) // asks others, again and again, whether a broker leads what it led

	mu      sync.Mutex
	slots   map[slotKey]*slot
	brokers []string        // to ask when no one in particular is meant: those of the settings, then those told of
	first   int             // of brokers: the first to try, which answered last
	shunned map[string]shun // who did not answer: others are tried before
	probing map[string]bool // who is asked for a sign of life
}

type slotKey struct {
	address string
	purpose purpose
}

// slot is a place for one connection. Whoever holds its token may open it.
type slot struct {
	token chan struct{} // capacity 1
	// Under cluster.mu:
	conn *connection        // nil: none
	stop context.CancelFunc // ends the last attempt to open it
}

func newCluster(closing context.Context, s *settings, watch func(string) func() bool) *cluster {
	return &cluster{
		settings: s, closing: closing, watch: watch, slots: make(map[slotKey]*slot), brokers: slices.Clone(s.brokers),
		shunned: make(map[string]shun), probing: make(map[string]bool),
	}
}

// connect returns the connection to a broker, opened if need be. An address that does not answer, or none, becomes any
// broker that is known: each answers every request.
func (c *cluster) connect(ctx context.Context, p purpose, address string) (*connection, error) {
	var failed []error
	for _, candidate := range c.candidates(address) {
		started := time.Now()
		conn, err := c.at(ctx, p, candidate)
		if err == nil {
			c.answered(candidate, address)
			return conn, nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			failed = append(failed, err)
			break
		}
		c.shun(candidate, time.Since(started))
		failed = append(failed, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errNotSent)
	}
	return nil, fmt.Errorf("%w: %w", ErrUnreachable, errors.Join(append(failed, errNotSent)...))
}

func (c *cluster) at(ctx context.Context, p purpose, address string) (*connection, error) {
	key := slotKey{address, p}
	c.mu.Lock()
	s := c.slots[key]
	if s == nil {
		s = &slot{token: make(chan struct{}, 1)}
		c.slots[key] = s
	}
	conn := s.conn
	c.mu.Unlock()
	if conn != nil && !conn.over() {
		return conn, nil
	}
	select {
	case s.token <- struct{}{}:
		defer func() { <-s.token }()
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to %s: %w: %w", address, ctx.Err(), errNotSent)
	case <-c.closing.Done():
		return nil, fmt.Errorf("connect to %s: %w: %w", address, ErrClosed, errNotSent)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.mu.Lock()
	conn = s.conn
	s.stop = stop
	c.mu.Unlock()
	if conn != nil && !conn.over() {
		return conn, nil // somebody else opened it meanwhile
	}
	// A broker that hangs is connected to, and does not greet.
	defer time.AfterFunc(patience, func() { c.probe(address) }).Stop()
	conn, err := dialConnection(ctx, c.settings, address, p, func() { c.probe(address) }, func(over *connection) {
		c.mu.Lock()
		if s.conn == over {
			s.conn = nil
		}
		c.mu.Unlock()
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	s.conn = conn
	c.mu.Unlock()
	if c.closing.Err() != nil { // close may have looked just before
		conn.end(ErrClosed)
	}
	return conn, nil
}

// close ends all connections.
func (c *cluster) close() { c.end(ErrClosed, func(string) bool { return true }) }

// end ends the connections to some addresses, and the attempts to open one.
func (c *cluster) end(why error, which func(address string) bool) {
	c.mu.Lock()
	var open []*connection
	for key, s := range c.slots {
		if !which(key.address) {
			continue
		}
		if s.conn != nil {
			open = append(open, s.conn)
		}
		if s.stop != nil {
			s.stop() // once more does nothing
		}
	}
	c.mu.Unlock()
	for _, conn := range open {
		conn.end(why)
	}
}

// request sends one request and waits for its answer or the end of the context: then the outcome is not known.
func (c *cluster) request(ctx context.Context, p purpose, address string, m, into protocol.Message) error {
	conn, err := c.connect(ctx, p, address)
	if err != nil {
		return err
	}
	answered := make(chan error, 1)
	conn.send(m, into, func(err error) { answered <- err })
	select {
	case err := <-answered:
		if elsewhere(err) {
			c.leave(conn.address)
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ctx.Err(), errLost)
	}
}

// again tells what request may be sent once more after which error.
type again func(error) bool

// askAgain is for requests that change nothing, or nothing that matters.
func askAgain(err error) bool {
	return errors.Is(err, errLost) || doAgain(err)
}

// doAgain is for requests that must not be carried out twice.
func doAgain(err error) bool {
	var refusal *protocol.Error
	if errors.As(err, &refusal) {
		return refusal.Retriable
	}
	return errors.Is(err, errNotSent)
}

// persist sends a request until it is answered for good, the context ends, or the request timeout is over, and returns the
// last error, with its action.
func (c *cluster) persist(ctx context.Context, action string, m, into protocol.Message, may again) error {
	deadline := time.Now().Add(c.settings.requestTimeout)
	address := ""
	for attempt := 0; ; attempt++ {
		err := c.request(ctx, forCalls, address, m, into)
		if err == nil {
			return nil
		}
		pause := backoff(attempt, err)
		if !may(err) || ctx.Err() != nil || errors.Is(err, ErrClosed) || time.Now().Add(pause).After(deadline) {
			return explain(action, err)
		}
		if wait(ctx, c.closing, pause) != nil {
			return explain(action, err)
		}
		address = hint(err)
	}
}

const (
	firstPause   = 10 * time.Millisecond
	longestPause = time.Second
)

// backoff returns how long to wait after so many failures in a row: doubling, half of it drawn, so that clients do not come
// back all at once; at least as long as a broker asked for, and up to a half longer.
func backoff(failures int, err error) time.Duration {
	pause := longestPause
	if failures < 7 {
		pause = min(firstPause<<failures, longestPause)
	}
	pause = pause/2 + rand.N(pause/2+1)
	var refusal *protocol.Error
	if errors.As(err, &refusal) {
		asked := min(time.Duration(refusal.Details.WaitMillis)*time.Millisecond, 10*longestPause)
		pause = max(pause, asked+rand.N(asked/2+1))
	}
	return pause
}

// wait waits, unless one of the contexts ends before.
func wait(ctx, closing context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-closing.Done():
		return ErrClosed
	}
}
