package wal

import (
	"errors"
	"os"

	tidwall "github.com/tidwall/wal"
)

// errDisk is what a faulty system fails with.
var errDisk = errors.New("the disk says no")

// faulty is a system that counts its operations and fails one of them. It does not fsync: a test's process is not killed.
type faulty struct {
	count  int
	failAt int // the operation that fails, from 1; 0: none
	after  bool
	// after: the operation takes effect and fails nevertheless, as an fsync that reports an error late.
	trace []string
	watch func(what string) // called before each operation, if set
}

func (f *faulty) step(what string, do func() error) error {
	f.count++
	f.trace = append(f.trace, what)
	if f.watch != nil {
		f.watch(what)
	}
	if f.count != f.failAt {
		return do()
	}
	if f.after {
		if err := do(); err != nil {
			return err
		}
	}
	return errDisk
}

func (f *faulty) writeAt(file *os.File, b []byte, at int64) error {
	return f.step("write", func() error { return disk{}.writeAt(file, b, at) })
}

func (f *faulty) syncFile(*os.File) error {
	return f.step("fsync", func() error { return nil })
}

func (f *faulty) syncDirectory(string) error {
	return f.step("fsync directory", func() error { return nil })
}

func (f *faulty) rename(from, to string) error {
	return f.step("rename", func() error { return disk{}.rename(from, to) })
}

func (f *faulty) remove(path string) error {
	return f.step("remove", func() error { return disk{}.remove(path) })
}

func (f *faulty) truncate(file *os.File, size int64) error {
	return f.step("truncate", func() error { return disk{}.truncate(file, size) })
}

func (f *faulty) openTail(directory string, segmentBytes int) (tail, error) {
	var t tail
	err := f.step("open", func() (err error) {
		t, err = disk{}.openTail(directory, segmentBytes)
		return err
	})
	if err != nil {
		if t != nil {
			t.Close()
		}
		return nil, err
	}
	return &faultyTail{tail: t, faulty: f}, nil
}

type faultyTail struct {
	tail
	faulty *faulty
}

func (t *faultyTail) WriteBatch(b *tidwall.Batch) error {
	return t.faulty.step("append", func() error { return t.tail.WriteBatch(b) })
}

func (t *faultyTail) Sync() error {
	return t.faulty.step("fsync tail", func() error { return nil })
}

// Close always closes the descriptor, whatever it reports.
func (t *faultyTail) Close() error {
	err := t.tail.Close()
	return errors.Join(err, t.faulty.step("close", func() error { return nil }))
}
