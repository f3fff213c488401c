package wal

import (
	"os"

	tidwall "github.com/tidwall/wal"
)

// Steps stands between a directory and the operating system: every storage step passes through it. A simulation counts them,
// fails them, and ends a broker's life inside one. The files are real all the same.
type Steps interface {
	// Do does the step by calling do, or returns an error in its place. The step may be done in part then.
	Do(s Step, do func() error) error
}

// Step is one storage step. A creation is none: a write to the new file follows it, or the fsync of its directory. Nor is the
// removal of what a crash left unfinished.
type Step struct {
	Kind StepKind
	// Path is that of the file; of a directory where the step concerns all segments in it. Of a rename it is the old one.
	Path string
	// Bytes are written at At, where a cut ends the file.
	Bytes []byte
	At    int64
}

// StepKind is what a storage step does.
type StepKind int

// The kinds of steps.
const (
	StepWrite         StepKind = iota // to a file
	StepSync                          // of a file
	StepSyncDirectory                 // of the names in a directory
	StepRename                        // of a file, or of a replica's directory
	StepRemove                        // of a file
	StepTruncate                      // of a file
	StepOpenTail                      // opens the segments in a directory for appending
	StepAppend                        // to the last segment; full ones are fsynced, and others begun
	StepSyncTail                      // of the last segment
	StepCloseTail                     // fsyncs the last segment once more; do must be called, or its descriptor stays open
)

var stepNames = [...]string{"write", "sync", "sync directory", "rename", "remove", "truncate", "open tail", "append", "sync tail", "close tail"}

// String returns the kind's name.
func (k StepKind) String() string { return stepNames[k] }

// stepwise is the real system, step by step.
type stepwise struct{ steps Steps }

func (s stepwise) writeAt(f *os.File, b []byte, at int64) error {
	return s.steps.Do(Step{Kind: StepWrite, Path: f.Name(), Bytes: b, At: at}, func() error { return disk{}.writeAt(f, b, at) })
}

func (s stepwise) syncFile(f *os.File) error {
	return s.steps.Do(Step{Kind: StepSync, Path: f.Name()}, func() error { return disk{}.syncFile(f) })
}

func (s stepwise) syncDirectory(path string) error {
	return s.steps.Do(Step{Kind: StepSyncDirectory, Path: path}, func() error { return disk{}.syncDirectory(path) })
}

func (s stepwise) rename(from, to string) error {
	return s.steps.Do(Step{Kind: StepRename, Path: from}, func() error { return disk{}.rename(from, to) })
}

func (s stepwise) remove(path string) error {
	return s.steps.Do(Step{Kind: StepRemove, Path: path}, func() error { return disk{}.remove(path) })
}

func (s stepwise) truncate(f *os.File, size int64) error {
	return s.steps.Do(Step{Kind: StepTruncate, Path: f.Name(), At: size}, func() error { return disk{}.truncate(f, size) })
}

func (s stepwise) openTail(directory string, segmentBytes int) (tail, error) {
	var opened tail
	err := s.steps.Do(Step{Kind: StepOpenTail, Path: directory}, func() (err error) {
		opened, err = disk{}.openTail(directory, segmentBytes)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &stepwiseTail{opened, directory, s.steps}, nil
}

type stepwiseTail struct {
	tail
	directory string
	steps     Steps
}

func (t *stepwiseTail) WriteBatch(b *tidwall.Batch) error {
	return t.steps.Do(Step{Kind: StepAppend, Path: t.directory}, func() error { return t.tail.WriteBatch(b) })
}

func (t *stepwiseTail) Sync() error {
	return t.steps.Do(Step{Kind: StepSyncTail, Path: t.directory}, t.tail.Sync)
}

func (t *stepwiseTail) Close() error {
	return t.steps.Do(Step{Kind: StepCloseTail, Path: t.directory}, t.tail.Close)
}
