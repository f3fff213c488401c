package actors

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// quarantine stands in for the replica of a damaged log: it takes no part in anything, and serves what still verifies up
// to the known commit. Every answer carries partitions.ErrDamaged beside what it holds, so that nobody takes it for whole.
type quarantine struct {
	reason error
	log    partitions.Log // nil: nothing can be read
	// From logStart to end lies what is known committed; between them may be holes.
	logStart, end id.Offset
	term          id.Term
}

// surveyBytes is how much of the log is read at once to find where its known commit ends.
const surveyBytes = 1 << 20

// survey finds the range that a damaged log may serve: up to the last readable entry at or below the commit it knows of.
func survey(log partitions.Log, reason error) *quarantine {
	found := log.Recovered()
	q := &quarantine{reason: reason, log: log, term: found.HardState.Term}
	at := found.First
	if c := found.Newest; c != nil {
		q.logStart, q.end, at = c.LogStart, c.NextOffset, c.Index+1
	}
	commit := min(found.HardState.Commit, found.Last)
	for at <= commit {
		entries, err := log.Entries(at, commit+1, surveyBytes)
		if err != nil || len(entries) == 0 {
			at++ // a hole: what follows it is still committed
			continue
		}
		for _, e := range entries {
			if h, err := batch.ParseHeader(e.Payload); e.Type == partitions.EntryBatch && err == nil {
				q.end = h.NextOffset()
			}
			if g, err := partitions.ParseGap(e.Payload); e.Type == partitions.EntryGap && err == nil {
				q.end = g.Next
			}
		}
		at = entries[len(entries)-1].Index + 1
	}
	return q
}

// amnesic tells that the replica may have forgotten a vote, or what it acknowledged: under its id it never takes part again.
func (q *quarantine) amnesic() bool {
	if q.log == nil {
		return true
	}
	d := q.log.Recovered().Damage
	return d != nil && d.Kind == partitions.DamageAmnesia
}

// kind tells which of the two kinds of damage an opening found, at the end of a sentence.
func (q *quarantine) kind() string {
	if q.log == nil || q.log.Recovered().Damage == nil {
		return ""
	}
	return fmt.Sprintf(" (%v)", q.log.Recovered().Damage.Kind)
}

// mark makes the error that every answer carries, together with what else is wrong.
func (q *quarantine) mark(also error) error {
	if also == nil {
		return fmt.Errorf("%w: read-only: %w", partitions.ErrDamaged, q.reason)
	}
	return fmt.Errorf("%w: read-only: %w: %w", partitions.ErrDamaged, q.reason, also)
}

func (q *quarantine) fetch(f partitions.Fetch) (partitions.FetchAnswer, *partitions.Read) {
	a := partitions.FetchAnswer{
		Request: f.Request, Err: q.mark(nil), Verified: true, LogStart: q.logStart, HighWatermark: q.end, Term: q.term,
	}
	if f.Offset < q.logStart || f.Offset > q.end {
		a.Err, a.Verified = q.mark(q.outside(f.Offset)), false
		return a, nil
	}
	if q.log == nil || f.Offset == q.end {
		return a, nil
	}
	return a, &partitions.Read{From: f.Offset, Until: q.end, MaxBytes: f.MaxBytes, Answer: a}
}

func (q *quarantine) outside(offset id.Offset) error {
	return &partitions.RangeError{Err: partitions.ErrOffsetOutOfRange, Asked: offset, LogStart: q.logStart, LogEnd: q.end}
}

func (q *quarantine) offsets(l partitions.ListOffsets) (partitions.OffsetAnswer, *partitions.Search) {
	a := partitions.OffsetAnswer{
		Request: l.Request, Err: q.mark(nil), Verified: true, Offset: q.end, Time: -1,
		LogStart: q.logStart, HighWatermark: q.end, Term: q.term,
	}
	switch {
	case l.At == partitions.OffsetEarliest:
		a.Offset = q.logStart
	case l.At == partitions.OffsetAtTime && q.log != nil:
		return a, &partitions.Search{Time: l.Time, From: q.logStart, Until: q.end, Answer: a}
	}
	return a, nil
}

func (q *quarantine) status(s partitions.Status) partitions.Status {
	s.Role, s.Term, s.LogStart, s.HighWatermark = partitions.RoleQuarantined, q.term, q.logStart, q.end
	s.Forgotten = q.amnesic()
	if q.log != nil {
		found := q.log.Recovered()
		s.Last, s.Log = found.Last, q.log.Size()
		if n := len(found.Terms); n > 0 {
			s.LastTerm = found.Terms[n-1].Term
		} else if found.Base != nil {
			s.LastTerm = found.Base.Term
		}
	}
	return s
}
