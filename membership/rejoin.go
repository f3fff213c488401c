package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The times between two attempts to join start here and double up to Pace.Rejoin; who is missing anew is tried at once.
const firstRejoin = 200 * time.Millisecond

// rejoin joins, for ever and again, the seeds and the known members that are not alive. Serf tries by itself only those that
// failed, one at a time and with luck; a seed that was never met, or left and is back, only we know.
func (c *Cluster) rejoin() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pause, missed := firstRejoin, 0
	for {
		missing, problems := c.missing(ctx)
		for _, address := range missing {
			if _, err := c.serf.Join([]string{address}, true); err != nil {
				problems = append(problems, joinError(address, err))
				c.mu.Lock()
				c.unreached(address)
				c.mu.Unlock()
			}
		}
		if len(missing) > missed || len(missing) == 0 {
			pause = firstRejoin
		}
		missed = len(missing)
		c.tried(problems)
		select {
		case <-c.closing:
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, c.options.Pace.Rejoin)
	}
}

// missing resolves the seeds and returns the addresses, each once, at which somebody should be who is not there.
func (c *Cluster) missing(ctx context.Context) (addresses []string, problems []error) {
	seeds, problems := resolve(ctx, c.options.Seeds)
	c.mu.Lock()
	c.seeds, seeds = seeds, slices.Clip(seeds)
	present := map[string]bool{c.self.Gossip: true}
	for _, m := range c.known.Load().Members() {
		if m.Alive && !c.succeeding(m) {
			present[m.Gossip] = true
		} else {
			seeds = append(seeds, seed{name: m.Gossip, addresses: []string{m.Gossip}})
		}
	}
	c.mu.Unlock()
	for _, s := range seeds {
		if slices.ContainsFunc(s.addresses, func(a string) bool { return present[a] }) {
			continue
		}
		for _, address := range s.addresses {
			if present[address] {
				continue
			}
			present[address] = true
			if c.keys == nil && !onLoopback(address) {
				problems = append(problems, fmt.Errorf("%s: %w", s.name, ErrNoSecret))
				continue
			}
			addresses = append(addresses, address)
		}
	}
	return addresses, problems
}

// tried keeps what an attempt to join everybody met.
func (c *Cluster) tried(problems []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var texts []string
	for _, err := range problems {
		texts = append(texts, err.Error())
		if errors.Is(err, ErrSecret) || errors.Is(err, ErrNoSecret) {
			c.note(Problem{Err: err})
		}
	}
	if c.options.Expect == 0 {
		c.waiting = "no seed answers yet"
		if len(texts) > 0 {
			c.waiting += ": " + strings.Join(texts, "; ")
		}
	}
	signal(c.look)
}
