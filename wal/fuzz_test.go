package wal

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"
)

func expected(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, partitions.ErrDamaged) && !errors.Is(err, partitions.ErrNewer) {
		t.Fatalf("error %v is neither damage nor a newer version", err)
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add(AppendFrame(nil, 7, goldenEntry, 5))
	f.Add(AppendFrame(nil, 7, partitions.Entry{Index: 1, Term: 1, Type: partitions.EntryEmpty}, 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := ParseFrame(b, 7)
		if err != nil {
			expected(t, err)
			return
		}
		if again := AppendFrame(nil, 7, frame.Entry, frame.Synced); !bytes.Equal(again, b) {
			t.Fatalf("%x parses and encodes to %x", b, again)
		}
	})
}

// FuzzSurvey spoils two segments in one place and surveys them.
func FuzzSurvey(f *testing.F) {
	f.Add(uint16(100), uint16(200), []byte{}, uint8(0), uint8(5), uint8(5), false)
	f.Add(uint16(300), uint16(10), []byte{1, 2, 3}, uint8(9), uint8(0), uint8(12), true)
	f.Add(uint16(0), uint16(60000), []byte("\xf5TRF"), uint8(20), uint8(20), uint8(20), false)
	var first, second []byte
	s := newStory()
	for range 8 {
		first = AppendEntry(first, testReplica, s.batch(80), max(s.next, 4)-4)
	}
	border := s.next
	s.term = 2
	for range 8 {
		second = AppendEntry(second, testReplica, s.batch(80), s.next-4)
	}
	f.Fuzz(func(t *testing.T, at, gone uint16, put []byte, durable, commit, shift uint8, poisoned bool) {
		whole := append(bytes.Clone(first), second...)
		from := min(int(at), len(whole))
		to := min(from+int(gone), len(whole))
		spoiled := append(append(bytes.Clone(whole[:from]), put...), whole[to:]...)
		split := min(len(first)+int(shift)%3-1, len(spoiled))
		segments := []SegmentBytes{{First: 2, Bytes: spoiled[:split]}, {First: border, Bytes: spoiled[split:]}}
		known := Known{Durable: 1 + id.Index(durable%20), Commit: id.Index(commit % 20), Poisoned: poisoned}
		v, err := Survey(testReplica, segments, known)
		if err != nil {
			expected(t, err)
			return
		}
		if v.Durable < known.Durable || v.Damage == nil && v.Last < v.Durable || v.Damage != nil && v.Torn != 0 {
			t.Fatalf("%+v contradicts itself", v)
		}
		if v.Damage != nil {
			return
		}
		if poisoned && v.Last != v.Durable {
			t.Fatalf("%+v believes what was poisoned", v)
		}
		kept := append([]SegmentBytes(nil), segments[:v.Segment+1]...)
		kept[v.Segment].Bytes = kept[v.Segment].Bytes[:v.At]
		again, err := Survey(testReplica, kept, Known{Durable: v.Durable, Commit: known.Commit})
		if err != nil || again.Damage != nil || again.Torn != 0 || again.Last != v.Last {
			t.Fatalf("after the cut: %+v, %v; before: %+v", again, err, v)
		}
		if !slices.Equal(v.Terms, again.Terms) {
			t.Fatalf("terms after the cut: %+v, before: %+v", again.Terms, v.Terms)
		}
	})
}

// FuzzMend spoils a segment in one place and fills what is missing.
func FuzzMend(f *testing.F) {
	f.Add(uint16(100), uint16(200), []byte{}, uint16(500))
	f.Add(uint16(300), uint16(10), []byte{1, 2, 3}, uint16(0))
	f.Add(uint16(0), uint16(60000), []byte("\xf5TRF"), uint16(100))
	s := newStory()
	var whole []byte
	for range 16 {
		whole = AppendEntry(whole, testReplica, s.batch(80), s.next-2)
	}
	f.Add(uint16(len(whole)), uint16(0), []byte("junk"), uint16(1))
	f.Fuzz(func(t *testing.T, at, gone uint16, put []byte, limit uint16) {
		from := min(int(at), len(whole))
		to := min(from+int(gone), len(whole))
		segments := []SegmentBytes{{First: 2, Bytes: append(append(bytes.Clone(whole[:from]), put...), whole[to:]...)}}
		want := s.next
		for i := 0; i < len(segments); {
			end := want
			if i+1 < len(segments) {
				end = segments[i+1].First
			}
			m, err := Mend(testReplica, segments[i], end)
			if err != nil {
				expected(t, err)
				return
			}
			var files []SegmentBytes
			for holes := m.Holes(); len(holes) > 0 && files == nil; holes = m.Holes() {
				if err := m.Put(s.entries[holes[0].First-2], KnownTerms{Highest: 1}); err != nil {
					t.Fatal(err)
				}
				files = m.Due(int(limit))
			}
			if files == nil {
				i++
			}
			for _, file := range files {
				j, found := slices.BinarySearchFunc(segments, file.First, func(s SegmentBytes, first id.Index) int { return int(s.First) - int(first) })
				if !found {
					segments = slices.Insert(segments, j, file)
				}
				segments[j] = file
			}
		}
		v, err := Survey(testReplica, segments, Known{Durable: want - 1, Commit: want - 1})
		if err != nil || v.Damage != nil || v.Last != want-1 || v.Torn != 0 {
			t.Fatalf("filled: %+v, %v", v, err)
		}
	})
}

func FuzzParseSlots(f *testing.F) {
	f.Add(NewSlots(goldenSlot))
	f.Add(goldenSlot.AppendTo(nil))
	f.Add(NewSlots(Slot{Sequence: 3, Replica: 7, HardState: partitions.HardState{Term: 2}, Phase: PhaseEmpty}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSlots(b)
		if err != nil {
			expected(t, err)
			return
		}
		if !bytes.Contains(b, s.AppendTo(nil)) {
			t.Fatalf("slot %+v is not in the file", s)
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	c := birth()
	f.Add(AppendCheckpoint(nil, 7, &c))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCheckpoint(b, 7)
		if err != nil {
			expected(t, err)
			return
		}
		if again := AppendCheckpoint(nil, 7, c); !bytes.Equal(again, b) {
			t.Fatalf("%x parses and encodes to %x", b, again)
		}
	})
}

func FuzzParseRegister(f *testing.F) {
	f.Add(goldenRegistration.AppendTo(Registration{Replica: 1}.AppendTo(nil)))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := ParseRegister(b)
		if err != nil {
			expected(t, err)
		}
		for _, r := range records {
			if !bytes.Contains(b, r.AppendTo(nil)) {
				t.Fatalf("record %+v is not in the file", r)
			}
		}
	})
}

func FuzzParseLives(f *testing.F) {
	f.Add(AppendLives(nil, goldenLives))
	f.Add(AppendLives(nil, []Life{goldenLives[1], goldenLives[0]}))
	f.Fuzz(func(t *testing.T, b []byte) {
		lives, err := ParseLives(b)
		if err != nil {
			expected(t, err)
			return
		}
		if again := AppendLives(nil, lives); !bytes.Equal(again, b) {
			t.Fatalf("%x parses and encodes to %x", b, again)
		}
	})
}

func FuzzParseIdentity(f *testing.F) {
	f.Add(goldenIdentity.AppendTo(nil))
	f.Add(Identity{Node: 1, Epoch: 7 << 32, Recovering: true}.AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := ParseIdentity(b)
		if err != nil {
			expected(t, err)
			return
		}
		if again := i.AppendTo(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x parses and encodes to %x", b, again)
		}
	})
}
