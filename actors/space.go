package actors

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"troupe/partitions"
	"troupe/partitions/catalog"
)

// room is what a broker knows of the room on its disk. Anyone may ask.
type room struct {
	mu      sync.Mutex
	reserve partitions.Reserve
}

func (r *room) measured(s partitions.Space) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reserve.Measured(s)
}

func (r *room) spent(bytes int64) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reserve.Spent(bytes)
}

// space returns what was measured last, and the reserve.
func (r *room) space() (partitions.Space, int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reserve.Space()
}

// err returns why nothing that takes room is taken on; nil while there is room.
func (r *room) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reserve.Err()
}

// diskFull is the reason that replicas give as long as the disk is full. It tells of the room there is when somebody reads
// it: a producer that comes hours later is not told an old number.
type diskFull struct{ room *room }

// Error describes the disk as it is now.
func (e diskFull) Error() string {
	if err := e.room.err(); err != nil {
		return err.Error()
	}
	return partitions.ErrDiskFull.Error()
}

// Unwrap returns ErrDiskFull.
func (e diskFull) Unwrap() error { return partitions.ErrDiskFull }

// warden is the actor that looks at the disk. Below the reserve it has every partition but the catalog's refuse batches:
// what frees the disk goes through the catalog (the deletion of a topic) or takes next to nothing (a log start, a
// checkpoint), and comes out of the reserve.
type warden struct {
	*stage
	board  *board
	self   *actor.PID
	cancel func()
	failed bool // the last look did
}

// Receive handles the timer and what the pool has measured.
func (w *warden) Receive(c actor.Context) {
	defer w.rescue("warden", func(error) {})
	switch m := c.Message().(type) {
	case *actor.Started:
		w.self, w.cancel = c.Self(), func() {}
		w.look()
	case look:
		w.look()
	case crossed:
		w.tell()
	case measured:
		w.cancel = w.later(w.limits.SpaceEvery, w.self, look{})
		w.take(m)
	case *actor.Stopping:
		w.cancel()
	}
}

// look has the pool ask the disk. The next look comes after its answer: on a disk that hangs they do not pile up.
func (w *warden) look() {
	s, self := w.stage, w.self
	s.seams.Pool.Run(func() {
		var m measured
		defer func() { s.send(self, m) }()
		defer s.rescue("space", func(err error) { m.err = err })
		m.space, m.err = s.seams.Disk.Space()
	})
}

func (w *warden) take(m measured) {
	if m.err != nil {
		if !w.failed {
			w.log.Warn("it cannot be told how much room the disk has", "error", m.err)
		}
		w.failed = true
		return
	}
	w.failed = false
	if w.room.measured(m.space) {
		w.tell()
	}
}

// tell lets every partition look at the disk anew.
func (w *warden) tell() {
	if err := w.room.err(); err != nil {
		w.log.Error("batches and new topics are refused", "reason", err)
	} else {
		space, _ := w.room.space()
		w.log.Info("the disk has room again", "directory", space.Directory, "free_bytes", space.Free)
	}
	for _, a := range w.board.view.Load().order {
		w.send(a.pid, roomChanged{})
	}
}

// regard tells the living replica whether the disk is full. A partition that opens later asks by itself.
func (p *partition) regard() {
	if p.partition == catalog.Partition() {
		return
	}
	if p.room.err() != nil {
		p.life.replica.SetDiskFull(diskFull{p.room})
	} else {
		p.life.replica.SetDiskFull(nil)
	}
}
