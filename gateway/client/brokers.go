package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"troupe/gateway/protocol"
)

// Which broker is asked: the one that leads, where that matters and is known; else the one that answered last; else the next.
// One that does not answer is tried after the others for a moment, and one that owes an answer is asked for a sign of life:
// a broker that hangs keeps its connections open, and would hold up everything that waits on them. Meanwhile others are asked
// whether another leads what it led, which is known soon after it has hung up: then it need not be waited for.

const (
	// patience is how long an answer may take, beyond what a fetch asks to wait, before its broker is asked for a sign of life,
	// where there is another broker.
	patience = 500 * time.Millisecond
	// lifePatience is how long it has for that. Brokers answer a Ping whatever else they do.
	lifePatience = 3 * time.Second
	// lookPause is the time between two looks at who leads by now.
	lookPause = 100 * time.Millisecond
	// shortestShun and longestShun bound how long others are tried before a broker that could not be connected to.
	shortestShun = time.Second
	longestShun  = 30 * time.Second
)

// candidates lists the brokers to try, in order.
func (c *cluster) candidates(address string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]string, 0, len(c.brokers)+1)
	if address != "" {
		all = append(all, address)
	}
	for i := range c.brokers {
		if next := c.brokers[(c.first+i)%len(c.brokers)]; next != address {
			all = append(all, next)
		}
	}
	now := time.Now()
	var last []string
	all = slices.DeleteFunc(all, func(a string) bool {
		if c.isShunned(a, now) || c.probing[a] {
			last = append(last, a)
			return true
		}
		return false
	})
	return append(all, last...)
}

func (c *cluster) isShunned(address string, now time.Time) bool {
	s, shunned := c.shunned[address]
	return shunned && now.Before(s.until)
}

// usable tells whether a broker is worth leaving another one for.
func (c *cluster) usable(address string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.isShunned(address, time.Now())
}

// answered notes who could be connected to, where meant was asked for.
func (c *cluster) answered(address, meant string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.shunned, address)
	if at := slices.Index(c.brokers, address); at >= 0 && address != meant {
		c.first = at
	}
}

// shun tries others before a broker: for as long as finding out took, so that at most half the time goes into it, and twice
// as long each time.
func (c *cluster) shun(address string, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	period := min(max(shortestShun, took, 2*c.shunned[address].period), longestShun)
	c.shunned[address] = shun{period: period, until: time.Now().Add(period)}
}

// shun is how others are tried before a broker that did not answer.
type shun struct {
	period time.Duration
	until  time.Time
}

// leave asks another broker the next time, if it is this one's turn.
func (c *cluster) leave(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.brokers[c.first] == address {
		c.first = (c.first + 1) % len(c.brokers)
	}
}

// turn asks another broker the next time.
func (c *cluster) turn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = (c.first + 1) % len(c.brokers)
}

// learn takes the addresses that a broker told of, in place of those told of before. The settings' own stay for ever.
func (c *cluster) learn(nodes []protocol.MetadataNode) {
	brokers := slices.Clone(c.settings.brokers)
	for _, n := range nodes {
		if n.Alive && n.Gateway != "" && !slices.Contains(brokers, n.Gateway) {
			brokers = append(brokers, n.Gateway)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = max(0, slices.Index(brokers, c.brokers[c.first]))
	c.brokers = brokers
	for address := range c.shunned { // any order
		if !slices.Contains(brokers, address) {
			delete(c.shunned, address)
		}
	}
}

// probe asks a broker for a sign of life, beside the caller. Without one, or when another leads what it led, all its connections
// are given up: what waits on them goes elsewhere. Where there is no other broker, waiting is all that can be done.
func (c *cluster) probe(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.brokers) < 2 || c.probing[address] {
		return
	}
	c.probing[address] = true
	go func() {
		err := c.doubt(address)
		if err != nil && c.closing.Err() == nil {
			c.shun(address, lifePatience)
			c.leave(address)
			c.end(fmt.Errorf("the broker at %s owes an answer: %w", address, err), func(a string) bool { return a == address })
		}
		c.mu.Lock()
		delete(c.probing, address)
		c.mu.Unlock()
	}()
}

// doubt returns nil if a broker gives a sign of life, and otherwise why it is to be given up.
func (c *cluster) doubt(address string) error {
	answered := make(chan error, 1)
	go func() { answered <- c.ping(address) }()
	ticker := time.NewTicker(lookPause)
	defer ticker.Stop()
	deposed := c.watch(address)
	for {
		select {
		case err := <-answered:
			return err
		case <-ticker.C:
			if deposed() {
				return errDeposed
			}
		}
	}
}

// errDeposed: another broker leads what one led that does not answer.
var errDeposed = errors.New("another broker leads what it led")

// ping waits for an answer of one broker.
func (c *cluster) ping(address string) error {
	ctx, cancel := context.WithTimeout(c.closing, lifePatience)
	defer cancel()
	conn, err := c.at(ctx, forCalls, address)
	if err != nil {
		return err
	}
	answered := make(chan error, 1)
	conn.send(&protocol.PingRequest{}, new(protocol.PingResponse), func(err error) { answered <- err })
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// elsewhere tells after which error another broker may do better.
func elsewhere(err error) bool {
	var refusal *protocol.Error
	if errors.As(err, &refusal) {
		return refusal.Retriable && refusal.Code != protocol.CodeThrottled
	}
	return errors.Is(err, errLost)
}

// hint returns the address that a refusal points to; empty if it points nowhere.
func hint(err error) string {
	var refusal *protocol.Error
	if errors.As(err, &refusal) && refusal.Code == protocol.CodeNotLeader {
		return refusal.Details.Gateway
	}
	return ""
}
