package wal

import (
	"fmt"
	"path/filepath"

	"troupe/partitions"
	"troupe/partitions/id"
)

// The front of a log leaves in whole segments. The order is such that a crash at any point leaves the old beginning, or the
// new one with leftovers that the next opening removes:
//
//  1. the new base is made durable, under a name of its own: from now on the segments behind it are leftovers;
//  2. readers are turned away from those: whoever reads in one ends first;
//  3. they are unlinked, oldest first, and the directory is fsynced. Which of the unlinkings a power loss undoes does not
//     matter: what comes back is a leftover again;
//  4. the old base is removed.
//
// tidwall's TruncateFront is never called: it rewrites a segment, unlinks before it renames and fsyncs no directory. Its
// handle stays open meanwhile. It still lists the segments that are gone, but looks at that list only to read and to
// truncate, which is never asked of it; appending, rolling, fsyncs and its last index concern the last segment, which never
// leaves.

// FrontEnd implements partitions.Log. It may read segments that were not read since the log was opened.
func (l *Log) FrontEnd(start id.Offset, below id.Index) (id.Index, error) {
	if err := l.reading(); err != nil {
		return 0, err
	}
	defer l.life.RUnlock()
	var end id.Index
	for i := 0; ; i++ {
		v, more, err := l.frontView(i, below)
		if err != nil || !more {
			return end, err
		}
		if len(v.index.points) > 0 && v.index.next > start {
			return end, nil
		}
		end = v.want - 1
	}
}

// frontView returns segment i with its index, if it is one that may leave as far as names tell.
func (l *Log) frontView(i int, below id.Index) (v view, ok bool, err error) {
	l.mu.Lock()
	ok = i+1 < len(l.segments) && l.segments[i+1].first <= below+1
	l.mu.Unlock()
	if !ok {
		return view{}, false, nil
	}
	return l.indexed(i)
}

// DropFront implements partitions.Log. An error from before the base has its name leaves the log as it was, and not
// poisoned.
func (l *Log) DropFront(base *partitions.Checkpoint) error {
	if err := l.writable(); err != nil {
		return err
	}
	if base.Index > l.durable {
		panic(&partitions.InvariantError{Invariant: "a base covers durable entries only", Got: base.Index, Want: l.durable})
	}
	gone := l.behind(base)
	if err := l.checkpoints.saveBase(base); err != nil {
		return l.replacing("base", err)
	}
	l.forgetFront(len(gone), base)
	if err := dropSegments(l.sys, l.directory, gone); err != nil {
		return l.poisoned("drop of the front", err)
	}
	if err := l.checkpoints.thin(); err != nil {
		return l.poisoned("drop of the front", err)
	}
	return nil
}

// behind lists the segments that a base replaces.
func (l *Log) behind(base *partitions.Checkpoint) []id.Index {
	l.mu.Lock()
	defer l.mu.Unlock()
	firsts := make([]id.Index, len(l.segments))
	for i, s := range l.segments {
		firsts[i] = s.first
	}
	n := FrontSegments(firsts, base.Index)
	if firsts[n] != base.Index+1 {
		panic(&partitions.InvariantError{Invariant: "a base ends where a segment ends", Got: base.Index, Want: firsts[n] - 1})
	}
	return firsts[:n]
}

// forgetFront takes the first n segments out of the tables, once nobody reads in them.
func (l *Log) forgetFront(n int, base *partitions.Checkpoint) {
	l.life.Lock()
	defer l.life.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = append([]*segment(nil), l.segments[n:]...)
	l.front, l.begin, l.mending = base.NextOffset, base.Index+1, nil
}

// dropSegments removes segments whose place a durable base has taken.
func dropSegments(sys system, directory string, firsts []id.Index) error {
	for _, first := range firsts {
		if err := sys.remove(filepath.Join(directory, segmentName(first))); err != nil {
			return err
		}
	}
	return sys.syncDirectory(directory)
}

// trimmed is the error for an offset in front of the log.
func (l *Log) trimmed(asked, front id.Offset) error {
	return fmt.Errorf("replica %d: offset %d was deleted, the log begins at %d: %w", l.owner, asked, front, partitions.ErrOffsetOutOfRange)
}
