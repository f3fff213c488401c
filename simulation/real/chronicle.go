package real

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
	"troupe/simulation"
)

// chronicle writes the history down while it happens, and measures how long partitions are without a leader.
type chronicle struct {
	began time.Time
	topic id.TopicID

	mu           sync.Mutex
	history      simulation.History
	value        simulation.Value
	acknowledged int
	records      int // read
	damaged      int // times that a client was told DAMAGED
	fall         *fall
	failovers    map[string][]time.Duration // by what was done to the leader
	broken       *simulation.Violation      // seen while it happened
	violated     func()                     // called with the first
}

// fall is what was done to a broker that led, until others acknowledge what it led.
type fall struct {
	how     string
	at      time.Duration
	waiting map[int32]bool
}

func newChronicle(violated func()) *chronicle {
	return &chronicle{began: time.Now(), failovers: map[string][]time.Duration{}, violated: violated}
}

// now is the time of the history: since it began, on a clock that nobody sets.
func (c *chronicle) now() time.Duration { return time.Since(c.began) }

// violate notes a broken promise; the first one counts.
func (c *chronicle) violate(invariant, evidence string) {
	c.mu.Lock()
	first := c.broken == nil
	if first {
		c.broken = &simulation.Violation{Invariant: invariant, Evidence: evidence}
	}
	c.mu.Unlock()
	if first {
		c.violated()
	}
}

// send begins the account of one record.
func (c *chronicle) send(client int, partition, sequence int32) *simulation.Send {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value++
	s := &simulation.Send{
		Client: client, Partition: id.Partition{Topic: c.topic, Number: partition}, Values: []simulation.Value{c.value},
		Producer: id.Producer(client), Sequence: sequence, Expected: protocol.NoOffset, Invoked: c.now(), Base: protocol.NoOffset, Tries: 1,
	}
	c.history.Sends = append(c.history.Sends, s)
	return s
}

// settle notes what the client library says has become of a record.
func (c *chronicle) settle(s *simulation.Send, base id.Offset, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Completed, s.Outcome = c.now(), outcomeOf(err)
	if s.Outcome != simulation.OutcomeAcknowledged {
		return
	}
	c.acknowledged++
	if err == nil {
		s.Base = base
	}
	if f := c.fall; f != nil && s.Invoked > f.at && f.waiting[s.Partition.Number] {
		if delete(f.waiting, s.Partition.Number); len(f.waiting) == 0 {
			c.failovers[f.how] = append(c.failovers[f.how], s.Completed-f.at)
			c.fall = nil
		}
	}
}

// refuse notes that the client library did not take a record.
func (c *chronicle) refuse(s *simulation.Send) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Completed, s.Outcome = c.now(), simulation.OutcomeFailed
}

// outcomeOf holds the client library to what its errors promise.
func outcomeOf(err error) simulation.Outcome {
	var refused *client.Error
	switch {
	case err == nil:
		return simulation.OutcomeAcknowledged
	case errors.Is(err, client.ErrOutcomeUnknown):
		return simulation.OutcomeUnknown
	case errors.Is(err, client.ErrDeliveryTimeout), errors.Is(err, client.ErrClosed), errors.Is(err, client.ErrUnreachable):
		return simulation.OutcomeFailed
	case errors.As(err, &refused):
		switch refused.Outcome() {
		case protocol.NotDone:
			return simulation.OutcomeFailed
		case protocol.Done:
			return simulation.OutcomeAcknowledged
		}
	}
	return simulation.OutcomeUnknown
}

// falls begins to measure how long the partitions that a broker leads acknowledge nothing, from now on.
func (c *chronicle) falls(how string, led []int32) {
	f := &fall{how: how, at: c.now(), waiting: map[int32]bool{}}
	for _, number := range led {
		f.waiting[number] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fall = nil
	if len(led) > 0 {
		c.fall = f
	}
}

// poll notes what one partition had for a consumer that expected offset next, and returns what it expects now. The client
// fetches ahead, so what it says of the end is held only to what it has said before.
func (c *chronicle) poll(reader int, invoked time.Duration, next id.Offset, f *client.Fetched) id.Offset {
	p := &simulation.Poll{
		Client: reader, Partition: id.Partition{Topic: c.topic, Number: f.Partition}, Invoked: invoked, Completed: c.now(), Offset: next,
		LogStart: f.LogStart, HighWatermark: f.HighWatermark, Weak: true,
	}
	for i := range f.Records {
		r := &f.Records[i]
		v, ok := simulation.DecodeValue(r.Value)
		if !ok {
			c.violate("damage-served", fmt.Sprintf("offset %d of %v is not what anybody wrote", r.Offset, p.Partition))
			return next
		}
		p.Records = append(p.Records, simulation.Seen{Offset: r.Offset, Value: v})
		next = r.Offset + 1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(f.Err, protocol.CodeDamaged) {
		c.damaged++
	}
	if len(p.Records) > 0 {
		c.records += len(p.Records)
		p.Records = slices.Clip(p.Records)
		c.history.Polls = append(c.history.Polls, p)
	}
	return next
}

// list notes an answer about where a partition ends.
func (c *chronicle) list(asker int, invoked time.Duration, l *protocol.ListedOffset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history.Lists = append(c.history.Lists, &simulation.List{
		Client: asker, Partition: id.Partition{Topic: c.topic, Number: l.Partition}, Invoked: invoked, Completed: c.now(),
		Earliest: l.LogStart, Latest: l.Offset, Exact: true,
	})
}
