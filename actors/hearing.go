package actors

import (
	"errors"

	"troupe/partitions"
	"troupe/partitions/id"
)

// hearing is what an answer of another broker tells beside its content: who leads the partition. It is where an answer is
// refused because a later leader has been heard of.
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

// read judges an answer that tells what the partition holds, and returns the error it is to carry: one of an earlier leader
// may show less than what was shown already.
func (h hearing) read(term id.Term, err error) error {
	h.learn(term, err)
	if seen := h.leaders.term(h.partition); err == nil && term < seen {
		return stale(h.partition, term, seen)
	}
	return err
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
	if a.Err = h.read(a.Term, a.Err); errors.Is(a.Err, partitions.ErrStaleLeader) {
		a = partitions.FetchAnswer{Err: a.Err}
	}
	a.Request = q.Request
	q.answer(a)
	return nil
}

func (q *offsetsRequest) hear(r *frameReader, h hearing) error {
	a, err := r.listed()
	if err != nil {
		return err
	}
	if a.Err = h.read(a.Term, a.Err); errors.Is(a.Err, partitions.ErrStaleLeader) {
		a = partitions.OffsetAnswer{Err: a.Err, Time: -1}
	}
	a.Request = q.Request
	q.answer(a)
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
