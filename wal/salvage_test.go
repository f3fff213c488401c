package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

// scene is a log of many segments at rest, as files. Tests damage it, look at it and repair it.
type scene struct {
	*wreck
	names []string // of its files
}

// newScene makes it: entries of two terms, a checkpoint in the middle, one at the end with last, or none.
func newScene(t testing.TB, checkpoints ...id.Index) *scene {
	w := &wreck{bench: newBench(t, Options{SegmentBytes: 2048}), story: newStory()}
	l := w.open()
	w.story.commit(t, l, w.story.empty())
	for i := range 10 {
		if i == 6 {
			w.story.term = 2
			w.story.commit(t, l, w.story.empty())
		}
		w.story.commit(t, l, w.story.batches(3, 300)...)
		for _, at := range checkpoints {
			if last := w.story.next - 1; last >= at && last < at+3 {
				c := w.story.baseAt(last)
				c.LogStart = 0
				must(t, l.SaveCheckpoint(c))
			}
		}
	}
	w.story.commit(t, l) // the last commit index
	must(t, l.Close())
	w.kill()
	w.files = w.read()
	w.options.SegmentBytes = 1 << 20 // whoever opens it would write to a segment that ended early
	s := &scene{wreck: w}
	for name := range w.files {
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	return s
}

// look puts the files, with some replaced, and inspects them.
func (s *scene) look(files map[string][]byte) (*Offline, *Inspection) {
	s.t.Helper()
	s.put(files)
	o, err := OpenOffline(s.path, "a test")
	must(s.t, err)
	i, err := o.Inspect(o.Replicas[0])
	must(s.t, err)
	return o, i
}

// repair accepts the loss, checks what was kept and what came of it, and returns the new beginning of the offsets.
func (s *scene) repair(o *Offline, i *Inspection) (*Loss, partitions.Status) {
	s.t.Helper()
	before := s.read()
	if _, err := o.Repair(i, nil); !errors.Is(err, partitions.ErrDamaged) {
		s.t.Fatalf("repaired without a word: %v", err)
	}
	l, err := i.Loss()
	must(s.t, err)
	done, err := o.Repair(i, l)
	must(s.t, err)
	for name, b := range before {
		kept, err := os.ReadFile(filepath.Join(done.Aside, name))
		must(s.t, err)
		if !bytes.Equal(kept, b) {
			s.t.Fatalf("%s was changed before it was kept", name)
		}
	}
	again, err := o.Inspect(o.Replicas[0])
	must(s.t, err)
	if h := again.Health(); h > HealthSpare {
		s.t.Fatalf("after the repair: %v, %+v", h, again.Findings)
	}
	must(s.t, o.Close())
	status := s.lives()
	for name, b := range before { // what runs now must not write to what was kept
		if kept, _ := os.ReadFile(filepath.Join(done.Aside, name)); !bytes.Equal(kept, b) {
			s.t.Fatalf("%s was changed by who came after", name)
		}
	}
	return l, status
}

// lives opens the log, has a replica lead it, checks everything that is left, and that new records get offsets that nobody
// ever had.
func (s *scene) lives() partitions.Status {
	s.t.Helper()
	s.start()
	opened, err := s.directory.Open(testPartition, testReplica)
	must(s.t, err)
	log := opened.(*Log)
	if d := log.Recovered().Damage; d != nil {
		s.t.Fatalf("damaged still: %+v", d)
	}
	for i := range s.story.entries {
		want := &s.story.entries[i]
		if found := log.Recovered(); want.Index < found.First || want.Index > found.Last {
			continue // nothing tells any more that it was there
		}
		if got, err := log.Entries(want.Index, want.Index+1, 1); err != nil ||
			line(got[0]) != line(*want) && got[0].Type != partitions.EntryGap {
			s.t.Fatalf("entry %d is %v (%v), was %s", want.Index, got, err, line(*want))
		}
	}
	r, err := partitions.New(partitions.Options{Partition: testPartition, Replica: testReplica, Node: 9, Log: log}, 0)
	must(s.t, err)
	settle := func() {
		for {
			out := r.Outbox()
			if len(out.Writes) == 0 {
				return
			}
			must(s.t, log.Append(out.Writes))
			must(s.t, log.Sync())
			r.Persisted(out.Writes[len(out.Writes)-1].Sequence)
		}
	}
	settle()
	r.Check()
	status := r.Status()
	if !status.Ready || status.HighWatermark < s.story.offset {
		s.t.Fatalf("%+v: offsets up to %d were given before", status, s.story.offset)
	}
	must(s.t, log.Close())
	s.kill()
	return status
}

// segments are those that hold something.
func (s *scene) segments() (names []string) {
	for _, name := range s.names {
		if name[0] == '0' && len(s.files[name]) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// spoil changes a file as disks do.
func spoil(what string, b []byte, at int) []byte {
	out := bytes.Clone(b)
	switch what {
	case "flip":
		out[at] ^= 1
	case "zero":
		clear(out[at:min(at+512, len(out))])
	case "cut":
		out = out[:at]
	case "missing":
		out = nil
	}
	return out
}

// TestEveryDamageIsSeenAndRepaired walks through damage of every kind, at many places in every segment.
func TestEveryDamageIsSeenAndRepaired(t *testing.T) {
	for _, s := range []*scene{newScene(t), newScene(t, 17), newScene(t, 17, 31)} {
		last := s.segments()[len(s.segments())-1]
		for _, name := range s.segments() {
			for _, what := range []string{"flip", "zero", "cut", "missing"} {
				for at := 0; at < len(s.files[name]); at += 97 {
					spoiled := spoil(what, s.files[name], at)
					if bytes.Equal(spoiled, s.files[name]) {
						continue
					}
					o, i := s.look(map[string][]byte{name: spoiled})
					if h := i.Health(); h != HealthHole && h != HealthAmnesia || name == last && what == "cut" && h != HealthAmnesia {
						t.Fatalf("%s at %d of %s: %v", what, at, name, h)
					}
					s.repair(o, i)
					if what == "missing" {
						break
					}
				}
			}
		}
	}
}

// TestFrontGone: an opening that reads the end of a log only must see by the names that its front is missing.
func TestFrontGone(t *testing.T) {
	s := newScene(t, 31)
	for n := range len(s.segments()) - 1 {
		files := map[string][]byte{}
		for _, name := range s.segments()[:n+1] {
			files[name] = nil
		}
		s.put(files)
		s.start()
		l, err := s.directory.Open(testPartition, testReplica)
		must(t, err)
		if d := l.Recovered().Damage; d == nil || d.Kind != partitions.DamageHole {
			t.Fatalf("%d segments are gone: %+v", n+1, d)
		}
		must(t, l.Close())
		s.kill()
	}
}

// TestSegmentsGone: as many as there are, from the front, the end or the middle. Readers from the start get what is left.
func TestSegmentsGone(t *testing.T) {
	for _, s := range []*scene{newScene(t), newScene(t, 17), newScene(t, 17, 31)} {
		all := s.segments()
		for from := range all {
			for to := from + 1; to <= len(all); to++ {
				files := map[string][]byte{}
				for _, name := range all[from:to] {
					files[name] = nil
				}
				if to == len(all) {
					for _, name := range s.names { // and the empty one that ends the log
						if name[0] == '0' && len(s.files[name]) == 0 {
							files[name] = nil
						}
					}
				}
				o, i := s.look(files)
				_, status := s.repair(o, i)
				s.start()
				log, err := s.directory.Open(testPartition, testReplica)
				must(t, err)
				for at := status.LogStart; at < status.HighWatermark && at < s.story.offset; at++ {
					_, err := log.ReadBatches(at, status.HighWatermark, 1)
					must(t, err)
				}
				must(t, log.Close())
				s.kill()
			}
		}
	}
}

// TestExactLoss: what lies behind a hole tells which offsets were in it.
func TestExactLoss(t *testing.T) {
	s := newScene(t, 17)
	name := s.segments()[1]
	o, i := s.look(map[string][]byte{name: spoil("zero", s.files[name], 400)})
	l, status := s.repair(o, i)
	if len(l.Holes) != 1 || !l.Holes[0].Exact || status.HighWatermark != s.story.offset {
		t.Fatalf("%+v, %+v", l, status)
	}
	h := l.Holes[0]
	want := partitions.Gap{First: s.story.baseAt(h.From - 1).NextOffset, Next: s.story.baseAt(h.To).NextOffset}
	if h.Offsets != want || want.First == want.Next {
		t.Fatalf("%+v, want %+v", h, want)
	}
	s.start() // reads go on behind it
	log, err := s.directory.Open(testPartition, testReplica)
	must(t, err)
	for from := want.First; from < want.Next; from++ {
		batches, err := log.ReadBatches(from, s.story.offset, 1)
		must(t, err)
		if !bytes.Equal(batches[0], s.story.batchAt(want.Next)) {
			t.Fatalf("from offset %d another batch than that at %d", from, want.Next)
		}
	}
	// And what is trimmed ends in front of the gap, as long as the log start may lie in it.
	for start := id.Offset(0); start < s.story.offset; start++ {
		end, err := log.FrontEnd(start, s.story.next)
		must(t, err)
		if end >= h.To && start < want.Next || end > 0 && s.story.baseAt(end).NextOffset > start {
			t.Fatalf("a log start of %d drops the entries through %d", start, end)
		}
	}
	must(t, log.Close())
}

// TestForgottenEnd: where nothing tells how far the offsets had come, they go on far behind all that can have been given.
func TestForgottenEnd(t *testing.T) {
	s := newScene(t, 17)
	segments := s.segments()
	end := segments[len(segments)-1]
	for _, c := range []struct {
		name  string
		files map[string][]byte
	}{
		{"the last segment is cut", map[string][]byte{end: s.files[end][:10]}},
		{"the last segment is gone", map[string][]byte{end: nil}},
		{"the last two are gone", map[string][]byte{end: nil, segments[len(segments)-2]: nil}},
		{"the hard state is gone", map[string][]byte{hardStateName: nil}},
		{"no slot verifies", map[string][]byte{hardStateName: make([]byte, HardStateBytes)}},
		{"hard state and end are gone", map[string][]byte{hardStateName: nil, end: nil}},
	} {
		o, i := s.look(c.files)
		if i.Health() != HealthAmnesia {
			t.Fatalf("%s: %v", c.name, i.Health())
		}
		l, status := s.repair(o, i)
		if h := l.Holes[len(l.Holes)-1]; h.Exact || status.HighWatermark != h.Offsets.Next || h.Offsets.Next < s.story.offset+mostOffsets {
			t.Fatalf("%s: %+v, %+v", c.name, h, status)
		}
		if status.Term <= s.story.term || c.files[hardStateName] == nil && status.Term < forgottenEntries {
			t.Fatalf("%s: term %d", c.name, status.Term)
		}
	}
	if got := partitions.DefaultLimits.UncommittedBytes / 61; got != forgottenEntries {
		t.Fatalf("a group commit holds %d entries, not %d", got, forgottenEntries)
	}
}

// TestBadFrameWithoutHardState: nothing tells what was durable, so everything that verifies is kept.
func TestBadFrameWithoutHardState(t *testing.T) {
	s := newScene(t)
	end := s.segments()[len(s.segments())-1]
	first := s.story.next - 3 // of the last group commit: no frame tells that it was durable
	at, err := before(testReplica, SegmentBytes{First: segmentNames([]string{end})[0], Bytes: s.files[end]}, first)
	must(t, err)
	o, i := s.look(map[string][]byte{hardStateName: nil, end: spoil("flip", s.files[end], len(at)+60)})
	l, _ := s.repair(o, i)
	if l.Holes[0].From != first {
		t.Fatalf("%+v", l.Holes)
	}
	if len(l.Holes) != 2 || !l.Holes[0].Exact || l.Holes[0].From != l.Holes[0].To || l.Holes[1].From != s.story.next {
		t.Fatalf("%+v", l.Holes)
	}
}

// TestBeyondRepair is everything that is refused, with bytes as they were.
func TestBeyondRepair(t *testing.T) {
	s := newScene(t, 17)
	bad := s.segments()[0]
	spoiled := spoil("flip", s.files[bad], 60)
	peers := birth()
	peers.Configuration.Voters = append(peers.Configuration.Voters, 8, 9)
	newer := bytes.Clone(s.files[hardStateName])
	newer[8] = 99
	crc := checksum(0, newer[8:slotBytes])
	newer[4], newer[5], newer[6], newer[7] = byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24)
	without := map[string][]byte{bad: spoiled}
	for _, name := range s.names {
		if name[0] == 'c' || name[0] == 'b' {
			without[name] = nil
		}
	}
	with := map[string][]byte{bad: spoiled, checkpointName(18): nil, checkpointName(bornAt): AppendCheckpoint(nil, testReplica, &peers)}
	for _, name := range s.names {
		if name != checkpointName(bornAt) && (name[0] == 'c' || name[0] == 'b') {
			with[name] = nil
		}
	}
	for name, files := range map[string]map[string][]byte{
		"it has peers": with, "no checkpoint": without, "newer": {hardStateName: newer, bad: spoiled},
	} {
		o, i := s.look(files)
		before := s.read()
		if l, err := i.Loss(); !errors.Is(err, ErrBeyondRepair) {
			t.Fatalf("%s: %+v, %v", name, l, err)
		}
		if _, err := o.Repair(i, nil); err == nil {
			t.Fatalf("%s: repaired", name)
		}
		if d := cmp.Diff(before, s.read()); d != "" {
			t.Fatalf("%s: %s", name, d)
		}
		must(t, o.Close())
	}
	o, _ := s.look(nil)
	must(t, os.RemoveAll(s.replicaPath()))
	must(t, o.Close())
	o, err := OpenOffline(s.path, "a test")
	must(t, err)
	i, err := o.Inspect(o.Replicas[0])
	if err != nil || i.Health() != HealthAmnesia {
		t.Fatalf("%+v, %v", i, err)
	}
	_, err = i.Loss()
	wantErr(t, err, ErrBeyondRepair)
	must(t, o.Close())
}

// TestTearIsCutAndKept: what opening cuts in silence a repair keeps.
func TestTearIsCutAndKept(t *testing.T) {
	s := newScene(t, 17)
	end := s.segments()[len(s.segments())-1]
	torn := append(bytes.Clone(s.files[end]), "what nobody was told of"...)
	o, i := s.look(map[string][]byte{end: torn})
	if i.Health() != HealthTorn || i.Torn != 23 {
		t.Fatalf("%+v", i)
	}
	done, err := o.Repair(i, nil)
	must(t, err)
	if kept, err := os.ReadFile(filepath.Join(done.Aside, end)); err != nil || !bytes.Equal(kept, torn) || done.Torn != 23 {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := s.read()[end]; !bytes.Equal(got, s.files[end]) {
		t.Fatalf("%d bytes are left of %d", len(got), len(s.files[end]))
	}
	must(t, o.Close())
	s.lives()
}

// TestRepairInterrupted: killed at any step, it leaves the damage or what can be finished.
func TestRepairInterrupted(t *testing.T) {
	s := newScene(t, 17)
	name := s.segments()[1]
	o, i := s.look(map[string][]byte{name: nil})
	l, err := i.Loss()
	must(t, err)
	for fails := 1; ; fails++ {
		o.sys = &faulty{failAt: fails}
		done, err := o.Repair(i, l)
		if err == nil && !done.Finished {
			if fails < 5 {
				t.Fatalf("only %d fsyncs", fails)
			}
			break
		}
		must(t, o.Close())
		o, err = OpenOffline(s.path, "a test")
		must(t, err)
		i, err = o.Inspect(o.Replicas[0])
		must(t, err)
		if i.Finishable {
			_, err := o.Repair(i, nil)
			must(t, err)
			break
		}
		if i.Health() != HealthHole {
			t.Fatalf("after failure %d: %v", fails, i.Findings)
		}
	}
	must(t, o.Close())
	s.lives()
}

// TestOfflineIsRefusedWhileABrokerRuns, and whatever is no log.
func TestOfflineIsRefusedWhileABrokerRuns(t *testing.T) {
	s := newScene(t)
	s.start()
	for _, path := range []string{s.path, s.replicaPath()} {
		_, err := OpenOffline(path, "a test")
		wantErr(t, err, ErrLocked)
	}
	s.kill()
	_, err := OpenOffline(t.TempDir(), "a test")
	wantErr(t, err, ErrNoData)
	copied := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(copied, os.DirFS(s.replicaPath())))
	o, err := OpenOffline(copied, "a test")
	must(t, err)
	i, err := o.Inspect(o.Replicas[0])
	if err != nil || i.Health() != HealthWhole || i.Stored.Replica != testReplica || o.Data != "" {
		t.Fatalf("%+v, %v", i, err)
	}
	_, err = o.Repair(i, nil)
	wantErr(t, err, ErrBeyondRepair)
}

// FuzzRepair spoils any file in a few places; whatever a repair accepts to do must give a log that lives, without an offset
// that was given before.
func FuzzRepair(f *testing.F) {
	f.Add(uint64(1), uint8(1))
	f.Add(uint64(2), uint8(3))
	s := newScene(f, 17)
	f.Fuzz(func(t *testing.T, seed uint64, places uint8) {
		s.t, s.bench.t = t, t
		random := rand.New(rand.NewPCG(seed, 9))
		files := map[string][]byte{}
		var story []string
		for range places%4 + 1 {
			name := s.names[random.IntN(len(s.names))]
			b, ok := files[name]
			if !ok {
				b = s.files[name]
			}
			if len(b) == 0 {
				continue
			}
			what, at := []string{"flip", "zero", "cut", "missing"}[random.IntN(4)], random.IntN(len(b))
			files[name] = spoil(what, b, at)
			story = append(story, fmt.Sprintf("%s %s at %d", what, name, at))
		}
		o, i := s.look(files)
		defer o.Close()
		if i.Health() < HealthHole {
			return
		}
		if _, err := i.Loss(); err != nil {
			wantErr(t, err, ErrBeyondRepair)
			return
		}
		t.Log(story)
		s.repair(o, i)
	})
}
