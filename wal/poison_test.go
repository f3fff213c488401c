package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"
)

// TestPoisoned: after a failed fsync the log refuses to write, and the next opening believes nothing above the durable
// index, however well it reads, nor the file it was in.
func TestPoisoned(t *testing.T) {
	for _, failing := range []string{"append", "fsync tail"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(failing, after), func(t *testing.T) {
				sys := &faulty{after: after}
				b := newBench(t, Options{system: sys})
				l, s := b.open(), newStory()
				s.commit(t, l, s.empty())
				s.commit(t, l, s.batches(4, 90)...)
				durable := *s
				tail := filepath.Join(b.replicaPath(), segmentName(2))
				before, err := os.Stat(tail)
				must(t, err)

				sys.failAt = sys.count + map[string]int{"append": 1, "fsync tail": 2}[failing]
				write := []partitions.Write{{Entries: s.batches(3, 90), HardState: s.state(6), Changed: true}}
				if err := errors.Join(l.Append(write), l.Sync()); !errors.Is(err, errDisk) {
					t.Fatalf("got %v", err)
				}
				if got := sys.trace[sys.failAt-1]; got != failing {
					t.Fatalf("%s failed instead of %s", got, failing)
				}
				wantErr(t, l.Append(write), partitions.ErrPoisoned)
				wantErr(t, l.Sync(), partitions.ErrPoisoned)
				c := birth()
				wantErr(t, l.SaveCheckpoint(&c), partitions.ErrPoisoned)
				must(t, l.Close())

				l = b.open()
				recovered(t, l, partitions.Recovered{
					HardState: durable.state(6), Last: 6, Durable: 6, Torn: l.Recovered().Torn,
					Terms: []partitions.TermStart{{Index: 2, Term: 1}},
				})
				durable.check(t, l)
				info, err := os.Stat(tail)
				must(t, err)
				if os.SameFile(before, info) {
					t.Fatal("the segment was kept, though its pages cannot be believed")
				}
				durable.commit(t, l, durable.batches(3, 50)...)
				durable.check(t, l)
				must(t, l.Close())
			})
		}
	}
}

// TestEveryOperationFails fails each write, fsync, open and close of a short life in turn, before or after it took
// effect, and then opens the log again, in the same process or another one. Whatever was reported must be there.
func TestEveryOperationFails(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, restart := range []bool{false, true} {
			for failAt := 1; ; failAt++ {
				if !failingLife(t, failAt, after, restart) {
					if failAt < 25 {
						t.Fatalf("only %d operations", failAt)
					}
					break
				}
			}
		}
	}
}

// failingLife returns false when the life ended before the operation that was to fail.
func failingLife(t *testing.T, failAt int, after, restart bool) bool {
	sys := &faulty{after: after}
	b := newBench(t, Options{system: sys, SegmentBytes: 1024})
	begun := sys.count
	sys.failAt = begun + failAt
	l, err := b.directory.Open(testPartition, testReplica)
	durable, vote, term := bornAt, id.Replica(0), id.Term(1)
	offered := map[id.Index][]string{}
	if err == nil {
		durable, vote, term, err = live(l, offered)
	}
	reached := sys.count >= sys.failAt
	if reached != (err != nil) {
		t.Fatalf("operation %d (after: %v): reached %v, error %v", failAt, after, reached, err)
	}
	if err != nil && !errors.Is(err, errDisk) {
		t.Fatalf("operation %d (after: %v): %v", failAt, after, err)
	}
	if l != nil {
		_ = l.Close() // it fails where the life ended by closing
	}
	sys.failAt = 0
	if restart {
		b.restart()
	}
	again, err := b.directory.Open(testPartition, testReplica)
	must(t, err)
	got := again.Recovered()
	if got.Damage != nil || got.Last < durable || got.HardState.Term < term ||
		got.HardState.Term == term && vote != 0 && got.HardState.Vote != vote {
		t.Fatalf("operation %d (after: %v, restart: %v): recovered %+v, damage %+v; reported: entry %d, vote %d in term %d",
			failAt, after, restart, got, got.Damage, durable, vote, term)
	}
	for i := got.First; i <= got.Last; i++ {
		e, err := again.Entries(i, i+1, 1)
		must(t, err)
		if !slices.Contains(offered[i], line(e[0])) {
			t.Fatalf("operation %d: entry %d is %s, want one of %s", failAt, i, line(e[0]), offered[i])
		}
	}
	must(t, again.Append([]partitions.Write{{Entries: []partitions.Entry{{Index: got.Last + 1, Term: 9, Type: 1}}}}))
	must(t, again.Close())
	return reached
}

// live writes, rolls, cuts, votes and takes checkpoints until something fails. It tells what was reported durable, and
// notes in offered what was handed over for each index.
func live(l partitions.Log, offered map[id.Index][]string) (durable id.Index, vote id.Replica, term id.Term, err error) {
	s := newStory()
	durable, term = bornAt, 1
	step := func(entries []partitions.Entry, state partitions.HardState) bool {
		for _, e := range entries {
			offered[e.Index] = append(offered[e.Index], line(e))
		}
		if err = l.Append([]partitions.Write{{Entries: entries, HardState: state, Changed: true}}); err == nil {
			err = l.Sync()
		}
		if err == nil {
			durable, vote, term = s.next-1, state.Vote, state.Term
		}
		return err == nil
	}
	if !step(s.batches(5, 100), partitions.HardState{Term: 1, Commit: 4}) ||
		!step(nil, partitions.HardState{Term: 2, Vote: 5, Commit: 4}) ||
		!step(s.batches(20, 150), partitions.HardState{Term: 2, Vote: 5, Commit: 20}) {
		return
	}
	c := birth()
	c.Index = 15
	if err = l.SaveCheckpoint(&c); err != nil {
		return
	}
	// A new leader replaces everything behind 21: the old end is no longer promised.
	s.next, s.term, s.offset = 22, 3, 40
	durable = 21
	if !step(s.batches(8, 120), partitions.HardState{Term: 3, Vote: 7, Commit: 21}) {
		return
	}
	c.Index = 21
	if err = l.SaveCheckpoint(&c); err != nil {
		return
	}
	err = l.Close()
	return
}

// TestMendWritesAgain: another process cannot know that an fsync failed. It writes what it believes above the durable
// index again before it fsyncs, and the hard state to a new file.
func TestMendWritesAgain(t *testing.T) {
	sys := &faulty{}
	b := newBench(t, Options{system: sys})
	l, s := b.open(), newStory()
	s.commit(t, l, s.empty())
	must(t, l.Append([]partitions.Write{{Entries: s.batches(2, 90)}}))
	b.restart()
	from := len(sys.trace)
	b.open()
	want := []string{"write", "fsync", "write", "fsync", "rename", "fsync directory", "open"}
	if got := fmt.Sprint(sys.trace[from:]); got != fmt.Sprint(want) {
		t.Fatalf("got %s, want %s", got, want)
	}
	must(t, l.Close())
	b.restart()
	from = len(sys.trace)
	b.open()
	// A log that needs no repair may have got there by a rename whose process was killed before its fsync of the directory.
	if got := fmt.Sprint(sys.trace[from:]); got != "[fsync directory open]" {
		t.Fatalf("opening a closed log: got %s", got)
	}
}

// TestFailedOpeningCutsNothing: what a killed process has acknowledged may lie above the highest index known durable, and an
// opening that fails must not cut it as a write that failed would be. Found by the simulator as sequence-forgotten.
func TestFailedOpeningCutsNothing(t *testing.T) {
	for step := 1; step <= 6; step++ { // the steps that TestMendWritesAgain lists
		sys := &faulty{}
		b := newBench(t, Options{system: sys})
		l, s := b.open(), newStory()
		s.commit(t, l, s.empty())
		must(t, l.Append([]partitions.Write{{Entries: s.batches(2, 90)}}))
		b.restart()
		sys.failAt = sys.count + step
		_, err := b.directory.Open(testPartition, testReplica)
		wantErr(t, err, errDisk)
		l = b.open()
		if got, want := l.Recovered().Last, s.next-1; got != want {
			t.Errorf("after step %d of an opening failed, the log ends at %d, want %d", step, got, want)
		}
		must(t, l.Close())
	}
}

// TestSyncCosts: what waits for the disk, and what does not.
func TestSyncCosts(t *testing.T) {
	sys := &faulty{}
	b := newBench(t, Options{system: sys, SegmentBytes: 1000})
	l, s := b.open(), newStory()
	steps := []struct {
		name  string
		write partitions.Write
		want  string
	}{
		{"first term", partitions.Write{Entries: []partitions.Entry{s.empty()}, HardState: s.state(1), Changed: true},
			"[append fsync tail write fsync write]"},
		{"entries", partitions.Write{Entries: s.batches(2, 100)}, "[append fsync tail write]"},
		{"commit", partitions.Write{HardState: s.state(4), Changed: true}, "[write]"},
		{"nothing", partitions.Write{HardState: s.state(4), Changed: true}, "[]"},
		{"vote", partitions.Write{HardState: partitions.HardState{Term: 1, Vote: 2, Commit: 4}, Changed: true}, "[write fsync write]"},
		{"roll", partitions.Write{Entries: s.batches(12, 100)}, "[append fsync tail fsync directory write]"},
	}
	for _, step := range steps {
		from := len(sys.trace)
		must(t, l.Append([]partitions.Write{step.write}))
		must(t, l.Sync())
		if got := fmt.Sprint(sys.trace[from:]); got != step.want {
			t.Fatalf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
	from := len(sys.trace)
	must(t, l.Close())
	if got := fmt.Sprint(sys.trace[from:]); got != "[write fsync write close]" {
		t.Fatalf("closing: got %s", got)
	}
	from = len(sys.trace)
	b.open()
	if got := fmt.Sprint(sys.trace[from:]); got != "[fsync directory open]" {
		t.Fatalf("opening what was closed: got %s", got)
	}
}

// TestPoisonRemembersDurable: after a failure the files may read older than what was reported. The process remembers.
func TestPoisonRemembersDurable(t *testing.T) {
	sys := &faulty{}
	b := newBench(t, Options{system: sys})
	l, s := b.open(), newStory()
	path := filepath.Join(b.replicaPath(), hardStateName)
	old, err := os.ReadFile(path)
	must(t, err)
	s.commit(t, l, s.batches(3, 90)...)
	s.commit(t, l, s.batches(3, 90)...)
	reported := *s
	sys.failAt = sys.count + 1
	wantErr(t, l.Append([]partitions.Write{{Entries: s.batches(1, 90)}}), errDisk)
	must(t, l.Close())
	must(t, os.WriteFile(path, old, 0o640))
	l = b.open()
	if got := l.Recovered(); got.Damage != nil || got.Last != reported.next-1 || got.Durable != reported.next-1 {
		t.Fatalf("recovered %+v, damage %+v", got, got.Damage)
	}
	reported.check(t, l)
	must(t, l.Close())
}
