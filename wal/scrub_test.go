package wal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"
)

// scrubAll scrubs every old segment, and returns the first index of each that does not verify, and the bytes read.
func scrubAll(t *testing.T, l partitions.Log) (bad []id.Index, total int64) {
	t.Helper()
	for from := id.Index(0); ; {
		next, read, err := l.Scrub(from)
		total += read
		if errors.Is(err, partitions.ErrDamaged) {
			bad = append(bad, max(from, bornAt+1))
		} else {
			must(t, err)
		}
		if next == 0 {
			return bad, total
		}
		if next <= from {
			t.Fatalf("from %d on to %d", from, next)
		}
		from = next
	}
}

// TestScrub reads every old segment, and no other, and finds damage at every place in them that an opening does not look at.
func TestScrub(t *testing.T) {
	s := newScene(t, 17, 31)
	names := s.segments()
	old := names[:len(names)-2] // an opening surveys the last two
	for _, name := range old {
		first := segmentNames([]string{name})[0]
		for _, what := range []string{"flip", "zero", "cut", "missing"} {
			for at := 0; at < len(s.files[name]); at += 53 {
				spoiled := spoil(what, s.files[name], at)
				if bytes.Equal(spoiled, s.files[name]) {
					continue
				}
				s.put(nil)
				s.start()
				l, err := s.directory.Open(testPartition, testReplica)
				must(t, err)
				if bad, total := scrubAll(t, l); len(bad) > 0 || total == 0 {
					t.Fatalf("whole: %v, %d bytes", bad, total)
				}
				if spoiled == nil {
					must(t, os.Remove(filepath.Join(s.replicaPath(), name)))
				} else {
					must(t, os.WriteFile(filepath.Join(s.replicaPath(), name), spoiled, 0o640))
				}
				if bad, _ := scrubAll(t, l); len(bad) != 1 || bad[0] != first {
					t.Fatalf("%s at %d of %s: found in %v", what, at, name, bad)
				}
				must(t, l.Close())
				s.kill()
				s.put(map[string][]byte{name: spoiled}) // and now before the opening
				s.start()
				l, err = s.directory.Open(testPartition, testReplica)
				must(t, err)
				if bad, _ := scrubAll(t, l); len(bad) == 0 && l.Recovered().Damage == nil {
					t.Fatalf("%s at %d of %s before the opening: nothing is found", what, at, name)
				}
				must(t, l.Close())
				s.kill()
				if what == "missing" {
					break
				}
			}
		}
	}
}

// TestScrubOfAnIdleLog, beside an append, and of one that is closed.
func TestScrubOfAnIdleLog(t *testing.T) {
	_, l, s := longLog(t, Options{})
	must(t, l.Rest())
	var want int64
	for _, seg := range l.segments[:len(l.segments)-1] {
		want += seg.size
	}
	if bad, total := scrubAll(t, l); len(bad) > 0 || total != want {
		t.Fatalf("%v, %d bytes of %d", bad, total, want)
	}
	s.commit(t, l, s.batches(20, 400)...)
	scrubAll(t, l)
	must(t, l.Close())
	_, _, err := l.Scrub(0)
	wantErr(t, err, partitions.ErrClosed)
}
