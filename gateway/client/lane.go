package client

import (
	"errors"
	"sync"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// errEnded is what a lane says whose topic is no more.
var errEnded = errors.New("lane ended")

// lane carries the records of one partition. Produce fills parcels under mu; the lane's goroutine, started by the first
// record, owns everything else and sends parcels in order.
type lane struct {
	client *Client
	topic  string
	life   id.TopicID
	number int32
	wake   chan struct{} // capacity 1: something changed under mu

	mu      sync.Mutex
	current *topic    // the newest state of the topic, for its leader
	open    *parcel   // being filled; nil: none
	full    []*parcel // closed, in order, not yet taken by the goroutine
	newest  *parcel   // the youngest parcel that is not finished
	answers []answer  // come, and not yet taken by the goroutine
	started bool
	ended   bool
	why     *protocol.Error // of the end; nil: the client was closed

	flight flight // the goroutine's
}

func newLane(c *Client, t *topic, number int32) *lane {
	l := &lane{client: c, topic: t.name, life: t.id, number: number, current: t, wake: make(chan struct{}, 1)}
	l.flight.lane = l
	return l
}

// append puts a record into the open parcel. It returns errEnded, or ErrClosed.
func (l *lane) append(t *topic, r *Record, callback func(*Record, error), size int) error {
	stamp := timestamp(r.Timestamp)
	limit := l.client.settings.batchBytes
	l.mu.Lock()
	if err := l.mayAppend(); err != nil {
		l.mu.Unlock()
		return err
	}
	wake := false
	if l.open != nil && l.open.builder.Size()+size > limit {
		l.closeOpen(t)
		wake = true
	}
	p := l.open
	if p == nil {
		p = l.client.parcels.Get().(*parcel)
		p.born = time.Now()
		l.open, l.newest, l.current = p, p, t
		wake = true
	}
	p.builder.Append(stamp, r.Key, r.Value, r.Headers)
	p.promises = append(p.promises, promise{r, callback})
	p.charged += int64(size)
	if p.builder.Size() >= limit {
		l.closeOpen(t)
		wake = true
	}
	l.mu.Unlock()
	if wake {
		l.nudge()
	}
	return nil
}

func (l *lane) mayAppend() error {
	switch {
	case l.ended && l.why == nil:
		return ErrClosed
	case l.ended:
		return errEnded
	case l.started:
		return nil
	}
	if !l.client.run(l.run) {
		l.ended = true
		return ErrClosed
	}
	l.started = true
	return nil
}

func (l *lane) closeOpen(t *topic) {
	l.full = append(l.full, l.open)
	l.open = nil
	t.moveOn(l.number)
}

// nudge makes the goroutine look.
func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// hurry lets nothing linger that is there now, and returns what is closed when all of it is settled; nil if nothing is
// there.
func (l *lane) hurry() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.newest == nil {
		return nil
	}
	if l.open != nil {
		l.open.hurried = true
	}
	if l.newest.finished == nil {
		l.newest.finished = make(chan struct{})
	}
	l.nudge()
	return l.newest.finished
}

// end lets everything fail, now and from now on.
func (l *lane) end(why *protocol.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended, l.why = true, why
		l.nudge()
	}
}

// take gives the goroutine the next parcel whose time has come. Otherwise it tells when to look again; zero: when woken.
func (l *lane) take(now time.Time) (p *parcel, later time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.full) > 0 {
		p = l.full[0]
		l.full[0] = nil
		l.full = l.full[1:]
		return p, time.Time{}
	}
	if l.open == nil {
		return nil, time.Time{}
	}
	due := l.open.born.Add(l.client.settings.linger)
	if due.After(now) && !l.open.hurried && !l.client.budget.short() {
		return nil, due
	}
	p = l.open
	l.open = nil
	l.current.moveOn(l.number)
	return p, time.Time{}
}

// takeAll gives the goroutine everything, at the end.
func (l *lane) takeAll() []*parcel {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.full
	if l.open != nil {
		all = append(all, l.open)
	}
	l.full, l.open = nil, nil
	return all
}

// answered is called by connections: it must not block.
func (l *lane) answered(a answer) {
	l.mu.Lock()
	l.answers = append(l.answers, a)
	l.mu.Unlock()
	l.nudge()
}

// takeAnswers gives the goroutine the answers that have come.
func (l *lane) takeAnswers() []answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers := l.answers
	l.answers = nil
	return answers
}

// waitingSince tells when the oldest parcel was born that take has not given out; zero: there is none.
func (l *lane) waitingSince() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.full) > 0:
		return l.full[0].born
	case l.open != nil:
		return l.open.born
	}
	return time.Time{}
}

// state tells where to send, and whether the lane has ended.
func (l *lane) state() (leader string, ended bool, why *protocol.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current.leader(l.number), l.ended, l.why
}

// topicNow returns the newest state of the topic.
func (l *lane) topicNow() *topic {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// finish keeps a parcel's promises and gives its memory back. base is the offset of its first record, or NoOffset.
func (l *lane) finish(p *parcel, base id.Offset, err error) {
	p.keep(l.number, base, err)
	l.client.budget.release(p.charged)
	l.mu.Lock()
	if l.newest == p {
		l.newest = nil
	}
	finished := p.finished
	l.mu.Unlock()
	if finished != nil {
		close(finished)
	}
	p.reset()
	l.client.parcels.Put(p)
}

// run is the lane's goroutine. It ends with the lane or the client.
func (l *lane) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, ended := l.flight.advance(time.Now())
		if ended {
			return
		}
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case <-l.wake:
		case <-timer.C:
		case <-l.client.closing.Done():
			l.end(nil)
		}
	}
}
