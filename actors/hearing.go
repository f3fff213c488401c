package actors

import (
	"errors"
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// hearing is what an answer of another broker tells beside its content: who leads the partition.
type hearing struct {
	leaders   *leaders
	partition id.Partition
	from      id.Node
}

// learn notes what an answer says of the leader.
func (h hearing) learn(term id.Term, err error) {
	var other *partitions.NotLeaderError
	switch {
	case errors.As(err, &other):
		h.leaders.learn(h.partition, other.Term, other.Leader)
	case err == nil:
		h.leaders.learn(h.partition, term, h.from)
	}
}

// fetched judges an answer of a replica on any broker: one of an earlier leader than has been heard of may show less than what
// was shown already, and is refused.
func (r *route) fetched(a partitions.FetchAnswer) partitions.FetchAnswer {
	if err := r.stale(a.Term, a.Err); err != nil {
		return partitions.FetchAnswer{Request: a.Request, Err: err}
	}
	return a
}

// listed is fetched for an answer about an offset.
func (r *route) listed(a partitions.OffsetAnswer) partitions.OffsetAnswer {
	if err := r.stale(a.Term, a.Err); err != nil {
		return partitions.OffsetAnswer{Request: a.Request, Err: err, Time: -1}
	}
	return a
}

// stale returns what a reader is told instead of an answer that an earlier leader gave; nil for any other answer. An error is
// one only where it tells what the log holds.
func (r *route) stale(term id.Term, err error) error {
	tells := err == nil || term != 0 && errors.Is(err, partitions.ErrOffsetOutOfRange)
	if seen := id.Term(r.seen.Load()); tells && term < seen {
		return fmt.Errorf("%v: the answer is of term %d, and term %d has begun: %w", r.partition, term, seen, partitions.ErrStaleLeader)
	}
	return nil
}

func (q *produceRequest) hear(r *frameReader, h hearing) error {
	a, err := r.produced()
	if err != nil {
		return err
	}
	h.learn(a.Term, a.Err)
	a.Request = q.Request
	q.answer(a)
	return nil
}

func (q *fetchRequest) hear(r *frameReader, h hearing) error {
	a, err := r.fetched()
	if err != nil {
		return err
	}
	h.learn(a.Term, a.Err)
	a.Request = q.Request
	q.answer(h.leaders.route(h.partition).fetched(a))
	return nil
}

func (q *offsetsRequest) hear(r *frameReader, h hearing) error {
	a, err := r.listed()
	if err != nil {
		return err
	}
	h.learn(a.Term, a.Err)
	a.Request = q.Request
	q.answer(h.leaders.route(h.partition).listed(a))
	return nil
}

func (q *deleteRequest) hear(r *frameReader, h hearing) error {
	a, err := r.deleted()
	if err != nil {
		return err
	}
	h.learn(a.Term, a.Err)
	a.Request = q.Request
	q.answer(a)
	return nil
}

func (q *describeRequest) hear(r *frameReader, h hearing) error {
	if refused := r.error(); refused != nil && !r.short {
		h.learn(0, refused)
		q.refuse(refused)
		return r.end("status")
	}
	s, err := r.status()
	if err != nil {
		return err
	}
	q.answer(s)
	return nil
}

func (q *foldRequest) hear(r *frameReader, h hearing) error {
	snapshot, refused, err := r.folded()
	if err != nil {
		return err
	}
	h.learn(0, refused)
	q.answer(snapshot, refused)
	return nil
}
