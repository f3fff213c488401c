package gateway

import "sync/atomic"

// gather calls then after a known number of completions, on the goroutine of the last one.
type gather struct {
	left atomic.Int32
	then func()
}

// newGather waits for n completions; for none, then is called at once.
func newGather(n int, then func()) *gather {
	g := &gather{then: then}
	g.left.Store(int32(n))
	if n == 0 {
		then()
	}
	return g
}

// done is one completion.
func (g *gather) done() {
	if g.left.Add(-1) == 0 {
		g.then()
	}
}
