package simulation

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"troupe/wal"
)

// realDevice is a Device below the production wal: its steps are done to real files, and told to the mirror. It implements
// wal.Steps.
type realDevice struct {
	*Device
	mirror       *Mirror
	segmentBytes int64
	// tails are the last segments of the logs that are open for appending, by directory.
	tails map[string]*tailEnd
	// rolled is told of each segment that was begun.
	rolled  func()
	inPlace bool // a hard state was written where one stood
	done    int  // steps
}

// tailEnd is a last segment. Up to settled its bytes are the synced ones.
type tailEnd struct {
	path string
	*inode
	settled int64
}

// settle notes that all bytes of the segment are durable, and returns those that were not.
func (t *tailEnd) settle() []byte {
	t.sync(t.settled)
	from := t.settled
	t.settled = int64(len(t.file.synced))
	return t.file.synced[from:]
}

// Do implements wal.Steps.
func (d *realDevice) Do(s wal.Step, do func() error) error {
	if s.Kind == wal.StepCloseTail {
		return d.closeTail(s, do)
	}
	if d.dead {
		return errPower
	}
	err := d.step(s.Kind.String(), d.nameOf(s.Path), len(s.Bytes))
	d.done++
	switch s.Kind {
	case wal.StepWrite:
		err = d.write(s, do, err)
	case wal.StepAppend:
		err = d.append(s, do, err)
	default:
		if err == nil {
			err = do()
		}
		if err == nil {
			d.synced(s)
		} else if !d.dead && (s.Kind == wal.StepSync || s.Kind == wal.StepSyncTail) {
			d.unsynced(s)
		}
	}
	if d.dead {
		d.mirror.capture() // what wal does from here on never happens
	}
	return err
}

// nameOf is a path within the broker's directory, the same in every life.
func (d *realDevice) nameOf(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, d.mirror.path), "/")
}

// write is a pwrite. Where it fails or the broker dies, some of it may be done.
func (d *realDevice) write(s wal.Step, do func() error, err error) error {
	d.inPlace = d.inPlace || strings.HasSuffix(s.Path, "/"+hardStateFile)
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(s.Path); err == nil && d.room() == 0 && s.At+int64(len(s.Bytes)) > info.Size() {
			err = d.full(s)
		}
	}
	if err == nil {
		d.trace.mixBytes(s.Bytes)
		return do()
	}
	if part := s.Bytes[:d.random.IntN(len(s.Bytes)+1)]; len(part) > 0 {
		f, failed := os.OpenFile(s.Path, os.O_WRONLY, 0)
		demand(failed)
		_, failed = f.WriteAt(part, s.At)
		demand(failed)
		demand(f.Close())
	}
	return err
}

// full is a write for which the disk has no room, as the operating system says it.
func (d *realDevice) full(s wal.Step) error {
	d.plan.count(FaultNoRoom)
	d.trace.event("disk", "is full", "in a write of %s", s.Path)
	return &fs.PathError{Op: "write", Path: s.Path, Err: syscall.ENOSPC}
}

// append is what the library does with a batch of entries. Where it fails or the broker dies, some of it may be done.
func (d *realDevice) append(s wal.Step, do func() error, err error) error {
	if err == nil && d.room() == 0 {
		err = d.full(s)
	}
	tail := d.tails[s.Path]
	before := tail.size()
	if called := do(); called != nil {
		return called
	}
	d.roll(s.Path)
	if err == nil {
		return nil
	}
	if now := d.tails[s.Path]; now.inode == tail.inode {
		demand(os.Truncate(now.path, before+d.random.Int64N(now.size()-before+1)))
	}
	return err
}

// roll finds the segments that the library has begun. It has synced those before.
func (d *realDevice) roll(directory string) {
	tail := d.tails[directory]
	if tail.size() < d.segmentBytes {
		return
	}
	at := d.mirror.find(directory)
	at.look(directory)
	for _, name := range sortedKeys(at.names) {
		if !(victim{name: name}).segment() || name <= filepath.Base(tail.path) {
			continue
		}
		d.trace.mixBytes(tail.settle())
		tail = &tailEnd{path: filepath.Join(directory, name), inode: at.names[name]}
		d.rolled()
	}
	d.tails[directory] = tail
}

// synced notes what is durable now.
func (d *realDevice) synced(s wal.Step) {
	switch s.Kind {
	case wal.StepSync:
		if p := d.mirror.find(s.Path); p != nil {
			p.sync(0)
		}
	case wal.StepSyncTail:
		d.trace.mixBytes(d.tails[s.Path].settle())
	case wal.StepSyncDirectory:
		if p := d.mirror.find(s.Path); p != nil {
			p.syncNames(s.Path)
		}
	case wal.StepOpenTail:
		d.tails[s.Path] = d.lastSegment(s.Path)
	}
}

// lastSegment finds the segment of a log that is written to.
func (d *realDevice) lastSegment(directory string) *tailEnd {
	p := d.mirror.find(directory)
	p.look(directory)
	last := ""
	for name := range p.names { // any order: the highest counts
		if (victim{name: name}).segment() {
			last = max(last, name)
		}
	}
	tail := &tailEnd{path: filepath.Join(directory, last), inode: p.names[last]}
	written, synced := tail.read(0), tail.file.synced
	for end := int64(min(len(written), len(synced))); tail.settled < end && written[tail.settled] == synced[tail.settled]; {
		tail.settled++
	}
	return tail
}

// unsynced lets the pages of a file go whose sync failed.
func (d *realDevice) unsynced(s wal.Step) {
	if s.Kind == wal.StepSyncTail {
		tail := d.tails[s.Path]
		tail.forget(tail.path)
	} else if p := d.mirror.find(s.Path); p != nil {
		p.forget(s.Path)
	}
}

// closeTail lets go of the last segment, alive or dead.
func (d *realDevice) closeTail(s wal.Step, do func() error) error {
	err := errPower
	if !d.dead {
		err = d.step(s.Kind.String(), d.nameOf(s.Path), 0)
		if d.dead {
			d.mirror.capture()
		}
	}
	delete(d.tails, s.Path)
	if done := do(); err == nil {
		err = done
	}
	return err
}
