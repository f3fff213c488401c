package wal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

func TestDirectoryIdentity(t *testing.T) {
	b := newBench(t, Options{})
	first := b.directory.Identity()
	if first.Node == 0 || first.Cluster != 0 || first.Incarnation != 1 {
		t.Fatalf("identity %+v", first)
	}
	must(t, b.directory.SetCluster(77, 0))
	must(t, b.directory.SetCluster(77, 0))
	if b.directory.SetCluster(78, 0) == nil || b.directory.SetCluster(77, 1<<32) == nil {
		t.Fatal("the directory changed its cluster, or its epoch")
	}
	must(t, b.directory.Close())
	b.options.Random = nil
	b.start()
	if got, want := b.directory.Identity(), (Identity{Node: first.Node, Cluster: 77, Incarnation: 2}); got != want {
		t.Fatalf("identity %+v, want %+v", got, want)
	}
}

func TestDirectoryLocked(t *testing.T) {
	b := newBench(t, Options{Holder: "process 7, serving at a place"})
	_, err := OpenDirectory(b.path, b.options)
	wantErr(t, err, ErrLocked)
	if !strings.Contains(err.Error(), "another broker runs on it (process 7, serving at a place)") {
		t.Fatalf("the message says %q", err)
	}
	l := b.open()
	wantErr(t, b.directory.Close(), ErrOpen)
	must(t, l.Close())
	must(t, b.directory.Close())
}

func TestReplicaClaims(t *testing.T) {
	b := newBench(t, Options{})
	d := b.directory
	l := b.open()
	_, err := d.Open(testPartition, testReplica)
	wantErr(t, err, ErrOpen)
	wantErr(t, d.Remove(testPartition, testReplica), ErrOpen)
	must(t, l.Close())
	must(t, l.Close())
	other := id.Partition{Topic: 9, Number: 9}
	_, err = d.Open(other, testReplica)
	wantErr(t, err, partitions.ErrMisplaced)
	_, err = d.Open(testPartition, 99)
	wantErr(t, err, ErrNotRegistered)
	wantErr(t, d.Remove(testPartition, 99), ErrNotRegistered)
	wantErr(t, d.Create(other, testReplica, born(), partitions.HardState{}), partitions.ErrMisplaced)
	must(t, d.Create(testPartition, testReplica, born(), partitions.HardState{Term: 5}))
	if got := b.open().Recovered().HardState.Term; got != 1 {
		t.Fatalf("creating what exists changed its term to %d", got)
	}
}

// TestLivesAreRemembered: in which start others were met is known to the next start, and damage to it is told and does no more harm.
func TestLivesAreRemembered(t *testing.T) {
	b := newBench(t, Options{})
	met := func(want ...Life) error {
		t.Helper()
		got, err := b.directory.Met()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		return err
	}
	must(t, met())
	for _, l := range []Life{{3, 1, 30}, {2, 5, 20}, {3, 2, 31}} {
		must(t, b.directory.Meet(l))
	}
	b.restart()
	must(t, met(Life{2, 5, 20}, Life{3, 2, 31}))
	path := filepath.Join(b.path, livesName)
	content, err := os.ReadFile(path)
	must(t, err)
	content[20] ^= 1
	must(t, os.WriteFile(path, content, 0o600))
	b.restart()
	wantErr(t, met(), partitions.ErrDamaged)
	must(t, b.directory.Meet(Life{4, 1, 1}))
	b.restart()
	must(t, met(Life{4, 1, 1}))
}

func TestRemove(t *testing.T) {
	b := newBench(t, Options{})
	path := b.replicaPath()
	must(t, b.directory.Remove(testPartition, testReplica))
	must(t, b.directory.Remove(testPartition, testReplica))
	for range 2 {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the directory is still there: %v", err)
		}
		if !b.directory.Registered(testReplica) {
			t.Fatal("the id was forgotten")
		}
		_, err := b.directory.Open(testPartition, testReplica)
		wantErr(t, err, ErrRemoved)
		wantErr(t, b.directory.Create(testPartition, testReplica, born(), partitions.HardState{}), ErrRemoved)
		must(t, os.MkdirAll(filepath.Join(path, "half-deleted"), 0o750)) // a crash came before the deletion
		b.restart()
	}
}

// TestAmnesia: a registered replica whose directory is gone is reported and never begun anew.
func TestAmnesia(t *testing.T) {
	b := newBench(t, Options{})
	must(t, os.RemoveAll(b.replicaPath()))
	for range 2 {
		if !b.directory.Registered(testReplica) {
			t.Fatal("the id was forgotten")
		}
		must(t, b.directory.Create(testPartition, testReplica, born(), partitions.HardState{Term: 1}))
		_, err := b.directory.Open(testPartition, testReplica)
		wantErr(t, err, partitions.ErrDamaged)
		if _, err := os.Stat(b.replicaPath()); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the directory was made again: %v", err)
		}
		b.restart()
	}
}

// TestHalfDoneCreate stops Create behind each of its operations; doing it again succeeds.
func TestHalfDoneCreate(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, birth := range []*partitions.Checkpoint{born(), nil} {
			for failAt := 1; ; failAt++ {
				if !halfDoneCreate(t, birth, failAt, after) {
					break
				}
			}
		}
	}
}

// halfDoneCreate fails one operation of Create; false when it has fewer.
func halfDoneCreate(t *testing.T, birth *partitions.Checkpoint, failAt int, after bool) bool {
	t.Helper()
	sys := &faulty{after: after}
	b := newBench(t, Options{system: sys})
	p, r := id.Partition{Topic: 5}, id.Replica(55)
	last, state := stands(birth)
	hard := partitions.HardState{Term: state, Commit: last}
	sys.failAt = sys.count + failAt
	err := b.directory.Create(p, r, birth, hard)
	if err == nil {
		if failAt < 7 {
			t.Fatalf("only %d operations", failAt)
		}
		return false
	}
	wantErr(t, err, errDisk)
	_ = b.directory.Create(p, r, birth, hard) // refused after the register failed
	b.restart()
	must(t, b.directory.Create(p, r, birth, hard))
	l, err := b.directory.Open(p, r)
	must(t, err)
	want := partitions.Recovered{HardState: hard, Replica: r, Base: birth, Newest: birth, First: last + 1, Last: last, Durable: last}
	if diff := cmp.Diff(want, l.Recovered()); diff != "" {
		t.Fatalf("recovered (-want +got):\n%s", diff)
	}
	must(t, l.Close())
	left, err := filepath.Glob(filepath.Join(b.path, "replicas", "*"+newSuffix))
	if err != nil || len(left) > 0 {
		t.Fatalf("left over: %v %v", left, err)
	}
	return true
}

// TestHalfDoneDirectory stops the making of a data directory behind each of its operations.
func TestHalfDoneDirectory(t *testing.T) {
	for failAt := 1; ; failAt++ {
		b := newBench(t, Options{})
		path := filepath.Join(fastDirectory(t), "new")
		sys := &faulty{failAt: failAt}
		d, err := OpenDirectory(path, Options{Random: b.options.Random, system: sys})
		if err == nil {
			must(t, d.Close())
			if failAt < 9 {
				t.Fatalf("only %d operations", failAt)
			}
			break
		}
		wantErr(t, err, errDisk)
		d, err = OpenDirectory(path, b.options)
		must(t, err)
		must(t, d.Create(testPartition, 1, born(), partitions.HardState{}))
		must(t, d.Close())
	}
}

func TestRegisterDamaged(t *testing.T) {
	b := newBench(t, Options{})
	for r := id.Replica(20); r < 23; r++ {
		must(t, b.directory.Create(id.Partition{Topic: id.TopicID(r)}, r, born(), partitions.HardState{}))
	}
	b.kill()
	path := filepath.Join(b.path, registerName)
	whole, err := os.ReadFile(path)
	must(t, err)
	for at := range whole {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x40
		must(t, os.WriteFile(path, flipped, 0o640))
		b.start()
		wantLast := at >= 3*recordBytes // the last record: a tear
		again := b.directory.Create(id.Partition{Topic: 22}, 22, born(), partitions.HardState{})
		fresh := b.directory.Create(id.Partition{Topic: 30}, 30, born(), partitions.HardState{})
		if wantLast {
			must(t, again) // its directory is there: it is taken up as it is
			must(t, fresh)
			must(t, b.directory.Remove(id.Partition{Topic: 30}, 30))
		} else {
			must(t, again)
			wantErr(t, fresh, partitions.ErrDamaged)
			after, err := os.ReadFile(path)
			must(t, err)
			if !bytes.Equal(after, flipped) {
				t.Fatal("a damaged register was changed")
			}
			l, err := b.directory.Open(id.Partition{Topic: 22}, 22) // what is registered goes on
			must(t, err)
			must(t, l.Close())
		}
		b.kill()
	}
	for cut := 3*recordBytes + 1; cut < len(whole); cut++ {
		must(t, os.WriteFile(path, whole[:cut], 0o640))
		b.start()
		if b.directory.Registered(22) || !b.directory.Registered(21) {
			t.Fatalf("cut at byte %d", cut)
		}
		b.kill()
	}
	newer := bytes.Clone(whole)
	newer[recordBytes+9] = 7
	crc := checksum(0, newer[recordBytes+8:2*recordBytes])
	copy(newer[recordBytes+4:], []byte{byte(crc), byte(crc >> 8), byte(crc >> 16), byte(crc >> 24)})
	must(t, os.WriteFile(path, newer, 0o640))
	_, err = OpenDirectory(b.path, b.options)
	wantErr(t, err, partitions.ErrNewer)
}

func TestDirectoryDamaged(t *testing.T) {
	b := newBench(t, Options{})
	b.kill()
	register, identity := filepath.Join(b.path, registerName), filepath.Join(b.path, identityName)
	whole, err := os.ReadFile(identity)
	must(t, err)
	for at := range whole {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 2
		must(t, os.WriteFile(identity, flipped, 0o640))
		_, err := OpenDirectory(b.path, b.options)
		wantErr(t, err, partitions.ErrDamaged)
	}
	must(t, os.Remove(identity))
	_, err = OpenDirectory(b.path, b.options)
	wantErr(t, err, partitions.ErrDamaged)
	must(t, os.WriteFile(identity, whole, 0o640))
	must(t, os.Remove(register))
	_, err = OpenDirectory(b.path, b.options)
	wantErr(t, err, partitions.ErrDamaged)
}

// TestCreateCosts: everything of a new replica is durable before the register names it, and that is durable at the end.
func TestCreateCosts(t *testing.T) {
	sys := &faulty{}
	b := newBench(t, Options{system: sys})
	from := len(sys.trace)
	must(t, b.directory.Create(id.Partition{Topic: 5}, 55, born(), partitions.HardState{Term: 1, Commit: 1}))
	want := "[write fsync write fsync write fsync fsync directory rename fsync directory write fsync]"
	if got := fmt.Sprint(sys.trace[from:]); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	from = len(sys.trace)
	must(t, b.directory.Remove(id.Partition{Topic: 5}, 55))
	if got := fmt.Sprint(sys.trace[from:]); got != "[write fsync fsync directory]" {
		t.Fatalf("got %s", got)
	}
}

// Replicas that begin at one time share the syncs of the directory that names them, and each is there after a restart.
func TestManyBeginAtOnce(t *testing.T) {
	b := newBench(t, Options{})
	const many = 64
	var group sync.WaitGroup
	for r := id.Replica(1000); r < 1000+many; r++ {
		group.Add(2)
		for range 2 { // the second finds it registered, or being made
			go func() {
				defer group.Done()
				err := b.directory.Create(id.Partition{Topic: id.TopicID(r)}, r, new(birth()), partitions.HardState{Term: 1, Commit: 1})
				if err != nil && !errors.Is(err, ErrOpen) {
					t.Errorf("replica %d: %v", r, err)
				}
			}()
		}
	}
	group.Wait()
	b.restart()
	for r := id.Replica(1000); r < 1000+many; r++ {
		l, err := b.directory.Open(id.Partition{Topic: id.TopicID(r)}, r)
		must(t, err)
		must(t, l.Close())
	}
}
