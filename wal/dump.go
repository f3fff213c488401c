package wal

import (
	"troupe/partitions/id"
)

// Position is where in a log a frame is, or bytes that do not verify.
type Position struct {
	Segment string
	At, End int64
}

// Stretch is what a dump shows next: a frame that verifies, or with Bad, bytes that do not, in whose place the entries from
// Index on are missing.
type Stretch struct {
	Position
	Index id.Index
	Bad   bool
	Frame Frame // where not Bad
}

// Frames shows every frame of a log from an entry on, and what does not verify between them, until visit returns false or
// an error. Its errors are visit's, partitions.ErrNewer and the operating system's. One segment is in memory at a time.
func (o *Offline) Frames(s Stored, from id.Index, visit func(Stretch) (more bool, err error)) error {
	firsts := segmentsIn(s.Path)
	for n, first := range firsts {
		if n+1 < len(firsts) && firsts[n+1] <= from {
			continue
		}
		segment, err := readSegment(s.Path, first)
		if err != nil {
			return err
		}
		w := walk(s.Replica, segment.Bytes, first)
		for {
			st, ok, err := w.next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if !st.bad && st.index < from || st.bad && w.expect <= from {
				continue
			}
			more, err := visit(Stretch{
				Position: Position{Segment: segmentName(first), At: int64(st.at), End: int64(st.end)},
				Index:    st.index, Bad: st.bad, Frame: st.frame,
			})
			if err != nil || !more {
				return err
			}
		}
	}
	return nil
}
