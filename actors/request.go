package actors

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// request is something a partition was asked. Its completion is called by the first answer or refusal; any that comes after
// is dropped, so that whoever ends a partition can refuse all it finds without knowing how far each of them got.
type request interface {
	// number tells it from every other request of its partition.
	number() partitions.Request
	// hand gives the request to a serving replica; the answer comes through the outbox.
	hand(r *partitions.Replica, now id.Timestamp)
	// lost returns what to refuse it with when its replica ended for why, after hand.
	lost(why error) error
	// refuse completes the request with an error.
	refuse(err error)
}

// traveller is what a request has that may go to another broker.
type traveller struct {
	// journey is asked before the request is completed: it may go on elsewhere. nil: it goes nowhere else.
	journey *journey
}

func (t *traveller) travel(j *journey) { t.journey = j }

type produceRequest struct {
	partitions.Produce
	traveller
	done func(partitions.ProduceAnswer)
}

func (q *produceRequest) number() partitions.Request { return q.Request }

func (q *produceRequest) renumber(n partitions.Request) { q.Request = n }

func (q *produceRequest) hand(r *partitions.Replica, now id.Timestamp) { r.Produce(q.Produce, now) }

// lost: the batch was proposed, and may yet be found in the log. Nothing else that why unwraps to may be believed.
func (q *produceRequest) lost(why error) error {
	return fmt.Errorf("%w: %v", partitions.ErrOutcomeUnknown, why)
}

func (q *produceRequest) answer(a partitions.ProduceAnswer) {
	if q.journey.resumes(q, a.Err) {
		return
	}
	if done := q.done; done != nil {
		q.done = nil
		done(a)
	}
}

func (q *produceRequest) refuse(err error) {
	q.answer(partitions.ProduceAnswer{Request: q.Request, Err: err, Base: -1, AppendTime: -1})
}

type fetchRequest struct {
	partitions.Fetch
	traveller
	done func(partitions.FetchAnswer)
	// reading is set while the pool reads for it: giving up no longer shortens the wait.
	reading bool
}

func (q *fetchRequest) number() partitions.Request { return q.Request }

func (q *fetchRequest) renumber(n partitions.Request) { q.Request = n }

func (q *fetchRequest) hand(r *partitions.Replica, now id.Timestamp) { r.Fetch(q.Fetch, now) }

func (q *fetchRequest) lost(why error) error { return why }

func (q *fetchRequest) answer(a partitions.FetchAnswer) {
	if q.journey.resumes(q, a.Err) {
		return
	}
	if done := q.done; done != nil {
		q.done = nil
		done(a)
	}
}

func (q *fetchRequest) refuse(err error) {
	q.answer(partitions.FetchAnswer{Request: q.Request, Err: err})
}

type offsetsRequest struct {
	partitions.ListOffsets
	traveller
	done func(partitions.OffsetAnswer)
}

func (q *offsetsRequest) number() partitions.Request { return q.Request }

func (q *offsetsRequest) renumber(n partitions.Request) { q.Request = n }

func (q *offsetsRequest) hand(r *partitions.Replica, _ id.Timestamp) { r.ListOffsets(q.ListOffsets) }

func (q *offsetsRequest) lost(why error) error { return why }

func (q *offsetsRequest) answer(a partitions.OffsetAnswer) {
	if q.journey.resumes(q, a.Err) {
		return
	}
	if done := q.done; done != nil {
		q.done = nil
		done(a)
	}
}

func (q *offsetsRequest) refuse(err error) {
	q.answer(partitions.OffsetAnswer{Request: q.Request, Err: err, Time: -1})
}

type deleteRequest struct {
	partitions.DeleteRecords
	traveller
	done func(partitions.DeleteAnswer)
}

func (q *deleteRequest) number() partitions.Request { return q.Request }

func (q *deleteRequest) renumber(n partitions.Request) { q.Request = n }

func (q *deleteRequest) hand(r *partitions.Replica, now id.Timestamp) {
	r.DeleteRecords(q.DeleteRecords, now)
}

// lost: as for a produce.
func (q *deleteRequest) lost(why error) error {
	return fmt.Errorf("%w: %v", partitions.ErrOutcomeUnknown, why)
}

func (q *deleteRequest) answer(a partitions.DeleteAnswer) {
	if q.journey.resumes(q, a.Err) {
		return
	}
	if done := q.done; done != nil {
		q.done = nil
		done(a)
	}
}

func (q *deleteRequest) refuse(err error) {
	q.answer(partitions.DeleteAnswer{Request: q.Request, Err: err})
}

// describeRequest is answered in every phase of a partition's life, by its shell.
type describeRequest struct {
	traveller
	request   partitions.Request
	partition id.Partition
	replica   id.Replica // 0: it was asked for no certain one
	done      func(partitions.Status)
}

func (q *describeRequest) number() partitions.Request { return q.request }

func (q *describeRequest) renumber(n partitions.Request) { q.request = n }

func (q *describeRequest) hand(r *partitions.Replica, _ id.Timestamp) { q.answer(r.Status()) }

func (q *describeRequest) lost(why error) error { return why }

func (q *describeRequest) answer(s partitions.Status) {
	if done := q.done; done != nil {
		q.done = nil
		done(s)
	}
}

func (q *describeRequest) refuse(err error) {
	if q.journey.resumes(q, err) {
		return
	}
	q.answer(partitions.Status{
		Partition: q.partition, Replica: q.replica, Role: partitions.RoleStopped, Problem: err.Error(),
	})
}

// foldRequest asks for the catalog's whole state. Only other brokers are asked: this one knows its own.
type foldRequest struct {
	traveller
	done func(snapshot []byte, err error)
}

func (q *foldRequest) number() partitions.Request { return 0 }

func (q *foldRequest) renumber(partitions.Request) {}

func (q *foldRequest) hand(*partitions.Replica, id.Timestamp) {}

func (q *foldRequest) lost(why error) error { return why }

func (q *foldRequest) answer(snapshot []byte, err error) {
	if q.journey.resumes(q, err) {
		return
	}
	if done := q.done; done != nil {
		q.done = nil
		done(snapshot, err)
	}
}

func (q *foldRequest) refuse(err error) { q.answer(nil, err) }

// giveUp ends the wait of a fetch. It has no completion of its own.
type giveUp struct{ fetch partitions.Request }

func (g giveUp) number() partitions.Request { return g.fetch }

func (g giveUp) hand(*partitions.Replica, id.Timestamp) {}

func (g giveUp) lost(why error) error { return why }

func (g giveUp) refuse(error) {}
