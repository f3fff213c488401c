package simulation

import (
	"fmt"
	"sort"

	"troupe/partitions"
	"troupe/partitions/id"
	"troupe/wal"
)

// read returns the verified frame of an entry.
func (t *Twin) read(i int) (partitions.Entry, error) {
	e := t.entries[i]
	if e.lost {
		return partitions.Entry{}, t.lost(i)
	}
	b, err := t.device.volume.ReadFile(t.path(e.segment))
	if err != nil {
		return partitions.Entry{}, err
	}
	if e.at+e.size > int64(len(b)) {
		return partitions.Entry{}, fmt.Errorf("segment %s ends within entry %d: %w", segmentFile(e.segment), t.first+id.Index(i), partitions.ErrDamaged)
	}
	frame, err := wal.ParseFrame(b[e.at:e.at+e.size], t.owner)
	if err == nil && frame.Entry.Index != t.first+id.Index(i) {
		err = fmt.Errorf("entry %d stands where %d belongs: %w", frame.Entry.Index, t.first+id.Index(i), partitions.ErrDamaged)
	}
	return frame.Entry, err
}

// Entries implements partitions.Log.
func (t *Twin) Entries(lo, hi id.Index, maxBytes int) ([]partitions.Entry, error) {
	if t.closed {
		return nil, partitions.ErrClosed
	}
	if lo < t.first || hi > t.last()+1 || lo >= hi {
		return nil, fmt.Errorf("entries %d to below %d of %d to %d: %w", lo, hi, t.first, t.last(), wal.ErrRange)
	}
	var entries []partitions.Entry
	for bytes := 0; lo < hi; lo++ {
		e, err := t.read(int(lo - t.first))
		if err != nil && len(entries) > 0 {
			break // what verifies is returned; the next call meets the error
		}
		if err != nil {
			return nil, err
		}
		if bytes += len(e.Payload); bytes > maxBytes && len(entries) > 0 {
			break
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// ReadBatches implements partitions.Log.
func (t *Twin) ReadBatches(from, until id.Offset, maxBytes int) ([][]byte, error) {
	if t.closed {
		return nil, partitions.ErrClosed
	}
	if from < t.front {
		return nil, t.trimmed(from)
	}
	var batches [][]byte
	i := t.holding(from)
	if gap, ok := t.gapBefore(i); ok && (i == len(t.entries) || t.entries[i].base > from) {
		return nil, t.lost(gap)
	}
	for bytes := 0; i < len(t.entries); i++ {
		e := t.entries[i]
		if e.lost && len(batches) > 0 {
			break
		}
		if e.lost {
			return nil, t.lost(i)
		}
		if !e.batch {
			continue
		}
		if e.next > until {
			break
		}
		entry, err := t.read(i)
		if err != nil {
			return nil, err
		}
		if bytes += len(entry.Payload); bytes > maxBytes && len(batches) > 0 {
			break
		}
		batches = append(batches, entry.Payload)
	}
	return batches, nil
}

// Scrub implements partitions.Log.
func (t *Twin) Scrub(from id.Index) (next id.Index, bytes int64, err error) {
	if t.closed {
		return 0, 0, partitions.ErrClosed
	}
	n := sort.Search(len(t.segments), func(n int) bool { return n+1 == len(t.segments) || t.segments[n+1].first > from })
	if n+1 == len(t.segments) {
		return 0, 0, nil
	}
	s, next := t.segments[n], t.segments[n+1].first
	for at := max(s.first, t.first); at < next; at++ {
		if _, err := t.read(int(at - t.first)); err != nil {
			t.disk.world.unharmed(t.partition, t.owner, "a scrub", err)
			return next, s.size, err
		}
	}
	t.disk.world.marks.count(MarkScrub)
	return next, s.size, nil
}

// holding finds the first batch that ends above an offset.
func (t *Twin) holding(from id.Offset) int {
	return t.batchFrom(sort.Search(len(t.entries), func(i int) bool {
		i = t.batchFrom(i)
		return i == len(t.entries) || t.entries[i].next > from
	}))
}

// gapBefore finds an entry that does not verify between one and the batch before it: it may have been a batch.
func (t *Twin) gapBefore(i int) (int, bool) {
	for i--; i >= 0 && !t.entries[i].batch; i-- {
		if t.entries[i].lost {
			return i, true
		}
	}
	return 0, false
}

func (t *Twin) lost(i int) error {
	return fmt.Errorf("segment %s, entry %d: %w", segmentFile(t.entries[i].segment), t.first+id.Index(i), partitions.ErrDamaged)
}

// batchFrom finds the first batch at or behind an entry: others hold no offsets.
func (t *Twin) batchFrom(i int) int {
	for i < len(t.entries) && !t.entries[i].batch {
		i++
	}
	return i
}

// FindTime implements partitions.Log.
func (t *Twin) FindTime(at id.Timestamp, from, until id.Offset) (base id.Offset, stamp id.Timestamp, found bool, err error) {
	if t.closed {
		return 0, 0, false, partitions.ErrClosed
	}
	for i, e := range t.entries {
		if e.lost {
			return 0, 0, false, t.lost(i)
		}
		if !e.batch || e.newest < at || e.next <= from {
			continue
		}
		if e.next > until {
			break
		}
		if _, err := t.read(i); err != nil {
			return 0, 0, false, err
		}
		return max(e.base, from), e.newest, true, nil
	}
	return 0, 0, false, nil
}
