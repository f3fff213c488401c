package wal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

// succession is a log, the snapshot that replaces it, and what must be found before and after.
type succession struct {
	*bench
	log   *Log
	story *story
	old   partitions.Recovered
	write partitions.Write
}

// successions are made anew for each test: a snapshot far ahead of the log, one within an end that no quorum has, just before
// the name of a segment that exists, and one for a log that is empty.
var successions = map[string]func(t *testing.T, options Options) *succession{
	"ahead": func(t *testing.T, options Options) *succession {
		b, l, s := longLog(t, options)
		return succeed(b, l, s, s.next+500)
	},
	"within": func(t *testing.T, options Options) *succession {
		options.SegmentBytes = 2048
		b := newBench(t, options)
		l, s := b.open(), newStory()
		s.commit(t, l, s.empty())
		committed := s.state(s.next - 1)
		s.term = 2
		for range 12 {
			must(t, l.Append([]partitions.Write{{Entries: s.batches(4, 400)}}))
			must(t, l.Sync())
		}
		committed.Term = 2
		must(t, l.Append([]partitions.Write{{HardState: committed, Changed: true}}))
		must(t, l.Sync())
		return succeed(b, l, s, l.segments[4].first-1)
	},
	"empty": func(t *testing.T, options Options) *succession {
		b := newEmptyBench(t, options)
		return succeed(b, b.open(), &story{next: 1}, 700)
	},
}

func succeed(b *bench, l *Log, s *story, index id.Index) *succession {
	c := birth()
	c.Index, c.Term, c.NextOffset, c.LogStart = index, 8, 3000, 2000
	old := l.Recovered()
	old.HardState, old.Last = l.state, l.last
	return &succession{bench: b, log: l, story: s, old: old, write: partitions.Write{
		Snapshot: &c, HardState: partitions.HardState{Term: 9, Vote: 3, Commit: index}, Changed: true,
	}}
}

// replaced demands that a log is the new one, and can be written and read.
func (s *succession) replaced(t *testing.T, l *Log) {
	t.Helper()
	c := s.write.Snapshot
	want := partitions.Recovered{
		HardState: s.write.HardState, Replica: testReplica, Base: c, Newest: c, First: c.Index + 1, Last: c.Index, Durable: c.Index,
	}
	if diff := cmp.Diff(want, l.Recovered()); diff != "" {
		t.Fatalf("recovered (-want +got):\n%s", diff)
	}
	s.continues(t, l)
}

// continues writes behind the snapshot and reads.
func (s *succession) continues(t *testing.T, l *Log) {
	t.Helper()
	c := s.write.Snapshot
	behind := &story{next: c.Index + 1, term: 9, offset: c.NextOffset}
	must(t, l.Append([]partitions.Write{{Entries: append([]partitions.Entry{behind.empty()}, behind.batches(20, 300)...)}}))
	must(t, l.Sync())
	entries, err := l.Entries(c.Index+1, behind.next, 1<<20)
	must(t, err)
	if diff := cmp.Diff(lines(behind.entries), lines(entries)); diff != "" {
		t.Fatalf("entries (-want +got):\n%s", diff)
	}
	batches, err := l.ReadBatches(c.NextOffset, behind.offset, 1<<20)
	if err != nil || len(batches) != 20 || !bytes.Equal(batches[0], behind.entries[1].Payload) {
		t.Fatalf("%d batches, %v", len(batches), err)
	}
	_, err = l.ReadBatches(c.NextOffset-1, behind.offset, 1)
	wantErr(t, err, partitions.ErrOffsetOutOfRange)
	_, err = l.Entries(c.Index, behind.next, 1)
	wantErr(t, err, ErrRange)
	if sum := size(t, s.bench); l.Size().Bytes != sum {
		t.Fatalf("the log says %d bytes, its files have %d", l.Size().Bytes, sum)
	}
	var names []string
	for name := range readFiles(t, s.replicaPath()) {
		if len(name) != 20 || segmentNames([]string{name})[0] <= c.Index {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{baseName(c.Index), hardStateName}, names); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
}

// stands demands that a log is the old one, and can be written.
func (s *succession) stands(t *testing.T, l *Log) {
	t.Helper()
	got := l.Recovered()
	got.Durable, got.Terms = s.old.Durable, s.old.Terms
	s.old.Newest = got.Newest // longLog saved one meanwhile
	if diff := cmp.Diff(s.old, got); diff != "" {
		t.Fatalf("recovered (-want +got):\n%s", diff)
	}
	if got.Newest != nil && got.Newest.Index > got.Last {
		t.Fatalf("checkpoint %d beside a log that ends at %d", got.Newest.Index, got.Last)
	}
	if s.story.next > 1 {
		s.story.check(t, l)
		copied := *s.story
		copied.entries = slices.Clone(copied.entries)
		copied.term = 9
		copied.commit(t, l, copied.batches(3, 100)...)
		copied.check(t, l)
	}
	for name := range readFiles(t, s.replicaPath()) {
		if strings.HasPrefix(name, snapshotPrefix) {
			t.Fatalf("%s is still there", name)
		}
	}
}

func TestInstall(t *testing.T) {
	for name, begin := range successions {
		for _, end := range []string{"closed", "killed", "rested"} {
			t.Run(name+" "+end, func(t *testing.T) {
				s := begin(t, Options{})
				must(t, s.log.Append([]partitions.Write{s.write}))
				must(t, s.log.Sync())
				if end == "rested" {
					must(t, s.log.Rest())
				}
				if end == "killed" {
					s.restart()
				} else {
					must(t, s.log.Close())
				}
				l := s.open()
				s.replaced(t, l)
				must(t, l.Close())
				must(t, s.open().Close())
			})
		}
		t.Run(name+" and written on", func(t *testing.T) {
			s := begin(t, Options{})
			must(t, s.log.Append([]partitions.Write{s.write}))
			s.continues(t, s.log)
			for place := range slotCount {
				slot, ok, err := parseSlot(readFiles(t, s.replicaPath())[hardStateName][place*slotBlock:][:slotBytes])
				if err != nil || !ok || slot.Phase != PhaseBegun {
					t.Fatalf("slot %d (%v, %v) would have this log wiped: %+v", place, ok, err, slot)
				}
			}
			s.restart()
			got := s.open().Recovered()
			if c := s.write.Snapshot; got.Damage != nil || got.Last != c.Index+21 || cmp.Diff(c, got.Newest) != "" || got.HardState != s.write.HardState {
				t.Fatalf("recovered %+v", got)
			}
		})
	}
}

// TestInstallOrder: nothing of the old log goes before the slot is durable, and the log has not begun before its names are.
func TestInstallOrder(t *testing.T) {
	sys := &faulty{}
	s := successions["ahead"](t, Options{system: sys})
	sys.trace = nil
	must(t, s.log.Append([]partitions.Write{s.write}))
	want := []string{
		"close",                                       // of the old segment
		"write", "fsync", "rename", "fsync directory", // the snapshot
		"write", "fsync", "write", // the slot, and the scratch slot
		"remove",                    // of the old log, file by file
		"rename", "fsync directory", // the snapshot becomes the base
		"write", "fsync", "rename", "fsync directory", // the new hard state file
	}
	if diff := cmp.Diff(want, slices.Compact(sys.trace)); diff != "" {
		t.Fatalf("operations (-want +got):\n%s", diff)
	}
}

// TestInstallAmongWrites: what the same call writes before is replaced, what it writes after follows the snapshot.
func TestInstallAmongWrites(t *testing.T) {
	for name, begin := range successions {
		s := begin(t, Options{})
		behind := &story{next: s.write.Snapshot.Index + 1, term: 9, offset: s.write.Snapshot.NextOffset}
		s.write.Entries = behind.batches(3, 100)
		s.write.HardState.Commit = behind.next - 1
		var writes []partitions.Write
		if s.story.next > 1 {
			writes = append(writes, partitions.Write{Entries: s.story.batches(2, 100), HardState: partitions.HardState{Term: 8, Vote: 8, Commit: 1}, Changed: true})
		}
		after := partitions.Write{Entries: behind.batches(2, 100)}
		must(t, s.log.Append(append(writes, s.write, after)))
		must(t, s.log.Sync())
		s.restart()
		l := s.open()
		got := l.Recovered()
		if got.Damage != nil || got.First != s.write.Snapshot.Index+1 || got.Last != behind.next-1 || got.HardState != s.write.HardState {
			t.Fatalf("%s: recovered %+v", name, got)
		}
		entries, err := l.Entries(got.First, behind.next, 1<<20)
		must(t, err)
		if diff := cmp.Diff(lines(behind.entries), lines(entries)); diff != "" {
			t.Fatalf("entries (-want +got):\n%s", diff)
		}
	}
}

// TestInstallInterrupted opens every state that a kill between two steps leaves, and those that a power loss makes of them.
func TestInstallInterrupted(t *testing.T) {
	for name, begin := range successions {
		t.Run(name, func(t *testing.T) {
			sys := &faulty{}
			s := begin(t, Options{system: sys})
			var states []map[string][]byte
			sys.watch = func(string) { states = append(states, readFiles(t, s.replicaPath())) }
			must(t, s.log.Append([]partitions.Write{s.write}))
			sys.watch = nil
			states = append(states, readFiles(t, s.replicaPath()))
			must(t, s.log.Close())
			if len(states) < 9 {
				t.Fatalf("only %d steps", len(states))
			}
			c := s.write.Snapshot
			var before, during map[string][]byte
			for i, files := range states {
				phase := s.openState(t, fmt.Sprintf("step %d", i), files)
				if phase != PhaseInstalling && files[snapshotName(c.Index)] != nil {
					before = files
				}
				if phase == PhaseInstalling && during == nil {
					during = files
				}
			}
			s.tearSlots(t, before, during)
			s.undoNames(t, during)
		})
	}
}

// openState opens a state of the directory, which must be the old log or the new one by what its hard state says.
func (s *succession) openState(t *testing.T, what string, files map[string][]byte) Phase {
	t.Helper()
	s.put(t, files)
	slot, err := ParseSlots(files[hardStateName])
	must(t, err)
	l, err := s.directory.Open(testPartition, testReplica)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if slot.Phase == PhaseInstalling || slot.HardState == s.write.HardState {
		s.replaced(t, l.(*Log))
	} else {
		s.stands(t, l.(*Log))
	}
	must(t, l.Close())
	return slot.Phase
}

// put makes a state of the directory, as a process finds it that has just begun.
func (s *succession) put(t *testing.T, files map[string][]byte) {
	t.Helper()
	must(t, os.RemoveAll(s.replicaPath()))
	must(t, os.Mkdir(s.replicaPath(), 0o750))
	for name, bytes := range files {
		must(t, os.WriteFile(filepath.Join(s.replicaPath(), name), bytes, 0o640))
	}
	s.restart()
}

// tearSlots mixes, slot by slot, the hard state from before the installation with that which tells of it: old, new or torn.
// The durable slot that stood before is never written to.
func (s *succession) tearSlots(t *testing.T, before, during map[string][]byte) {
	t.Helper()
	old, fresh := before[hardStateName], during[hardStateName]
	kinds := 1
	for range slotCount {
		kinds *= 3
	}
	for kind := range kinds {
		b := bytes.Clone(old)
		for place, k := 0, kind; place < slotCount; place, k = place+1, k/3 {
			at := place * slotBlock
			switch k % 3 {
			case 1:
				copy(b[at:at+slotBlock], fresh[at:at+slotBlock])
			case 2:
				if !bytes.Equal(old[at:at+slotBlock], fresh[at:at+slotBlock]) {
					copy(b[at+slotBytes/2:at+slotBytes], fresh[at+slotBytes/2:])
				}
			}
		}
		files := maps.Clone(before)
		files[hardStateName] = b
		s.openState(t, fmt.Sprintf("slots %d", kind), files)
	}
}

// undoNames undoes any of the changes of names that were not fsynced yet.
func (s *succession) undoNames(t *testing.T, during map[string][]byte) {
	t.Helper()
	c := s.write.Snapshot
	var old []string
	for name := range during {
		if name != hardStateName && name != snapshotName(c.Index) {
			old = append(old, name)
		}
	}
	slices.Sort(old)
	masks := []uint64{0, 0x5555555555555555, 0xAAAAAAAAAAAAAAAA, 0xFFFF, ^uint64(0)}
	for i := range old {
		masks = append(masks, 1<<i, ^uint64(0)-1<<i)
	}
	for _, left := range masks {
		for kind := range 4 {
			files := maps.Clone(during)
			for i, name := range old {
				if left&(1<<i) == 0 {
					delete(files, name)
				}
			}
			if kind&1 != 0 {
				files[baseName(c.Index)] = files[snapshotName(c.Index)]
				delete(files, snapshotName(c.Index))
			}
			if kind&2 != 0 {
				files[segmentName(c.Index+1)] = nil
			}
			s.openState(t, fmt.Sprintf("left %x, kind %d", left, kind), files)
		}
	}
}

// TestInstallDamaged: where the old log was given up and the snapshot does not verify nothing can be opened, and nothing is
// changed.
func TestInstallDamaged(t *testing.T) {
	sys := &faulty{}
	s := successions["ahead"](t, Options{system: sys})
	var during map[string][]byte
	sys.watch = func(string) {
		files := readFiles(t, s.replicaPath())
		if slot, err := ParseSlots(files[hardStateName]); err == nil && slot.Phase == PhaseInstalling && during == nil {
			during = files
		}
	}
	must(t, s.log.Append([]partitions.Write{s.write}))
	must(t, s.log.Close())
	sys.watch = nil
	for _, spoil := range []func(files map[string][]byte, name string){
		func(files map[string][]byte, name string) { files[name][30] ^= 1 },
		func(files map[string][]byte, name string) { files[name] = files[name][:10] },
		func(files map[string][]byte, name string) { delete(files, name) },
	} {
		files := maps.Clone(during)
		name := snapshotName(s.write.Snapshot.Index)
		files[name] = bytes.Clone(files[name])
		spoil(files, name)
		s.put(t, files)
		_, err := s.directory.Open(testPartition, testReplica)
		wantErr(t, err, partitions.ErrDamaged)
		if diff := cmp.Diff(files, readFiles(t, s.replicaPath())); diff != "" {
			t.Fatalf("files (-before +after):\n%s", diff)
		}
	}
}

// TestDamagedEndIsNoInstall: a checkpoint above the last entry alone says that the log was cut, never that it may be wiped.
func TestDamagedEndIsNoInstall(t *testing.T) {
	b, l, s := longLog(t, Options{})
	must(t, l.Close())
	must(t, os.Truncate(filepath.Join(b.replicaPath(), segmentName(l.segments[len(l.segments)-1].first)), 0))
	must(t, os.Remove(filepath.Join(b.replicaPath(), segmentName(l.segments[len(l.segments)-2].first))))
	before := readFiles(t, b.replicaPath())
	got := b.open().Recovered()
	if got.Damage == nil || got.Damage.Kind != partitions.DamageAmnesia || got.Newest.Index != s.next-1 {
		t.Fatalf("recovered %+v", got)
	}
	if diff := cmp.Diff(before, readFiles(t, b.replicaPath())); diff != "" {
		t.Fatalf("files (-before +after):\n%s", diff)
	}
}

// TestInstallFails: each of its operations fails, in turn. Then the log is opened again in this process, or the next; any
// operation of the finishing fails, too.
func TestInstallFails(t *testing.T) {
	for name, begin := range successions {
		for mode := range 8 {
			after, restart, twice := mode&1 != 0, mode&2 != 0, mode&4 != 0
			for failAt := 1; ; failAt++ {
				sys := &faulty{after: after}
				s := begin(t, Options{system: sys})
				sys.failAt = sys.count + failAt
				err := s.log.Append([]partitions.Write{s.write})
				reached := sys.count >= sys.failAt
				sys.failAt = 0
				if !reached {
					if must(t, err); failAt < 8 {
						t.Fatalf("only %d operations", failAt)
					}
					break
				}
				wantErr(t, err, errDisk)
				wantErr(t, s.log.Sync(), partitions.ErrPoisoned)
				_ = s.log.Close()
				if restart {
					s.restart()
				}
				s.reopen(t, fmt.Sprintf("%s, mode %d, operation %d", name, mode, failAt), sys, twice)
			}
		}
	}
}

// reopen opens the log behind a failure, which may fail several times more at any operation.
func (s *succession) reopen(t *testing.T, what string, sys *faulty, twice bool) {
	t.Helper()
	slot, err := ParseSlots(readFiles(t, s.replicaPath())[hardStateName])
	must(t, err)
	replaced := slot.Phase == PhaseInstalling || slot.HardState == s.write.HardState
	for failAt := 1; twice && failAt < 6; failAt++ {
		sys.failAt = sys.count + failAt
		l, err := s.directory.Open(testPartition, testReplica)
		if err == nil {
			_ = l.Close()
		}
		sys.failAt = 0
		if err != nil && !errors.Is(err, errDisk) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	l, err := s.directory.Open(testPartition, testReplica)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if replaced {
		s.replaced(t, l.(*Log))
	} else {
		s.stands(t, l.(*Log))
	}
	must(t, l.Close())
}

// TestReadersBesideInstall: whoever reads meets what there was, or the error that says it is gone.
func TestReadersBesideInstall(t *testing.T) {
	s := successions["ahead"](t, Options{})
	stop := readBeside(t, s.log, s.story, partitions.ErrOffsetOutOfRange, func() {})
	must(t, s.log.Append([]partitions.Write{s.write}))
	stop()
}
