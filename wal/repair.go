package wal

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// SegmentBytes is one segment file in memory: its first index, as its name tells, and its content.
type SegmentBytes struct {
	First id.Index
	Bytes []byte
}

// Known is what a replica's other files tell about its log.
type Known struct {
	// Durable is the highest index known durable: the newest slot's, or the newest checkpoint's index if that is higher.
	Durable id.Index
	// Commit is the highest index known committed: likewise.
	Commit id.Index
	// Poisoned tells that a write or fsync of this log failed. Nothing above the durable index is believed then, however
	// well it reads: the kernel may have dropped the page and marked it clean.
	Poisoned bool
}

// Verdict is what Survey decides about a log.
type Verdict struct {
	// Durable is the highest index known to have been durable.
	Durable id.Index
	// Last is the last index to believe. Without damage it is at or above Durable.
	Last id.Index
	// Segment and At tell where the log ends: everything behind that byte of that segment, and every later segment, is
	// to be cut, unless there is damage: then nothing may be changed.
	Segment, At int
	// Torn counts the bytes to be cut.
	Torn int64
	// Terms lists the first index of each term within the segments surveyed.
	Terms []partitions.TermStart
	// Damage is set when bytes that had been durable are not there or do not verify.
	Damage *partitions.Damage
}

// Survey decides what to believe of a log after a crash. It is given the last segments, in order, back to one that begins
// at or below the durable index + 1, and it is the whole decision: who keeps segments elsewhere than in files calls it too.
//
// The highest synced over all frames that verify, also behind bytes that do not, and what is known otherwise tell the
// durable index. The first bad frame above it is a tear: nobody was told that it is durable, so the log is cut there, even
// where good frames follow, because unsynced pages reach the disk in any order. A bad frame at or below it, or a log that
// ends below it, is damage. Damage is a hole while everything missing is known committed, of a known term, and followed by
// a tail that verifies up to the durable index; otherwise the replica may have forgotten something: amnesia.
//
// Undecidable and accepted: damage to the very last group commit, when neither its own slot write nor a later frame reached
// the disk, reads as a tear.
//
// The only error is partitions.ErrNewer.
func Survey(owner id.Replica, segments []SegmentBytes, known Known) (Verdict, error) {
	var walked surveyor
	for _, s := range segments {
		if err := walked.add(owner, s, nil); err != nil {
			return Verdict{}, err
		}
	}
	v, _ := walked.judge(known)
	if v.Damage != nil {
		return v, nil
	}
	if known.Poisoned && v.Last > v.Durable {
		v.cutAfter(owner, segments, v.Durable)
	}
	v.Torn = walked.behind(v)
	return v, nil
}

// judge is the decision of Survey about segments that were walked. It also returns the runs that are believed; Torn is not
// set.
func (w *surveyor) judge(known Known) (v Verdict, believed []run) {
	v = Verdict{Durable: max(known.Durable, w.synced)}
	v.believe(w.runs[0])
	believed = w.runs[:1]
	for _, r := range w.runs[1:] {
		if v.Last >= v.Durable {
			break
		}
		kind := partitions.DamageAmnesia
		if r.first > v.Last && r.first-1 <= known.Commit && v.lastTerm() != 0 && v.lastTerm() == r.terms[0].Term {
			kind = partitions.DamageHole
		}
		v.damage(kind, w.firsts[v.Segment], fmt.Sprintf("entries from %d to below %d do not verify, though the log was durable up to %d",
			v.Last+1, r.first, v.Durable))
		if r.first <= v.Last {
			break // a segment that repeats indices: nothing behind it can be placed
		}
		v.believe(r)
		believed = w.runs[:len(believed)+1]
	}
	if v.Last < v.Durable {
		v.damage(partitions.DamageAmnesia, w.firsts[v.Segment],
			fmt.Sprintf("the log ends at entry %d, though it was durable up to %d", v.Last, v.Durable))
	}
	return v, believed
}

// behind counts the bytes behind where a verdict has the log end.
func (w *surveyor) behind(v Verdict) int64 {
	torn := w.sizes[v.Segment] - int64(v.At)
	for _, size := range w.sizes[v.Segment+1:] {
		torn += size
	}
	return torn
}

// believe takes a run into the verdict.
func (v *Verdict) believe(r run) {
	v.Last, v.Segment, v.At = r.last, r.segment, r.end
	for _, t := range r.terms {
		if t.Term != v.lastTerm() {
			v.Terms = append(v.Terms, t)
		}
	}
}

// lastTerm is the term of the last entry believed; 0 before the first.
func (v *Verdict) lastTerm() id.Term {
	if len(v.Terms) == 0 {
		return 0
	}
	return v.Terms[len(v.Terms)-1].Term
}

// damage notes damage behind what is believed so far, in the segment that begins with first. The first place is kept, and
// the worst kind.
func (v *Verdict) damage(kind partitions.DamageKind, first id.Index, reason string) {
	if v.Damage == nil {
		v.Damage = &partitions.Damage{
			Kind: kind, File: segmentName(first), At: int64(v.At), Index: v.Last + 1, Reason: reason,
		}
	}
	if kind == partitions.DamageAmnesia && v.Damage.Kind != kind {
		v.Damage.Kind, v.Damage.Reason = kind, reason
	}
}

// cutAfter moves the end of the log back to behind index, which is believed.
func (v *Verdict) cutAfter(owner id.Replica, segments []SegmentBytes, index id.Index) {
	v.Last, v.Segment, v.At = index, 0, 0
	for i, s := range segments {
		if i > 0 && s.First > index {
			break
		}
		v.Segment, v.At = i, 0
		w := walk(owner, s.Bytes, s.First)
		for w.expect <= index {
			st, ok, _ := w.next() // verified before: neither bad nor newer
			if !ok {
				break
			}
			v.At = st.end
		}
	}
	for len(v.Terms) > 0 && v.Terms[len(v.Terms)-1].Index > index {
		v.Terms = v.Terms[:len(v.Terms)-1]
	}
}

// run is a sequence of consecutive frames that verify, with nothing else between them.
type run struct {
	first, last  id.Index // last = first - 1: empty; only the first run of a survey may be
	terms        []partitions.TermStart
	segment, end int // where it ends
}

// surveyor walks segments, one after the other, so that a whole log need not be in memory.
//
// Invariant: after the first segment there is a run, and only the first may be empty.
type surveyor struct {
	firsts []id.Index // of the segments walked, and their sizes
	sizes  []int64
	runs   []run
	synced id.Index // the highest of all frames that verify
	broken bool     // bytes that do not verify, or missing entries, lie before the next frame
}

// add walks the next segment. seen, if it is set, is told of each step after it was taken into the runs.
func (w *surveyor) add(owner id.Replica, s SegmentBytes, seen func(step)) error {
	i := len(w.firsts)
	w.firsts, w.sizes = append(w.firsts, s.First), append(w.sizes, int64(len(s.Bytes)))
	if i == 0 {
		w.runs = []run{{first: s.First, last: s.First - 1}}
	}
	if r := &w.runs[len(w.runs)-1]; i > 0 && s.First != r.last+1 {
		w.broken = true
	} else if !w.broken {
		r.segment, r.end = i, 0
	}
	walker := walk(owner, s.Bytes, s.First)
	for {
		st, ok, err := walker.next()
		if err != nil {
			return fmt.Errorf("segment %s at byte %d: %w", segmentName(s.First), walker.at, err)
		}
		if !ok {
			return nil
		}
		if st.bad {
			w.broken = true
		} else {
			w.take(st, i)
		}
		if seen != nil {
			seen(st)
		}
	}
}

// take adds a frame that verifies to the runs.
func (w *surveyor) take(st step, segment int) {
	if w.broken {
		w.runs = append(w.runs, run{first: st.index})
		w.broken = false
	}
	w.runs[len(w.runs)-1].add(st, segment)
	w.synced = max(w.synced, st.frame.Synced)
}

func (r *run) add(st step, segment int) {
	r.last, r.segment, r.end = st.index, segment, st.end
	if n := len(r.terms); n == 0 || r.terms[n-1].Term != st.frame.Entry.Term {
		r.terms = append(r.terms, partitions.TermStart{Index: st.index, Term: st.frame.Entry.Term})
	}
}

// segmentName is how tidwall names the segment that begins with an index.
func segmentName(first id.Index) string { return fmt.Sprintf("%020d", uint64(first)) }
