package partitions

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/raft/v3"

	"troupe/partitions/id"
)

// latest is a ListOffsets(latest) on its way: first a quorum confirms the leadership (raft's ReadIndex), then the entries
// up to the confirmed index are applied.
type latest struct {
	list      ListOffsets
	confirmed bool
	index     id.Index // to be applied first, when confirmed
}

// ListOffsets answers through an Outbox: at once, after a ReadIndex, or by a Search beside the replica. Errors in the
// answer: ErrNotLeader, ErrNotReady, ErrDamaged.
func (r *Replica) ListOffsets(l ListOffsets) {
	if err := r.serving(); err != nil {
		r.answerOffsets(l, 0, err)
		return
	}
	switch l.At {
	case OffsetEarliest:
		r.answerOffsets(l, r.applied.logStart, nil)
	case OffsetLatest:
		r.latest = append(r.latest, latest{list: l})
		r.node.ReadIndex(binary.LittleEndian.AppendUint64(nil, uint64(l.Request)))
		r.drain()
	case OffsetAtTime:
		r.outbox.Searches = append(r.outbox.Searches, Search{
			Time: l.Time, From: r.applied.logStart, Until: r.applied.next, Answer: r.offsetAnswer(l, r.applied.next, nil),
		})
	default:
		panic(&InvariantError{"the offset asked for is one of three", l.At, OffsetAtTime})
	}
}

// confirm notes that a quorum still followed this leader after the request came.
func (r *Replica) confirm(state raft.ReadState) {
	q := Request(binary.LittleEndian.Uint64(state.RequestCtx))
	for i := range r.latest {
		if r.latest[i].list.Request == q {
			r.latest[i].confirmed, r.latest[i].index = true, id.Index(state.Index)
		}
	}
	r.serveLatest()
}

// serveLatest answers the confirmed ones whose index is applied.
func (r *Replica) serveLatest() {
	kept := r.latest[:0]
	for _, l := range r.latest {
		if l.confirmed && l.index <= r.applied.index {
			r.answerOffsets(l.list, r.applied.next, nil)
		} else {
			kept = append(kept, l)
		}
	}
	r.latest = kept
}

func (r *Replica) abandonLatest(err error) {
	for _, l := range r.latest {
		r.answerOffsets(l.list, 0, fmt.Errorf("while confirming leadership: %w", err))
	}
	r.latest = nil
}

func (r *Replica) answerOffsets(l ListOffsets, at id.Offset, err error) {
	r.outbox.Offsets = append(r.outbox.Offsets, r.offsetAnswer(l, at, err))
}

func (r *Replica) offsetAnswer(l ListOffsets, at id.Offset, err error) OffsetAnswer {
	return OffsetAnswer{
		Request: l.Request, Err: err, Offset: at, Time: -1,
		LogStart: r.applied.logStart, HighWatermark: r.applied.next, Term: r.term,
	}
}
