package wal

import (
	"fmt"
	"os"
)

// restBytes is the size from which a resting log begins a new segment: tidwall keeps the whole last one in memory whenever
// the log is open for appending, and an election opens all of them.
const restBytes = 64 << 10

// Rest implements partitions.Log. tidwall has no call to roll: an empty file of the next index's name does it, when the log
// is opened the next time.
func (l *Log) Rest() error {
	if err := l.writable(); err != nil {
		return err
	}
	if err := l.Sync(); err != nil {
		return err
	}
	if l.tail == nil {
		return nil
	}
	err := l.tail.Close()
	l.tail = nil
	if err != nil {
		return l.poisoned("rest", err)
	}
	last := l.segments[len(l.segments)-1]
	if last.size <= restBytes {
		return nil
	}
	next := &segment{first: l.last + 1, index: &sparse{}}
	f, err := os.OpenFile(l.path(next), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if unwritten(err) {
		return nil // on a full disk the log rests as it is
	}
	if err != nil {
		return l.poisoned("rest", err)
	}
	if err := f.Close(); err != nil {
		return l.poisoned("rest", err)
	}
	if err := l.sys.syncDirectory(l.directory); err != nil {
		return l.poisoned("rest", err)
	}
	l.mu.Lock()
	l.segments = append(l.segments, next)
	l.mu.Unlock()
	return nil
}

// awake opens the log for appending again, if it rests.
func (l *Log) awake() error {
	if l.tail != nil {
		return nil
	}
	t, err := l.sys.openTail(l.directory, l.segmentBytes)
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	l.tail = t
	return l.checkTail()
}
