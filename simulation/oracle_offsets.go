package simulation

import (
	"maps"
	"slices"
	"sort"
	"time"

	"troupe/partitions/id"
)

// told is one answer about where a partition begins or ends.
type told struct {
	// invoked is never for what nobody asked, completed is never for what promises nothing to later questions.
	invoked, completed time.Duration
	at                 id.Offset
	// weak: whoever answered may not have known the newest. It is held to what the same client was told before, and to what
	// leaders up to its own term told.
	weak   bool
	client int
	term   id.Term // of the leader that answered; 0: not known
}

// watermarks demands that what anybody was told of a partition's end holds for every question asked later.
func (o *Oracle) watermarks() *Violation {
	answers := map[id.Partition][]told{}
	for _, p := range o.history.Polls {
		if !p.Damaged {
			answers[p.Partition] = append(answers[p.Partition], told{p.Invoked, p.Completed, p.HighWatermark, p.Weak, p.Client, p.Term})
		}
	}
	for _, l := range o.history.Lists {
		completed := l.Completed
		if l.Proposed {
			completed = never
		}
		answers[l.Partition] = append(answers[l.Partition], told{l.Invoked, completed, l.Latest, l.Weak, l.Client, l.Term})
	}
	for _, s := range o.history.Searches {
		answers[s.Partition] = append(answers[s.Partition], told{s.Invoked, s.Completed, s.HighWatermark, s.Weak, s.Client, s.Term})
	}
	for _, s := range o.history.Sends {
		if s.Outcome == OutcomeAcknowledged && !s.Quiet && s.Base >= 0 {
			end := s.Base + id.Offset(len(s.Values))
			answers[s.Partition] = append(answers[s.Partition], told{invoked: never, completed: s.Completed, at: end, term: s.Term})
		}
	}
	o.forgive(answers)
	return fallen("watermark-fell", "known to reach", answers)
}

// starts demands the same of where it begins.
func (o *Oracle) starts() *Violation {
	answers := map[id.Partition][]told{}
	for _, p := range o.history.Polls {
		if !p.Damaged {
			answers[p.Partition] = append(answers[p.Partition], told{p.Invoked, p.Completed, p.LogStart, p.Weak, p.Client, p.Term})
		}
	}
	for _, l := range o.history.Lists {
		answers[l.Partition] = append(answers[l.Partition], told{l.Invoked, l.Completed, l.Earliest, l.Weak, l.Client, l.Term})
	}
	for _, t := range o.history.Trims {
		if t.Completed != never {
			answers[t.Partition] = append(answers[t.Partition], told{invoked: t.Invoked, completed: t.Completed, at: t.LogStart})
		}
	}
	o.forgive(answers)
	return fallen("log-start-fell", "known to begin at", answers)
}

// forgive forgets what is known of partitions that may have lost their end.
func (o *Oracle) forgive(answers map[id.Partition][]told) {
	for p, h := range o.harmed {
		if h.lossy {
			delete(answers, p)
		}
	}
}

// fallen finds a question that was told less than an answer that came before it was asked.
func fallen(invariant, how string, answers map[id.Partition][]told) *Violation {
	for _, p := range sortedPartitions(answers) {
		all := answers[p]
		if q, floor := lower(all, 0, func(q told) bool { return !q.weak }); q != nil {
			return violation(invariant, "%v was %s %d; a question asked at %s was told %d", p, how, floor, moment(q.invoked), q.at)
		}
		if v := fallenFor(invariant, how, p, all); v != nil {
			return v
		}
		if v := fallenIn(invariant, how, p, all); v != nil {
			return v
		}
	}
	return nil
}

// lower finds a question that was told less than floor, or than some answer that came before it was asked: one of those that
// are bound to it. It leaves the answers in the order in which they were asked.
func lower(answers []told, floor id.Offset, bound func(told) bool) (*told, id.Offset) {
	done := slices.Clone(answers)
	sort.SliceStable(done, func(i, j int) bool { return done[i].completed < done[j].completed })
	sort.SliceStable(answers, func(i, j int) bool { return answers[i].invoked < answers[j].invoked })
	next := 0
	for i := range answers {
		q := &answers[i]
		for ; next < len(done) && done[next].completed < q.invoked; next++ {
			floor = max(floor, done[next].at)
		}
		if q.invoked < never && q.at < floor && bound(*q) {
			return q, floor
		}
	}
	return nil, 0
}

// fallenIn is fallen for the answers of one leader, which are all of one term, and of leaders that follow each other: who leads
// begins with all that anybody who led before has ever told, however late that is heard.
func fallenIn(invariant, how string, p id.Partition, answers []told) *Violation {
	terms := map[id.Term][]told{}
	for _, a := range answers {
		if a.term != 0 {
			terms[a.term] = append(terms[a.term], a)
		}
	}
	floor := id.Offset(0)
	for _, term := range slices.Sorted(maps.Keys(terms)) {
		if q, known := lower(terms[term], floor, func(told) bool { return true }); q != nil {
			return violation(invariant, "leaders of %v up to term %d told that it is %s %d; a question asked at %s of that of term %d was told %d",
				p, term, how, known, moment(q.invoked), term, q.at)
		}
		for _, a := range terms[term] {
			floor = max(floor, a.at)
		}
	}
	return nil
}

// fallenFor is fallen for each client's weak answers among themselves: it accepts none of an earlier term than it has seen, and
// what it accepts never goes back. What a refused expectation tells of the end is of no term, and of what is not committed.
func fallenFor(invariant, how string, p id.Partition, asked []told) *Violation {
	floor := map[int]told{}
	for _, q := range asked {
		if !q.weak || q.completed == never {
			continue
		}
		if f, ok := floor[q.client]; ok && f.completed < q.invoked && q.at < f.at {
			return violation(invariant, "client %d was told at %s that %v is %s %d; a question it asked at %s was told %d",
				q.client, moment(f.completed), p, how, f.at, moment(q.invoked), q.at)
		}
		if f, ok := floor[q.client]; !ok || q.at > f.at {
			floor[q.client] = q
		}
	}
	return nil
}

// searches holds every answer about a time to the records that were read: all before the batch found are older, the batch
// is that young, and where none was found, nothing that was committed is.
func (o *Oracle) searches() *Violation {
	records := map[id.Partition]map[id.Offset]Seen{}
	for _, p := range o.history.Polls {
		if records[p.Partition] == nil {
			records[p.Partition] = map[id.Offset]Seen{}
		}
		for _, r := range p.Records {
			records[p.Partition][r.Offset] = r
		}
	}
	bound := o.bound() // below it, what was seen may be gone, and a batch may begin late
	for _, s := range o.history.Searches {
		seen, gone := records[s.Partition], bound[s.Partition]
		wrong := func(why string, r Seen) *Violation {
			return violation("wrong-time", "%v was asked for time %d at %s and tells offset %d (newest %d, high watermark %d): %s; offset %d is of a batch at %d to %d",
				s.Partition, s.At, moment(s.Invoked), s.Offset, s.Newest, s.HighWatermark, why, r.Offset, r.Base, r.Newest)
		}
		below := s.Offset
		if h := o.harmed[s.Partition]; h != nil && h.lossy {
			continue
		}
		if s.Newest < 0 {
			below = s.HighWatermark
		} else if r, ok := seen[s.Offset]; s.Newest < s.At || s.Offset >= s.HighWatermark || ok && (r.Newest != s.Newest || r.Base != s.Offset && s.Offset > gone) {
			return wrong("that is no such batch", r)
		}
		for at := gone; at < below; at++ {
			if r, ok := seen[at]; ok && r.Stamp >= s.At {
				return wrong("something before it is that young", r)
			}
		}
	}
	return nil
}
