package actors

import (
	"errors"
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// tail follows the catalog from its leader, on a broker whose own replica of it does not: there is none, or it has no
// quorum, or it is damaged.
//
// Invariant: at most one question is on its way.
type tail struct {
	fold   *catalog.Fold
	wanted bool
	asked  bool
	turn   int // of the brokers that are asked where nobody leads
}

// tailBytes is how much news is asked for at once.
const tailBytes = 1 << 20

// follow begins to ask the catalog's leader for what is new.
func (c *curator) follow() {
	c.tail.wanted = true
	c.ask()
}

// ask asks for what comes behind the newest state known here. The question waits at the leader until there is something.
func (c *curator) ask() {
	t := &c.tail
	if !t.wanted || t.asked || c.halting != nil || c.broken != nil {
		return
	}
	if t.fold == nil {
		t.fold = catalog.NewFold()
	}
	if known := c.board.fold.Load(); known != nil && known.Version > t.fold.State().Version {
		if err := t.fold.Restore(known.Snapshot()); err != nil {
			panic(&partitions.InvariantError{Invariant: "a state's snapshot can be restored", Got: err, Want: nil})
		}
	}
	t.asked = true
	s, self := c.stage, c.self
	c.router.Fetch(catalog.Partition(), partitions.Fetch{
		Offset: t.fold.State().Version, MaxBytes: tailBytes,
		Until: c.seams.Clock.Now() + millis(c.limits.TailWait),
	}, func(a partitions.FetchAnswer) { s.send(self, news{answer: a}) })
}

// hear takes the leader's answer.
func (c *curator) hear(a partitions.FetchAnswer) {
	c.tail.asked = false
	var bounds *partitions.RangeError
	err := a.Err
	if err == nil {
		err = c.tail.take(a.Batches)
	}
	c.search(err)
	switch {
	case errors.As(err, &bounds) && c.tail.fold.State().Version < bounds.LogStart:
		c.askWhole()
	case err != nil && !c.awake:
		c.askAnyone()
	case err != nil:
		c.later(c.limits.TailRetry, c.self, tailAgain{})
	case len(a.Batches) == 0: // a leader whose clock was set back does not let it wait: do not ask as fast as it answers
		c.later(tickTime, c.self, tailAgain{})
	default:
		c.known()
		c.ask()
	}
}

// search shows operators that a broker that has just started has not found the catalog yet.
func (c *curator) search(err error) {
	if err == nil || c.awake {
		return
	}
	sentence := "no broker that knows it has answered yet, so nothing is served here; it goes on asking: " + err.Error()
	if was := c.board.problem.Swap(&sentence); was == nil {
		c.log.Info("the catalog is looked for at other brokers", "reason", err)
	}
}

// known publishes what the tail has folded.
func (c *curator) known() {
	if c.board.observe(c.tail.fold.State()) {
		c.advance()
	}
}

// take folds batches. One that was folded before is passed over; the first may begin below what was asked for.
func (t *tail) take(batches [][]byte) error {
	for _, b := range batches {
		h, err := batch.ParseHeader(b)
		at := t.fold.State().Version
		switch {
		case err != nil:
			return fmt.Errorf("catalog at offset %d: %w", at, err)
		case h.NextOffset() <= at:
			continue
		case h.BaseOffset != at:
			return &partitions.RangeError{Err: partitions.ErrOffsetOutOfRange, Asked: at, LogStart: h.BaseOffset, LogEnd: h.NextOffset()}
		}
		t.fold.Apply(h.BaseOffset, b)
	}
	return nil
}

// askWhole asks for the whole state: the log does not reach back to what is known here.
func (c *curator) askWhole() { c.router.travel(catalog.Partition(), c.wholeRequest()) }

func (c *curator) wholeRequest() *foldRequest {
	c.tail.asked = true
	s, self := c.stage, c.self
	return &foldRequest{done: func(snapshot []byte, err error) { s.send(self, whole{snapshot: snapshot, err: err}) }}
}

// askAnyone asks one broker after the other for the state as it knows it: a broker that starts while nobody leads the catalog
// must still open what it holds. A state that is behind is a state that was; what follows comes later.
func (c *curator) askAnyone() {
	var others []id.Node
	for _, m := range c.router.members.View().Members() {
		if m.Alive && m.Node != c.stage.node {
			others = append(others, m.Node)
		}
	}
	if len(others) == 0 {
		c.later(c.limits.TailRetry, c.self, tailAgain{})
		return
	}
	c.tail.turn++
	p, q := c.peers.to(others[c.tail.turn%len(others)]), c.wholeRequest()
	f, err := p.prepare(catalog.Partition(), q)
	if err != nil {
		q.refuse(err)
		return
	}
	p.ask(f)
}

func (c *curator) restore(m whole) {
	c.tail.asked = false
	fold := catalog.NewFold()
	err := m.err
	if err == nil {
		err = fold.Restore(m.snapshot)
	}
	if err != nil {
		c.search(err)
		c.later(c.limits.TailRetry, c.self, tailAgain{})
		return
	}
	if fold.State().Version > c.tail.fold.State().Version {
		c.tail.fold = fold
	}
	c.known()
	c.ask()
}

// await keeps what the catalog has decided until this broker's own state shows it: whoever asked may look at once. It tells
// whether there is something to wait for.
func (c *curator) await(d *decision, r catalog.Result) bool {
	if known := c.board.fold.Load(); known != nil && known.Version >= r.Version {
		return false
	}
	c.unseen = append(c.unseen, d)
	c.later(c.limits.ForwardWait, c.self, overdue{decision: d})
	return true
}

// conclude ends those decisions that this broker's state shows now.
func (c *curator) conclude() {
	waiting := c.unseen
	c.unseen = nil
	for i, d := range waiting {
		if r := d.result(); c.board.fold.Load().Version < r.Version {
			c.unseen = append(c.unseen, waiting[i])
			continue
		}
		d.begin(c)
	}
}

// overdue gives up waiting: the decision stands, and this broker does not know what it led to.
func (c *curator) overdue(d *decision) {
	at := slices.Index(c.unseen, d)
	if at < 0 {
		return
	}
	c.unseen = slices.Delete(c.unseen, at, at+1)
	d.order.conclude(c, catalog.Result{}, fmt.Errorf("the catalog has decided, and this broker has not heard what followed: %w",
		partitions.ErrOutcomeUnknown))
}
