package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"troupe/partitions"
	"troupe/partitions/id"

	tidwall "github.com/tidwall/wal"
)

// Log is one replica's log in a directory of its own. It implements partitions.Log.
type Log struct {
	sys          system
	directory    string
	owner        id.Replica
	segmentBytes int
	recovered    partitions.Recovered
	// released is told once, when the log lets go of its files: why it is poisoned, and if so up to where it was
	// durable.
	released func(poison error, durable id.Index)

	// The writer's. tail and slots are nil where the log is damaged: it can only be read. tail is nil while it rests.
	tail        tail
	slots       *slots
	checkpoints *checkpoints
	// poison is the first failure of a write or fsync. After it memory, page cache and disk may all differ.
	poison error
	// state is the newest hard state handed over; slots tells what of it the disk has.
	state partitions.HardState
	// durable is the highest index known to be durable; never above last.
	durable id.Index
	// renamed: a segment file was created since the directory was last made durable.
	renamed bool
	phase   Phase
	terms   KnownTerms // but for Highest
	mending *Mending   // of the segment that is being filled; nil when there is none

	// life is held for reading while files are read, and for writing while segments are cut away or the log is closed.
	life   sync.RWMutex
	closed bool // guarded by life

	// mu guards what readers and the writer share, always briefly and never while a file is touched.
	mu       sync.Mutex
	segments []*segment // never empty; ascending
	last     id.Index
	front    id.Offset // where the log begins: the next offset of its base; 0 where that does not verify
	begin    id.Index  // the first entry there should be; segments[0].first but for a hole
	commit   id.Index  // highest index known committed
}

var _ partitions.Log = (*Log)(nil)

// buffers are what an Append needs while it runs. Logs share them, since most are idle at any moment.
type buffers struct {
	batch  tidwall.Batch
	bytes  int    // in batch
	frame  []byte // the one being made
	places []place
}

func (b *buffers) reset() {
	b.batch.Clear()
	b.bytes, b.places = 0, b.places[:0]
}

// place is where an entry will be once its write has succeeded.
type place struct {
	index id.Index
	size  int64
	span  span
	batch bool // or a gap
}

var bufferPool = sync.Pool{New: func() any { return new(buffers) }}

// flushBytes bounds what is handed to tidwall at once, and so what the shared buffers keep.
const flushBytes = 8 << 20

// Recovered tells what Open found.
func (l *Log) Recovered() partitions.Recovered { return l.recovered }

// Append implements partitions.Log. It panics with an InvariantError if the entries leave a gap, replace a committed one,
// or come to an empty log before a snapshot.
func (l *Log) Append(writes []partitions.Write) error {
	if err := l.writable(); err != nil {
		return err
	}
	b := bufferPool.Get().(*buffers)
	b.reset() // a panic may have left it half-filled
	defer bufferPool.Put(b)
	next := l.last + 1
	for _, w := range writes {
		if w.Snapshot != nil {
			b.reset() // it replaces them, too
			if err := l.install(&w); err != nil {
				return l.poisoned("installation of a snapshot", err)
			}
			next = l.last + 1
		}
		if len(w.Entries) > 0 && w.Entries[0].Index < next {
			if err := l.flush(b); err != nil {
				return err
			}
			if err := l.cut(w.Entries[0].Index); err != nil {
				return l.poisoned("cut", err)
			}
			next = l.last + 1
		}
		l.accept(&w)
		for i := range w.Entries {
			e := &w.Entries[i]
			if e.Index != next {
				panic(&partitions.InvariantError{Invariant: "entries are appended without gaps", Got: e.Index, Want: next})
			}
			if l.phase == PhaseEmpty {
				panic(&partitions.InvariantError{Invariant: "an empty log begins with a snapshot", Got: e.Index, Want: 0})
			}
			next++
			l.stage(b, e)
			if b.bytes >= flushBytes {
				if err := l.flush(b); err != nil {
					return err
				}
			}
		}
	}
	return l.flush(b)
}

// writable tells why nothing can be written.
func (l *Log) writable() error {
	switch {
	case l.closed:
		return partitions.ErrClosed
	case l.recovered.Damage != nil:
		return fmt.Errorf("replica %d: %s: %w", l.owner, l.recovered.Damage.Reason, partitions.ErrDamaged)
	case l.poison != nil:
		return fmt.Errorf("replica %d: %w: %w", l.owner, partitions.ErrPoisoned, l.poison)
	}
	return nil
}

// poisoned notes a failure after which nothing above the durable index can be believed.
func (l *Log) poisoned(what string, err error) error {
	l.poison = err
	return fmt.Errorf("%s of replica %d in %s: %w", what, l.owner, l.directory, full(err))
}

// stage makes the frame of an entry.
func (l *Log) stage(b *buffers, e *partitions.Entry) {
	b.frame = AppendFrame(b.frame[:0], l.owner, *e, l.durable)
	b.batch.Write(uint64(e.Index), b.frame)
	b.bytes += len(b.frame)
	p := place{index: e.Index, size: entryBytes(len(b.frame))}
	p.span, p.batch = spanOf(e)
	b.places = append(b.places, p)
}

// flush writes what was staged, and lets readers see it.
func (l *Log) flush(b *buffers) error {
	if len(b.places) == 0 {
		return nil
	}
	defer b.reset()
	if err := l.awake(); err != nil {
		return l.poisoned("write", err)
	}
	if err := l.tail.WriteBatch(&b.batch); err != nil {
		return l.poisoned("write", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.segments[len(l.segments)-1].size > int64(l.segmentBytes) {
		l.roll()
	}
	for i := range b.places {
		p := &b.places[i]
		s := l.segments[len(l.segments)-1]
		if p.batch {
			s.index.add(s.size, p.index, p.span)
		}
		s.size += p.size
		l.last = p.index
		if s.size >= int64(l.segmentBytes) {
			l.roll()
		}
	}
	return nil
}

// roll follows tidwall's rule: it begins a new segment before a write to one above the size, and after the entry that
// reaches it. Sync compares.
func (l *Log) roll() {
	l.segments = append(l.segments, &segment{first: l.last + 1, index: &sparse{}})
	l.renamed = true
}

// Sync implements partitions.Log. Entries first, then the hard state: its commit and durable index are never ahead.
func (l *Log) Sync() error {
	if err := l.writable(); err != nil {
		return err
	}
	if l.durable != l.last || l.renamed {
		if err := l.syncSegments(); err != nil {
			return l.poisoned("fsync", err)
		}
	}
	s := l.slot()
	var err error
	switch kept := l.slots.kept.HardState; {
	case kept.Term != s.HardState.Term || kept.Vote != s.HardState.Vote:
		err = l.slots.keep(s)
	case !l.slots.noted.same(s):
		err = l.slots.note(s)
	}
	if err != nil {
		return l.poisoned("write of the hard state", err)
	}
	return nil
}

// slot is what is known now.
func (l *Log) slot() Slot {
	return Slot{Replica: l.owner, HardState: l.state, Durable: l.durable, Phase: l.phase}
}

// syncSegments makes the entries durable, and the names of their files. Segments before the last were fsynced by tidwall
// when it rolled.
func (l *Log) syncSegments() error {
	if l.tail != nil { // a log that rests has nothing to fsync but a name
		if err := l.tail.Sync(); err != nil {
			return err
		}
	}
	if l.renamed {
		s := l.segments[len(l.segments)-1]
		info, err := os.Stat(l.path(s))
		if err != nil {
			return err
		}
		if info.Size() != s.size {
			return fmt.Errorf("segment %s has %d bytes, expected %d: tidwall rolls by another rule",
				segmentName(s.first), info.Size(), s.size)
		}
		if err := l.sys.syncDirectory(l.directory); err != nil {
			return err
		}
		l.renamed = false
	}
	l.durable = l.last
	return nil
}

func (l *Log) path(s *segment) string { return filepath.Join(l.directory, segmentName(s.first)) }

// SaveCheckpoint implements partitions.Log.
func (l *Log) SaveCheckpoint(c *partitions.Checkpoint) error {
	if err := l.writable(); err != nil {
		return err
	}
	if c.Index > l.durable {
		panic(&partitions.InvariantError{
			Invariant: "a checkpoint covers durable entries only", Got: c.Index, Want: l.durable})
	}
	if err := l.checkpoints.save(c); err != nil {
		return l.replacing("checkpoint", err)
	}
	return nil
}

// replacing judges the failure of putting a file of its own beside the segments. While that had no name nothing of the log
// has changed, so that a disk without room for a checkpoint costs nothing but the checkpoint; after that, poison.
func (l *Log) replacing(what string, err error) error {
	if errors.Is(err, errUnnamed) {
		return fmt.Errorf("%s of replica %d in %s: %w", what, l.owner, l.directory, err)
	}
	return l.poisoned(what, err)
}

// Size implements partitions.Log.
func (l *Log) Size() partitions.LogSize {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := partitions.LogSize{Bytes: HardStateBytes + l.checkpoints.bytes.Load(), Segments: len(l.segments)}
	for _, s := range l.segments {
		size.Bytes += s.size
	}
	return size
}

// Close implements partitions.Log. Closing twice is no error.
func (l *Log) Close() error {
	if l.closed {
		return nil
	}
	var err error
	if l.writable() == nil {
		err = l.Sync()
		if s := l.slot(); err == nil && !l.slots.kept.same(s) {
			if err = l.slots.keep(s); err != nil {
				err = l.poisoned("close", err)
			}
		}
	}
	l.life.Lock() // reads under way end first
	l.closed = true
	l.life.Unlock()
	if l.tail != nil {
		// tidwall fsyncs once more, and keeps its descriptor if that fails: there is no other way to close it.
		if closed := l.tail.Close(); closed != nil && l.poison == nil {
			err = errors.Join(err, l.poisoned("close", closed))
		}
	}
	if l.slots != nil {
		err = errors.Join(err, l.slots.close())
	}
	l.released(l.poison, l.durable)
	return err
}
