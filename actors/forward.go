package actors

import (
	"fmt"
	"maps"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// forward is a request on its way to the broker that leads its partition, and its answer on the way back.
type forward struct {
	partition id.Partition
	request   forwarded
	frame     []byte // until it is sent
	number    uint64 // once it is sent
	beats     uint64 // that it waits for its answer; once it is sent, the beat at which it is given up
}

// prepare makes the forward of a request, unless it is larger than a frame.
func (p *peer) prepare(partition id.Partition, q forwarded) (*forward, error) {
	now := p.stage.seams.Clock.Now()
	f := &forward{partition: partition, request: q, frame: requestFrame(p.stage.life, partition, q, now)}
	wait := max(q.until()-now, 0)
	switch q.what() {
	case askFetch, askOffsets, askDescribe:
		wait += millis(p.stage.limits.ReadWait)
	default:
		wait += millis(p.stage.limits.ForwardWait)
	}
	f.beats = uint64(wait+partitions.TickMillis-1) / partitions.TickMillis
	if len(f.frame) > MaxFrameBytes {
		return nil, fmt.Errorf("%v: a request of %d bytes, broker %v takes %d: %w", partition, len(f.frame), p.node, MaxFrameBytes,
			partitions.ErrBatchTooLarge)
	}
	return f, nil
}

// pose asks a broker about a partition, or refuses the request.
func (p *peer) pose(partition id.Partition, q forwarded) {
	f, err := p.prepare(partition, q)
	if err != nil {
		q.refuse(err)
		return
	}
	p.ask(f)
}

// ask sends a request, or refuses it.
func (p *peer) ask(f *forward) {
	if !p.post(f) {
		f.request.refuse(fmt.Errorf("%v: too much waits for the link to broker %v: %w", f.partition, p.node, partitions.ErrThrottled))
	}
}

func (f *forward) weight() int64 { return int64(f.request.size() + requestHeader) }

func (f *forward) deliver(c *courier) {
	if len(c.asked) >= c.limits.Forwards {
		f.request.refuse(fmt.Errorf("%v: %d requests wait for broker %v: %w", f.partition, len(c.asked), c.peer.node,
			partitions.ErrThrottled))
		return
	}
	c.number++
	f.number = c.number
	frame := f.frame
	f.frame = nil
	setNumber(frame, f.number)
	if !c.dispatch(frame) {
		c.leaders.doubt(f.partition, c.peer.node)
		c.safely(func() { f.request.refuse(c.unlinked(f)) })
		return
	}
	f.beats += c.beats
	if len(c.asked) == 0 || f.beats < c.soonest {
		c.soonest = f.beats
	}
	c.asked[f.number] = f
}

func (c *courier) unlinked(f *forward) error {
	return fmt.Errorf("%v: broker %v cannot be reached: %w", f.partition, c.peer.node, partitions.ErrNotReady)
}

// waiver is the end of a forward's wait.
type waiver struct{ of *forward }

func (w waiver) weight() int64 { return 0 }

// deliver has the broker that was asked end it. One that was not asked yet is ended once more when it is: see journey.stay.
func (w waiver) deliver(c *courier) {
	if f := w.of; c.asked[f.number] == f {
		c.dispatch(cancelFrame(f.number))
	}
}

// arrival is an answer of the other broker's.
type arrival struct {
	question question
	body     frameReader
	bytes    int64
}

func (a *arrival) weight() int64 { return a.bytes }

// deliver completes the request that was asked. An answer that comes twice, too late or to an earlier life meets none.
func (a *arrival) deliver(c *courier) {
	f := c.asked[a.question.number]
	if f == nil || a.question.life != c.life || a.question.what != f.request.what() {
		return
	}
	delete(c.asked, f.number)
	c.safely(func() {
		if err := f.request.hear(&a.body, hearing{leaders: c.leaders, partition: f.partition, from: c.peer.node}); err != nil {
			f.request.refuse(f.lost(err))
		}
	})
}

// lost is what a request is told that was sent, and whose answer will never be known.
func (f *forward) lost(why error) error {
	return f.request.lost(fmt.Errorf("%v: %w: %v", f.partition, partitions.ErrNotReady, why))
}

// severed tells that the link has ended: answers that are under way are lost.
type severed struct{}

func (*severed) weight() int64 { return 0 }

func (*severed) deliver(c *courier) {
	c.drop()
	c.abandon(func(*forward) bool { return true }, fmt.Errorf("the link to broker %v has ended", c.peer.node))
}

// supersededBeats is how long the answer of a broker that leads no more is waited for: it is on its way, or never comes.
const supersededBeats = 4 // 200 ms

// supersede gives the requests little time whose partition another broker leads by now. The one that was asked may be dead
// without its link showing it, and while they wait nothing goes to the new leader: see route.
func (c *courier) supersede() {
	news := c.leaders.news.Load()
	if news == c.news {
		return
	}
	c.news = news
	for _, f := range c.asked { // any order
		if node, _ := c.leaders.leader(f.partition); node != 0 && node != c.peer.node {
			f.beats = min(f.beats, c.beats+supersededBeats)
			c.soonest = min(c.soonest, f.beats)
		}
	}
}

// expire ends what has waited for too long. It counts beats: a clock that is set back would make the wait longer.
func (c *courier) expire() {
	if len(c.asked) == 0 || c.beats < c.soonest {
		return
	}
	c.abandon(func(f *forward) bool { return f.beats <= c.beats }, fmt.Errorf("broker %v has not answered", c.peer.node))
	first := true
	for _, f := range c.asked { // any order: a minimum
		if first || f.beats < c.soonest {
			c.soonest, first = f.beats, false
		}
	}
}

// abandon completes those requests that were asked, in their order.
func (c *courier) abandon(which func(*forward) bool, why error) {
	for _, number := range slices.Sorted(maps.Keys(c.asked)) {
		f := c.asked[number]
		if !which(f) {
			continue
		}
		delete(c.asked, number)
		c.leaders.doubt(f.partition, c.peer.node)
		c.safely(func() { f.request.refuse(f.lost(why)) })
	}
}

// refuseAll completes everyone when the broker stops. What it answers others still leaves.
func (c *courier) refuseAll() {
	for _, what := range append(slices.Clone(c.taken[c.at:]), c.door.close(errStopped)...) {
		if f, ok := what.(*forward); ok {
			c.safely(func() { f.request.refuse(errStopped) })
			continue
		}
		what.deliver(c)
	}
	c.taken, c.at = nil, 0
	c.ship()
	c.abandon(func(*forward) bool { return true }, errStopped)
}
