package wal

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"
)

// wreck is a log of entries 2 to 14 in one segment, of which those up to 11 were reported durable, as it lies on the disk
// after a kill. Tests damage it, open it, and put it back.
type wreck struct {
	*bench
	story *story
	files map[string][]byte
	ends  map[id.Index]int // where each entry ends in the segment
}

const (
	wreckDurable = id.Index(11)
	wreckLast    = id.Index(14)
)

var wreckSegment = segmentName(bornAt + 1)

func newWreck(t testing.TB) *wreck {
	w := &wreck{bench: newBench(t, Options{system: &faulty{}}), story: newStory(), ends: map[id.Index]int{bornAt: 0}}
	l := w.open()
	w.story.commit(t, l, w.story.empty())
	for range 3 {
		w.story.commit(t, l, w.story.batches(3, 70)...)
	}
	must(t, l.Append([]partitions.Write{{Entries: w.story.batches(3, 70)}}))
	w.kill()
	w.files = w.read()
	walk := walk(testReplica, w.files[wreckSegment], bornAt+1)
	for {
		st, ok, err := walk.next()
		must(t, err)
		if !ok {
			break
		}
		w.ends[st.index] = st.end
	}
	if len(w.ends) != int(wreckLast) || l.durable != wreckDurable {
		t.Fatalf("entries %v, durable %d", w.ends, l.durable)
	}
	return w
}

func (w *wreck) read() map[string][]byte {
	files := make(map[string][]byte)
	entries, err := os.ReadDir(w.replicaPath())
	must(w.t, err)
	for _, e := range entries {
		files[e.Name()], err = os.ReadFile(filepath.Join(w.replicaPath(), e.Name()))
		must(w.t, err)
	}
	return files
}

// with opens the log with some of its files replaced. nil removes a file.
func (w *wreck) with(files map[string][]byte) (partitions.Log, error) {
	w.t.Helper()
	w.put(files)
	w.restart()
	return w.directory.Open(testPartition, testReplica)
}

func (w *wreck) put(files map[string][]byte) {
	w.t.Helper()
	must(w.t, os.RemoveAll(w.replicaPath()))
	must(w.t, os.Mkdir(w.replicaPath(), 0o750))
	all := maps.Clone(w.files)
	maps.Copy(all, files)
	for name, b := range all {
		if b != nil {
			must(w.t, os.WriteFile(filepath.Join(w.replicaPath(), name), b, 0o640))
		}
	}
}

// served checks that what the log serves is what was written, and that it serves exactly the entries wanted.
func (w *wreck) served(l partitions.Log, want func(id.Index) bool) {
	w.t.Helper()
	for i := bornAt + 1; i <= wreckLast; i++ {
		written := w.story.entries[i-bornAt-1]
		got, err := l.Entries(i, i+1, 1<<20)
		switch {
		case err == nil && !want(i):
			w.t.Fatalf("entry %d is served", i)
		case err == nil && line(got[0]) != line(written):
			w.t.Fatalf("entry %d: got %s, want %s", i, line(got[0]), line(written))
		case err != nil && want(i):
			w.t.Fatalf("entry %d: %v", i, err)
		case err != nil && !errors.Is(err, partitions.ErrDamaged) && !errors.Is(err, ErrRange):
			w.t.Fatalf("entry %d: %v", i, err)
		}
		if written.Type != partitions.EntryBatch {
			continue
		}
		s, _ := batchSpan(&written)
		batches, err := l.ReadBatches(s.base+1, w.story.offset, 1)
		switch {
		case want(i) && err != nil:
			w.t.Fatalf("batch at %d: %v", s.base, err)
		case want(i) && !bytes.Equal(batches[0], written.Payload):
			w.t.Fatalf("batch at %d: got %x, want %x", s.base, batches[0], written.Payload)
		case !want(i) && len(batches) > 0:
			w.t.Fatalf("batch at %d: got %x instead of nothing", s.base, batches[0])
		}
	}
}

// torn expects that the log was cut behind an entry and works on.
func (w *wreck) torn(l partitions.Log, err error, last id.Index, bytes int) {
	w.t.Helper()
	must(w.t, err)
	got := l.Recovered()
	if got.Damage != nil || got.Last != last || got.Durable != wreckDurable || got.Torn != int64(bytes) {
		w.t.Fatalf("recovered %+v, damage %+v, want a tear of %d bytes behind entry %d", got, got.Damage, bytes, last)
	}
	w.served(l, func(i id.Index) bool { return i <= last })
	e := w.story.entries[last-bornAt-1]
	e.Index, e.Term = last+1, 2
	must(w.t, l.Append([]partitions.Write{{Entries: []partitions.Entry{e}}}))
	must(w.t, l.Close())
	l, err = w.directory.Open(testPartition, testReplica)
	must(w.t, err)
	if got := l.Recovered(); got.Damage != nil || got.Torn != 0 || got.Last != last+1 || got.Durable != last+1 {
		w.t.Fatalf("recovered again %+v", got)
	}
	must(w.t, l.Close())
}

// damaged expects that the log opens for reading, serves the entries wanted, and changes no byte.
func (w *wreck) damaged(l partitions.Log, err error, kind partitions.DamageKind, index id.Index, want func(id.Index) bool) {
	w.t.Helper()
	must(w.t, err)
	got := l.Recovered()
	if got.Damage == nil || got.Damage.Kind != kind || got.Damage.Index != index || got.Torn != 0 {
		w.t.Fatalf("recovered %+v, damage %+v, want kind %d at %d", got, got.Damage, kind, index)
	}
	before := w.read()
	w.served(l, want)
	wantErr(w.t, l.Append([]partitions.Write{{Entries: []partitions.Entry{{Index: got.Last + 1}}}}), partitions.ErrDamaged)
	wantErr(w.t, l.Sync(), partitions.ErrDamaged)
	c := birth()
	wantErr(w.t, l.SaveCheckpoint(&c), partitions.ErrDamaged)
	must(w.t, l.Close())
	for name, b := range w.read() {
		if !bytes.Equal(b, before[name]) {
			w.t.Fatalf("%s was changed", name)
		}
	}
}

// lastBefore returns the last entry that ends at or before a position.
func (w *wreck) lastBefore(at int) id.Index {
	last := bornAt
	for i, end := range w.ends {
		if end <= at {
			last = max(last, i)
		}
	}
	return last
}

func TestSegmentCutAtEveryByte(t *testing.T) {
	w := newWreck(t)
	whole := w.files[wreckSegment]
	for at := w.ends[8]; at < len(whole); at++ {
		l, err := w.with(map[string][]byte{wreckSegment: whole[:at]})
		last := w.lastBefore(at)
		if last >= wreckDurable {
			w.torn(l, err, last, at-w.ends[last])
		} else {
			w.damaged(l, err, partitions.DamageAmnesia, last+1, func(i id.Index) bool { return i <= last })
		}
	}
}

func TestSegmentZeroFilledFromEveryByte(t *testing.T) {
	w := newWreck(t)
	whole := w.files[wreckSegment]
	for at := w.ends[8]; at < len(whole); at++ {
		zeroed := make([]byte, len(whole)+100) // and a tail of zeros behind, as a file that was extended
		copy(zeroed, whole[:at])
		l, err := w.with(map[string][]byte{wreckSegment: zeroed})
		last := w.lastBefore(at)
		if last >= wreckDurable {
			w.torn(l, err, last, len(zeroed)-w.ends[last])
		} else {
			w.damaged(l, err, partitions.DamageAmnesia, last+1, func(i id.Index) bool { return i <= last })
		}
	}
}

func TestEveryByteFlipped(t *testing.T) {
	w := newWreck(t)
	whole := w.files[wreckSegment]
	for _, index := range []id.Index{6, wreckDurable, 13, wreckLast} {
		for at := w.ends[index-1]; at < w.ends[index]; at++ {
			flipped := bytes.Clone(whole)
			flipped[at] ^= 0xFF
			l, err := w.with(map[string][]byte{wreckSegment: flipped})
			if index > wreckDurable {
				w.torn(l, err, index-1, len(whole)-w.ends[index-1])
			} else {
				w.damaged(l, err, partitions.DamageHole, index, func(i id.Index) bool { return i != index })
			}
		}
	}
}

// TestEveryBitFlipped asks the survey alone, about every bit of the segment.
func TestEveryBitFlipped(t *testing.T) {
	w := newWreck(t)
	whole := w.files[wreckSegment]
	for at := range whole {
		index := w.lastBefore(at) + 1
		for bit := range 8 {
			flipped := bytes.Clone(whole)
			flipped[at] ^= 1 << bit
			got, err := Survey(testReplica, []SegmentBytes{{First: bornAt + 1, Bytes: flipped}},
				Known{Durable: wreckDurable, Commit: wreckDurable})
			must(t, err)
			switch {
			case index > wreckDurable && (got.Damage != nil || got.Last != index-1 || got.At != w.ends[index-1]):
				t.Fatalf("byte %d bit %d of entry %d: %+v, want a tear", at, bit, index, got)
			case index <= wreckDurable && (got.Damage == nil || got.Damage.Index != index || got.Damage.At != int64(w.ends[index-1])):
				t.Fatalf("byte %d bit %d of entry %d: %+v, want damage", at, bit, index, got)
			}
		}
	}
}

// TestFramesAloneTellDurable: where no slot knows of the last group commits, the frames behind them do; the very last one
// is the stated limit.
func TestFramesAloneTellDurable(t *testing.T) {
	w := newWreck(t)
	old := NewSlots(Slot{Sequence: 1, Replica: testReplica, HardState: partitions.HardState{Term: 1, Commit: 11}, Durable: 1})
	whole := w.files[wreckSegment]
	for index := bornAt + 1; index <= wreckLast; index++ {
		flipped := bytes.Clone(whole)
		flipped[w.ends[index]-1] ^= 1
		l, err := w.with(map[string][]byte{wreckSegment: flipped, hardStateName: old})
		switch {
		case index > wreckDurable:
			w.torn(l, err, index-1, len(whole)-w.ends[index-1])
		case index == bornAt+1:
			w.damaged(l, err, partitions.DamageAmnesia, index, func(i id.Index) bool { return i != index })
		default:
			w.damaged(l, err, partitions.DamageHole, index, func(i id.Index) bool { return i != index })
		}
	}
	cut := whole[:w.ends[10]] // frames of the last group commit say that 8 was durable, and nobody that 11 was
	l, err := w.with(map[string][]byte{wreckSegment: cut, hardStateName: old})
	must(t, err)
	if got := l.Recovered(); got.Damage != nil || got.Last != 10 || got.Durable != 8 {
		t.Fatalf("recovered %+v, damage %+v", got, got.Damage)
	}
	must(t, l.Close())
}

// TestUncommittedHoleIsAmnesia: what was durable and not known committed may have been somebody's vote for a leader.
func TestUncommittedHoleIsAmnesia(t *testing.T) {
	w := newWreck(t)
	slots := NewSlots(Slot{Sequence: 9, Replica: testReplica, HardState: partitions.HardState{Term: 1, Commit: 5}, Durable: 11})
	for index := id.Index(3); index <= wreckDurable; index++ {
		flipped := bytes.Clone(w.files[wreckSegment])
		flipped[w.ends[index]-1] ^= 1
		l, err := w.with(map[string][]byte{wreckSegment: flipped, hardStateName: slots})
		kind := partitions.DamageAmnesia
		if index <= 5 {
			kind = partitions.DamageHole
		}
		w.damaged(l, err, kind, index, func(i id.Index) bool { return i != index })
	}
}

// TestNewerFrame: a checksum that verifies over something unknown is never repaired, wherever it stands.
func TestNewerFrame(t *testing.T) {
	w := newWreck(t)
	for _, index := range []id.Index{6, wreckLast} {
		for _, at := range []int{8, 9, 10} { // version, type, flags
			newer := bytes.Clone(w.files[wreckSegment])
			frame := newer[w.ends[index-1]+1 : w.ends[index]]
			frame[at] = 99
			crc := checksum(testReplica, frame[8:])
			frame[4], frame[5], frame[6], frame[7] = byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24)
			_, err := w.with(map[string][]byte{wreckSegment: newer})
			wantErr(t, err, partitions.ErrNewer)
			if !bytes.Equal(newer, w.read()[wreckSegment]) {
				t.Fatal("the segment was changed")
			}
		}
	}
}

// TestForeignFrames: the segment of another replica does not verify, though every checksum in it is right.
func TestForeignFrames(t *testing.T) {
	w := newWreck(t)
	var foreign []byte
	for _, e := range w.story.entries {
		foreign = AppendEntry(foreign, testReplica+1, e, 1)
	}
	l, err := w.with(map[string][]byte{wreckSegment: foreign})
	w.damaged(l, err, partitions.DamageAmnesia, 2, func(id.Index) bool { return false })
}

func TestHardStateTornAtEveryByte(t *testing.T) {
	w := newWreck(t)
	whole := w.files[hardStateName]
	stands, kept, err := ReadSlots(whole)
	must(t, err)
	if kept >= 0 {
		t.Fatal("the scratch slot should be ahead")
	}
	next := Slot{
		Sequence: stands.Sequence + 1, Replica: testReplica,
		HardState: partitions.HardState{Term: 9, Vote: 5, Commit: 11}, Durable: 11,
	}.AppendTo(nil)
	for place := range slotCount {
		for n := range next {
			torn := bytes.Clone(whole)
			copy(torn[place*slotBlock:], next[:n])
			got, err := ParseSlots(torn)
			must(t, err)
			slot := torn[place*slotBlock:][:slotBytes]
			if bytes.Equal(torn, whole) || bytes.Equal(slot, next) {
				continue // what is missing was the same before: not torn
			}
			if place != scratchPlace && got != stands {
				t.Fatalf("place %d torn at byte %d: %+v, want %+v", place, n, got, stands)
			}
			if got.HardState.Term != 1 || got.HardState.Vote != testReplica {
				t.Fatalf("place %d torn at byte %d: %+v", place, n, got)
			}
			l, err := w.with(map[string][]byte{hardStateName: torn})
			w.torn(l, err, wreckLast, 0)
		}
	}
}

// TestHardStateCut: a file that has lost any of its end may have lost the newest vote with both its copies.
func TestHardStateCut(t *testing.T) {
	w := newWreck(t)
	whole := w.files[hardStateName]
	for _, n := range []int{1, slotBytes, slotBlock - 1, slotBlock, 2217, 2 * slotBlock, len(whole) - 1} {
		_, err := ParseSlots(whole[:n])
		if !errors.Is(err, partitions.ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
		l, err := w.with(map[string][]byte{hardStateName: whole[:n]})
		w.damaged(l, err, partitions.DamageAmnesia, 0, func(id.Index) bool { return true })
	}
}

// TestHardStateFlipped: any one damaged slot of a closed log loses nothing; all of them are amnesia.
func TestHardStateFlipped(t *testing.T) {
	w := newWreck(t)
	l, err := w.with(nil)
	must(t, err)
	must(t, l.Append([]partitions.Write{{HardState: partitions.HardState{Term: 4, Vote: 3, Commit: 12}, Changed: true}}))
	must(t, l.Sync())
	must(t, l.Close())
	w.files = w.read()
	whole := w.files[hardStateName]
	for place := range slotCount {
		for n := range slotBytes {
			flipped := bytes.Clone(whole)
			flipped[place*slotBlock+n] ^= 0x10
			got, err := ParseSlots(flipped)
			must(t, err)
			want := partitions.HardState{Term: 4, Vote: 3, Commit: 12}
			if got.HardState != want || got.Durable != wreckLast {
				t.Fatalf("place %d byte %d: %+v", place, n, got)
			}
		}
	}
	all := func(i id.Index) bool { return true }
	for name, b := range map[string][]byte{
		"zero": make([]byte, len(whole)), "short": whole[:slotBytes-1], "missing": nil,
		"foreign": NewSlots(Slot{Sequence: 99, Replica: 1}),
	} {
		l, err := w.with(map[string][]byte{hardStateName: b})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w.damaged(l, err, partitions.DamageAmnesia, 0, all)
	}
	newer := bytes.Clone(whole)
	newer[8] = 2
	crc := checksum(0, newer[8:slotBytes])
	newer[4], newer[5], newer[6], newer[7] = byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24)
	_, err = w.with(map[string][]byte{hardStateName: newer})
	wantErr(t, err, partitions.ErrNewer)
}

func TestCheckpointDamaged(t *testing.T) {
	w := newWreck(t)
	l, err := w.with(nil)
	must(t, err)
	c := birth()
	c.Index, c.NextOffset = 9, 14
	must(t, l.SaveCheckpoint(&c))
	must(t, l.Close())
	w.files = w.read()
	name, base := checkpointName(9), checkpointName(bornAt)
	for n := range w.files[name] {
		flipped := bytes.Clone(w.files[name])
		flipped[n] ^= 4
		l, err := w.with(map[string][]byte{name: flipped})
		must(t, err)
		if got := l.Recovered(); got.Damage != nil || got.Newest.Index != bornAt || got.Last != wreckLast {
			t.Fatalf("byte %d: recovered %+v", n, got)
		}
		must(t, l.SaveCheckpoint(&c)) // in place of the damaged one
		must(t, l.Close())
	}
	_, err = w.with(map[string][]byte{name: nil, base: nil})
	wantErr(t, err, partitions.ErrDamaged)
	// A checkpoint says that its entries were durable.
	l, err = w.with(map[string][]byte{
		wreckSegment: w.files[wreckSegment][:w.ends[5]], hardStateName: NewSlots(Slot{Sequence: 1, Replica: testReplica}),
	})
	w.damaged(l, err, partitions.DamageAmnesia, 6, func(i id.Index) bool { return i <= 5 })
	// The entries behind the only checkpoint that verifies are not all there.
	l, err = w.with(map[string][]byte{wreckSegment: nil, segmentName(15): {}, name: nil})
	must(t, err)
	if got := l.Recovered(); got.Damage == nil || got.Damage.Kind != partitions.DamageAmnesia {
		t.Fatalf("recovered %+v", got)
	}
	must(t, l.Close())
	_, err = w.with(map[string][]byte{wreckSegment: nil})
	wantErr(t, err, partitions.ErrDamaged)
}
