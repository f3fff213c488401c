package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	"troupe/partitions"
	"troupe/partitions/id"
)

// Cold reads: by pread from the segment files, on any number of goroutines, while the writer appends. A read sees the
// entries there were when it reached a segment. tidwall's Read is never used: two of them at once race.

// view is one segment as a read found it.
type view struct {
	place int // in Log.segments
	first id.Index
	size  int64
	index *sparse // complete up to size; nil if not built yet
	// want is the index that must follow the segment's last entry.
	want id.Index
}

// reading begins a read; the caller ends it with l.life.RUnlock.
func (l *Log) reading() error {
	l.life.RLock()
	if l.closed {
		l.life.RUnlock()
		return partitions.ErrClosed
	}
	return nil
}

// viewLocked describes segment i. Of a segment that still grows the index is copied, but for its points: of those only
// newest of the last one ever changes, and atTime is called under mu.
func (l *Log) viewLocked(i int) view {
	s := l.segments[i]
	v := view{place: i, first: s.first, size: s.size, index: s.index, want: l.last + 1}
	if i+1 < len(l.segments) {
		v.want = l.segments[i+1].first
	} else if s.index != nil {
		x := *s.index
		v.index = &x
	}
	return v
}

// indexed returns segment i with its sparse index, which it builds if need be. ok is false behind the last segment.
func (l *Log) indexed(i int) (v view, ok bool, err error) {
	l.mu.Lock()
	if i >= len(l.segments) {
		l.mu.Unlock()
		return view{}, false, nil
	}
	v = l.viewLocked(i)
	l.mu.Unlock()
	if v.index != nil {
		return v, true, nil
	}
	s, err := readSegment(l.directory, v.first)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return view{}, false, err
	}
	// A log that is only read may end in bytes that are not believed.
	s.Bytes = s.Bytes[:min(int64(len(s.Bytes)), v.size)]
	if v.index, err = scan(l.owner, s, v.want); err != nil {
		return view{}, false, fmt.Errorf("segment %s: %w", segmentName(v.first), err)
	}
	l.mu.Lock()
	l.segments[i].index = v.index // only cut, DropFront and Close change the list, and all wait for this read
	l.mu.Unlock()
	return v, true, nil
}

// Entries implements partitions.Log. It returns ErrRange for entries that are not in the log.
func (l *Log) Entries(lo, hi id.Index, maxBytes int) ([]partitions.Entry, error) {
	if err := l.reading(); err != nil {
		return nil, err
	}
	defer l.life.RUnlock()
	l.mu.Lock()
	first, last := l.begin, l.last
	missing := l.segments[0].first
	l.mu.Unlock()
	if lo >= first && lo < missing && lo < hi && hi <= last+1 {
		return nil, l.damaged(view{first: first}, 0, lo)
	}
	if lo < first || hi > last+1 || lo >= hi {
		return nil, fmt.Errorf("entries %d to below %d of replica %d, which has %d to %d: %w", lo, hi, l.owner, first, last, ErrRange)
	}
	var entries []partitions.Entry
	for left := maxBytes; lo < hi; {
		more, full, err := l.entriesOfSegment(lo, hi, left, len(entries) == 0)
		if err != nil && len(entries)+len(more) == 0 {
			return nil, err
		}
		entries = append(entries, more...)
		if full || err != nil {
			break // what verifies is returned; the next call meets the error
		}
		lo += id.Index(len(more))
		for i := range more {
			left -= len(more[i].Payload)
		}
	}
	return entries, nil
}

// entriesOfSegment reads from lo up to the end of its segment; full tells that the next entry did not fit. The first one
// is returned however large if always is set.
func (l *Log) entriesOfSegment(lo, hi id.Index, maxBytes int, always bool) (entries []partitions.Entry, full bool, err error) {
	l.mu.Lock()
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].first > lo }) - 1
	v := l.viewLocked(i)
	l.mu.Unlock()
	at, from := int64(0), v.first
	if v.index == nil && lo > v.first {
		if v, _, err = l.indexed(i); err != nil {
			return nil, false, err
		}
	}
	if v.index != nil {
		at, from = v.index.atIndex(v.first, lo)
	}
	c, err := l.open(v, at, from, maxBytes)
	if err != nil {
		return nil, false, err
	}
	defer c.close()
	for left := maxBytes; lo < min(hi, v.want); {
		st, ok, err := c.next()
		if err != nil {
			return entries, false, err
		}
		if !ok || st.index > lo {
			return entries, false, l.damaged(v, c.base+int64(st.at), lo)
		}
		if st.bad || st.index < lo {
			continue
		}
		left -= len(st.frame.Entry.Payload)
		if left < 0 && (len(entries) > 0 || !always) {
			return entries, true, nil
		}
		entries = append(entries, st.frame.Entry)
		lo++
	}
	return entries, false, nil
}

// damaged is the error for bytes that do not verify.
func (l *Log) damaged(v view, at int64, index id.Index) error {
	return fmt.Errorf("replica %d, segment %s, byte %d, entry %d: %w",
		l.owner, segmentName(v.first), at, index, partitions.ErrDamaged)
}

// ReadBatches implements partitions.Log.
func (l *Log) ReadBatches(from, until id.Offset, maxBytes int) ([][]byte, error) {
	if err := l.reading(); err != nil {
		return nil, err
	}
	defer l.life.RUnlock()
	l.mu.Lock()
	front := l.front
	l.mu.Unlock()
	if from < front {
		return nil, l.trimmed(from, front)
	}
	v, ok, lost, err := l.find(from)
	q := query{from: from, until: until, left: maxBytes, lost: lost}
	for ok && err == nil {
		if err = l.batchesOfSegment(v, &q); err != nil || q.done {
			break
		}
		v, ok, err = l.indexed(v.place + 1)
	}
	if len(q.batches) > 0 {
		return q.batches, nil // what verifies is returned; the next call meets the error
	}
	if err == nil && q.lost != nil {
		err = q.lost
	}
	return nil, err
}

// query is a ReadBatches under way.
type query struct {
	from, until id.Offset
	left        int // bytes
	batches     [][]byte
	// lost is set while bytes that do not verify may have held the next batch.
	lost error
	done bool
}

// find returns the first segment with a batch that ends behind offset from. lost tells of damage in front of it that may
// have held the offset. ok is false when there is none.
func (l *Log) find(from id.Offset) (v view, ok bool, lost, err error) {
	l.mu.Lock()
	n := len(l.segments)
	l.mu.Unlock()
	i := sort.Search(n, func(i int) bool {
		next, e := l.nextOffset(i)
		if e != nil && err == nil {
			err = e
		}
		return next > from
	})
	if err != nil {
		return view{}, false, nil, err
	}
	found := false // a batch
	for before := i - 1; before >= 0; before-- {
		p, _, err := l.indexed(before)
		if err != nil {
			return view{}, false, nil, err
		}
		if p.index.damagedEnd {
			lost = l.damaged(p, p.size, p.want)
		}
		if found = len(p.index.points) > 0; found {
			break
		}
	}
	if !found && lost == nil {
		lost = l.lostFront()
	}
	v, ok, err = l.indexed(i)
	return v, ok, lost, err
}

// lostFront is the error for entries in front of the first segment that should be there; nil when there are none.
func (l *Log) lostFront() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begin == l.segments[0].first {
		return nil
	}
	return l.damaged(view{first: l.begin}, 0, l.begin)
}

// nextOffset tells the offset behind the last batch in segment i or, if it has none, in those before it.
func (l *Log) nextOffset(i int) (id.Offset, error) {
	for ; i >= 0; i-- {
		v, _, err := l.indexed(i)
		if err != nil {
			return 0, err
		}
		if len(v.index.points) > 0 {
			return v.index.next, nil
		}
	}
	return -1, nil
}

// batchesOfSegment goes on with a query in one segment.
func (l *Log) batchesOfSegment(v view, q *query) error {
	at, from := int64(0), v.first
	if len(q.batches) == 0 {
		at, from = v.index.atOffset(v.first, q.from)
	}
	c, err := l.open(v, at, from, q.left)
	if err != nil {
		return err
	}
	defer c.close()
	for !q.done {
		st, ok, err := c.next()
		if err != nil {
			return err
		}
		if st.bad || !ok && v.index.damagedEnd {
			q.lost = l.damaged(v, c.base+int64(st.at), c.expect)
			q.done = len(q.batches) > 0
		}
		if !ok {
			return nil
		}
		if s, ok := batchSpan(&st.frame.Entry); ok && !st.bad {
			q.take(s, st.frame.Entry.Payload)
		}
	}
	return nil
}

// take decides about the next batch of the log.
func (q *query) take(s span, payload []byte) {
	switch {
	case s.next <= q.from:
		q.lost = nil // the damage was in front of what is wanted
	case s.next > q.until:
		q.done = true
	case q.lost != nil && s.base > q.from:
		q.done = true
	case len(q.batches) > 0 && len(payload) > q.left:
		q.done = true
	default:
		q.batches, q.left, q.lost = append(q.batches, payload), q.left-len(payload), nil
	}
}

// FindTime implements partitions.Log. It returns ErrDamaged if bytes that do not verify come before the batch found.
func (l *Log) FindTime(t id.Timestamp, from, until id.Offset) (at id.Offset, stamp id.Timestamp, found bool, err error) {
	if err := l.reading(); err != nil {
		return 0, 0, false, err
	}
	defer l.life.RUnlock()
	lost := l.lostFront()
	for i := 0; ; i++ {
		v, ok, err := l.indexed(i)
		if err != nil || !ok {
			return 0, 0, false, err
		}
		x := v.index
		if len(x.points) > 0 && x.points[0].base <= from {
			lost = nil // it was in front of what is wanted
		}
		if lost != nil {
			return 0, 0, false, lost
		}
		if len(x.points) > 0 && x.next <= from && !x.damagedEnd {
			continue
		}
		if x.damaged {
			return 0, 0, false, l.damaged(v, 0, v.first)
		}
		if len(x.points) == 0 || x.newest < t {
			continue
		}
		if x.points[0].base >= until {
			return 0, 0, false, nil
		}
		s, ok, err := l.timeInSegment(v, t, from)
		if err != nil || ok {
			return max(s.base, from), s.newest, ok && s.next <= until, err
		}
	}
}

// timeInSegment finds the first batch that is young enough and ends above from, if the segment has one.
func (l *Log) timeInSegment(v view, t id.Timestamp, from id.Offset) (s span, found bool, err error) {
	l.mu.Lock()
	at, index, _ := v.index.atTime(t)
	l.mu.Unlock()
	if later, i := v.index.atOffset(v.first, from); later > at {
		at, index = later, i
	}
	c, err := l.open(v, at, index, pointBytes)
	if err != nil {
		return span{}, false, err
	}
	defer c.close()
	for {
		st, ok, err := c.next()
		if st.bad && err == nil {
			err = l.damaged(v, c.base+int64(st.at), c.expect)
		}
		if err != nil || !ok {
			return span{}, false, err
		}
		if s, ok := batchSpan(&st.frame.Entry); ok && s.newest >= t && s.next > from {
			return s, true, nil
		}
	}
}

// cursor walks through a part of a segment file, reading ahead.
type cursor struct {
	walker
	file *os.File
	base int64 // position in the file of walker.bytes[0]
	size int64 // where the segment ends
	want int   // bytes to read at once; never negative
	// short is set when the file ends before size: what is missing does not verify.
	short error
	// shared is what fill reads into, where whoever walks keeps nothing of a frame beyond the next one; nil: memory of its own.
	shared *[]byte
}

// open begins at a place where an entry begins, and will read want bytes at once and what the sparse index may be off by.
// A file that is missing is damage.
func (l *Log) open(v view, at int64, from id.Index, want int) (*cursor, error) {
	if v.size == 0 {
		return &cursor{walker: walk(l.owner, nil, from)}, nil // behind a snapshot it may not have its file yet
	}
	f, err := os.Open(filepath.Join(l.directory, segmentName(v.first)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, l.damaged(v, 0, v.first)
	}
	if err != nil {
		return nil, err
	}
	want = min(want, int(v.size)) + leastEntry + pointBytes
	return &cursor{walker: walk(l.owner, nil, from), file: f, base: at, size: v.size, want: want}, nil
}

func (c *cursor) close() { c.file.Close() }

// next is walker.next over the whole rest of the segment. Frames share memory with what one pread returned.
func (c *cursor) next() (step, bool, error) {
	for {
		rest := c.size - c.base - int64(len(c.bytes)) // not read yet
		if rest <= 0 {
			st, ok, err := c.walker.next()
			if !ok && err == nil {
				err = c.short
			}
			return st, ok, err
		}
		if need := c.need(); need > len(c.bytes)-c.at {
			if err := c.fill(max(need, c.want)); err != nil {
				return step{}, false, err
			}
			continue
		}
		mark := c.walker
		st, ok, err := c.walker.next()
		if err != nil || !st.bad || c.at < len(c.bytes) {
			return st, ok, err
		}
		c.walker = mark // it does not go on within these bytes: look at all there are
		if err := c.fill(int(c.size)); err != nil {
			return step{}, false, err
		}
	}
}

// need tells how many bytes the next entry takes, by its length; more than there are if that is not known yet.
func (c *cursor) need() int {
	size, n := binary.Uvarint(c.bytes[c.at:])
	if n == 0 {
		return min(len(c.bytes)-c.at+1, int(c.size))
	}
	if n < 0 || size > uint64(c.size) {
		return 0 // nonsense: let the walker say so
	}
	return n + int(size)
}

// fill reads at least n bytes from the next entry on, or up to the end of the segment.
func (c *cursor) fill(n int) error {
	c.base += int64(c.at)
	b := c.memory(int(min(int64(n), c.size-c.base)))
	read, err := c.file.ReadAt(b, c.base)
	if err != nil && err != io.EOF {
		return err
	}
	if err == io.EOF {
		c.size = c.base + int64(read)
		c.short = fmt.Errorf("%s ends at byte %d: %w", filepath.Base(c.file.Name()), c.size, partitions.ErrDamaged)
	}
	c.walker = walk(c.owner, b[:read], c.expect)
	return nil
}

// memory returns n bytes to read into.
func (c *cursor) memory(n int) []byte {
	if c.shared == nil {
		return make([]byte, n)
	}
	if cap(*c.shared) < n {
		*c.shared = make([]byte, n)
	}
	return (*c.shared)[:n]
}
