package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// TestReadersBesideWriter reads at random while the writer appends, rolls, cuts and closes. Run it with -race.
func TestReadersBesideWriter(t *testing.T) {
	b := newBench(t, Options{SegmentBytes: 4096, system: &faulty{}})
	l, s := b.open(), newStory()
	s.commit(t, l, s.empty())
	var committed atomic.Int64 // offset below which nothing is ever cut
	var group sync.WaitGroup
	for reader := range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			for turn := reader; ; turn += 7919 {
				until := id.Offset(committed.Load())
				if until == 0 {
					until = 2
				}
				if err := readSome(l, id.Offset(turn)%until, until, turn); err != nil {
					if !errors.Is(err, partitions.ErrClosed) {
						t.Errorf("reader: %v", err)
					}
					return
				}
			}
		}()
	}
	group.Add(1)
	go func() {
		defer group.Done()
		readEnd(t, l)
	}()
	for round := range 150 {
		s.commit(t, l, s.batches(6, 100+round%7*200)...)
		committed.Store(int64(s.offset))
		if round%5 == 4 { // an end that a new leader replaces
			keep := *s
			must(t, l.Append([]partitions.Write{{Entries: s.batches(9, 700)}}))
			*s = keep
			s.term++
		}
	}
	must(t, l.Close())
	group.Wait()
	if _, err := l.ReadBatches(0, 1, 1); !errors.Is(err, partitions.ErrClosed) {
		t.Fatalf("reading a closed log: %v", err)
	}
}

// readEnd reads the end of the log, which is cut now and then: what it finds is there or it is not, but never damaged.
func readEnd(t *testing.T, l *Log) {
	for {
		l.mu.Lock()
		last := l.last
		l.mu.Unlock()
		_, err := l.Entries(max(last, 10)-8, last+1, math.MaxInt)
		if errors.Is(err, partitions.ErrClosed) {
			return
		}
		if err != nil && !errors.Is(err, ErrRange) {
			t.Errorf("reader of the end: %v", err)
			return
		}
	}
}

// readSome reads from an offset, which must find that offset's batch, as it was written.
func readSome(l *Log, from, until id.Offset, turn int) error {
	batches, err := l.ReadBatches(from, until, 1+turn%5000)
	if err != nil {
		return err
	}
	if until == 2 && len(batches) == 0 {
		return nil // nothing was committed yet
	}
	next := from - from%2
	for _, got := range batches {
		if !bytes.Equal(got, makeBatch(next, 2, id.Timestamp(next*10), len(got))) {
			return errors.New("a batch is not what was written")
		}
		next += 2
	}
	if next <= from {
		return errors.New("no batch at an offset that is committed")
	}
	lo := id.Index(3 + from/2)
	entries, err := l.Entries(lo, lo+1, 1)
	if err != nil {
		return err
	}
	if h, err := batch.ParseHeader(entries[0].Payload); err != nil || h.BaseOffset != from-from%2 {
		return errors.New("an entry is not what was written")
	}
	at, _, found, err := l.FindTime(id.Timestamp((from-from%2)*10), 0, until)
	if err == nil && (!found || at != from-from%2) {
		err = errors.New("a time is not found")
	}
	return err
}

func TestReadBatchesBounds(t *testing.T) {
	b := newBench(t, Options{SegmentBytes: 1000})
	l, s := b.open(), newStory()
	s.commit(t, l, s.empty())
	s.commit(t, l, s.batches(30, 200)...) // offsets 0 to 60
	for _, again := range []func(){func() {}, func() { b.restart(); l = b.open() }} {
		again()
		for _, c := range []struct {
			from, until id.Offset
			bytes       int
			first, n    int
		}{
			{0, 60, 0, 0, 1}, {0, 60, 399, 0, 1}, {0, 60, 400, 0, 2}, {1, 60, 400, 0, 2}, {2, 60, 400, 2, 2},
			{0, 60, math.MaxInt, 0, 30}, {59, 60, math.MaxInt, 58, 1}, {60, 60, math.MaxInt, 0, 0}, {60, 99, 1, 0, 0},
			{0, 59, math.MaxInt, 0, 29}, {0, 1, 1, 0, 0}, {58, 59, 1, 0, 0}, {20, 30, math.MaxInt, 20, 5},
		} {
			got, err := l.ReadBatches(c.from, c.until, c.bytes)
			must(t, err)
			if len(got) != c.n {
				t.Fatalf("%+v: %d batches", c, len(got))
			}
			if c.n > 0 {
				if h, err := batch.ParseHeader(got[0]); err != nil || h.BaseOffset != id.Offset(c.first) {
					t.Fatalf("%+v: first batch at %d, %v", c, h.BaseOffset, err)
				}
			}
		}
	}
	entries, err := l.Entries(2, 32, math.MaxInt)
	must(t, err)
	if len(entries) != 30 {
		t.Fatalf("%d entries", len(entries))
	}
	for _, c := range [][2]id.Index{{1, 3}, {2, 34}, {5, 5}, {33, 34}} {
		_, err := l.Entries(c[0], c[1], 1)
		wantErr(t, err, ErrRange)
	}
}

// TestOffsetGap: offsets may have a gap, over which a read goes on with the next batch.
func TestOffsetGap(t *testing.T) {
	b := newBench(t, Options{})
	l, s := b.open(), newStory()
	first := s.batch(100)
	s.offset = 50
	s.commit(t, l, first, s.batch(100))
	for _, from := range []id.Offset{2, 30, 49, 50, 51} {
		got, err := l.ReadBatches(from, 52, 1)
		must(t, err)
		if len(got) != 1 || !bytes.Equal(got[0], s.entries[1].Payload) {
			t.Fatalf("from %d: %x", from, got)
		}
	}
}

func TestFindTime(t *testing.T) {
	b := newBench(t, Options{SegmentBytes: 2000})
	l, s := b.open(), newStory()
	times := []id.Timestamp{50, 10, 20, 90, 80, 30, 100, 100, 5, 120}
	for range 3 { // the second and third round are in other segments
		for _, at := range times {
			e := s.batch(400)
			copy(e.Payload, makeBatch(s.offset-2, 2, at, 400))
			s.commit(t, l, e)
		}
	}
	for _, again := range []func(){func() {}, func() { b.restart(); l = b.open() }} {
		again()
		for _, c := range []struct {
			t     id.Timestamp
			until id.Offset
			at    id.Offset
			stamp id.Timestamp
			found bool
		}{
			{0, 60, 0, 50, true}, {50, 60, 0, 50, true}, {51, 60, 6, 90, true}, {90, 60, 6, 90, true}, {91, 60, 12, 100, true},
			{101, 60, 18, 120, true}, {121, 60, 0, 0, false}, {101, 18, 0, 0, false}, {101, 19, 0, 0, false}, {101, 20, 18, 120, true},
		} {
			at, stamp, found, err := l.FindTime(c.t, 0, c.until)
			must(t, err)
			if found != c.found || found && (at != c.at || stamp != c.stamp) {
				t.Fatalf("time %d until %d: %d at %d, %v; want %+v", c.t, c.until, at, stamp, found, c)
			}
		}
		// Whatever comes before an offset does not count.
		for from := range id.Offset(60) {
			for _, young := range []id.Timestamp{0, 81, 101} {
				want, stamp := id.Offset(60), id.Timestamp(0)
				for i := from / 2; i < 30 && want == 60; i++ {
					if at := times[i%10]; at >= young {
						want, stamp = max(2*i, from), at
					}
				}
				at, newest, found, err := l.FindTime(young, from, 60)
				must(t, err)
				if found != (want < 60) || found && (at != want || newest != stamp) {
					t.Fatalf("time %d from %d: %d at %d, %v; want %d at %d", young, from, at, newest, found, want, stamp)
				}
			}
		}
	}
}

// TestOldSegmentDamaged damages a segment that is not read at opening: reads tell, and serve what lies around it.
func TestOldSegmentDamaged(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"flipped":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut":       func(b []byte) []byte { return b[:len(b)/2] },
		"end gone":  func(b []byte) []byte { return b[:3*len(b)/6] },           // of six or more entries of one size
		"border":    func(b []byte) []byte { b[len(b)*43/100] ^= 1; return b }, // the next entry is not within one read
		"first":     func(b []byte) []byte { b[3] ^= 1; return b },
		"last byte": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"empty":     func(b []byte) []byte { return nil },
		"missing":   nil,
	} {
		for _, size := range []int{200, 3000} { // the larger ones do not fit into one read
			t.Run(fmt.Sprint(name, size), func(t *testing.T) { oldSegment(t, spoil, size) })
		}
	}
}

func oldSegment(t *testing.T, spoil func([]byte) []byte, size int) {
	b := newBench(t, Options{SegmentBytes: 10 * size, system: &faulty{}})
	l, s := b.open(), newStory()
	s.commit(t, l, s.empty())
	s.commit(t, l, s.batches(60, size)...)
	must(t, l.Close())
	victim, next := l.segments[3].first, l.segments[4].first
	path := filepath.Join(b.replicaPath(), segmentName(victim))
	content, err := os.ReadFile(path)
	must(t, err)
	whole := bytes.Clone(content)
	if spoil == nil {
		must(t, os.Remove(path))
		content = nil
	} else {
		content = spoil(content)
		must(t, os.WriteFile(path, content, 0o640))
	}
	entry := entryBytes(FrameOverhead + size)
	b.restart()
	l = b.open()
	for i := id.Index(3); i < s.next; i++ {
		bad := false
		if i >= victim && i < next {
			at := int64(i-victim) * entry
			bad = at+entry > int64(len(content))
			bad = bad || !bytes.Equal(content[at:at+entry], whole[at:at+entry])
		}
		base := id.Offset(2 * (i - 3))
		entries, e1 := l.Entries(i, i+1, 1)
		batches, e2 := l.ReadBatches(base, s.offset, math.MaxInt)
		if bad {
			wantErr(t, e1, partitions.ErrDamaged)
			wantErr(t, e2, partitions.ErrDamaged)
			continue
		}
		must(t, e1)
		must(t, e2)
		if line(entries[0]) != line(s.entries[i-2]) {
			t.Fatalf("entry %d: got %s, want %s", i, line(entries[0]), line(s.entries[i-2]))
		}
		for n, got := range batches { // without a gap
			if want := s.entries[int(i)-2+n].Payload; !bytes.Equal(got, want) {
				t.Fatalf("batch %d after %d: got %x, want %x", n, base, got, want)
			}
		}
	}
	_, _, _, err = l.FindTime(1<<40, 0, s.offset)
	wantErr(t, err, partitions.ErrDamaged)
	must(t, l.Close())
}

// TestDamageInFrontOfAGap: damage is forgotten once a batch behind it lies in front of what is wanted.
func TestDamageInFrontOfAGap(t *testing.T) {
	q := query{from: 30, until: 52, left: 1, lost: partitions.ErrDamaged}
	q.take(span{base: 0, next: 2}, nil)
	q.take(span{base: 50, next: 52}, nil)
	if q.lost != nil || len(q.batches) != 1 {
		t.Fatalf("%+v", q)
	}
	q = query{from: 30, until: 52, left: 1, lost: partitions.ErrDamaged}
	q.take(span{base: 50, next: 52}, nil)
	if q.lost == nil || len(q.batches) != 0 {
		t.Fatalf("%+v", q)
	}
}
