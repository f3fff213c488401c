package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"troupe/gateway/client"
)

// trouble tells whoever waits for a produce why it does not go on: after a moment, since most trouble is over by then, and
// then now and again.
type trouble struct {
	out    io.Writer
	broker string
	now    func() time.Time

	mu    sync.Mutex
	since time.Time // of the first failed attempt after the last success; zero: there was none
	told  time.Time
}

// How long a failure lasts before it is told, and how long until it is told again.
const (
	troublePatience = time.Second
	troubleInterval = 10 * time.Second
)

// note takes a failed attempt that will be made again.
func (t *trouble) note(topic string, partition int32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if t.since.IsZero() {
		t.since = now
	}
	if now.Sub(t.since) < troublePatience || now.Sub(t.told) < troubleInterval {
		return
	}
	t.told = now
	reason := oneLine(err)
	if errors.Is(err, client.ErrUnreachable) {
		reason = "no broker answers at " + t.broker
	}
	fmt.Fprintf(t.out, "waiting to write to partition %d of topic %s: %s\n", partition, topic, reason)
}

// over takes a success.
func (t *trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = time.Time{}
}
