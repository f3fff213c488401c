package simulation

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"troupe/actors"
	"troupe/partitions"
	"troupe/partitions/id"
	"troupe/wal"
)

// The twin is worth what it has in common with wal. Both get the same operations here; they must answer the same, and leave
// the same bytes.
func TestTwinConformsToWAL(t *testing.T) {
	for seed := range seeds() / 3 {
		random := Streams{seed}.Named("conformance")
		segmentBytes := 1 << between(random, 11, 14)
		path := t.TempDir()
		w := twinWorld(seed, segmentBytes)
		open := func() (*wal.Directory, *Disk) {
			real, err := wal.OpenDirectory(path, wal.Options{SegmentBytes: segmentBytes, Random: rand.New(rand.NewPCG(1, seed))})
			must(t, err)
			return real, w.boot(t, random, 0, 0)
		}
		real, twin := open()
		s := newScribe(random)
		founder := s.origin
		if chance(random, 50) {
			*s = scribe{random: random}
			founder = nil
		}
		must(t, real.Create(twinPartition, twinReplica, founder, s.state))
		must(t, twin.Create(twinPartition, twinReplica, founder, s.state))
		for range 4 {
			conform(t, s, real, twin)
			sameFiles(t, filepath.Join(path, "replicas", "t7-p2-r41"), w.cluster.brokers[0].volume, twin.twin(twinPartition, twinReplica).directory)
			must(t, real.Close())
			real, twin = open()
		}
		must(t, real.Close())
	}
}

// conform opens the replica's log on both, and does the same to them.
func conform(t *testing.T, s *scribe, real, twin actors.Disk) {
	t.Helper()
	logs := [2]partitions.Log{}
	for i, d := range []actors.Disk{real, twin} {
		log, err := d.Open(twinPartition, twinReplica)
		must(t, err)
		logs[i] = log
	}
	same(t, "Recovered", logs, func(l partitions.Log) any { return l.Recovered() })
	s.resume(t, logs[1])
	for range 30 {
		copied := *s
		seed := s.random.Uint64()
		for i, log := range logs {
			if i == 1 {
				*s = copied
			}
			s.random = rand.New(rand.NewPCG(seed, 0))
			must(t, s.step(t, log))
		}
		s.random = rand.New(rand.NewPCG(seed, 1))
		same(t, "Size", logs, func(l partitions.Log) any { return l.Size() })
	}
	for _, log := range logs {
		must(t, log.Sync())
	}
	s.durable, s.durableState = s.last(), s.state
	for range 40 {
		from, most := id.Offset(s.random.Int64N(int64(s.end())+1)), s.random.IntN(10_000)
		until := from + id.Offset(s.random.IntN(20))
		same(t, "ReadBatches", logs, func(l partitions.Log) any { return sums(l.ReadBatches(from, until, most)) })
		at := 1000 + id.Timestamp(s.random.IntN(len(s.written)+2))
		same(t, "FindTime", logs, func(l partitions.Log) any {
			base, stamp, found, err := l.FindTime(at, from, until)
			if !found {
				return []any{err == nil}
			}
			return []any{base, stamp, err == nil}
		})
		same(t, "Scrub", logs, func(l partitions.Log) any {
			next, bytes, err := l.Scrub(id.Index(from))
			return []any{next, bytes, err == nil}
		})
		if last := s.last(); last > 2 {
			lo := 2 + id.Index(s.random.Uint64N(uint64(last-2)))
			hi := lo + 1 + id.Index(s.random.Uint64N(uint64(last-lo)))
			same(t, "Entries", logs, func(l partitions.Log) any {
				entries, err := l.Entries(lo, hi, most)
				payloads := make([][]byte, len(entries))
				for i, e := range entries {
					payloads[i] = e.Payload
				}
				return sums(payloads, err)
			})
		}
	}
	for _, log := range logs {
		must(t, log.Close())
	}
}

// sums stands for byte slices too long to be compared one byte at a time.
func sums(all [][]byte, err error) any {
	trace := NewTrace(nil)
	for _, b := range all {
		trace.mixBytes(b)
	}
	return []any{len(all), trace.Hash(), err == nil}
}

func same(t *testing.T, what string, logs [2]partitions.Log, ask func(partitions.Log) any) {
	t.Helper()
	if diff := cmp.Diff(ask(logs[0]), ask(logs[1]), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-wal +twin):\n%s", what, diff)
	}
}

// sameFiles compares the bytes that both have left.
func sameFiles(t *testing.T, path string, v *Volume, directory string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff(names, v.List(directory)); diff != "" {
		t.Fatalf("files (-wal +twin):\n%s", diff)
	}
	for _, name := range names {
		want, err := os.ReadFile(filepath.Join(path, name))
		must(t, err)
		got, err := v.ReadFile(directory + "/" + name)
		must(t, err)
		if !bytes.Equal(want, got) {
			at := 0
			for at < min(len(want), len(got)) && want[at] == got[at] {
				at++
			}
			t.Fatalf("%s: %d bytes of wal, %d of the twin, different from byte %d on", name, len(want), len(got), at)
		}
	}
}
