package simulation

import (
	"errors"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// ask puts one of the questions that a consumer may have besides its records, and forgets about it.
func (c *Consumer) ask(p *position) {
	switch c.random.IntN(5) {
	case 0:
		c.list(p, func(id.Offset) {})
	case 1:
		c.earliest(p)
	case 2:
		c.search(p)
	case 3:
		c.describe(p.topic)
	default:
		c.metadata()
	}
}

// list asks where a partition ends; found is called only with an answer.
func (c *Consumer) list(p *position, found func(id.Offset)) {
	c.offsets(p, protocol.OffsetLatest, protocol.NoTimestamp, func(invoked time.Duration, l *protocol.ListedOffset) {
		c.told(p, invoked, l.Term, l.LogStart, l.Offset, false)
		lists := c.world.history.Lists
		lists[len(lists)-1].Exact = true
		found(l.Offset)
	})
}

func (c *Consumer) told(p *position, invoked time.Duration, term id.Term, earliest, latest id.Offset, weak bool) {
	c.world.history.Lists = append(c.world.history.Lists, &List{
		Weak: weak, Term: term, Client: c.number, Partition: p.partition(), Invoked: invoked, Completed: c.world.scheduler.Now(),
		Earliest: earliest, Latest: latest,
	})
}

// earliest asks where a partition begins. Nobody confirms leadership for that, so among several brokers the answer is weak.
func (c *Consumer) earliest(p *position) {
	c.offsets(p, protocol.OffsetEarliest, protocol.NoTimestamp, func(invoked time.Duration, l *protocol.ListedOffset) {
		if l.Offset != l.LogStart || l.Offset > l.HighWatermark {
			c.world.violate(violation("inconsistent-answer", "%s asked where %v begins and is told %d, with log start %d and high watermark %d",
				c.client.name, p.partition(), l.Offset, l.LogStart, l.HighWatermark))
		}
		c.told(p, invoked, l.Term, l.Offset, l.HighWatermark, c.world.several())
	})
}

// search asks for the first batch since some time of the run, or a little after now.
func (c *Consumer) search(p *position) {
	w := c.world
	now := w.scheduler.rightNow()
	at := epoch + id.Timestamp(c.random.Int64N(int64(now-epoch)+200))
	c.offsets(p, protocol.OffsetAtTime, at, func(invoked time.Duration, l *protocol.ListedOffset) {
		if l.Time == protocol.NoTimestamp {
			w.marks.count(MarkNothingSince)
		} else {
			w.marks.count(MarkFoundByTime)
		}
		w.history.Searches = append(w.history.Searches, &Search{
			Weak: w.several(), Term: l.Term, Client: c.number, Partition: p.partition(), Invoked: invoked, Completed: w.scheduler.Now(),
			At: at, Offset: l.Offset, Newest: l.Time, HighWatermark: l.HighWatermark,
		})
	})
}

func (c *Consumer) offsets(p *position, at protocol.OffsetAt, since id.Timestamp, found func(time.Duration, *protocol.ListedOffset)) {
	w := c.world
	request := &protocol.ListOffsetsRequest{Partitions: []protocol.OffsetPartition{{
		Topic: p.topic.Name, TopicID: p.topic.ID, Partition: p.number, At: at, Time: since,
	}}}
	invoked := w.scheduler.Now()
	c.client.Call(request, c.patience, func(m protocol.Message, err error) {
		if err != nil {
			w.answered(p.topic, err)
			return
		}
		answer := &m.(*protocol.ListOffsetsResponse).Partitions[0]
		if answer.Err != nil {
			p.damaged = errors.Is(answer.Err, protocol.CodeDamaged) && w.atlas.sole(p.partition()) != nil
			w.refused(p.partition(), p.topic, answer.Err)
			c.client.moveOn()
			return
		}
		if at != protocol.OffsetLatest && answer.Term < p.term {
			return // it was deposed: clients discard that, unless a majority has confirmed it
		}
		p.term = max(p.term, answer.Term)
		found(invoked, answer)
	})
}

// describe asks for everything about a topic. What a partition that is ready shows as its end is a promise.
func (c *Consumer) describe(t *Topic) {
	w := c.world
	invoked := w.scheduler.Now()
	c.client.Call(&protocol.DescribeTopicRequest{Topic: t.Name, TopicID: t.ID}, w.options.Patience, func(m protocol.Message, err error) {
		if err != nil {
			w.answered(t, err)
			return
		}
		r := m.(*protocol.DescribeTopicResponse)
		if r.TopicID != t.ID || r.Topic != t.Name || len(r.Partitions) != int(t.Partitions) {
			w.violate(violation("topic-lost", "%s (%v) with %d partitions is described as %+v", t.Name, t.ID, t.Partitions, r))
			return
		}
		for _, d := range r.Partitions {
			if p := c.position(t, d.Partition); d.Ready && d.Term >= p.term {
				p.term = d.Term
				c.told(p, invoked, d.Term, d.LogStart, d.HighWatermark, w.several())
			}
		}
	})
}

// metadata asks for all topics and compares them with what the clients know.
func (c *Consumer) metadata() {
	known, gone := len(c.world.topics), map[*Topic]bool{}
	for _, t := range c.world.topics {
		gone[t] = t.Gone
	}
	c.client.Call(&protocol.MetadataRequest{}, c.world.options.Patience, func(m protocol.Message, err error) {
		if err == nil && !c.world.unsettled() {
			c.world.compareTopics(m.(*protocol.MetadataResponse), c.world.topics[:known], func(t *Topic) bool { return gone[t] })
		}
	})
}

// compareTopics holds a list of all topics to those that the clients knew when they asked for it. Gone tells which were
// certainly deleted by then.
func (w *World) compareTopics(r *protocol.MetadataResponse, known []*Topic, gone func(*Topic) bool) {
	listed := map[id.TopicID]protocol.MetadataTopic{}
	for _, t := range r.Topics {
		listed[t.TopicID] = t
	}
	for _, t := range known {
		l, there := listed[t.ID]
		switch {
		case gone(t) && there:
			w.violate(violation("topic-undead", "%s (%v) was deleted and is listed", t.Name, t.ID))
		case !t.Deleted && (!there || l.Topic != t.Name || len(l.Partitions) != int(t.Partitions)):
			w.violate(violation("topic-lost", "%s (%v) with %d partitions was created and is listed as %+v", t.Name, t.ID, t.Partitions, l))
		}
	}
}

func (p *position) partition() id.Partition { return id.Partition{Topic: p.topic.ID, Number: p.number} }

// newest is the largest time of a batch's records.
func newest(records []batch.Record) id.Timestamp {
	most := records[0].Timestamp
	for _, r := range records {
		most = max(most, r.Timestamp)
	}
	return most
}
