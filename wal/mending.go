package wal

import (
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// Mending fills the holes of one segment. It is the whole decision about what may go where: who keeps segments elsewhere
// than in files uses it too.
//
//	first                                       first+len(frames)          want
//	|  verifies  |  missing  |  verifies  |junk?|  missing                 |  the next segment
//	|<---------- body, rewritten whole -------->|<- tail, a file of its own ->|
//
// The body goes up to the last frame that verifies: once nothing in it is missing, it is written anew under the segment's
// name. What is missing behind it, as after the loss of a whole file, becomes a segment of its own, or several.
//
// Bytes behind a body that is complete leave nothing to fetch, and would be damage for ever. Its last entry counts as missing
// then.
type Mending struct {
	owner       id.Replica
	first, want id.Index
	frames      [][]byte // with their lengths; nil where missing
	entries     []partitions.Entry
	body        int  // how many belong to the body
	holed       bool // the body had holes
	junk        bool // bytes that do not verify follow the body
	tailBytes   int
	next        int // the lowest place without a frame
	known       int // the lowest one behind next that has an entry; len(entries): none
}

// Mend looks for what is missing in a segment; want is the index with which the next one begins. The only error is
// partitions.ErrNewer.
func Mend(owner id.Replica, s SegmentBytes, want id.Index) (*Mending, error) {
	m := &Mending{owner: owner, first: s.First, want: want}
	w := walk(owner, s.Bytes, s.First)
	for {
		st, ok, err := w.next()
		if err != nil {
			return nil, fmt.Errorf("segment %s at byte %d: %w", segmentName(s.First), w.at, err)
		}
		if !ok {
			break
		}
		if m.junk = st.bad || st.index >= want; m.junk {
			continue
		}
		missing := int(st.index-s.First) - len(m.frames)
		m.holed = m.holed || missing > 0
		m.frames = append(append(m.frames, make([][]byte, missing)...), s.Bytes[st.at:st.end:st.end])
		m.entries = append(append(m.entries, make([]partitions.Entry, missing)...), st.frame.Entry)
	}
	m.body = len(m.frames)
	if m.junk && m.body > 0 && m.end() == want {
		m.frames[m.body-1], m.holed = nil, true
	}
	m.advance()
	return m, nil
}

// advance moves to the next missing place.
func (m *Mending) advance() {
	for m.next < len(m.frames) && m.frames[m.next] != nil {
		m.next++
	}
	for m.known = max(m.known, m.next+1); m.known < len(m.frames) && m.frames[m.known] == nil; {
		m.known++
	}
}

// Covers tells whether an entry belongs to the segment.
func (m *Mending) Covers(index id.Index) bool { return m.first <= index && index < m.want }

// End is the index with which the next segment begins.
func (m *Mending) End() id.Index { return m.want }

func (m *Mending) end() id.Index { return m.first + id.Index(len(m.frames)) }

// Holes lists what is missing, in order.
func (m *Mending) Holes() []partitions.Hole {
	var holes []partitions.Hole
	for i, f := range m.frames {
		if f == nil {
			holes = joined(holes, partitions.Hole{First: m.first + id.Index(i), Last: m.first + id.Index(i)})
		}
	}
	if m.end() < m.want {
		holes = joined(holes, partitions.Hole{First: m.end(), Last: m.want - 1})
	}
	return holes
}

// joined appends a hole to those before it.
func joined(holes []partitions.Hole, next partitions.Hole) []partitions.Hole {
	if n := len(holes); n > 0 && holes[n-1].Last+1 == next.First {
		holes[n-1].Last = next.Last
		return holes
	}
	return append(holes, next)
}

// Put takes the next missing entry. It returns ErrRange for another one, and ErrContradiction where the entry cannot be the
// one that was here.
func (m *Mending) Put(e partitions.Entry, terms KnownTerms) error {
	if at := m.first + id.Index(m.next); at >= m.want || e.Index != at {
		return fmt.Errorf("entry %d does not fill a hole, %d is the next one missing from %d to below %d: %w",
			e.Index, at, m.first, m.want, ErrRange)
	}
	if err := m.check(e, terms); err != nil {
		return fmt.Errorf("entry %d of term %d: %w: %w", e.Index, e.Term, err, ErrContradiction)
	}
	// Everything below it was durable once, or it would be no hole.
	frame := AppendEntry(nil, m.owner, e, e.Index-1)
	e.Payload = frame[len(frame)-len(e.Payload):]
	if m.next < m.body {
		m.frames[m.next], m.entries[m.next] = frame, e
	} else {
		m.frames, m.entries, m.tailBytes = append(m.frames, frame), append(m.entries, e), m.tailBytes+len(frame)
	}
	m.advance()
	return nil
}

// check compares an entry with those around it.
func (m *Mending) check(e partitions.Entry, terms KnownTerms) error {
	if !knownType(e.Type) {
		return fmt.Errorf("type %d is none", e.Type)
	}
	low, high := terms.at(e.Index)
	if m.next > 0 {
		low = max(low, m.entries[m.next-1].Term)
	}
	if m.known < len(m.frames) {
		high = min(high, m.entries[m.known].Term)
	}
	if e.Term < low || e.Term > high {
		return fmt.Errorf("its term is from %d to %d", low, high)
	}
	sp, ok := spanOf(&e)
	if !ok && e.Type == partitions.EntryBatch {
		return fmt.Errorf("it is no record batch")
	}
	for j := m.next - 1; j >= 0 && ok; j-- { // everything before it is there
		if before, holds := spanOf(&m.entries[j]); holds {
			if before.next != sp.base {
				return fmt.Errorf("it begins at offset %d, what is before it ends at %d", sp.base, before.next)
			}
			break
		}
	}
	for j := m.next + 1; j < len(m.frames) && m.frames[j] != nil && ok; j++ {
		if after, holds := spanOf(&m.entries[j]); holds {
			if after.base != sp.next {
				return fmt.Errorf("it ends at offset %d, what is behind it begins at %d", sp.next, after.base)
			}
			break
		}
	}
	return nil
}

// Due returns the files to be written now, in this order and each whole or not at all; after that the segment is looked at
// anew. A tail is due when it is complete or has limit bytes.
func (m *Mending) Due(limit int) []SegmentBytes {
	if m.next < m.body {
		return nil
	}
	tail := m.tailBytes > 0 && (m.end() == m.want || m.tailBytes >= limit)
	var files []SegmentBytes
	if m.body > 0 && (m.holed || tail && m.junk) {
		files = append(files, SegmentBytes{First: m.first, Bytes: slices.Concat(m.frames[:m.body]...)})
	}
	if tail {
		files = append(files, SegmentBytes{First: m.first + id.Index(m.body), Bytes: slices.Concat(m.frames[m.body:]...)})
	}
	return files
}

// KnownTerms is what is known of a log's terms without its holes.
type KnownTerms struct {
	// Base is the term that the log continues from; 0 where that is not known.
	Base id.Term
	// Found lists the terms through entry Last, as an opening found them. No term begins in a hole of such a log.
	Found []partitions.TermStart
	Last  id.Index
	// Highest is the newest term known.
	Highest id.Term
}

// at bounds the term of an entry.
func (k KnownTerms) at(index id.Index) (low, high id.Term) {
	low, high = k.Base, k.Highest
	for i, s := range k.Found {
		if s.Index > index && i == 0 {
			return low, s.Term // in front of all that was there
		}
		if s.Index > index {
			break
		}
		low = s.Term
	}
	if len(k.Found) > 0 && index <= k.Last {
		high = low
	}
	return low, high
}

// Through forgets what was found behind an entry.
func (k KnownTerms) Through(index id.Index) KnownTerms {
	k.Last = min(k.Last, index)
	k.Found = slices.DeleteFunc(slices.Clone(k.Found), func(s partitions.TermStart) bool { return s.Index > index })
	return k
}
