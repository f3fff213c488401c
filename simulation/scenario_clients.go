package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"troupe/partitions/id"
)

func (w *words) producing() (action, error) {
	to, err := w.partition()
	if err != nil {
		return nil, err
	}
	if !w.word("every") {
		return nil, errors.New("how often?")
	}
	every, err := w.duration("how often", time.Millisecond)
	lasts, through := mostTime, someone(nil)
	if err == nil && w.word("for") {
		lasts, err = w.duration("how long", 0)
	}
	if err == nil && w.word("through") {
		through, err = w.broker()
	}
	return func(p *script) error {
		producer := newProducer(p.world, len(p.world.producers), producingIdempotent)
		p.world.producers = append(p.world.producers, producer)
		if through != nil {
			at, err := through(p)
			if err != nil {
				return err
			}
			producer.client.home = at[0]
		}
		until := p.world.scheduler.Now() + lasts
		producer.ready(func() { producer.pour(p.streams(producer, to), every, until) })
		return nil
	}, err
}

// streams are what a producer sends to partitions.
func (p *script) streams(producer *Producer, to partition) []*stream {
	var all []*stream
	for _, at := range to.in(p) {
		all = append(all, producer.stream(p.topics[to.topic], at.Number))
	}
	return all
}

func (w *words) consuming() (action, error) {
	from, err := w.partition()
	return func(p *script) error {
		c := newConsumer(p.world, len(p.world.consumers))
		p.world.consumers = append(p.world.consumers, c)
		c.follow(p.topics[from.topic], from.in(p))
		return nil
	}, err
}

// patience is how long a line waits for what it cannot do without.
const patience = 30 * time.Second

// trimming deletes everything that is there so far, once a broker says that it did.
func (w *words) trimming() (action, error) {
	what, err := w.partition()
	return func(p *script) error {
		t := newTrimmer(p.world)
		for _, at := range what.in(p) {
			topic, known := p.topics[what.topic], len(p.world.history.Trims)
			trimmed := func() bool {
				return slices.ContainsFunc(p.world.history.Trims[known:], func(h *Trim) bool { return h.Completed != never })
			}
			var ask func()
			ask = func() {
				if !trimmed() {
					t.reader.list(t.reader.position(topic, at.Number), func(end id.Offset) { t.trim(topic, at.Number, end) })
					p.world.scheduler.At(t.client.life, p.world.options.Patience, ask)
				}
			}
			ask()
			if !p.wait(patience, trimmed) {
				return fmt.Errorf("nobody trims %v: %s", at, p.world.describe())
			}
		}
		return nil
	}, err
}

// pour sends a batch to each of several partitions again and again.
func (p *Producer) pour(to []*stream, every, until time.Duration) {
	if !p.world.load || p.world.scheduler.Now() > until {
		return
	}
	for _, s := range to {
		if len(s.window) < p.inFlight() {
			s.send()
		}
	}
	p.world.scheduler.At(p.client.life, every, func() { p.pour(to, every, until) })
}

// follow reads partitions from their starts, and what comes behind.
func (c *Consumer) follow(t *Topic, all []id.Partition) {
	if !c.world.load {
		return
	}
	var asked []*position
	for _, at := range all {
		asked = append(asked, c.position(t, at.Number))
	}
	c.fetch(asked, 200, func() { c.later(func() { c.follow(t, all) }) })
}
