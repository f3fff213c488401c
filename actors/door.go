package actors

import (
	"errors"
	"sync"

	"troupe/partitions"
)

// door is where requests enter an actor: a bounded queue beside its mailbox. A mailbox is unbounded and drops what it
// holds when its actor stops; a door refuses when it is full, and when it closes it hands back everything that the actor
// has not taken. So no request is ever lost, and dead letters hold none.
//
// Anyone may enter; one actor takes.
type door[T any] struct {
	limit int
	// wake tells the actor that something waits. It is called once from the first entry until the next take.
	wake func()

	mu     sync.Mutex
	queue  []T
	woken  bool  // wake was called after the last take
	closed error // what to refuse with; nil: open
}

// enter queues a request. The error says why not: partitions.ErrThrottled when the door is full, otherwise what it was
// closed with. The caller then answers the request.
func (d *door[T]) enter(request T) error { return d.add(request, d.limit) }

// pass queues what must not be refused for lack of room because it ends something that was let in before.
func (d *door[T]) pass(request T) error { return d.add(request, int(^uint(0)>>1)) }

var errFull = errors.Join(partitions.ErrThrottled, errors.New("too many requests wait for this partition's actor"))

func (d *door[T]) add(request T, limit int) error {
	d.mu.Lock()
	if d.closed != nil {
		d.mu.Unlock()
		return d.closed
	}
	if len(d.queue) >= limit {
		d.mu.Unlock()
		return errFull
	}
	d.queue = append(d.queue, request)
	first := !d.woken
	d.woken = true
	d.mu.Unlock()
	if first {
		d.wake()
	}
	return nil
}

// take moves up to most requests into the empty slice into, in the order they came. If more wait, it wakes again.
func (d *door[T]) take(into []T, most int) []T {
	d.mu.Lock()
	n := min(most, len(d.queue))
	into = append(into, d.queue[:n]...)
	rest := copy(d.queue, d.queue[n:])
	clear(d.queue[rest:])
	d.queue = d.queue[:rest]
	d.woken = rest > 0
	d.mu.Unlock()
	if rest > 0 {
		d.wake()
	}
	return into
}

// close refuses from now on, with err, and returns everyone who still waits. A second close changes nothing.
func (d *door[T]) close(err error) []T {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed != nil {
		return nil
	}
	waiting := d.queue
	d.queue, d.closed = nil, err
	return waiting
}
