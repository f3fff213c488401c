package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
)

const tickTime = partitions.TickMillis * time.Millisecond

// ticker is the actor behind every replica's ticks: one timer for the whole broker. A partition whose replica is idle
// costs a look at one word.
type ticker struct {
	*stage
	board  *board
	herald *herald
	cancel func()
}

// Receive handles the timer.
func (t *ticker) Receive(c actor.Context) {
	defer t.rescue("ticker", func(error) {})
	switch c.Message().(type) {
	case *actor.Started:
		t.cancel = t.later(tickTime, c.Self(), beat{})
	case beat:
		t.cancel = t.later(tickTime, c.Self(), beat{})
		t.tick()
	case *actor.Stopping:
		t.cancel()
	}
}

// tick tells every replica that needs it, and every courier that something waits at.
func (t *ticker) tick() {
	for _, a := range t.board.view.Load().order {
		if a.ticking.Load() {
			t.send(a.pid, tick{})
		}
	}
	t.herald.beat()
	for _, p := range t.peers.order() {
		if p.busy.Load() {
			t.send(p.pid, flush{})
		}
	}
}
