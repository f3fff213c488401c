package simulation

import (
	"errors"
	"math/rand/v2"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// Consumer is a simulated client that reads: from the start, then at the tail, and now and then from somewhere else again.
type Consumer struct {
	world        *World
	client       *Client
	random       *rand.Rand
	number       int
	positions    []*position
	patience     time.Duration // how long it waits for an answer to a question
	decompressor batch.Decompressor
	// once makes it read every partition from its start to a given end, and then stop.
	once bool
}

// position is how far a consumer has come in one partition.
type position struct {
	topic  *Topic
	number int32
	next   id.Offset
	// term is the highest that an answer was of: those of earlier ones come from leaders that were deposed.
	term id.Term
	// damaged: a consumer of the last phase was told so, and reads no further.
	damaged bool
	// end is where a consumer of the last phase stops: -1 until it is known.
	end id.Offset
}

func newConsumer(w *World, number int) *Consumer {
	name := "consumer-" + string(rune('a'+number))
	return &Consumer{world: w, number: number, client: w.newClient(name), random: w.streams.Named(name), patience: w.options.Patience}
}

// Start begins to read, and goes on until the world stops its load.
func (c *Consumer) Start() { c.later(c.poll) }

func (c *Consumer) later(f func()) {
	c.world.scheduler.At(c.client.life, time.Duration(c.random.Int64N(int64(2*c.world.options.Pace))), f)
}

// poll asks for all partitions of some topic, or for the end of one of them.
func (c *Consumer) poll() {
	if !c.world.load && !c.once {
		return
	}
	t := c.world.topics[c.random.IntN(len(c.world.topics))]
	switch {
	case t.Deleted || !c.once && !c.world.plan.turn(c.client.name):
		c.later(c.poll)
	case chance(c.random, 15):
		c.ask(c.position(t, c.random.Int32N(t.Partitions)))
		c.later(c.poll)
	default:
		var asked []*position
		for n := range t.Partitions {
			p := c.position(t, n)
			if chance(c.random, 2) {
				p.next = id.Offset(c.random.Int64N(int64(p.next) + 1))
			}
			asked = append(asked, p)
		}
		c.fetch(asked, int32(c.random.IntN(1000)), func() { c.later(c.poll) })
	}
}

func (c *Consumer) position(t *Topic, number int32) *position {
	for _, p := range c.positions {
		if p.topic == t && p.number == number {
			return p
		}
	}
	p := &position{topic: t, number: number, end: -1}
	c.positions = append(c.positions, p)
	return p
}

func (c *Consumer) fetch(asked []*position, wait int32, done func()) {
	request := &protocol.FetchRequest{MinBytes: 1, MaxBytes: 1 << (8 + c.random.Int32N(12)), WaitMillis: wait}
	from := make([]id.Offset, len(asked))
	for i, p := range asked {
		from[i] = p.next
		request.Partitions = append(request.Partitions, protocol.FetchPartition{
			Topic: p.topic.Name, TopicID: p.topic.ID, Partition: p.number, Offset: p.next,
		})
	}
	invoked := c.world.scheduler.Now()
	patience := c.world.options.Patience + time.Duration(wait)*time.Millisecond
	c.client.Call(request, patience, func(m protocol.Message, err error) {
		if err != nil {
			c.world.answered(asked[0].topic, err)
		} else {
			for i, answer := range m.(*protocol.FetchResponse).Partitions {
				c.take(asked[i], from[i], invoked, &answer)
			}
		}
		done()
	})
}

// take records what one partition's answer holds, and moves on behind it.
func (c *Consumer) take(p *position, from id.Offset, invoked time.Duration, answer *protocol.FetchedPartition) {
	w := c.world
	damaged := answer.Err != nil && errors.Is(answer.Err, protocol.CodeDamaged)
	p.damaged = damaged && w.atlas.sole(p.partition()) != nil
	if answer.Term < p.term && (answer.Err == nil || answer.Term != 0) {
		w.marks.count(MarkStaleAnswer)
		return
	}
	if answer.Err != nil {
		w.refused(p.partition(), p.topic, answer.Err)
		c.client.moveOn()
		switch start := answer.Err.Details.LogStart; {
		case !errors.Is(answer.Err, protocol.CodeOffsetOutOfRange) || p.topic.Deleted:
		case from < start:
			w.marks.count(MarkTrimmedAway)
			w.polled(&Poll{
				Weak: w.several(), Client: c.number, Partition: p.partition(), Invoked: invoked, Completed: w.scheduler.Now(),
				Offset: start, LogStart: start, HighWatermark: answer.Err.Details.LogEnd, Term: answer.Term,
			})
			p.next = max(p.next, start)
		case w.unsettled():
			// A leader that was deposed and does not know it: its log may be shorter.
		case w.atlas.sole(p.partition()).excuses():
			p.next = min(p.next, answer.Err.Details.LogEnd)
		default:
			w.violate(violation("watermark-fell", "%s read %s/%d up to %d and is told now: %v",
				c.client.name, p.topic.Name, p.number, from, answer.Err))
		}
		if !damaged {
			return
		}
	}
	p.term = answer.Term
	poll := &Poll{
		Weak: w.several(), Client: c.number, Partition: id.Partition{Topic: p.topic.ID, Number: p.number}, Invoked: invoked, Completed: w.scheduler.Now(),
		Offset: from, LogStart: answer.LogStart, HighWatermark: answer.HighWatermark, Damaged: damaged, Term: answer.Term,
	}
	for _, b := range answer.Batches {
		records, err := c.decompressor.Decode(nil, b, 1<<20)
		if err != nil {
			w.violate(violation("damage-served", "%s was served a batch of %s/%d that does not verify: %v",
				c.client.name, p.topic.Name, p.number, err))
			return
		}
		for _, r := range records {
			if r.Offset < from {
				continue // the first batch may begin below the offset asked for
			}
			v, ok := DecodeValue(r.Value)
			if !ok {
				w.violate(violation("damage-served", "offset %d of %s/%d is not what anybody wrote", r.Offset, p.topic.Name, p.number))
				return
			}
			poll.Records = append(poll.Records, Seen{r.Offset, v, r.Timestamp, records[0].Offset, newest(records)})
		}
	}
	w.polled(poll)
	if n := len(poll.Records); n > 0 && p.next == from {
		p.next = poll.Records[n-1].Offset + 1
	}
}

// ReadAll reads every partition of every living topic from its start to the end that it has now, asking until it is answered.
func (c *Consumer) ReadAll() {
	c.once = true
	for _, t := range c.world.topics {
		for n := range t.Partitions {
			if !t.Deleted {
				p := c.position(t, n)
				p.next = 0
				c.readOn(p)
			}
		}
	}
}

func (c *Consumer) readOn(p *position) {
	again := func() { c.later(func() { c.readOn(p) }) }
	switch {
	case p.damaged:
	case p.end < 0:
		c.list(p, func(end id.Offset) { p.end = end })
		again()
	case p.next < p.end:
		c.fetch([]*position{p}, 0, again)
	}
}

// settled tells that everything was read to its end.
func (c *Consumer) settled() bool {
	for _, p := range c.positions {
		if !p.topic.Deleted && !p.damaged && (p.end < 0 || p.next < p.end) {
			return false
		}
	}
	return true
}
