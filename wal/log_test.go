package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

const (
	testReplica = id.Replica(7)
	bornAt      = id.Index(1)
)

var testPartition = id.Partition{Topic: 3, Number: 1}

// bench is a data directory with one replica.
type bench struct {
	t         testing.TB
	path      string
	options   Options
	directory *Directory
}

func newBench(t testing.TB, options Options) *bench {
	t.Helper()
	if options.Random == nil {
		options.Random = rand.New(rand.NewPCG(1, 2))
	}
	b := &bench{t: t, path: filepath.Join(fastDirectory(t), "data"), options: options}
	b.start()
	must(t, b.directory.Create(testPartition, testReplica, born(), partitions.HardState{Term: 1, Commit: 1}))
	t.Cleanup(func() { b.directory.lock.Close() })
	return b
}

// fastDirectory is a temporary directory in memory where the system has one: tidwall fsyncs whenever it closes a file.
func fastDirectory(t testing.TB) string {
	path, err := os.MkdirTemp("/dev/shm", "troupe-wal-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	return path
}

func birth() partitions.Checkpoint {
	return partitions.Checkpoint{
		Index: bornAt, Term: 1,
		Configuration: partitions.Configuration{Voters: []id.Replica{testReplica}},
		Nodes:         []partitions.Placed{{Replica: testReplica, Node: 9}},
	}
}

func born() *partitions.Checkpoint {
	c := birth()
	return &c
}

func (b *bench) start() {
	b.t.Helper()
	var err error
	b.directory, err = OpenDirectory(b.path, b.options)
	must(b.t, err)
}

// kill ends the process as kill -9 does: nothing is closed, the lock is gone.
func (b *bench) kill() { b.directory.lock.Close() }

func (b *bench) restart() {
	b.t.Helper()
	b.kill()
	b.start()
}

func (b *bench) open() *Log {
	b.t.Helper()
	l, err := b.directory.Open(testPartition, testReplica)
	must(b.t, err)
	return l.(*Log)
}

func (b *bench) replicaPath() string { return b.directory.replica(testPartition, testReplica) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// makeBatch makes a batch header of n records and padding, with its checksum: enough for what the log looks at.
func makeBatch(base id.Offset, n int, newest id.Timestamp, size int) []byte {
	b := make([]byte, max(size, batch.HeaderSize))
	be := binary.BigEndian
	be.PutUint64(b, uint64(base))
	be.PutUint32(b[8:], uint32(len(b)-12))
	b[16] = 2
	be.PutUint32(b[23:], uint32(n-1))
	be.PutUint64(b[27:], uint64(newest))
	be.PutUint64(b[35:], uint64(newest))
	be.PutUint32(b[57:], uint32(n))
	for i := batch.HeaderSize; i < len(b); i++ {
		b[i] = byte(int(base) + i)
	}
	be.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

// story writes entries like a single replica does: an empty entry, then batches of two records.
type story struct {
	next    id.Index
	term    id.Term
	offset  id.Offset
	entries []partitions.Entry
}

func newStory() *story { return &story{next: bornAt + 1, term: 1} }

func (s *story) empty() partitions.Entry {
	e := partitions.Entry{Index: s.next, Term: s.term, Type: partitions.EntryEmpty}
	s.next++
	s.entries = append(s.entries, e)
	return e
}

func (s *story) batch(size int) partitions.Entry {
	e := partitions.Entry{
		Index: s.next, Term: s.term, Type: partitions.EntryBatch, AppendTime: id.Timestamp(1000 + s.next),
		Payload: makeBatch(s.offset, 2, id.Timestamp(s.offset*10), size),
	}
	s.next, s.offset = s.next+1, s.offset+2
	s.entries = append(s.entries, e)
	return e
}

func (s *story) batches(n, size int) []partitions.Entry {
	from := len(s.entries)
	for range n {
		s.batch(size)
	}
	return s.entries[from:len(s.entries):len(s.entries)]
}

func (s *story) state(commit id.Index) partitions.HardState {
	return partitions.HardState{Term: s.term, Vote: testReplica, Commit: commit}
}

// commit appends and syncs in one step, and commits everything.
func (s *story) commit(t testing.TB, l *Log, entries ...partitions.Entry) {
	t.Helper()
	must(t, l.Append([]partitions.Write{{Entries: entries, HardState: s.state(s.next - 1), Changed: true}}))
	must(t, l.Sync())
}

// check compares everything the log holds with the story.
func (s *story) check(t testing.TB, l *Log) {
	t.Helper()
	var got []partitions.Entry
	for lo := bornAt + 1; lo < s.next; {
		entries, err := l.Entries(lo, s.next, 1<<16)
		must(t, err)
		got = append(got, entries...)
		lo += id.Index(len(entries))
	}
	if diff := cmp.Diff(lines(s.entries), lines(got)); diff != "" {
		t.Fatalf("entries (-want +got):\n%s", diff)
	}
	var batches [][]byte
	for from := id.Offset(0); from < s.offset; {
		more, err := l.ReadBatches(from, s.offset, 1<<16)
		must(t, err)
		if len(more) == 0 {
			t.Fatalf("no batch at offset %d below %d", from, s.offset)
		}
		batches = append(batches, more...)
		h, err := batch.ParseHeader(more[len(more)-1])
		must(t, err)
		from = h.NextOffset()
	}
	var want [][]byte
	for _, e := range s.entries {
		if e.Type == partitions.EntryBatch {
			want = append(want, e.Payload)
		}
	}
	if !slices.EqualFunc(want, batches, bytes.Equal) {
		t.Fatalf("batches (-want +got):\n%s", cmp.Diff(want, batches))
	}
}

// lines shows entries, an empty payload as an absent one.
func lines(entries []partitions.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, line(e))
	}
	return all
}

func line(e partitions.Entry) string {
	return fmt.Sprintf("%d/%d type %d at %d: %x", e.Term, e.Index, e.Type, e.AppendTime, e.Payload)
}

// recovered compares what an opening found, but for the checkpoint and the Damage's words.
func recovered(t testing.TB, l *Log, want partitions.Recovered) {
	t.Helper()
	got := l.Recovered()
	if got.Newest == nil {
		t.Fatal("no checkpoint")
	}
	got.Newest, got.Base = nil, nil
	want.Replica, want.First = testReplica, bornAt+1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("recovered (-want +got):\n%s", diff)
	}
}

func TestRoundTrip(t *testing.T) {
	b := newBench(t, Options{})
	l := b.open()
	recovered(t, l, partitions.Recovered{HardState: partitions.HardState{Term: 1, Commit: 1}, Last: 1, Durable: 1})
	s := newStory()
	s.commit(t, l, s.empty())
	s.commit(t, l, s.batches(20, 300)...)
	s.check(t, l)
	want := partitions.Recovered{
		HardState: s.state(22), Last: 22, Durable: 22, Terms: []partitions.TermStart{{Index: 2, Term: 1}},
	}
	b.restart()
	killed := b.open()
	recovered(t, killed, want)
	s.check(t, killed)
	must(t, killed.Close())
	closed := b.open()
	recovered(t, closed, want)
	s.check(t, closed)
}

// TestAppendedAndNotSynced: what the operating system was given survives the process, and Durable says that it was not
// reported.
func TestAppendedAndNotSynced(t *testing.T) {
	b := newBench(t, Options{})
	l, s := b.open(), newStory()
	s.commit(t, l, s.empty())
	must(t, l.Append([]partitions.Write{{Entries: s.batches(5, 200)}}))
	b.restart()
	l = b.open()
	recovered(t, l, partitions.Recovered{
		HardState: s.state(2), Last: 7, Durable: 2, Terms: []partitions.TermStart{{Index: 2, Term: 1}},
	})
	s.check(t, l)
	b.restart()
	recovered(t, b.open(), partitions.Recovered{
		HardState: s.state(2), Last: 7, Durable: 7, Terms: []partitions.TermStart{{Index: 2, Term: 1}},
	})
}

func TestRoll(t *testing.T) {
	b := newBench(t, Options{SegmentBytes: 4096})
	l, s := b.open(), newStory()
	for term := id.Term(1); term <= 6; term++ {
		s.term = term
		s.commit(t, l, s.empty())
		for range 5 {
			s.commit(t, l, s.batches(7, 700)...)
		}
	}
	s.commit(t, l, s.batches(30, 1000)...) // several segments in one group commit
	s.check(t, l)
	if n := l.Size().Segments; n < 40 {
		t.Fatalf("%d segments", n)
	}
	for _, end := range []func(){func() { must(t, l.Close()) }, b.restart} {
		end()
		l = b.open()
		var terms []partitions.TermStart
		for _, e := range s.entries {
			if n := len(terms); n == 0 || terms[n-1].Term != e.Term {
				terms = append(terms, partitions.TermStart{Index: e.Index, Term: e.Term})
			}
		}
		recovered(t, l, partitions.Recovered{HardState: s.state(s.next - 1), Last: s.next - 1, Durable: s.next - 1, Terms: terms})
		s.check(t, l)
		s.commit(t, l, s.batches(3, 700)...)
		s.check(t, l)
	}
}

// TestCut replaces the end of the log from every index on.
func TestCut(t *testing.T) {
	for _, from := range []id.Index{3, 4, 12, 13, 14, 25, 39, 40, 41} {
		b := newBench(t, Options{SegmentBytes: 2048})
		l, s := b.open(), newStory()
		must(t, l.Append([]partitions.Write{
			{Entries: []partitions.Entry{s.empty()}, HardState: s.state(2), Changed: true},
			{Entries: s.batches(38, 200)},
		}))
		if from%2 == 0 {
			must(t, l.Sync())
		}
		s.next, s.offset = from, id.Offset(2*(from-3))
		s.entries = s.entries[:from-2]
		s.term = 2
		must(t, l.Append([]partitions.Write{
			{Entries: s.batches(2, 150), HardState: s.state(2), Changed: true}, {Entries: s.batches(9, 400)},
		}))
		must(t, l.Sync())
		s.check(t, l)
		b.restart()
		l = b.open()
		recovered(t, l, partitions.Recovered{
			HardState: s.state(2), Last: s.next - 1, Durable: s.next - 1,
			Terms: []partitions.TermStart{{Index: 2, Term: 1}, {Index: from, Term: 2}},
		})
		s.check(t, l)
	}
}

func TestCheckpoint(t *testing.T) {
	b := newBench(t, Options{})
	l, s := b.open(), newStory()
	s.commit(t, l, s.empty())
	for range 3 {
		s.commit(t, l, s.batches(5, 200)...)
		c := birth()
		c.Index, c.NextOffset, c.Fold = s.next-1, s.offset, []byte("state")
		must(t, l.SaveCheckpoint(&c))
		if diff := cmp.Diff([]id.Index{bornAt, c.Index}, l.checkpoints.indices); diff != "" {
			t.Fatalf("checkpoints (-want +got):\n%s", diff)
		}
		b.restart()
		l = b.open()
		if diff := cmp.Diff(&c, l.Recovered().Newest); diff != "" {
			t.Fatalf("newest (-want +got):\n%s", diff)
		}
	}
}

func TestBeginAtIndex(t *testing.T) {
	b := newBench(t, Options{})
	c := birth()
	c.Index, c.Term, c.NextOffset = 41, 5, 80
	must(t, b.directory.Create(testPartition, 8, &c, partitions.HardState{Term: 5, Commit: 41}))
	log, err := b.directory.Open(testPartition, 8)
	must(t, err)
	got := log.Recovered()
	if got.First != 42 || got.Last != 41 || got.Durable != 41 || got.HardState.Commit != 41 || got.HardState.Term != 5 {
		t.Fatalf("recovered %+v", got)
	}
	e := partitions.Entry{Index: 42, Term: 6, Type: partitions.EntryBatch, Payload: makeBatch(80, 2, 5, 100)}
	must(t, log.Append([]partitions.Write{{Entries: []partitions.Entry{e}}}))
	must(t, log.Close())
	log, err = b.directory.Open(testPartition, 8)
	must(t, err)
	batches, err := log.ReadBatches(80, 82, 10)
	must(t, err)
	if diff := cmp.Diff([][]byte{e.Payload}, batches); diff != "" {
		t.Fatalf("batches (-want +got):\n%s", diff)
	}
	must(t, log.Close())
}
