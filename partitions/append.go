package partitions

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"

	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// leading is what a leader knows beyond the applied state, from the moment it is ready until it resigns. It starts from
// the applied state, because a ready leader has applied everything before its term, and advances only with what raft
// accepted.
//
// Invariants: proposals are ordered by index, without gaps in their offsets, and the first begins at the high watermark;
// next is where the last ends; bytes is the sum of theirs; producers holds the newest state of each producer that has
// proposals.
type leading struct {
	next      id.Offset
	clock     id.Timestamp
	proposals []proposal
	bytes     int
	producers map[id.Producer]*inFlight
}

// proposal is a batch on its way through raft.
type proposal struct {
	index      id.Index
	base, next id.Offset
	clock      id.Timestamp
	bytes      int
	producer   id.Producer
	waiting    []waiter
}

// waiter is a request that a proposal answers: the one that made it, and those that sent it again meanwhile.
type waiter struct {
	request   Request
	acks      Acks
	duplicate bool
}

// inFlight is a producer's state as of its last proposal, and how many of its proposals are not applied.
type inFlight struct {
	state   ProducerState
	batches int
}

// Produce proposes a batch. Its answer comes through an Outbox: refused at once, or when Acks is satisfied. See errors.go
// for what each refusal means; whatever is answered ErrOutcomeUnknown was proposed.
func (r *Replica) Produce(p Produce, now id.Timestamp) {
	r.tell(now)
	h, err := r.admit(p)
	if err == nil {
		err = r.propose(p, h)
	}
	switch {
	case err == errAttached:
	case err != nil || p.Acks == AcksNone:
		r.answer(waiter{request: p.Request}, nothing, err, nil)
	}
}

// errAttached tells that a request waits for a proposal made earlier; it never leaves this file.
var errAttached = errors.New("partitions: waits for a pending duplicate")

// admit checks what can be checked before anything changes.
func (r *Replica) admit(p Produce) (batch.Header, error) {
	if err := r.serving(); err != nil {
		return batch.Header{}, err
	}
	if r.full != nil {
		return batch.Header{}, fmt.Errorf("%v: %w", r.options.Partition, r.full)
	}
	h, err := batch.ParseHeader(p.Batch)
	switch {
	case err != nil:
		return h, fmt.Errorf("%w: %w", ErrInvalidBatch, err)
	case h.Size() != len(p.Batch):
		return h, fmt.Errorf("one batch of %d bytes in %d: %w", h.Size(), len(p.Batch), ErrInvalidBatch)
	case h.Records <= 0 || h.LastOffsetDelta != h.Records-1:
		return h, fmt.Errorf("%d records, last offset delta %d: %w", h.Records, h.LastOffsetDelta, ErrInvalidBatch)
	case h.Size() > r.options.Settings.MaxBatchBytes:
		return h, fmt.Errorf("batch of %d bytes, max.message.bytes is %d: %w", h.Size(), r.options.Settings.MaxBatchBytes, ErrBatchTooLarge)
	case h.Idempotent() && (p.Acks != AcksQuorum || h.FirstSequence < 0 || h.Epoch < 0):
		return h, fmt.Errorf("an idempotent batch needs acks=quorum, an epoch and a sequence: %w", ErrInvalidBatch)
	}
	return h, nil
}

// serving returns nil for a leader that answers clients.
func (r *Replica) serving() error {
	switch {
	case r.failure != nil:
		return r.failure
	case r.role != RoleLeader:
		return fmt.Errorf("replica %d is a %v: %w", r.options.Replica, r.role, r.notLeader())
	case !r.ready:
		return fmt.Errorf("leader of term %d has not applied its first entry: %w", r.term, ErrNotReady)
	}
	return nil
}

// propose appends an admitted batch, unless it is a duplicate or not what the producer expects.
func (r *Replica) propose(p Produce, h batch.Header) error {
	if h.Idempotent() {
		v, err := r.producer(h.Producer).judge(h)
		if err != nil {
			return err
		}
		if v.duplicate {
			r.counts.Duplicates++
			return r.answerDuplicate(p, v.base)
		}
		if f := r.leading.producers[h.Producer]; f != nil && f.batches >= WindowBatches {
			return fmt.Errorf("producer %d has %d batches in flight: %w", h.Producer, f.batches, ErrThrottled)
		}
	}
	if p.ExpectEnd != NoExpectation && p.ExpectEnd != r.leading.next {
		return &RangeError{Err: ErrOffsetMismatch, Asked: p.ExpectEnd, LogStart: r.applied.logStart, LogEnd: r.leading.next}
	}
	if r.leading.bytes > 0 && r.leading.bytes+len(p.Batch) > r.limits.UncommittedBytes {
		return fmt.Errorf("%d bytes proposed and not applied: %w", r.leading.bytes, ErrThrottled)
	}
	return r.append(p, h)
}

func (r *Replica) append(p Produce, h batch.Header) error {
	clock := max(r.leading.clock, r.now)
	data := carry(EntryBatch, clock, p.Batch)
	stored := data[carriedHeader:]
	batch.Stamp(stored, r.leading.next, r.term)
	if r.options.Settings.AppendTime {
		batch.StampAppendTime(stored, clock)
	}
	if err := r.node.Propose(data); err != nil {
		return r.dropped(err)
	}
	h.BaseOffset = r.leading.next
	q := proposal{index: r.log.last + 1, base: h.BaseOffset, next: h.NextOffset(), clock: clock,
		bytes: len(p.Batch), producer: h.Producer}
	if p.Acks != AcksNone {
		q.waiting = []waiter{{request: p.Request, acks: p.Acks}}
	}
	r.leading.proposals = append(r.leading.proposals, q)
	r.leading.next, r.leading.clock = q.next, clock
	r.leading.bytes += q.bytes
	if h.Idempotent() {
		r.noteInFlight(h)
	}
	r.counts.Batches++
	r.counts.Records += int64(h.Records)
	r.counts.Bytes += int64(len(p.Batch))
	r.drain()
	return nil
}

// dropped tells why raft took no proposal. None of it is done.
func (r *Replica) dropped(err error) error {
	switch {
	case !errors.Is(err, raft.ErrProposalDropped):
		return fmt.Errorf("%w: %w", ErrNotReady, err)
	case r.node.BasicStatus().LeadTransferee != raft.None:
		return fmt.Errorf("leadership is being handed over: %w", ErrNotReady)
	}
	return fmt.Errorf("raft holds %d bytes: %w", r.leading.bytes, ErrThrottled)
}

// producer returns what is known of a producer, proposals included; nil for an unknown one.
func (r *Replica) producer(p id.Producer) *ProducerState {
	if f, ok := r.leading.producers[p]; ok {
		return &f.state
	}
	return r.applied.producers.find(p)
}

func (r *Replica) noteInFlight(h batch.Header) {
	f := r.leading.producers[h.Producer]
	if f == nil {
		f = &inFlight{state: ProducerState{Producer: h.Producer}}
		if s := r.applied.producers.find(h.Producer); s != nil {
			f.state = s.clone()
		}
		r.leading.producers[h.Producer] = f
	}
	f.state.note(h)
	f.batches++
}

// answerDuplicate answers a batch that was sent before: at once when it is applied, else together with the first sending.
func (r *Replica) answerDuplicate(p Produce, base id.Offset) error {
	w := waiter{request: p.Request, acks: p.Acks, duplicate: true}
	at, pending := slices.BinarySearchFunc(r.leading.proposals, base, func(q proposal, base id.Offset) int {
		return compare(q.base, base)
	})
	if pending {
		r.leading.proposals[at].waiting = append(r.leading.proposals[at].waiting, w)
	} else {
		r.answer(w, proposal{base: base, clock: -1}, nil, nil)
	}
	return errAttached
}

// acknowledgeLeader answers those who only wait for this disk, up to an index that is durable on it.
func (r *Replica) acknowledgeLeader(durable id.Index) {
	for i := range r.leading.proposals {
		q := &r.leading.proposals[i]
		if q.index > durable {
			return
		}
		q.waiting = slices.DeleteFunc(q.waiting, func(w waiter) bool {
			if w.acks == AcksLeader {
				r.answer(w, *q, nil, nil)
			}
			return w.acks == AcksLeader
		})
	}
}

// settle answers the proposal that has just been applied, if it was made here.
func (r *Replica) settle(index id.Index, result any) {
	if len(r.leading.proposals) == 0 || r.leading.proposals[0].index != index {
		return
	}
	q := r.leading.proposals[0]
	r.leading.proposals[0] = proposal{}
	r.leading.proposals = r.leading.proposals[1:]
	r.leading.bytes -= q.bytes
	if f := r.leading.producers[q.producer]; f != nil {
		if f.batches--; f.batches == 0 {
			delete(r.leading.producers, q.producer)
		}
	}
	for _, w := range q.waiting {
		r.answer(w, q, nil, result)
	}
}

// nothing stands for a proposal that was not made.
var nothing = proposal{base: -1, clock: -1}

// answer puts the answer to a produce into the outbox.
func (r *Replica) answer(w waiter, q proposal, err error, result any) {
	a := ProduceAnswer{
		Request: w.request, Err: err, Base: q.base, AppendTime: -1, Duplicate: w.duplicate, Result: result,
		LogStart: r.applied.logStart, HighWatermark: r.applied.next, Term: r.term,
	}
	if r.options.Settings.AppendTime {
		a.AppendTime = q.clock
	}
	r.outbox.Produced = append(r.outbox.Produced, a)
}

// resign drops what only a leader has. Proposals may still commit under the next leader: their outcome is unknown. Everyone
// else who waits gets err.
func (r *Replica) resign(err error) {
	for _, q := range r.leading.proposals {
		for _, w := range q.waiting {
			r.answer(w, nothing, fmt.Errorf("no longer leader of term %d: %w", r.term, ErrOutcomeUnknown), nil)
		}
	}
	r.leading, r.ready = leading{}, false
	r.steering.proposed, r.peers.snapshots = 0, nil
	r.abandonStarts()
	r.unpark(err)
	r.abandonLatest(err)
}
