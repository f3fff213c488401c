package simulation

import (
	"math/rand/v2"
	"time"
)

// Wire is one connection between a client and the broker. Payloads arrive in the order in which they were sent, each late by
// a drawn delay, until the wire is cut: then what was on its way is gone, and both ends learn of it.
type Wire struct {
	scheduler *Scheduler
	random    *rand.Rand
	life      *Life
	client    *Life
	host      *Life // the broker's: what arrives while it is paused waits
	up, down  lane
	// hungUp tells the client that the wire was cut, torn the broker.
	hungUp, torn func()
}

// lane is one direction of a wire.
type lane struct {
	queue   [][]byte
	arrives func(payload []byte)
}

// slowestWire bounds the delay of one payload.
const slowestWire = 5 * time.Millisecond

// Send puts a payload of the client's on its way to the broker.
func (w *Wire) Send(payload []byte) { w.put(&w.up, payload) }

// Answer puts a payload of the broker's on its way to the client.
func (w *Wire) Answer(payload []byte) { w.put(&w.down, payload) }

func (w *Wire) put(l *lane, payload []byte) {
	if w.life.over {
		return
	}
	l.queue = append(l.queue, payload)
	w.scheduler.At(w.life, w.delay(), func() { w.arrive(l) })
}

func (w *Wire) arrive(l *lane) {
	if l == &w.up && w.host.paused {
		w.host.hold(w.life, func() { w.arrive(l) })
		return
	}
	head := l.queue[0]
	l.queue = l.queue[1:]
	l.arrives(head)
}

func (w *Wire) delay() time.Duration { return time.Duration(w.random.Int64N(int64(slowestWire))) }

// Cut ends the wire. The broker learns of it at once, the client a little later; each once.
func (w *Wire) Cut() {
	if w.life.over {
		return
	}
	w.life.over = true
	w.up.queue, w.down.queue = nil, nil
	if w.host.paused {
		w.host.hold(w.host, w.torn)
	} else {
		w.torn()
	}
	w.scheduler.At(w.client, w.delay(), w.hungUp)
}
