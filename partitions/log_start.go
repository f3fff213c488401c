package partitions

import (
	"encoding/binary"
	"fmt"

	"troupe/partitions/id"
)

// start is a DeleteRecords on its way through raft.
type start struct {
	request Request
	index   id.Index
}

// DeleteRecords proposes a new log start; its answer comes through an Outbox when that is applied, at once when nothing
// would change. It works on a full disk: it is what frees one.
func (r *Replica) DeleteRecords(d DeleteRecords, now id.Timestamp) {
	r.tell(now)
	if err := r.proposeStart(d); err != nil || d.Before <= r.applied.logStart && d.Before != EverythingSoFar {
		r.answerDelete(d.Request, err)
	}
}

func (r *Replica) proposeStart(d DeleteRecords) error {
	if err := r.serving(); err != nil {
		return err
	}
	before := d.Before
	if before == EverythingSoFar {
		before = r.applied.next
	}
	if before < 0 || before > r.applied.next {
		return &RangeError{Err: ErrOffsetOutOfRange, Asked: before, LogStart: r.applied.logStart, LogEnd: r.applied.next}
	}
	if before <= r.applied.logStart && d.Before != EverythingSoFar {
		return nil
	}
	payload := binary.LittleEndian.AppendUint64(nil, uint64(before))
	if err := r.node.Propose(carry(EntryLogStart, max(r.leading.clock, r.now), payload)); err != nil {
		return r.dropped(err)
	}
	r.starts = append(r.starts, start{request: d.Request, index: r.log.last + 1})
	r.drain()
	return nil
}

// applyStart moves the log start, and wants a checkpoint that knows of it: only then may bytes leave the disk.
func (r *Replica) applyStart(e Entry) {
	before := r.applied.logStart
	if err := r.applied.moveStart(e); err != nil {
		panic(&InvariantError{"a log start can be read", err, nil})
	}
	if r.applied.logStart > before {
		r.checkpoint.wanted = true
	}
	if len(r.starts) > 0 && r.starts[0].index == e.Index {
		r.answerDelete(r.starts[0].request, nil)
		r.starts = r.starts[1:]
	}
}

func (r *Replica) answerDelete(q Request, err error) {
	r.outbox.Deleted = append(r.outbox.Deleted, DeleteAnswer{
		Request: q, Err: err, LogStart: r.applied.logStart, HighWatermark: r.applied.next, Term: r.term,
	})
}

func (r *Replica) abandonStarts() {
	for _, s := range r.starts {
		r.answerDelete(s.request, fmt.Errorf("no longer leader of term %d: %w", r.term, ErrOutcomeUnknown))
	}
	r.starts = nil
}
