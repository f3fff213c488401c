package wal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

const (
	firstEpoch  = id.Epoch(1<<32 | 7)
	secondEpoch = id.Epoch(2<<32 | 9)
)

// TestRecoveryKeepsBrokersOut: between the beginning of an epoch and its log nobody opens the directory by chance.
func TestRecoveryKeepsBrokersOut(t *testing.T) {
	b := newBench(t, Options{})
	must(t, b.directory.BeginRecovery(firstEpoch))
	wantErr(t, b.directory.BeginRecovery(secondEpoch), ErrEpoch)
	b.kill()
	_, err := OpenDirectory(b.path, b.options)
	wantErr(t, err, ErrRecovering)
	b.options.Recovers = true
	b.start()
	_, err = b.directory.Adopt(secondEpoch, testPartition)
	wantErr(t, err, ErrEpoch)
	must(t, b.directory.EndRecovery())
	b.kill()
	b.options.Recovers = false
	b.start()
	if i := b.directory.Identity(); i.Epoch != firstEpoch || i.Recovering {
		t.Fatalf("%+v", i)
	}
	wantErr(t, b.directory.BeginRecovery(firstEpoch+1), ErrEpoch)
}

// TestAdopt: replicas of the partition are removed, and what they held is kept; others stay.
func TestAdopt(t *testing.T) {
	b := newBench(t, Options{})
	other := id.Partition{Topic: 77}
	must(t, b.directory.Create(other, 78, nil, partitions.HardState{}))
	l := b.open()
	_, err := b.directory.Adopt(firstEpoch, testPartition)
	wantErr(t, err, ErrOpen)
	must(t, l.Close())
	aside, err := b.directory.Adopt(firstEpoch, testPartition)
	must(t, err)
	if want := []string{filepath.Join(b.path, asideName, replicaName(testPartition, testReplica)+"-1")}; !cmp.Equal(want, aside) {
		t.Fatalf("kept in %v, not in %v", aside, want)
	}
	if _, err := os.Stat(filepath.Join(aside[0], hardStateName)); err != nil {
		t.Fatal(err)
	}
	if got := [2]int{len(b.directory.Replicas(testPartition)), len(b.directory.Replicas(other))}; got != [2]int{0, 1} {
		t.Fatalf("replicas left: %v", got)
	}
	if d := cmp.Diff(map[id.Replica]id.Partition{78: other}, b.directory.Held()); d != "" {
		t.Fatalf("held (-want +got):\n%s", d)
	}
	again, err := b.directory.Adopt(firstEpoch, other)
	must(t, err)
	if len(again) != 0 {
		t.Fatalf("an epoch that was adopted takes %v", again)
	}
	b.kill()
	b.start()
	_, err = b.directory.Open(testPartition, testReplica)
	wantErr(t, err, ErrRemoved)
	_, err = b.directory.Adopt(id.Epoch(3), testPartition)
	wantErr(t, err, ErrEpoch)
	_, err = b.directory.Adopt(firstEpoch+1, other) // of two recoveries that knew nothing of each other one yields
	must(t, err)
}

// TestAdoptInterrupted has the disk fail at every step: the replica can be used in the old epoch as it was, or not at all, and
// never in the new one. Then adopting goes on.
func TestAdoptInterrupted(t *testing.T) {
	for failAt, done := 1, false; !done; failAt++ {
		for _, after := range []bool{false, true} {
			sys := &faulty{}
			b := newBench(t, Options{system: sys})
			sys.count, sys.failAt, sys.after = 0, failAt, after
			_, err := b.directory.Adopt(firstEpoch, testPartition)
			if done = err == nil; !done && !errors.Is(err, errDisk) {
				t.Fatal(err)
			}
			sys.failAt = 0
			b.kill()
			b.start()
			epoch := b.directory.Identity().Epoch
			l, err := b.directory.Open(testPartition, testReplica)
			if err == nil {
				must(t, l.Close())
				if epoch != 0 {
					t.Fatalf("failed at %d: the replica opens in epoch %v", failAt, epoch)
				}
			}
			_, err = b.directory.Adopt(firstEpoch, testPartition)
			must(t, err)
			_, err = b.directory.Open(testPartition, testReplica)
			wantErr(t, err, ErrRemoved)
			if _, err := os.Stat(filepath.Join(b.path, asideName, replicaName(testPartition, testReplica)+"-1", hardStateName)); err != nil {
				t.Fatal(err)
			}
		}
	}
}
