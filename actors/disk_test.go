package actors

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

var errDisk = errors.New("test: disk error")

// memoryDisk keeps logs in memory, forgets at a crash what was not synced, and fails where a test says so.
type memoryDisk struct {
	mu       sync.Mutex
	replicas map[id.Replica]*memory
	removed  []id.Replica
	space    partitions.Space
	spaceErr error
	// What the tests set: each is called, if set, before the real thing.
	onCreate, onOpen, onRemove func(id.Replica) error
}

// memory is what one replica has on disk.
type memory struct {
	disk       *memoryDisk
	partition  id.Partition
	replica    id.Replica
	entries    []partitions.Entry     // from base.Index + 1; each counts as a segment
	base       *partitions.Checkpoint // nil while it waits for a snapshot
	synced     int
	state      partitions.HardState
	durable    partitions.HardState
	checkpoint *partitions.Checkpoint
	damage     *partitions.Damage
	bad        map[id.Index]bool

	appends, syncs, checkpoints, open int
	rests                             int
	groups                            []int // writes in each Append
	onAppend, onSync, onSave          func() error
	onRead, onDrop, onRest, onScrub   func() error
	scrubs                            []id.Index // asked for
	abused                            bool       // somebody wrote to it after a failure
}

func newMemoryDisk() *memoryDisk {
	return &memoryDisk{replicas: map[id.Replica]*memory{}, space: partitions.Space{Directory: "/memory", Free: 900 << 20, Total: 1000 << 20}}
}

func call(f func(id.Replica) error, r id.Replica) error {
	if f == nil {
		return nil
	}
	return f(r)
}

func (d *memoryDisk) Create(p id.Partition, r id.Replica, c *partitions.Checkpoint, s partitions.HardState) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := call(d.onCreate, r); err != nil {
		return err
	}
	if d.replicas[r] == nil {
		d.replicas[r] = &memory{disk: d, partition: p, replica: r, state: s, durable: s, base: c, checkpoint: c, bad: map[id.Index]bool{}}
	}
	return nil
}

func (d *memoryDisk) Registered(r id.Replica) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.replicas[r] != nil || slices.Contains(d.removed, r)
}

func (d *memoryDisk) Replicas(p id.Partition) (all []id.Replica) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for r, m := range d.replicas {
		if m.partition == p {
			all = append(all, r)
		}
	}
	slices.Sort(all)
	return all
}

func (d *memoryDisk) Held() map[id.Replica]id.Partition {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := map[id.Replica]id.Partition{}
	for r, m := range d.replicas {
		held[r] = m.partition
	}
	return held
}

func (d *memoryDisk) Open(p id.Partition, r id.Replica) (partitions.Log, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := call(d.onOpen, r); err != nil {
		return nil, err
	}
	m := d.replicas[r]
	if m == nil {
		return nil, fmt.Errorf("replica %d: %w", r, partitions.ErrDamaged)
	}
	if m.open++; m.open > 1 {
		panic(fmt.Sprintf("replica %d of %v is open twice", r, p))
	}
	m.crash() // a new handle believes only what was synced
	return &memoryLog{memory: m, found: m.recovered()}, nil
}

func (d *memoryDisk) Space() (partitions.Space, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.space, d.spaceErr
}

func (d *memoryDisk) Remove(_ id.Partition, r id.Replica) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := call(d.onRemove, r); err != nil {
		return err
	}
	if m := d.replicas[r]; m != nil && m.open > 0 {
		panic(fmt.Sprintf("replica %d is removed while open", r))
	}
	delete(d.replicas, r)
	d.removed = append(d.removed, r)
	return nil
}

// powerLoss forgets what was not synced and closes every handle.
func (d *memoryDisk) powerLoss() *memoryDisk {
	for _, m := range d.replicas {
		m.crash()
		m.open = 0
	}
	return d
}

func (m *memory) crash() {
	m.entries = slices.Clone(m.entries[:m.synced])
	m.state = m.durable
}

// begins is the index behind which the entries stand.
func (m *memory) begins() id.Index {
	if m.base == nil {
		return 0
	}
	return m.base.Index
}

func (m *memory) recovered() partitions.Recovered {
	last := m.begins() + id.Index(len(m.entries))
	state := m.state
	if m.checkpoint != nil {
		state.Commit = min(last, max(state.Commit, m.checkpoint.Index))
	}
	f := partitions.Recovered{
		HardState: state, Replica: m.replica, Base: m.base, Newest: m.checkpoint, First: m.begins() + 1, Last: last, Durable: last, Damage: m.damage,
	}
	for _, e := range m.entries {
		if n := len(f.Terms); n == 0 || f.Terms[n-1].Term != e.Term {
			f.Terms = append(f.Terms, partitions.TermStart{Index: e.Index, Term: e.Term})
		}
	}
	return f
}

// memoryLog is one opening of a memory.
type memoryLog struct {
	*memory
	found    partitions.Recovered
	poisoned bool
	closed   bool
}

func (l *memoryLog) Recovered() partitions.Recovered { return l.found }

func (l *memoryLog) use() func() {
	l.disk.mu.Lock()
	if l.closed {
		panic("a closed log is used")
	}
	return l.disk.mu.Unlock
}

func hook(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

func (l *memoryLog) Append(writes []partitions.Write) error {
	defer l.use()()
	if l.poisoned {
		l.abused = true
		return partitions.ErrPoisoned
	}
	l.poisoned = true // also if it panics
	if err := hook(l.onAppend); err != nil {
		return err
	}
	l.poisoned = false
	l.appends++
	l.groups = append(l.groups, len(writes))
	for _, w := range writes {
		if w.Snapshot != nil { // durable at once, as a Log's is
			l.entries, l.synced, l.base, l.checkpoint = nil, 0, w.Snapshot, w.Snapshot
			l.durable = w.HardState
		}
		if len(w.Entries) > 0 {
			at := int(w.Entries[0].Index - l.begins() - 1)
			l.entries = append(l.entries[:at], w.Entries...)
			l.synced = min(l.synced, at)
		}
		if w.Changed {
			l.state = w.HardState
		}
	}
	return nil
}

func (l *memoryLog) Sync() error {
	defer l.use()()
	if l.poisoned {
		return partitions.ErrPoisoned
	}
	l.poisoned = true // also if it panics
	if err := hook(l.onSync); err != nil {
		return err
	}
	l.poisoned = false
	l.syncs++
	l.synced, l.durable = len(l.entries), l.state
	return nil
}

func (l *memoryLog) SaveCheckpoint(c *partitions.Checkpoint) error {
	defer l.use()()
	if err := hook(l.onSave); err != nil {
		return err
	}
	l.checkpoints++
	l.checkpoint = c
	return nil
}

func (l *memoryLog) FrontEnd(start id.Offset, below id.Index) (end id.Index, err error) {
	defer l.use()()
	for _, e := range l.entries[:max(0, len(l.entries)-1)] {
		if h, err := batch.ParseHeader(e.Payload); err == nil && h.NextOffset() > start || e.Index > below {
			break
		}
		end = e.Index
	}
	return end, nil
}

func (l *memoryLog) Rest() error {
	defer l.use()()
	l.rests++
	return hook(l.onRest)
}

func (l *memoryLog) DropFront(base *partitions.Checkpoint) error {
	defer l.use()()
	if err := hook(l.onDrop); err != nil {
		return err
	}
	n := int(base.Index - l.base.Index)
	l.entries, l.synced, l.base = slices.Clone(l.entries[n:]), l.synced-n, base
	return nil
}

func (l *memoryLog) Entries(lo, hi id.Index, maxBytes int) ([]partitions.Entry, error) {
	defer l.use()()
	var out []partitions.Entry
	for i := lo; i < hi; i++ {
		if l.bad[i] {
			if len(out) == 0 {
				return nil, partitions.ErrDamaged
			}
			break
		}
		e := l.entries[i-l.base.Index-1]
		if maxBytes -= len(e.Payload); maxBytes < 0 && len(out) > 0 {
			break
		}
		out = append(out, e)
	}
	return out, nil
}

func (l *memoryLog) ReadBatches(from, until id.Offset, maxBytes int) ([][]byte, error) {
	defer l.use()()
	if err := hook(l.onRead); err != nil {
		return nil, err
	}
	var out [][]byte
	size := 0
	for _, e := range l.entries {
		if e.Type != partitions.EntryBatch {
			continue
		}
		h, err := batch.ParseHeader(e.Payload)
		if err != nil || h.NextOffset() <= from || h.NextOffset() > until {
			continue
		}
		if l.bad[e.Index] {
			if len(out) == 0 {
				return nil, partitions.ErrDamaged
			}
			break
		}
		if size += len(e.Payload); size > maxBytes && len(out) > 0 {
			break
		}
		out = append(out, e.Payload)
	}
	return out, nil
}

func (l *memoryLog) FindTime(t id.Timestamp, from, until id.Offset) (id.Offset, id.Timestamp, bool, error) {
	defer l.use()()
	for _, e := range l.entries {
		if e.Type != partitions.EntryBatch {
			continue
		}
		if h, err := batch.ParseHeader(e.Payload); err == nil && h.MaxTimestamp >= t && h.NextOffset() > from && h.NextOffset() <= until {
			return max(h.BaseOffset, from), h.MaxTimestamp, true, nil
		}
	}
	return 0, 0, false, nil
}

func (l *memoryLog) Holes() ([]partitions.Hole, error) {
	defer l.use()()
	var holes []partitions.Hole
	for _, e := range l.entries {
		if l.bad[e.Index] {
			holes = append(holes, partitions.Hole{First: e.Index, Last: e.Index})
		}
	}
	return holes, nil
}

// Fill mends what is bad, and the damage that the log was opened with once nothing is.
func (l *memoryLog) Fill(entries []partitions.Entry) error {
	defer l.use()()
	for _, e := range entries {
		if !l.bad[e.Index] {
			return fmt.Errorf("entry %d is no hole", e.Index)
		}
		delete(l.bad, e.Index)
		l.entries[e.Index-l.begins()-1] = e
	}
	if len(l.bad) == 0 {
		l.damage = nil
	}
	return nil
}

// Scrub takes each entry for a segment of 100 bytes.
func (l *memoryLog) Scrub(from id.Index) (next id.Index, bytes int64, err error) {
	defer l.use()()
	l.scrubs = append(l.scrubs, from)
	at := max(from, l.begins()+1)
	if at >= l.begins()+id.Index(len(l.entries)) {
		return 0, 0, hook(l.onScrub)
	}
	if l.bad[at] {
		return at + 1, 100, partitions.ErrDamaged
	}
	return at + 1, 100, hook(l.onScrub)
}

func (l *memoryLog) Size() partitions.LogSize { return partitions.LogSize{Segments: 1} }

func (l *memoryLog) Close() error {
	defer l.use()()
	if !l.poisoned {
		l.synced, l.durable = len(l.entries), l.state
	}
	l.closed = true
	l.open--
	return nil
}
