package actors

import (
	"fmt"
	"time"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// Refresh completes when Catalog() shows at least what the catalog's leader had applied when this was called: a topic that is
// not in it then is unknown, and was not only created through another broker a moment ago. The error says that it cannot be
// told whether the catalog known here is behind: partitions.ErrNotReady, ErrThrottled, or ErrUnavailable where the broker stops.
func (r *Router) Refresh(done func(error)) {
	if r.stage.seams.Peers == nil { // nobody else could know more
		done(nil)
		return
	}
	r.order(&refreshOrder{done: done})
}

// refreshing is the catalog's actor's part in that: the catalog's leader is asked how far it is, and the answer waited for
// until this broker is as far.
//
// Invariants: one question at most is under way; an order waits for a question that began after it, so that those who come
// meanwhile share the next one. Each is completed in the order they came, unless it is refused.
type refreshing struct {
	orders []*refreshOrder // in the order they came
	asks   bool            // a question is under way
	timed  bool            // the first of the orders is watched: it waits no longer than ForwardWait
}

type refreshOrder struct {
	done    func(error)
	since   id.Timestamp
	asked   bool // a question that began after it
	known   bool // what that one was answered is in version
	version id.Offset
}

func (o *refreshOrder) begin(c *curator) {
	o.since = c.seams.Clock.Now()
	c.refresh.orders = append(c.refresh.orders, o)
	c.inquire()
	c.watchRefresh()
}

func (o *refreshOrder) conclude(*curator, catalog.Result, error) {}

func (o *refreshOrder) refuse(err error) {
	if done := o.done; done != nil {
		o.done = nil
		done(err)
	}
}

// inquire asks the catalog's leader how far it is, for everyone who was not asked for yet. It answers for a quorum.
func (c *curator) inquire() {
	r := &c.refresh
	if n := len(r.orders); r.asks || n == 0 || r.orders[n-1].asked {
		return
	}
	for _, o := range r.orders {
		o.asked = true
	}
	r.asks = true
	s, self := c.stage, c.self
	c.router.ListOffsets(catalog.Partition(), partitions.ListOffsets{At: partitions.OffsetLatest},
		func(a partitions.OffsetAnswer) { s.send(self, newest{answer: a}) })
}

// learn takes the answer. Who leads the catalog, or that nobody does, is no concern of those who asked for something else.
func (c *curator) learn(a partitions.OffsetAnswer) {
	c.refresh.asks = false
	concerned := func(o *refreshOrder) bool { return o.asked && !o.known }
	if a.Err != nil {
		c.end(concerned, fmt.Errorf("%w: what is known here may be behind the catalog: %v", partitions.ErrNotReady, a.Err))
	}
	for _, o := range c.refresh.orders {
		if concerned(o) {
			o.known, o.version = true, a.Offset
		}
	}
	c.refreshed()
	c.inquire()
}

// refreshed completes those who see by now what they waited for.
func (c *curator) refreshed() {
	if len(c.refresh.orders) > 0 {
		shown := c.board.view.Load().state.Version
		c.end(func(o *refreshOrder) bool { return o.known && o.version <= shown }, nil)
	}
}

// expire refuses those who have waited for too long.
func (c *curator) expire() {
	c.refresh.timed = false
	before := c.seams.Clock.Now() - millis(c.limits.ForwardWait)
	c.end(func(o *refreshOrder) bool { return o.since <= before },
		fmt.Errorf("%w: what is known here is behind the catalog, or the catalog does not answer", partitions.ErrNotReady))
	c.watchRefresh()
}

// watchRefresh sees to it that the first of the orders does not wait for too long.
func (c *curator) watchRefresh() {
	r := &c.refresh
	if r.timed || len(r.orders) == 0 {
		return
	}
	r.timed = true
	passed := c.seams.Clock.Now() - r.orders[0].since
	c.later(c.limits.ForwardWait-time.Duration(passed)*time.Millisecond, c.self, outdated{})
}

// end completes some of the orders.
func (c *curator) end(which func(*refreshOrder) bool, why error) {
	var ended, rest []*refreshOrder
	for _, o := range c.refresh.orders {
		if which(o) {
			ended = append(ended, o)
		} else {
			rest = append(rest, o)
		}
	}
	c.refresh.orders = rest
	for _, o := range ended {
		c.safely(func() { o.refuse(why) })
	}
}
