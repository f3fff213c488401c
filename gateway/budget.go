package gateway

import "sync"

// budget bounds the bytes that the requests of all connections hold together: frames from their first byte on, and what
// their responses may take.
//
// Frames wait for room in the order in which they asked, their sockets unread meanwhile; responses do not wait, they are
// refused (THROTTLED). A frame takes its room in steps, as its bytes come, so that announcing much costs the announcer
// nothing. Frames that hold a part and wait for more could therefore wait for one another for ever: one of them at a time
// may overdraw the budget and finish. What is held is at most limit and one frame.
type budget struct {
	limit int
	short func() // called, without the lock, when something found no room

	mu        sync.Mutex
	used      int
	overdrawn *hold     // the frame that may go beyond limit; nil: none
	waiting   []*waiter // in the order they came
}

// hold is what one request has of a budget.
type hold struct {
	budget *budget
	bytes  int // under budget.mu
}

// waiter is a frame that waits for room.
type waiter struct {
	hold    *hold
	more    int
	granted chan struct{} // closed under budget.mu
}

func newBudget(limit int) *budget { return &budget{limit: limit, short: func() {}} }

func (b *budget) hold() *hold { return &hold{budget: b} }

// try takes n bytes more if they are there and no frame waits for room.
func (h *hold) try(n int) bool {
	b := h.budget
	b.mu.Lock()
	there := len(b.waiting) == 0 && b.used+n <= b.limit
	if there {
		h.add(n)
	}
	b.mu.Unlock()
	if !there {
		b.short()
	}
	return there
}

// wait takes n bytes more as soon as it is their turn. It returns false if gone is closed before.
func (h *hold) wait(n int, gone <-chan struct{}) bool {
	b := h.budget
	b.mu.Lock()
	w := &waiter{hold: h, more: n, granted: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.grant()
	b.mu.Unlock()
	select {
	case <-w.granted:
		return true
	case <-gone:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-w.granted: // both happened; what was taken goes back with the rest of the hold
	default:
		b.drop(w)
		b.grant()
	}
	return false
}

// giveBack returns n bytes.
func (h *hold) giveBack(n int) {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	h.add(-n)
	b.grant()
}

// release returns everything; again does nothing.
func (h *hold) release() {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	h.add(-h.bytes)
	if b.overdrawn == h {
		b.overdrawn = nil
	}
	b.grant()
}

// add changes what the hold has. The lock is held.
func (h *hold) add(n int) {
	h.bytes += n
	h.budget.used += n
}

// grant lets in the frames whose turn it is: from the front while there is room, and the first that has begun already if
// nobody overdraws. The lock is held.
func (b *budget) grant() {
	for len(b.waiting) > 0 && b.used+b.waiting[0].more <= b.limit {
		b.give(b.waiting[0])
	}
	for _, w := range b.waiting {
		if b.overdrawn == w.hold || b.overdrawn == nil && w.hold.bytes > 0 {
			b.overdrawn = w.hold
			b.give(w)
			return
		}
	}
}

// give lets in a frame that waits. The lock is held.
func (b *budget) give(w *waiter) {
	b.drop(w)
	w.hold.add(w.more)
	close(w.granted)
}

// drop takes a frame out of the queue. The lock is held.
func (b *budget) drop(w *waiter) {
	for i := range b.waiting {
		if b.waiting[i] == w {
			b.waiting = append(b.waiting[:i], b.waiting[i+1:]...)
			return
		}
	}
}
