package wal

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"troupe/partitions"
)

// smallDisk mounts a file system of a few MiB in memory, where that is permitted.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	path := t.TempDir()
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, options); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return path
}

// TestDiskReallyFull writes until there is no room, on a real file system. The log says why it failed, keeps everything it
// reported, and goes on once there is room; a checkpoint without room costs nothing but the checkpoint.
func TestDiskReallyFull(t *testing.T) {
	path := smallDisk(t, "size=6m")
	b := &bench{t: t, path: filepath.Join(path, "data"), options: newBench(t, Options{}).options}
	b.options.SegmentBytes = 1 << 20
	b.start()
	t.Cleanup(func() { b.directory.lock.Close() })
	must(t, b.directory.Create(testPartition, testReplica, born(), partitions.HardState{Term: 1, Commit: 1}))
	ballast := filepath.Join(path, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 3<<20), 0o600))
	l, s := b.open(), newStory()
	s.commit(t, l, s.empty())
	var err error
	for err == nil {
		kept := *s
		e := s.batch(60_000)
		if err = l.Append([]partitions.Write{{Entries: []partitions.Entry{e}}}); err == nil {
			err = l.Sync()
		}
		if err != nil {
			*s = kept
		}
	}
	wantErr(t, err, partitions.ErrDiskFull)
	wantErr(t, l.Append(nil), partitions.ErrPoisoned)
	if room, err := b.directory.Space(); err != nil || room.Free > 1<<20 || room.Total < 5<<20 || room.Directory != b.path {
		t.Fatalf("space %+v (%v)", room, err)
	}
	_ = l.Close()
	for range 2 { // there is still no room, and it can be read
		l = b.open()
		if got := l.Recovered(); got.Damage != nil || got.Last != s.next-1 {
			t.Fatalf("recovered %+v", got)
		}
		s.check(t, l)
		must(t, l.Close())
	}
	must(t, os.Remove(ballast))
	l = b.open()
	if got := l.Recovered(); got.Damage != nil || got.Last != s.next-1 {
		t.Fatalf("recovered %+v", got)
	}
	s.check(t, l)
	// No room for a checkpoint.
	must(t, os.WriteFile(ballast, make([]byte, 3<<20), 0o600))
	for i := 0; ; i++ { // to the last page
		if err := os.WriteFile(filepath.Join(path, segmentName(l.last)), make([]byte, i<<12), 0o600); err != nil {
			break
		}
	}
	c := s.baseAt(s.next - 1)
	c.Fold = make([]byte, 100_000)
	wantErr(t, l.SaveCheckpoint(c), partitions.ErrDiskFull)
	wantErr(t, l.DropFront(s.baseAt(l.segments[1].first-1)), partitions.ErrDiskFull)
	must(t, l.Sync())
	must(t, os.Remove(ballast))
	must(t, l.SaveCheckpoint(c))
	must(t, l.DropFront(s.baseAt(l.segments[1].first-1)))
	s.commit(t, l, s.batch(1000))
	must(t, l.Close())
}
