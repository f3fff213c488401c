package partitions

import "troupe/partitions/id"

// Fetch answers with committed batches, or parks the request until there are some, its time is over, or leadership is
// lost. What the tail does not hold goes out as a Read. Errors in the answer: ErrNotLeader, ErrNotReady, ErrThrottled,
// ErrDamaged, or a RangeError.
func (r *Replica) Fetch(f Fetch, now id.Timestamp) {
	r.tell(now)
	if err := r.serving(); err != nil {
		r.answerFetch(f, nil, err)
		return
	}
	if f.Offset < r.applied.logStart || f.Offset > r.leading.next {
		r.answerFetch(f, nil, &RangeError{
			Err: ErrOffsetOutOfRange, Asked: f.Offset, LogStart: r.applied.logStart, LogEnd: r.applied.next,
		})
		return
	}
	if f.Offset < r.applied.next {
		r.read(f)
		return
	}
	if f.Until <= r.now {
		r.answerFetch(f, nil, nil)
		return
	}
	if len(r.parked) >= r.limits.ParkedFetches {
		r.answerFetch(f, nil, ErrThrottled)
		return
	}
	r.parked = append(r.parked, f)
}

// read answers a fetch below the high watermark.
func (r *Replica) read(f Fetch) {
	if batches, ok := r.log.tail.batches(f.Offset, r.applied.next, f.MaxBytes); ok {
		r.counts.TailFetches++
		r.answerFetch(f, batches, nil)
		if len(batches) == 0 { // a recorded gap reaches to the end
			r.outbox.Fetched[len(r.outbox.Fetched)-1].Skip = r.applied.next
		}
		return
	}
	r.counts.Fetches++
	r.outbox.Reads = append(r.outbox.Reads, Read{
		From: f.Offset, Until: r.applied.next, MaxBytes: f.MaxBytes, Answer: r.fetchAnswer(f, nil, nil),
	})
}

func (r *Replica) answerFetch(f Fetch, batches [][]byte, err error) {
	r.counts.Fetches++
	r.outbox.Fetched = append(r.outbox.Fetched, r.fetchAnswer(f, batches, err))
}

func (r *Replica) fetchAnswer(f Fetch, batches [][]byte, err error) FetchAnswer {
	return FetchAnswer{
		Request: f.Request, Err: err, Batches: batches,
		LogStart: r.applied.logStart, HighWatermark: r.applied.next, Term: r.term,
	}
}

// wake answers the parked fetches that the high watermark has passed.
func (r *Replica) wake() {
	r.sift(func(f Fetch) bool {
		if f.Offset < r.applied.next {
			r.read(f)
			return true
		}
		return false
	})
}

// endWaits answers the parked fetches whose time is over.
func (r *Replica) endWaits() {
	r.sift(func(f Fetch) bool {
		if f.Until <= r.now {
			r.answerFetch(f, nil, nil)
			return true
		}
		return false
	})
}

// unpark answers every parked fetch with an error.
func (r *Replica) unpark(err error) {
	r.sift(func(f Fetch) bool { r.answerFetch(f, nil, err); return true })
}

// Cancel forgets a parked fetch. No answer follows, unless one is in an Outbox already.
func (r *Replica) Cancel(q Request) {
	r.sift(func(f Fetch) bool { return f.Request == q })
}

// sift removes the parked fetches for which done is true, keeping the order of the rest.
func (r *Replica) sift(done func(Fetch) bool) {
	kept := r.parked[:0]
	for _, f := range r.parked {
		if !done(f) {
			kept = append(kept, f)
		}
	}
	r.parked = kept
}
