package membership

import (
	"errors"
	"time"

	"github.com/hashicorp/serf/serf"
)

// door is what serf asks whom to take in: about everyone at once when two exchange what they know for the first time, and
// about each alone whenever something is heard of it. Memberlist's locks are held: nothing here calls serf.
type door struct{ c *Cluster }

// NotifyMerge refuses with an error. Of many it refuses all for one foreigner, so that no gossip of two clusters mixes; who
// else among them is refused is found when each is taken in.
func (d door) NotifyMerge(members []*serf.Member) error {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	for _, s := range members {
		if err := d.c.admit(*s, len(members) == 1); err != nil {
			return err
		}
	}
	return nil
}

// admit judges one member; the caller holds mu. Alone says that it is about this one only.
func (c *Cluster) admit(s serf.Member, alone bool) error {
	heard, err := memberOf(s)
	a := admission{self: c.self, known: c.known.Load()}
	a.self.Cluster, a.self.Epoch = c.met, c.metEpoch
	if err == nil {
		err = a.cluster(heard)
	}
	if err != nil {
		c.note(Problem{Member: heard, Err: err, Stop: errors.Is(err, ErrEpoch) && a.superseded(heard)})
		return err
	}
	if heard.Node == c.self.Node {
		c.reflect(a, heard)
		return nil // for memberlist to refute
	}
	if err := a.start(heard); err != nil && alone && !c.succeeded(heard) {
		if errors.Is(err, ErrContested) {
			c.contest(heard, err)
		} else {
			c.note(Problem{Member: heard, Err: err})
		}
		return err
	}
	c.describe(heard)
	if c.met == 0 && heard.Cluster != 0 {
		if c.founding {
			return errors.New("a cluster is being created here")
		}
		c.met, c.metEpoch = heard.Cluster, heard.Epoch
		signal(c.look)
	}
	return nil
}

// reflect notes what is heard about this very node; the caller holds mu.
func (c *Cluster) reflect(a admission, heard Member) {
	if c.self.Gossip == "" {
		return // serf is being created: this is our own first word
	}
	now := time.Now()
	if heard.Gossip != c.self.Gossip {
		if now.Sub(c.heardLast) > c.options.Pace.Patience/2 {
			c.heardFirst = now
		}
		c.heardLast = now
	}
	lasting := now.Sub(c.heardFirst) >= c.options.Pace.Patience
	if p, found := a.mirror(heard, lasting, now.Sub(c.began) < c.options.Pace.Patience); found {
		c.note(p)
	}
}
