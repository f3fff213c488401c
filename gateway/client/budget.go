package client

import (
	"context"
	"sync"
	"sync/atomic"
)

// budget bounds the bytes of records that are not delivered yet. Taking is one atomic step while there is room.
type budget struct {
	limit   int64
	used    atomic.Int64 // at most limit
	waiting atomic.Int32 // callers of take that found no room

	mu    sync.Mutex
	freed chan struct{} // closed, and replaced, when bytes came back while somebody waited
}

func newBudget(limit int64) *budget { return &budget{limit: limit, freed: make(chan struct{})} }

func (b *budget) try(n int64) bool {
	for {
		used := b.used.Load()
		if used+n > b.limit {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// take waits for room. hurry is called once if there is none: whoever holds bytes should not hold them for company.
func (b *budget) take(ctx, closing context.Context, n int64, hurry func()) error {
	if b.try(n) {
		return nil
	}
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	hurry()
	for {
		b.mu.Lock()
		freed := b.freed
		b.mu.Unlock()
		if b.try(n) {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		case <-closing.Done():
			return ErrClosed
		}
	}
}

// release gives bytes back.
func (b *budget) release(n int64) {
	b.used.Add(-n)
	if b.waiting.Load() > 0 {
		b.mu.Lock()
		close(b.freed)
		b.freed = make(chan struct{})
		b.mu.Unlock()
	}
}

// short tells whether somebody waits for room.
func (b *budget) short() bool { return b.waiting.Load() > 0 }
