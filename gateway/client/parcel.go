package client

import (
	"time"

	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// parcel is a batch on its way: filled under its lane's lock, then owned by the lane's goroutine until it is finished.
type parcel struct {
	builder  *batch.Builder
	promises []promise // one for each record, in order
	charged  int64     // bytes to give back to the budget
	born     time.Time // of its first record: linger and delivery timeout count from here
	hurried  bool      // does not linger: somebody waits for it
	finished chan struct{}

	// What follows is about sending.
	bytes    []byte // as built under the flight's identity; nil: to be built
	attempt  uint64 // number of the last send, unique in the lane; 0: never sent
	failures int    // sends that ended without delivery
	alone    bool   // at the last send nothing was in flight before it
	answered bool   // the last send has its answer
	answer   answer
	// maybe is set when a send ended without the broker's word that it is not done: from then on the parcel is delivered,
	// or its outcome is unknown. Only the proof that it cannot have been appended clears it (flight.abandon).
	maybe bool
}

// promise is what is owed for one record.
type promise struct {
	record   *Record
	callback func(*Record, error)
}

func newParcel(codec batch.Codec) *parcel { return &parcel{builder: batch.NewBuilder(codec)} }

// reset empties the parcel, for the pool.
func (p *parcel) reset() {
	p.builder.Reset()
	clear(p.promises)
	*p = parcel{builder: p.builder, promises: p.promises[:0]}
}

// isDelivered tells that the broker has said so; an older parcel may still keep its promises waiting.
func (p *parcel) isDelivered() bool { return p.answered && p.answer.err == nil }

// isOut tells that its last send has no answer.
func (p *parcel) isOut() bool { return p.attempt > 0 && !p.answered }

// keep tells the records where they are, or why they are nowhere.
func (p *parcel) keep(partition int32, base id.Offset, err error) {
	for i := range p.promises {
		r := p.promises[i].record
		r.Partition, r.Offset = partition, NoOffset
		if err == nil && base >= 0 {
			r.Offset = base + id.Offset(i)
		}
		if callback := p.promises[i].callback; callback != nil {
			callback(r, err)
		}
	}
}
