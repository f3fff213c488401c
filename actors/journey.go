package actors

import (
	"errors"
	"fmt"
	"sync"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// detoursMost is how often one request looks for another leader, after one that it was sent to said that it is none.
const detoursMost = 2

// journey is the way of a request whose partition is not known to be led here: to the leader, here or on another broker, and
// once more where that one says that it does not lead, which means that nothing was done.
type journey struct {
	router    *Router
	partition id.Partition
	detours   int
	last      id.Node // where it was sent last
	departed  *route  // for a produce under way: where it is counted
	waits     *route  // for one that waits until this broker knows its partition: likewise
	refreshed bool    // it has waited for that already

	mu     sync.Mutex
	over   bool   // its wait was given up
	giveUp func() // ends its wait where it is now
}

// travel sends a request to whoever leads its partition. The function it returns ends the wait of a parked fetch.
func (r *Router) travel(p id.Partition, q forwarded) (giveUp func()) {
	j := &journey{router: r, partition: p}
	j.start(q)
	return j.end
}

// start sends the request on. Nothing of j may be touched by who has given it away, but under the lock.
func (j *journey) start(q forwarded) {
	r := j.router
	target, a := r.target(j.partition)
	_, ordered := q.(*produceRequest)
	_, whole := q.(*foldRequest)
	switch {
	case target == 0 || whole && target == r.stage.node:
		j.lost(q, ordered)
		return
	case ordered && !r.depart(j, target):
		q.refuse(fmt.Errorf("%v: its leader has changed or was not known, and not all that was sent before is answered: %w",
			j.partition, partitions.ErrNotReady))
		return
	}
	j.last = target
	q.travel(j)
	if target == r.stage.node {
		n := a.next()
		q.renumber(n)
		j.stay(func() { _ = a.door.pass(giveUp{fetch: n}) }, func() { a.ask(q) })
		return
	}
	p := r.stage.peers.to(target)
	f, err := p.prepare(j.partition, q)
	if err != nil {
		q.refuse(err)
		return
	}
	j.stay(func() { p.pass(waiver{f}) }, func() { p.ask(f) })
}

// lost goes on when no broker can be asked: once after this one has seen what the catalog's leader has, if that may change it.
func (j *journey) lost(q forwarded, ordered bool) {
	leaders, partition := j.router.stage.leaders, j.partition
	if j.waits != nil {
		leaders.embark(j.waits, 0)
		j.waits = nil
	}
	why := j.router.nowhere(partition)
	if j.refreshed || !errors.Is(why, partitions.ErrUnknownTopic) {
		q.refuse(why)
		return
	}
	j.refreshed = true
	if ordered {
		j.waits = leaders.wait(partition)
	}
	waits := j.waits
	j.router.Refresh(func(err error) {
		if err == nil {
			j.start(q)
			return
		}
		if waits != nil {
			leaders.embark(waits, 0)
		}
		q.refuse(fmt.Errorf("%v is not known here: %w", partition, err))
	})
}

// stay sends the request, by ask, to where giveUp ends its wait.
func (j *journey) stay(giveUp, ask func()) {
	j.mu.Lock()
	j.giveUp = giveUp
	j.mu.Unlock()
	ask()
	j.mu.Lock()
	over := j.over
	j.mu.Unlock()
	if over {
		giveUp() // what was asked to end before it was there has not ended
	}
}

func (j *journey) end() {
	j.mu.Lock()
	giveUp := j.giveUp
	again := j.over
	j.over = true
	j.mu.Unlock()
	if giveUp != nil && !again {
		giveUp()
	}
}

// resumes is asked before a request is completed, and tells whether it goes on elsewhere instead.
func (j *journey) resumes(q forwarded, err error) bool {
	if j == nil {
		return false
	}
	if j.departed != nil {
		j.departed.arrive()
		j.departed = nil
	}
	var other *partitions.NotLeaderError
	if j.detours == detoursMost || !errors.As(err, &other) || errors.Is(err, partitions.ErrOutcomeUnknown) {
		return false
	}
	j.router.stage.leaders.learn(j.partition, other.Term, other.Leader)
	if target, _ := j.router.target(j.partition); target == j.last || target == 0 {
		return false
	}
	j.detours++
	q.travel(nil) // what refuses it from here on does so for good
	j.start(q)
	return true
}

func (r *Router) depart(j *journey, target id.Node) bool {
	if waits := j.waits; waits != nil {
		j.waits = nil
		if !r.stage.leaders.embark(waits, target) {
			return false
		}
		j.departed = waits
		return true
	}
	route := r.stage.leaders.route(j.partition)
	if !r.stage.leaders.depart(route, target) {
		return false
	}
	j.departed = route
	return true
}

// target finds the broker that leads a partition, or that knows best who does; 0: none. The address is set if that is this
// one.
func (r *Router) target(p id.Partition) (id.Node, *address) {
	self, a := r.stage.node, r.find(p)
	leader, _ := r.stage.leaders.leader(p)
	switch {
	case a.leading():
		return self, a
	case leader != 0 && leader != self && r.stage.seams.Peers != nil:
		return leader, nil
	case a != nil:
		return self, a
	case r.stage.seams.Peers == nil:
		return 0, nil
	}
	return r.likely(p), nil
}

// likely is the first living broker that the catalog places the partition on; for the catalog's own, as long as that is not
// known, one that says it holds it, or any that lives.
func (r *Router) likely(p id.Partition) id.Node {
	members := r.members.View()
	if t := r.Catalog().Topics[p.Topic]; t != nil && p.Number >= 0 && int(p.Number) < len(t.Partitions) {
		for _, placed := range t.Partitions[p.Number].Replicas {
			if m, found := members.Member(placed.Node); found && m.Alive && m.Node != r.stage.node {
				return m.Node
			}
		}
	}
	if p != catalog.Partition() {
		return 0
	}
	any := id.Node(0)
	for _, m := range members.Members() {
		switch {
		case !m.Alive || m.Node == r.stage.node:
		case m.Catalog:
			return m.Node
		case any == 0:
			any = m.Node
		}
	}
	return any
}

// nowhere is what a request is told that no broker can be asked.
func (r *Router) nowhere(p id.Partition) error {
	if r.Catalog().Cluster == 0 {
		return fmt.Errorf("%v: the catalog is not known yet: %w", p, partitions.ErrNotReady)
	}
	if t := r.Catalog().Topics[p.Topic]; p != catalog.Partition() && (t == nil || p.Number < 0 || int(p.Number) >= len(t.Partitions)) {
		return unknown(p)
	}
	return fmt.Errorf("%v: no broker that holds it is known to live: %w", p, partitions.ErrNotReady)
}
