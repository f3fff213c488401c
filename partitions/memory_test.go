package partitions_test

import (
	"slices"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// memoryLog is a Log in memory that forgets at a crash what was not synced, and can hold a bad entry.
type memoryLog struct {
	replica    id.Replica
	entries    []partitions.Entry // from base.Index + 1; each counts as a segment
	base       *partitions.Checkpoint
	synced     int
	state      partitions.HardState
	durable    partitions.HardState
	checkpoint *partitions.Checkpoint
	bad        id.Index
}

func bear(replica id.Replica) *memoryLog {
	return founder(replica, []partitions.Placed{{Replica: replica, Node: 1}})
}

func founder(replica id.Replica, founders []partitions.Placed) *memoryLog {
	c, h := partitions.Birth(founders)
	return &memoryLog{replica: replica, state: h, durable: h, base: &c, checkpoint: &c}
}

// empty is the log of a replica that waits for its first snapshot.
func empty(replica id.Replica) *memoryLog { return &memoryLog{replica: replica} }

func (l *memoryLog) crash() {
	l.entries = l.entries[:l.synced]
	l.state = l.durable
}

func (l *memoryLog) first() id.Index {
	if l.base == nil {
		return 1
	}
	return l.base.Index + 1
}

func (l *memoryLog) last() id.Index { return l.first() + id.Index(len(l.entries)) - 1 }

// lose puts a gap in the place of an entry, or behind the last one.
func (l *memoryLog) lose(at id.Index, g partitions.Gap) {
	if at > l.last() {
		l.entries = append(l.entries, partitions.Entry{})
		l.synced = len(l.entries)
	}
	e := &l.entries[at-l.first()]
	*e = partitions.Entry{Index: at, Term: 2, Type: partitions.EntryGap, Payload: g.AppendTo(nil)}
}

func (l *memoryLog) Recovered() partitions.Recovered {
	state := l.state
	if l.checkpoint != nil {
		state.Commit = min(l.last(), max(state.Commit, l.checkpoint.Index))
		state.Term = max(state.Term, l.checkpoint.Term)
	}
	var terms []partitions.TermStart
	for _, e := range l.entries {
		if n := len(terms); n == 0 || terms[n-1].Term != e.Term {
			terms = append(terms, partitions.TermStart{Index: e.Index, Term: e.Term})
		}
	}
	return partitions.Recovered{
		HardState: state, Replica: l.replica, Base: l.base, Newest: l.checkpoint, First: l.first(), Last: l.last(), Terms: terms, Durable: l.last(),
	}
}

func (l *memoryLog) Append(writes []partitions.Write) error {
	for _, w := range writes {
		if w.Snapshot != nil { // durable at once, as a Log's is
			l.entries, l.synced, l.base, l.checkpoint = nil, 0, w.Snapshot, w.Snapshot
			l.state, l.durable = w.HardState, w.HardState
		}
		if len(w.Entries) > 0 {
			at := int(w.Entries[0].Index - l.first())
			l.entries = append(l.entries[:at], w.Entries...)
			l.synced = min(l.synced, at)
		}
		if w.Changed {
			l.state = w.HardState
		}
	}
	return nil
}

func (l *memoryLog) Sync() error {
	l.synced, l.durable = len(l.entries), l.state
	return nil
}

func (l *memoryLog) SaveCheckpoint(c *partitions.Checkpoint) error {
	l.checkpoint = c
	return nil
}

func (l *memoryLog) Entries(lo, hi id.Index, maxBytes int) ([]partitions.Entry, error) {
	if l.bad != 0 && lo <= l.bad && l.bad < hi {
		return nil, partitions.ErrDamaged
	}
	return slices.Clone(l.entries[lo-l.first() : hi-l.first()]), nil
}

func (l *memoryLog) FrontEnd(start id.Offset, below id.Index) (end id.Index, err error) {
	for _, e := range l.entries[:max(0, len(l.entries)-1)] {
		if h, err := batch.ParseHeader(e.Payload); err == nil && h.NextOffset() > start || e.Index > below {
			break
		}
		if g, err := partitions.ParseGap(e.Payload); e.Type == partitions.EntryGap && err == nil && g.Next > start {
			break
		}
		end = e.Index
	}
	return end, nil
}

func (l *memoryLog) Rest() error { return nil }

func (l *memoryLog) DropFront(base *partitions.Checkpoint) error {
	n := int(base.Index - l.base.Index)
	l.entries, l.synced, l.base = l.entries[n:], l.synced-n, base
	return nil
}

func (l *memoryLog) ReadBatches(from, until id.Offset, maxBytes int) ([][]byte, error) {
	var out [][]byte
	size := 0
	for _, e := range l.entries {
		if e.Type != partitions.EntryBatch {
			continue
		}
		h, _ := batch.ParseHeader(e.Payload)
		if h.NextOffset() <= from || h.NextOffset() > until {
			continue
		}
		if size += len(e.Payload); size > maxBytes && len(out) > 0 {
			break
		}
		out = append(out, e.Payload)
	}
	return out, nil
}

func (l *memoryLog) FindTime(t id.Timestamp, from, until id.Offset) (id.Offset, id.Timestamp, bool, error) {
	for _, e := range l.entries {
		if e.Type != partitions.EntryBatch {
			continue
		}
		if h, _ := batch.ParseHeader(e.Payload); h.MaxTimestamp >= t && h.NextOffset() > from && h.NextOffset() <= until {
			return max(h.BaseOffset, from), h.MaxTimestamp, true, nil
		}
	}
	return 0, 0, false, nil
}

func (l *memoryLog) Holes() ([]partitions.Hole, error) {
	if l.bad == 0 {
		return nil, nil
	}
	return []partitions.Hole{{First: l.bad, Last: l.bad}}, nil
}

func (l *memoryLog) Fill(entries []partitions.Entry) error {
	for _, e := range entries {
		l.entries[e.Index-l.first()], l.bad = e, 0
	}
	return nil
}

func (l *memoryLog) Scrub(id.Index) (id.Index, int64, error) { return 0, 0, nil }

func (l *memoryLog) Size() partitions.LogSize { return partitions.LogSize{Segments: 1} }
func (l *memoryLog) Close() error             { return nil }
