package client

import (
	"context"
	"sync"
	"time"

	"troupe/gateway/protocol"
)

// Client writes to, reads from and administers one cluster. It is safe for concurrent use. Close it when done.
type Client struct {
	settings settings
	closing  context.Context // ended by Close
	stop     context.CancelFunc
	running  sync.WaitGroup
	cluster  *cluster
	topics   *topics
	budget   *budget
	parcels  sync.Pool // of *parcel, empty
	identity identitySource
	expects  expects
	reader   *reader

	mu     sync.Mutex
	closed bool // no goroutine may be added to running any more
}

// New returns a client. It does not connect yet: the first call does; Ping tells whether a broker answers. It returns
// ErrOption, wrapped, for settings that cannot work.
func New(options ...Option) (*Client, error) {
	s := defaults()
	for _, option := range options {
		option(&s)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	c := &Client{settings: s}
	c.closing, c.stop = context.WithCancel(context.Background())
	c.topics = newTopics(c)
	c.cluster = newCluster(c.closing, &c.settings, c.topics.watch)
	c.budget = newBudget(int64(s.bufferBytes))
	c.parcels.New = func() any { return newParcel(c.settings.codec) }
	c.reader = newReader(c)
	return c, nil
}

// Close ends everything. Records that are not delivered yet fail: with ErrClosed those that were never sent, with
// ErrOutcomeUnknown the others; Flush first to avoid that. Their callbacks have returned when Close does. Closing again
// does nothing.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.cluster.close()
	c.running.Wait()
	c.cluster.close() // what was being opened meanwhile
}

// run starts a goroutine that Close waits for; it returns false after Close.
func (c *Client) run(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Go(f)
	return true
}

// Ping asks a broker for an answer and returns how long that took, without connecting.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	if _, err := c.cluster.connect(ctx, forCalls, ""); err != nil {
		return 0, explain("ping", err)
	}
	start := time.Now()
	var answer protocol.PingResponse
	if err := c.cluster.request(ctx, forCalls, "", &protocol.PingRequest{}, &answer); err != nil {
		return 0, explain("ping", err)
	}
	return time.Since(start), nil
}
