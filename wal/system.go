package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"troupe/partitions"
	"troupe/partitions/id"

	tidwall "github.com/tidwall/wal"
)

// system is the part of the operating system whose failures a log must survive. Tests fail it on purpose.
type system interface {
	writeAt(f *os.File, b []byte, at int64) error
	syncFile(f *os.File) error
	// syncDirectory makes creations, renames and removals within a directory durable.
	syncDirectory(path string) error
	rename(from, to string) error
	remove(path string) error
	truncate(f *os.File, size int64) error
	// openTail opens the segments in a directory for appending.
	openTail(directory string, segmentBytes int) (tail, error)
}

// tail is what of tidwall/wal is used. Its Read and its truncations are not: libraries.md tells why.
type tail interface {
	WriteBatch(b *tidwall.Batch) error
	Sync() error
	Close() error
	LastIndex() (uint64, error)
}

// disk is the real system.
type disk struct{}

func (disk) writeAt(f *os.File, b []byte, at int64) error {
	_, err := f.WriteAt(b, at)
	return err
}

func (disk) syncFile(f *os.File) error { return f.Sync() }

func (disk) syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closed := d.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("fsync of directory: %w", err)
	}
	return nil
}

func (disk) rename(from, to string) error { return os.Rename(from, to) }

func (disk) remove(path string) error { return os.Remove(path) }

func (disk) truncate(f *os.File, size int64) error { return f.Truncate(size) }

func (disk) openTail(directory string, segmentBytes int) (tail, error) {
	return tidwall.Open(directory, &tidwall.Options{
		NoSync: true, AllowEmpty: true, SegmentSize: segmentBytes, SegmentCacheSize: 1, DirPerms: 0o750, FilePerms: 0o640,
	})
}

// newSuffix marks a file or directory that is not finished. Whatever bears it at an opening is removed.
const newSuffix = ".new"

// errUnnamed says that a file failed to be replaced before anything of the old one changed.
var errUnnamed = errors.New("nothing was replaced")

// replaceFile puts b in place of a file, or makes it, so that after a crash there is the old content or the new one, whole.
// Its error unwraps to errUnnamed while the old content certainly stands; to partitions.ErrDiskFull where there is no room.
func replaceFile(sys system, path string, b []byte) error {
	if err := writeNewFile(sys, path+newSuffix, b); err != nil {
		_ = os.Remove(path + newSuffix) // what stays is removed by the next opening
		return fmt.Errorf("%w: %w", errUnnamed, full(err))
	}
	if err := sys.rename(path+newSuffix, path); err != nil {
		return err
	}
	return sys.syncDirectory(filepath.Dir(path))
}

// unwritten tells that an operation failed because the disk had no room for a write. Nothing that was written before is in
// doubt then, as it is after a failed fsync: pages of the file are as if the process had been killed at that moment.
func unwritten(err error) bool {
	var failed *fs.PathError
	return errors.Is(full(err), partitions.ErrDiskFull) && errors.As(err, &failed) && (failed.Op == "write" || failed.Op == "open")
}

// full marks an error of the operating system's that says there is no room.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", partitions.ErrDiskFull, err)
	}
	return err
}

// writeNewFile makes a file durable but for its name.
func writeNewFile(sys system, path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sys.writeAt(f, b, 0); err != nil {
		return err
	}
	if err := sys.syncFile(f); err != nil {
		return fmt.Errorf("fsync of %s: %w", filepath.Base(path), err)
	}
	return nil
}

// removeSegments removes segments, newest first, and makes each removal durable before the next: at no moment may a segment
// be there without those before it.
func removeSegments(sys system, directory string, firsts []id.Index) error {
	for i := len(firsts) - 1; i >= 0; i-- {
		if err := sys.remove(filepath.Join(directory, segmentName(firsts[i]))); err != nil {
			return err
		}
		if err := sys.syncDirectory(directory); err != nil {
			return err
		}
	}
	return nil
}

// truncateFile cuts a file and makes that durable.
func truncateFile(sys system, path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sys.truncate(f, size); err != nil {
		return err
	}
	return sys.syncFile(f)
}

// removeUnfinished removes what a crash interrupted in the making, and returns the other names.
func removeUnfinished(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), newSuffix) {
			names = append(names, e.Name())
		} else if err := os.RemoveAll(filepath.Join(directory, e.Name())); err != nil {
			return nil, err
		}
	}
	return names, nil
}
