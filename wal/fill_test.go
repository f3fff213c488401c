package wal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

// wounded is a closed log of many segments and three terms that somebody damages and heals.
type wounded struct {
	*bench
	story  *story
	terms  []partitions.TermStart
	firsts []id.Index
	files  map[string][]byte // before
}

func newWounded(t *testing.T, options Options, dropped bool) *wounded {
	t.Helper()
	options.SegmentBytes = 2048
	b := newBench(t, options)
	l, s := b.open(), newStory()
	w := &wounded{bench: b, story: s}
	for term := id.Term(1); term <= 3; term++ {
		s.term = term
		w.terms = append(w.terms, partitions.TermStart{Index: s.next, Term: term})
		s.commit(t, l, s.empty())
		for range 8 {
			s.commit(t, l, s.batches(4, 400)...)
		}
	}
	for l.last < l.segments[len(l.segments)-1].first+2 {
		s.commit(t, l, s.batch(100))
	}
	c := s.baseAt(40)
	c.LogStart = 0
	must(t, l.SaveCheckpoint(c))
	if dropped {
		end, err := l.FrontEnd(20, 40)
		must(t, err)
		must(t, l.DropFront(s.baseAt(end)))
		w.terms[0].Index = end + 1
	}
	for _, s := range l.segments {
		w.firsts = append(w.firsts, s.first)
	}
	must(t, l.Close())
	w.files = readFiles(t, b.replicaPath())
	return w
}

// damage puts the files back as they were and spoils some.
func (w *wounded) damage(t *testing.T, spoil func(files map[string][]byte)) {
	t.Helper()
	files := maps.Clone(w.files)
	for name, b := range files {
		files[name] = bytes.Clone(b)
	}
	spoil(files)
	must(t, os.RemoveAll(w.replicaPath()))
	must(t, os.Mkdir(w.replicaPath(), 0o750))
	for name, b := range files {
		must(t, os.WriteFile(filepath.Join(w.replicaPath(), name), b, 0o640))
	}
	w.restart()
}

// entries are those of a range, as a peer has them.
func (w *wounded) entries(first, last id.Index) []partitions.Entry {
	return w.story.entries[first-bornAt-1 : last-bornAt]
}

// heal fills all holes, n entries at a time, and opens the log anew.
func (w *wounded) heal(t *testing.T, what string, n int) {
	t.Helper()
	l := w.open()
	for from := id.Offset(0); from < w.story.offset; from += 2 {
		batches, err := l.ReadBatches(from, w.story.offset, 1) // and what it keeps of the segments
		if err == nil && !bytes.Equal(batches[0], w.story.batchAt(from)) {
			t.Fatalf("%s: another batch than that at offset %d", what, from)
		}
	}
	_, _, _, _ = l.FindTime(1<<40, 0, w.story.offset)
	for i := w.firsts[0]; i < w.story.next; i++ {
		if entries, err := l.Entries(i, i+1, 1); err == nil && line(entries[0]) != line(w.entries(i, i)[0]) || err != nil && !errors.Is(err, partitions.ErrDamaged) {
			t.Fatalf("%s: entry %d: %v, %v", what, i, entries, err)
		}
	}
	holes, err := l.Holes()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for _, h := range holes {
		for at := h.First; at <= h.Last; at += id.Index(n) {
			if err := l.Fill(w.entries(at, min(h.Last, at+id.Index(n)-1))); err != nil {
				t.Fatalf("%s: hole %+v: %v", what, h, err)
			}
		}
	}
	w.whole(t, what, l)
}

// whole demands that nothing is missing any more, in this log and when it is opened anew.
func (w *wounded) whole(t *testing.T, what string, l *Log) {
	t.Helper()
	if holes, err := l.Holes(); err != nil || len(holes) > 0 {
		t.Fatalf("%s: still missing: %v, %v", what, holes, err)
	}
	w.reads(t, what, l)
	must(t, l.Close())
	l = w.open()
	got := l.Recovered()
	base, newest := got.Base, got.Newest
	got.Base, got.Newest = nil, nil
	want := partitions.Recovered{
		HardState: w.story.state(w.story.next - 1), Replica: testReplica, First: w.firsts[0], Last: w.story.next - 1,
		Durable: w.story.next - 1, Terms: w.terms,
	}
	if diff := cmp.Diff(want, got); diff != "" || newest.Index != 40 || base == nil || base.Index+1 != w.firsts[0] {
		t.Fatalf("%s: recovered (-want +got):\n%s", what, diff)
	}
	w.reads(t, what, l)
	must(t, l.Append([]partitions.Write{{HardState: w.story.state(w.story.next - 1), Changed: true}}))
	must(t, l.Close())
}

func (w *wounded) reads(t *testing.T, what string, l *Log) {
	t.Helper()
	var got []partitions.Entry
	for lo := w.firsts[0]; lo < w.story.next; {
		entries, err := l.Entries(lo, w.story.next, 1<<16)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got = append(got, entries...)
		lo += id.Index(len(entries))
	}
	if diff := cmp.Diff(lines(w.entries(w.firsts[0], w.story.next-1)), lines(got)); diff != "" {
		t.Fatalf("%s: entries (-want +got):\n%s", what, diff)
	}
	front := w.story.baseAt(w.firsts[0] - 1).NextOffset
	for from := front; from < w.story.offset; from += 2 {
		batches, err := l.ReadBatches(from, w.story.offset, 1)
		if err != nil || !bytes.Equal(batches[0], w.story.batchAt(from)) {
			t.Fatalf("%s: offset %d: %v", what, from, err)
		}
		at, _, found, err := l.FindTime(id.Timestamp(from*10), 0, w.story.offset)
		if err != nil || !found || at != from {
			t.Fatalf("%s: the time of offset %d is at %d (%v, %v)", what, from, at, found, err)
		}
	}
}

// wounds are what may be damaged without anything being forgotten.
func (w *wounded) wounds() map[string]func(files map[string][]byte) {
	at := func(i int) string { return segmentName(w.firsts[i]) }
	last := len(w.firsts) - 1
	mid := 4 // no term begins in it
	for slices.ContainsFunc(w.terms, func(s partitions.TermStart) bool { return s.Index > w.firsts[mid] && s.Index < w.firsts[mid+1] }) {
		mid++
	}
	return map[string]func(files map[string][]byte){
		"nothing":                  func(map[string][]byte) {},
		"a bit":                    func(files map[string][]byte) { files[at(mid)][700] ^= 4 },
		"a bit of the first frame": func(files map[string][]byte) { files[at(mid)][10] ^= 4 },
		"a bit of the last frame":  func(files map[string][]byte) { files[at(mid)][len(files[at(mid)])-3] ^= 4 },
		"a length":                 func(files map[string][]byte) { files[at(2)][0]++ },
		"bits of one segment": func(files map[string][]byte) {
			for i := 100; i < len(files[at(mid)]); i += 900 {
				files[at(mid)][i] ^= 1
			}
		},
		"zeros":                    func(files map[string][]byte) { clear(files[at(mid)][600:1700]) },
		"a cut segment":            func(files map[string][]byte) { files[at(2)] = files[at(2)][:1200] },
		"an empty segment":         func(files map[string][]byte) { files[at(2)] = nil },
		"a zeroed segment":         func(files map[string][]byte) { clear(files[at(2)]) },
		"a segment gone":           func(files map[string][]byte) { delete(files, at(2)) },
		"three segments gone":      func(files map[string][]byte) { delete(files, at(1)); delete(files, at(2)); delete(files, at(3)) },
		"a cut one, the next gone": func(files map[string][]byte) { files[at(1)] = files[at(1)][:700]; delete(files, at(2)) },
		"the first gone":           func(files map[string][]byte) { delete(files, at(0)) },
		"the first two gone":       func(files map[string][]byte) { delete(files, at(0)); delete(files, at(1)) },
		"bytes behind the last":    func(files map[string][]byte) { files[at(2)] = append(files[at(2)], "garbage"...) },
		"a copy behind the last":   func(files map[string][]byte) { files[at(2)] = append(files[at(2)], files[at(2)]...) },
		"the end":                  func(files map[string][]byte) { files[at(last-1)][len(files[at(last-1)])-100] ^= 1 },
		"near the very end":        func(files map[string][]byte) { files[at(last)][1] ^= 1 },
		"two segments": func(files map[string][]byte) {
			files[at(1)][900] ^= 1
			clear(files[at(last-1)][600:800])
		},
	}
}

func TestFill(t *testing.T) {
	for _, dropped := range []bool{false, true} {
		w := newWounded(t, Options{}, dropped)
		for what, spoil := range w.wounds() {
			for _, n := range []int{1, 3, 100} {
				w.damage(t, spoil)
				w.heal(t, fmt.Sprintf("%s, %d at a time, dropped %v", what, n, dropped), n)
			}
		}
	}
}

// TestLostFront: the names of the checkpoints tell where a log begins, before there is a base and after.
func TestLostFront(t *testing.T) {
	for _, dropped := range []bool{false, true} {
		w := newWounded(t, Options{}, dropped)
		w.damage(t, func(files map[string][]byte) { delete(files, segmentName(w.firsts[0])) })
		l := w.open()
		want := partitions.Damage{Kind: partitions.DamageHole, File: segmentName(w.firsts[1]), Index: w.firsts[0]}
		got := l.Recovered().Damage
		if got == nil {
			t.Fatal("nobody noticed")
		}
		want.Reason = got.Reason
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Fatalf("damage (-want +got):\n%s", diff)
		}
		must(t, l.Close())
	}
}

// TestFillKeepsTears: bytes behind the end that is believed are left to the next opening.
func TestFillKeepsTears(t *testing.T) {
	w := newWounded(t, Options{}, false)
	end := w.firsts[len(w.firsts)-1]
	torn := AppendEntry(nil, testReplica, partitions.Entry{Index: w.story.next, Term: 3, Type: partitions.EntryEmpty}, 1)[:20]
	w.damage(t, func(files map[string][]byte) {
		files[segmentName(end)][1] ^= 1
		files[segmentName(end)] = append(files[segmentName(end)], torn...)
	})
	l := w.open()
	must(t, l.Fill(w.entries(end, end)))
	must(t, l.Close())
	if b := readFiles(t, w.replicaPath())[segmentName(end)]; !bytes.HasSuffix(b, torn) {
		t.Fatal("the tear is gone")
	}
	l = w.open()
	if got := l.Recovered(); got.Damage != nil || got.Torn != int64(len(torn)) || got.Last != w.story.next-1 {
		t.Fatalf("recovered %+v", got)
	}
}

// TestFillInterrupted opens every state that a kill between two steps of filling leaves, and fills what is missing still.
func TestFillInterrupted(t *testing.T) {
	sys := &faulty{}
	w := newWounded(t, Options{system: sys}, false)
	for what, spoil := range w.wounds() {
		w.damage(t, spoil)
		var states []map[string][]byte
		sys.watch = func(string) { states = append(states, readFiles(t, w.replicaPath())) }
		w.heal(t, what, 2)
		sys.watch = nil
		for i, files := range states {
			w.damage(t, func(spoiled map[string][]byte) { clear(spoiled); maps.Copy(spoiled, files) })
			w.heal(t, fmt.Sprintf("%s, step %d", what, i), 3)
		}
	}
}

// TestFillFails: each operation of filling fails, in turn; in this process or the next one the rest is filled.
func TestFillFails(t *testing.T) {
	sys := &faulty{}
	w := newWounded(t, Options{system: sys}, false)
	wounds := w.wounds()
	for _, what := range []string{"bits of one segment", "a cut one, the next gone", "the first two gone", "near the very end"} {
		for mode := range 4 {
			sys.after = mode&1 != 0
			for failAt := 1; ; failAt++ {
				w.damage(t, wounds[what])
				l := w.open()
				sys.failAt = sys.count + failAt
				err := w.fillOnce(l)
				reached := sys.count >= sys.failAt
				sys.failAt = 0
				if !reached {
					must(t, err)
					w.whole(t, what, l)
					break
				}
				wantErr(t, err, errDisk)
				_ = l.Close()
				if mode&2 != 0 {
					w.restart()
				}
				w.heal(t, fmt.Sprintf("%s, mode %d, operation %d", what, mode, failAt), 5)
			}
		}
	}
}

func (w *wounded) fillOnce(l *Log) error {
	holes, err := l.Holes()
	for i := 0; i < len(holes) && err == nil; i++ {
		err = l.Fill(w.entries(holes[i].First, holes[i].Last))
	}
	return err
}

// TestFillRefuses: what is no hole, what does not fit, and what nobody may give back.
func TestFillRefuses(t *testing.T) {
	w := newWounded(t, Options{}, false)
	end := len(w.firsts) - 1
	hole := w.firsts[4] + 2 // of a batch between batches
	w.damage(t, func(files map[string][]byte) {
		b := files[segmentName(w.firsts[4])]
		walk := walk(testReplica, b, w.firsts[4])
		for walk.expect < hole {
			_, _, err := walk.next()
			must(t, err)
		}
		b[walk.at+60] ^= 1
	})
	l := w.open()
	holes, err := l.Holes()
	if diff := cmp.Diff([]partitions.Hole{{First: hole, Last: hole}}, holes); diff != "" || err != nil {
		t.Fatalf("holes (-want +got), %v:\n%s", err, diff)
	}
	right := w.entries(hole, hole)[0]
	sp, _ := batchSpan(&right)
	base := sp.base
	for what, c := range map[string]struct {
		change func(e *partitions.Entry)
		want   error
	}{
		"the one before":     {func(e *partitions.Entry) { *e = w.entries(hole-1, hole-1)[0] }, ErrRange},
		"the one behind":     {func(e *partitions.Entry) { *e = w.entries(hole+1, hole+1)[0] }, ErrRange},
		"the very first":     {func(e *partitions.Entry) { e.Index = 1 }, ErrRange},
		"none":               {func(e *partitions.Entry) { e.Index = 0 }, ErrRange},
		"one not committed":  {func(e *partitions.Entry) { e.Index = w.story.next }, ErrRange},
		"a lower term":       {func(e *partitions.Entry) { e.Term-- }, ErrContradiction},
		"a higher term":      {func(e *partitions.Entry) { e.Term++ }, ErrContradiction},
		"an unknown type":    {func(e *partitions.Entry) { e.Type = 99 }, ErrContradiction},
		"half a batch":       {func(e *partitions.Entry) { e.Payload = e.Payload[:20] }, ErrContradiction},
		"a lower offset":     {func(e *partitions.Entry) { e.Payload = makeBatch(base-1, 2, 1, 400) }, ErrContradiction},
		"too many records":   {func(e *partitions.Entry) { e.Payload = makeBatch(base, 3, 1, 400) }, ErrContradiction},
		"too few, no offset": {func(e *partitions.Entry) { e.Payload = makeBatch(base, 1, 1, 400) }, ErrContradiction},
	} {
		e := right
		c.change(&e)
		if err := l.Fill([]partitions.Entry{e}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
	must(t, l.Fill([]partitions.Entry{right}))
	w.whole(t, "refused before", l)

	w.damage(t, func(files map[string][]byte) {
		files[segmentName(w.firsts[end])] = files[segmentName(w.firsts[end])][:50]
	})
	l = w.open() // its end is gone: amnesia
	_, err = l.Holes()
	wantErr(t, err, partitions.ErrDamaged)
	wantErr(t, l.Fill(w.entries(w.firsts[end], w.firsts[end])), partitions.ErrDamaged)
	must(t, l.Close())

	w.damage(t, func(map[string][]byte) {})
	l = w.open()
	path := filepath.Join(w.replicaPath(), segmentName(w.firsts[end]))
	b := bytes.Clone(w.files[segmentName(w.firsts[end])])
	b[1] ^= 1
	must(t, os.WriteFile(path, b, 0o640)) // while it is written to
	holes, err = l.Holes()
	if err != nil || len(holes) != 1 {
		t.Fatalf("holes %v, %v", holes, err)
	}
	wantErr(t, l.Fill(w.entries(w.firsts[end], w.firsts[end])), ErrRange)
	must(t, l.Close())
	w.heal(t, "opened anew", 1)
}

// TestHolesAboveCommit: what is missing above the known commit index nobody has for certain.
func TestHolesAboveCommit(t *testing.T) {
	b := newBench(t, Options{SegmentBytes: 2048})
	l, s := b.open(), newStory()
	for range 8 {
		must(t, l.Append([]partitions.Write{{Entries: s.batches(4, 400)}}))
		must(t, l.Sync())
	}
	path := filepath.Join(b.replicaPath(), segmentName(l.segments[1].first))
	bytes, err := os.ReadFile(path)
	must(t, err)
	bytes[500] ^= 1
	must(t, os.WriteFile(path, bytes, 0o640))
	_, err = l.Holes()
	wantErr(t, err, partitions.ErrDamaged)
	must(t, l.Append([]partitions.Write{{HardState: s.state(s.next - 1), Changed: true}}))
	holes, err := l.Holes()
	if err != nil || len(holes) != 1 {
		t.Fatalf("holes %v, %v", holes, err)
	}
	wantErr(t, l.Fill([]partitions.Entry{s.entries[holes[0].First-2], s.entries[0]}), ErrRange)
	s.check(t, l)
}

// TestReadersBesideFill: whoever reads meets what is there, or the error that says it is damaged; the writer goes on.
func TestReadersBesideFill(t *testing.T) {
	w := newWounded(t, Options{}, false)
	l := w.open()
	for i, first := range w.firsts[:len(w.firsts)-1] {
		b := bytes.Clone(w.files[segmentName(first)])
		b[300+100*(i%8)] ^= 1
		must(t, os.WriteFile(l.path(l.segments[i]), b, 0o640))
	}
	stop := readBeside(t, l, w.story, partitions.ErrDamaged, func() {
		if _, err := l.Holes(); err != nil {
			t.Error(err)
		}
	})
	grown := *w.story
	grown.entries = slices.Clone(grown.entries)
	holes, err := l.Holes()
	must(t, err)
	for _, h := range holes {
		must(t, l.Fill(w.entries(h.First, h.Last)))
		grown.commit(t, l, grown.batches(2, 300)...)
	}
	stop()
	grown.check(t, l)
	must(t, l.Close())
	l = w.open()
	if got := l.Recovered(); got.Damage != nil || got.Last != grown.next-1 {
		t.Fatalf("recovered %+v", got)
	}
	grown.check(t, l)
}

// TestReadersBesideNewSegments: likewise where whole files were lost, and segments are put between others.
func TestReadersBesideNewSegments(t *testing.T) {
	w := newWounded(t, Options{}, false)
	w.damage(t, w.wounds()["three segments gone"])
	l := w.open()
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for i := w.firsts[0]; i < w.story.next; i++ {
					entries, err := l.Entries(i, i+1, 1)
					if err == nil && line(entries[0]) != line(w.entries(i, i)[0]) {
						t.Errorf("another entry than %d", i)
					}
					if err != nil && !errors.Is(err, partitions.ErrDamaged) {
						t.Errorf("entry %d: %v", i, err)
					}
				}
			}
		})
	}
	must(t, w.fillOnce(l))
	close(stop)
	group.Wait()
	w.whole(t, "beside readers", l)
}

// TestFillAnything: whatever is damaged, what is listed can be filled, and then nothing is missing.
func TestFillAnything(t *testing.T) {
	w := newWounded(t, Options{}, false)
	healed, forgotten := 0, 0
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		w.damage(t, func(files map[string][]byte) {
			for range 1 + random.IntN(4) {
				name := segmentName(w.firsts[random.IntN(len(w.firsts))])
				b := files[name]
				switch at := random.IntN(max(len(b), 1)); {
				case len(b) == 0:
				case random.IntN(8) == 0:
					delete(files, name)
				case random.IntN(3) == 0:
					files[name] = b[:at]
				case random.IntN(2) == 0:
					clear(b[at:min(len(b), at+random.IntN(900))])
				default:
					b[at] ^= 1 << random.IntN(8)
				}
			}
		})
		opened, err := w.directory.Open(testPartition, testReplica)
		if errors.Is(err, partitions.ErrDamaged) {
			forgotten++
			continue
		}
		must(t, err)
		damage := opened.Recovered().Damage
		must(t, opened.Close())
		if damage != nil && damage.Kind == partitions.DamageAmnesia {
			forgotten++
			continue
		}
		w.heal(t, fmt.Sprintf("seed %d", seed), 1+random.IntN(9))
		healed++
	}
	if healed < 80 || forgotten < 30 {
		t.Fatalf("%d healed, %d forgotten", healed, forgotten)
	}
}
