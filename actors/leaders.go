package actors

import (
	"sync"
	"sync/atomic"

	"troupe/partitions/id"
)

// leaders is what a broker knows of who leads which partition: from its own replicas, from what other brokers tell, and from
// their answers. The highest term counts. It is a hint: who is asked and does not lead says so.
type leaders struct {
	mu     sync.Mutex
	routes map[id.Partition]*route
	news   atomic.Uint64 // counts how often another leader was learned
}

// route is where the requests to one partition go.
//
// Invariants: seen never falls; produces are under way to one broker at a time, so that another route begins only when
// nothing is under way on the last one: what one connection sends arrives in its order.
type route struct {
	partition id.Partition
	seen      atomic.Uint64 // the highest term anybody told of
	flying    atomic.Int32  // produces under way to target, and waiting; those to a leader of this broker's own are not counted
	// Under leaders.mu:
	node    id.Node // who leads in the term seen; 0: not known
	target  id.Node
	waiting int32 // produces that go nowhere until this broker knows the partition
}

func newLeaders() *leaders { return &leaders{routes: map[id.Partition]*route{}} }

// route returns the one route of a partition.
func (l *leaders) route(p id.Partition) *route {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(p)
}

func (l *leaders) find(p id.Partition) *route {
	r := l.routes[p]
	if r == nil {
		r = &route{partition: p}
		l.routes[p] = r
	}
	return r
}

// learn takes who leads a partition in a term; 0 where that is not known.
func (l *leaders) learn(p id.Partition, term id.Term, node id.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.find(p)
	before := r.node
	switch seen := id.Term(r.seen.Load()); {
	case term > seen:
		r.seen.Store(uint64(term))
		r.node = node
	case term == seen && node != 0:
		r.node = node
	}
	if r.node != 0 && r.node != before {
		l.news.Add(1)
	}
}

// doubt forgets who leads a partition, if that is still who did not answer as a leader does.
func (l *leaders) doubt(p id.Partition, node id.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.routes[p]; r != nil && r.node == node {
		r.node = 0
	}
}

// leader returns who leads a partition, as far as is known, and the highest term anybody told of.
func (l *leaders) leader(p id.Partition) (id.Node, id.Term) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.routes[p]; r != nil {
		return r.node, id.Term(r.seen.Load())
	}
	return 0, 0
}

// depart counts a produce that goes to target; false: others are under way elsewhere, or wait to go.
func (l *leaders) depart(r *route, target id.Node) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.waiting > 0 || r.flying.Load() > 0 && r.target != target {
		return false
	}
	r.target = target
	r.flying.Add(1)
	return true
}

// wait counts a produce to a partition that this broker does not know yet: what comes after it must not overtake it.
func (l *leaders) wait(p id.Partition) *route {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.find(p)
	r.waiting++
	r.flying.Add(1)
	return r
}

// embark ends that wait, in the order of those who waited: the produce goes to target, or, 0, nowhere. false: it does not go,
// since others are under way elsewhere.
func (l *leaders) embark(r *route, target id.Node) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.waiting--
	others := r.flying.Load() - 1 - r.waiting
	if target == 0 || others > 0 && r.target != target {
		r.flying.Add(-1)
		return false
	}
	r.target = target
	return true
}

func (r *route) arrive() { r.flying.Add(-1) }

// forget drops what is known of partitions that are no more.
func (l *leaders) forget(gone func(id.Partition) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, r := range l.routes { // any order
		if r.flying.Load() == 0 && gone(p) {
			delete(l.routes, p)
		}
	}
}
