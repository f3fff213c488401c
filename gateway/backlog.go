package gateway

import (
	"fmt"
	"sync/atomic"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// backlog is where requests of a session wait that name what this broker's catalog does not have, until that is known to be as
// new as the cluster's was when they came; and whatever comes behind them, so that nothing overtakes them. Mostly it is empty.
//
// Invariants: while it is occupied, whoever is in proceed carries out all requests but Hello and Ping, in the order they came,
// one goroutine at a time; if nobody is, the first of the queue waits for a refresh. Receive alone occupies it.
type backlog struct {
	occupied atomic.Bool // read without, written under Session.mu like all the rest
	queue    []waiting
	asked    int // numbers the broker's refreshes
	awaited  int // the one that the first of the queue waits for; 0: it waits for none
	covered  int // how many of the queue had come before that one was asked for
}

// waiting is a request in the backlog.
type waiting struct {
	call    call
	bytes   int // reserved for its response
	request protocol.Message
	sure    bool  // it needs to wait for no refresh: one has come since
	doubt   error // what that one said
}

// waits puts a request into the backlog if it must wait; false: it may be carried out.
func (s *Session) waits(c call, bytes int, request protocol.Message, state *catalog.State) bool {
	switch request.(type) {
	case *protocol.HelloRequest, *protocol.PingRequest:
		return false // they have nothing to do with topics, and only Receive may greet
	}
	if !s.backlog.occupied.Load() && knows(state, request) {
		return false
	}
	s.mu.Lock()
	first := !s.backlog.occupied.Swap(true)
	s.backlog.queue = append(s.backlog.queue, waiting{call: c, bytes: bytes, request: request})
	s.mu.Unlock()
	if first {
		s.proceed()
	}
	return true
}

// proceed carries out what is in the backlog, until the first of it must wait or there is none.
func (s *Session) proceed() {
	for {
		s.mu.Lock()
		if len(s.backlog.queue) == 0 {
			s.backlog.queue = nil
			s.backlog.occupied.Store(false)
			s.mu.Unlock()
			return
		}
		w, state := s.backlog.queue[0], s.broker.Catalog()
		if !w.sure && !knows(state, w.request) {
			if number, asks := s.backlog.await(s.closed); asks {
				s.mu.Unlock()
				s.broker.Refresh(func(err error) { s.refreshed(number, err) })
				return
			}
			w = s.backlog.queue[0]
		}
		s.backlog.queue[0] = waiting{}
		s.backlog.queue = s.backlog.queue[1:]
		s.mu.Unlock()
		s.resume(w, state)
	}
}

// errLeft is what those are told who would wait for the catalog when the session closes.
var errLeft = fmt.Errorf("%w: the connection ends before the catalog's leader was asked", partitions.ErrNotReady)

// await has the queue wait for another refresh, for which the broker is to be asked; where the session closes nobody waits.
// Session.mu is held.
func (b *backlog) await(closed bool) (number int, asks bool) {
	b.covered = len(b.queue)
	if closed {
		b.settle(errLeft)
		return 0, false
	}
	b.asked++
	b.awaited = b.asked
	return b.awaited, true
}

// settle tells those who wait for a refresh what came of it. Session.mu is held.
func (b *backlog) settle(err error) {
	for i := range b.queue[:b.covered] {
		if w := &b.queue[i]; !w.sure {
			w.sure, w.doubt = true, err
		}
	}
	b.awaited, b.covered = 0, 0
}

// refreshed goes on after a refresh, unless that was given up.
func (s *Session) refreshed(number int, err error) {
	s.mu.Lock()
	due := number != 0 && s.backlog.awaited == number
	if due {
		s.backlog.settle(err)
	}
	s.mu.Unlock()
	if due {
		s.run(s.proceed)
	}
}

// resume carries out a request that has waited. What its response takes may be more than it was when the request came; the
// connection counts no more than Receive has told it.
func (s *Session) resume(w waiting, state *catalog.State) {
	if more := s.answerSize(w.request, state) - w.bytes; more > 0 && !w.call.hold.try(more) {
		w.call.refuse(s.exhausted())
		return
	}
	s.carryOut(w.call, w.request, sight{State: state, doubt: w.doubt})
}

// knows tells whether the catalog has everything that a request names, or may be told not to have it.
func knows(state *catalog.State, request protocol.Message) bool {
	switch r := request.(type) {
	case *protocol.ProduceRequest:
		t := state.Topic(id.Topic(r.Topic))
		if !is(t, r.TopicID) {
			return false
		}
		for i := range r.Partitions {
			if int(r.Partitions[i].Partition) >= len(t.Partitions) {
				return false
			}
		}
	case *protocol.FetchRequest:
		for i := range r.Partitions {
			if p := &r.Partitions[i]; !has(state, p.Topic, p.TopicID, p.Partition) {
				return false
			}
		}
	case *protocol.ListOffsetsRequest:
		for i := range r.Partitions {
			if p := &r.Partitions[i]; !has(state, p.Topic, p.TopicID, p.Partition) {
				return false
			}
		}
	case *protocol.DeleteRecordsRequest:
		for i := range r.Partitions {
			if p := &r.Partitions[i]; !has(state, p.Topic, p.TopicID, p.Partition) {
				return false
			}
		}
	case *protocol.MetadataRequest:
		for _, name := range r.Topics {
			if state.Topic(id.Topic(name)) == nil {
				return false
			}
		}
	case *protocol.AssignReplicasRequest:
		return has(state, r.Topic, r.TopicID, r.Partition)
	case *protocol.RecoverPartitionRequest:
		return has(state, r.Topic, r.TopicID, r.Partition)
	case *protocol.CompareReplicasRequest:
		return has(state, r.Topic, r.TopicID, r.Partition)
	case *protocol.DescribeTopicRequest:
		return is(state.Topic(id.Topic(r.Topic)), r.TopicID)
	case *protocol.AlterTopicRequest:
		return is(state.Topic(id.Topic(r.Topic)), r.TopicID)
	case *protocol.DeleteTopicRequest:
		return is(state.Topic(id.Topic(r.Topic)), r.TopicID)
	}
	return true
}

// is tells whether the topic that a name means here can be the one that is meant, or is a later one. Ids only grow: one that
// is higher belongs to a topic that this broker has not heard of.
func is(t *catalog.Topic, topic id.TopicID) bool { return t != nil && topic <= t.ID }

func has(state *catalog.State, name string, topic id.TopicID, number int32) bool {
	t := state.Topic(id.Topic(name))
	return is(t, topic) && int(number) < len(t.Partitions)
}
