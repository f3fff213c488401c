package simulation

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"troupe/partitions/id"
)

// Violation is a broken promise: which one, and what shows it.
type Violation struct {
	Invariant string
	Evidence  string
}

// Error names the promise and the evidence.
func (v *Violation) Error() string { return v.Invariant + ": " + v.Evidence }

func violation(invariant, format string, arguments ...any) *Violation {
	return &Violation{Invariant: invariant, Evidence: fmt.Sprintf(format, arguments...)}
}

// Oracle judges a history. The classes of anomalies are those of Jepsen's Kafka workload, all of which must be empty
// (https://github.com/jepsen-io/kafka).
type Oracle struct {
	history *History
	// deleted partitions were removed on the way: what they held need not be seen at the end.
	deleted map[id.Partition]bool
	// harmed partitions were damaged on the way.
	harmed map[id.Partition]*Harm
	values map[Value]*Send
	// holds is what was seen or promised at each place; places where each value was seen.
	holds  map[place]Value
	places map[Value][]place
	// ends is how far each partition was read.
	ends map[id.Partition]id.Offset
}

// never is later than any moment of a run.
const never time.Duration = 1 << 62

type place struct {
	partition id.Partition
	offset    id.Offset
}

// NewOracle prepares to judge a history.
func NewOracle(h *History, deleted map[id.Partition]bool) *Oracle {
	o := &Oracle{
		history: h, deleted: deleted,
		values: map[Value]*Send{}, holds: map[place]Value{}, places: map[Value][]place{}, ends: map[id.Partition]id.Offset{},
	}
	for _, s := range h.Sends {
		for _, v := range s.Values {
			o.values[v] = s
		}
	}
	return o
}

// Judge returns the first anomaly, or nil. Complete tells that every partition was read to its end after the last fault, so
// that what was never seen is lost.
func (o *Oracle) Judge(complete bool) *Violation {
	if v := o.Anomaly(complete); v != nil {
		return v
	}
	return o.linear()
}

// Anomaly is Judge without the search for one order of everything, whose memory grows with the square of a history's length.
func (o *Oracle) Anomaly(complete bool) *Violation {
	checks := []func() *Violation{o.reads, o.acknowledgements, o.repeats, o.order, o.losses, o.watermarks, o.starts, o.searches, o.trims}
	if complete {
		checks = append(checks, o.unseen)
	}
	for _, check := range checks {
		if v := check(); v != nil {
			return v
		}
	}
	return nil
}

// reads checks each poll alone and against all others: dense, in order, and the same value at the same place.
func (o *Oracle) reads() *Violation {
	for _, p := range o.history.Polls {
		next := p.Offset
		for i, r := range p.Records {
			if r.Offset != next && !(i == 0 && r.Offset == p.LogStart && p.LogStart > p.Offset) {
				return violation("poll-skip", "client %d asked %v for %d at %s and got offset %d where %d was due",
					p.Client, p.Partition, p.Offset, moment(p.Completed), r.Offset, next)
			}
			next = r.Offset + 1
			if r.Offset >= p.HighWatermark {
				return violation("uncommitted-read", "client %d got offset %d of %v, at or above the high watermark %d that came with it",
					p.Client, r.Offset, p.Partition, p.HighWatermark)
			}
			if v := o.hold(place{p.Partition, r.Offset}, r.Value, "read"); v != nil {
				return v
			}
		}
		o.ends[p.Partition] = max(o.ends[p.Partition], next)
	}
	return nil
}

func (o *Oracle) hold(at place, v Value, how string) *Violation {
	send := o.values[v]
	switch {
	case send == nil:
		return violation("invented", "offset %d of %v holds value %d, which no one sent", at.offset, at.partition, v)
	case send.Partition != at.partition:
		return violation("misplaced", "offset %d of %v holds value %d, which was sent to %v", at.offset, at.partition, v, send.Partition)
	case send.Outcome == OutcomeFailed:
		return violation("aborted-read", "offset %d of %v holds value %d, whose send definitely failed", at.offset, at.partition, v)
	}
	if o.harmed[at.partition].forgets(at.offset) {
		return nil
	}
	if before, ok := o.holds[at]; ok {
		if before != v {
			return violation("inconsistent-offsets", "offset %d of %v holds %d (%s) and held %d before", at.offset, at.partition, v, how, before)
		}
		return nil
	}
	o.holds[at] = v
	o.places[v] = append(o.places[v], at)
	return nil
}

// acknowledgements holds the broker to the offsets that it gave.
func (o *Oracle) acknowledgements() *Violation {
	for _, s := range o.history.Sends {
		if s.Outcome != OutcomeAcknowledged || s.Quiet || s.Base < 0 {
			continue
		}
		for i, v := range s.Values {
			if broken := o.hold(place{s.Partition, s.Base + id.Offset(i)}, v, "acknowledged"); broken != nil {
				return broken
			}
		}
	}
	return nil
}

// repeats finds values at two offsets.
func (o *Oracle) repeats() *Violation {
	for _, s := range o.history.Sends {
		for _, v := range s.Values {
			if at := o.places[v]; len(at) > 1 && !s.Repeats {
				return violation("duplicate", "value %d (producer %d, sequence %d, %d tries) stands at offsets %d and %d of %v",
					v, s.Producer, s.Sequence, s.Tries, at[0].offset, at[1].offset, s.Partition)
			}
		}
	}
	return nil
}

// order checks that sends keep their order: one producer's by sequence, everyone's where one began after another was
// acknowledged.
func (o *Oracle) order() *Violation {
	type stream struct {
		partition id.Partition
		producer  id.Producer
	}
	last := map[stream]*Send{}
	frontier := map[id.Partition][]*Send{}
	for _, s := range o.history.Sends {
		if s.Outcome != OutcomeAcknowledged || s.Quiet || s.Base < 0 || o.harmed[s.Partition].forgets(s.Base) {
			continue
		}
		if s.Producer != 0 {
			k := stream{s.Partition, s.Producer}
			if p := last[k]; p != nil && (s.Sequence > p.Sequence) != (s.Base > p.Base) {
				return violation("nonmonotonic-send", "producer %d of %v: sequence %d got offset %d, sequence %d got %d",
					s.Producer, s.Partition, p.Sequence, p.Base, s.Sequence, s.Base)
			}
			last[k] = s
		}
		frontier[s.Partition] = append(frontier[s.Partition], s)
	}
	for _, p := range sortedPartitions(frontier) {
		if v := realTime(frontier[p]); v != nil {
			return v
		}
	}
	return nil
}

// realTime demands that a send which began after another was acknowledged got a higher offset. A retried send may have taken
// effect before its acknowledgement, so its completion is what counts for others, and its invocation for itself.
func realTime(sends []*Send) *Violation {
	byOffset := slices.Clone(sends)
	sort.Slice(byOffset, func(i, j int) bool { return byOffset[i].Base < byOffset[j].Base })
	// Walking down from the highest offset: nobody above may have completed before one below began.
	earliest := struct {
		completed time.Duration
		send      *Send
	}{never, nil}
	for i := len(byOffset) - 1; i >= 0; i-- {
		s := byOffset[i]
		if earliest.completed < s.Invoked {
			return violation("order", "offset %d of %v was sent at %s, after offset %d had been acknowledged at %s",
				s.Base, s.Partition, moment(s.Invoked), earliest.send.Base, moment(earliest.completed))
		}
		if s.Completed < earliest.completed {
			earliest.completed, earliest.send = s.Completed, s
		}
	}
	return nil
}

// losses finds acknowledged values below a read position that no one read there.
func (o *Oracle) losses() *Violation {
	seen, bound := o.seen(), o.bound()
	for _, s := range o.history.Sends {
		if s.Outcome != OutcomeAcknowledged || s.Quiet || s.Base < 0 || o.harmed[s.Partition].excuses() {
			continue
		}
		for i, v := range s.Values {
			if at := s.Base + id.Offset(i); at >= bound[s.Partition] && at < o.ends[s.Partition] && !seen[v] {
				return violation("lost-write", "value %d was acknowledged at offset %d of %v, which was read up to %d without it",
					v, at, s.Partition, o.ends[s.Partition])
			}
		}
	}
	return nil
}

func (o *Oracle) seen() map[Value]bool {
	seen := map[Value]bool{}
	for _, p := range o.history.Polls {
		for _, r := range p.Records {
			seen[r.Value] = true
		}
	}
	return seen
}

// unseen finds acknowledged values that no one saw although everything was read to the end.
func (o *Oracle) unseen() *Violation {
	seen, bound := o.seen(), o.bound()
	for _, s := range o.history.Sends {
		if s.Outcome != OutcomeAcknowledged || s.Quiet || o.deleted[s.Partition] || o.harmed[s.Partition].excuses() ||
			s.Base < 0 && bound[s.Partition] > 0 {
			continue
		}
		for i, v := range s.Values {
			if !seen[v] && (s.Base < 0 || s.Base+id.Offset(i) >= bound[s.Partition]) {
				return violation("unseen", "value %d was acknowledged at offset %d of %v at %s; at the end no one found it (read to %d)",
					v, s.Base, s.Partition, moment(s.Completed), o.ends[s.Partition])
			}
		}
	}
	return nil
}

func sortedPartitions[V any](m map[id.Partition]V) []id.Partition {
	keys := make([]id.Partition, 0, len(m))
	for p := range m {
		keys = append(keys, p)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].Less(keys[j]) })
	return keys
}
