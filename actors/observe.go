package actors

import (
	"sync"
	"time"

	"troupe/partitions"
)

// Meter is told what the actors do, for whoever keeps count. Its methods are called from actors and from the pool, at the
// same time: once for each turn that did something, for each fsync and for each cold read, never for each record. They must
// not block.
type Meter interface {
	// Counted tells what a replica has done since the last call for it.
	Counted(added partitions.Counts)
	// Synced tells that one Sync made so many entries durable, and how long it took. None: a vote or a commit index alone.
	Synced(took time.Duration, entries int)
	// Read tells that a range was read from segment files.
	Read(took time.Duration)
	// Scrubbed tells that so many bytes of a log were read to verify them, and whether some did not.
	Scrubbed(bytes int64, damaged bool)
	// Restarted tells that a partition's log failed and closed, and will be opened again.
	Restarted()
}

type unmetered struct{}

func (unmetered) Counted(partitions.Counts) {}
func (unmetered) Synced(time.Duration, int) {}
func (unmetered) Read(time.Duration)        {}
func (unmetered) Scrubbed(int64, bool)      {}
func (unmetered) Restarted()                {}

// elapsed reads the stopwatch.
func (s *stage) elapsed() time.Duration {
	if s.seams.Stopwatch == nil {
		return 0
	}
	return s.seams.Stopwatch()
}

// Observation is a broker's partitions, each as it was when it was asked, all of them within one wait.
type Observation struct {
	Partitions []partitions.Status // of those that answered, in the order of partitions
	Silent     int                 // partitions that did not answer before the wait was given up
	Problems   []string            // as Node.Problems
}

// Observe asks every partition of this broker how it is. done is called once, on any goroutine, when all have answered or
// when the function returned is called: it gives up the wait, and may be called at any time, repeatedly.
//
// The questions pass the doors even where requests are throttled: a broker that is overloaded is worth looking at.
func (n *Node) Observe(done func(Observation)) (giveUp func()) {
	asked := n.board.view.Load().order
	o := &observing{answers: make([]*partitions.Status, len(asked)), left: len(asked), done: done, problems: n.Problems}
	if len(asked) == 0 {
		o.end()
	}
	for i, a := range asked {
		q := &describeRequest{request: a.next(), partition: a.partition, replica: a.replica, done: func(s partitions.Status) { o.answer(i, s) }}
		if err := a.door.pass(q); err != nil {
			q.refuse(err)
		}
	}
	return o.end
}

// observing gathers the answers of one Observe.
type observing struct {
	problems func() []string

	mu      sync.Mutex
	answers []*partitions.Status
	left    int
	done    func(Observation) // nil once called
}

func (o *observing) answer(i int, s partitions.Status) {
	o.mu.Lock()
	o.answers[i] = &s
	o.left--
	last := o.left == 0
	o.mu.Unlock()
	if last {
		o.end()
	}
}

// end hands over what there is, once.
func (o *observing) end() {
	o.mu.Lock()
	done := o.done
	o.done = nil
	seen := Observation{Problems: o.problems()}
	for _, s := range o.answers {
		if s == nil {
			seen.Silent++
		} else {
			seen.Partitions = append(seen.Partitions, *s)
		}
	}
	o.mu.Unlock()
	if done != nil {
		done(seen)
	}
}
