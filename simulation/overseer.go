package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"troupe/partitions"
	"troupe/partitions/id"
)

// overseer stands between a broker and its disk: it tells the ledger of every replica that is made, and of everything that
// is written to its log. It is an actors.Disk.
type overseer struct {
	brokerDisk
	broker *Broker
	logs   map[id.Replica]*overseen // opened last
}

// watch looks at a replica after each of its turns.
func (o *overseer) watch(r *partitions.Replica) {
	s := r.Standing()
	l := o.logs[s.Replica]
	if l == nil {
		return
	}
	l.stands, l.shown = s, r
	ledger := o.broker.world.ledger
	// A snapshot is applied before it is on the disk: then the log is behind, or holds what the snapshot replaces.
	if s.Applied > l.applied && s.First <= l.first && s.Applied < l.first+id.Index(len(l.terms)) {
		l.applied = s.Applied
		ledger.applied(l, s.Applied)
	}
	if s.Ready {
		ledger.counts(l.partition, s.Voters, s.Joint)
		o.settle(l, r)
	}
	if s.Role == partitions.RoleLeader && s.Term != l.led {
		l.led = s.Term
		ledger.leads(l, s.Term)
	}
}

// leaderless describes the replicas that know of no leader.
func (o *overseer) leaderless() string {
	s := ""
	for _, r := range slices.Sorted(maps.Keys(o.logs)) {
		if l := o.logs[r]; l.stands.Leader == 0 {
			s += fmt.Sprintf(", replica %d of %v is %v in term %d of %d voters, applied %d of %d",
				r, l.partition, l.stands.Role, l.stands.Term, l.stands.Voters, l.stands.Applied, l.first+id.Index(len(l.terms))-1)
		}
	}
	return s
}

// settle looks whether what was damaged is no longer among a partition's replicas.
func (o *overseer) settle(l *overseen, r *partitions.Replica) {
	w := o.broker.world
	if w.atlas.sick(l.partition) == 0 || w.scheduler.Now() < l.asked+100*time.Millisecond {
		return
	}
	l.asked = w.scheduler.Now()
	if s := r.Status(); s.Settled && !s.Joint {
		w.atlas.settled(l.partition, func(r id.Replica) bool {
			return slices.ContainsFunc(slices.Concat(s.Voters, s.Learners), func(p partitions.Placed) bool { return p.Replica == r })
		})
	}
}

// Create implements actors.Disk.
func (o *overseer) Create(p id.Partition, r id.Replica, birth *partitions.Checkpoint, state partitions.HardState) error {
	o.broker.world.ledger.begun(p, r, o.broker.identity)
	return o.brokerDisk.Create(p, r, birth, state)
}

// Open implements actors.Disk.
func (o *overseer) Open(p id.Partition, r id.Replica) (partitions.Log, error) {
	log, err := o.brokerDisk.Open(p, r)
	if err != nil {
		return nil, err
	}
	found := log.Recovered()
	o.broker.world.ledger.opened(r, found)
	l := &overseen{Log: log, ledger: o.broker.world.ledger, partition: p, replica: r, state: found.HardState, first: found.First}
	if found.Base != nil {
		l.before = found.Base.Term
	}
	if h := o.broker.world.atlas.harmed[r]; h != nil && h.sick {
		if holes, err := log.Holes(); found.Damage == nil && err == nil && len(holes) == 0 {
			o.broker.world.atlas.whole(r)
		}
		l.trusted = found.Last + 1
	}
	if len(found.Terms) > 0 { // what lies in front of them is damaged, and of no known term
		l.terms = make([]id.Term, found.Terms[0].Index-found.First)
	}
	for i, t := range found.Terms {
		until := found.Last + 1
		if i+1 < len(found.Terms) {
			until = found.Terms[i+1].Index
		}
		for range until - t.Index {
			l.terms = append(l.terms, t.Term)
		}
	}
	o.logs[r] = l
	return l, nil
}

// overseen is a log whose writes the ledger learns of.
type overseen struct {
	partitions.Log
	ledger    *Ledger
	partition id.Partition
	replica   id.Replica
	state     partitions.HardState // as of the last Append
	// terms are those of the entries from first on; before is that of the entry in front of them.
	terms  []id.Term
	first  id.Index
	before id.Term
	// trusted is where the entries begin whose terms are known for sure: not those found in files that were damaged.
	trusted id.Index
	// applied and led are what the ledger was told last.
	applied id.Index
	led     id.Term
	// stands is how its replica stood after its last turn.
	stands partitions.Standing
	shown  *partitions.Replica // of this life, or the last one
	asked  time.Duration       // when its replica was asked last who the others are
}

// term is that of an entry; 0 where the log does not hold it.
func (l *overseen) term(i id.Index) id.Term {
	switch {
	case i+1 == l.first:
		return l.before
	case i < l.first || i >= l.first+id.Index(len(l.terms)):
		return 0
	}
	return l.terms[i-l.first]
}

// Append implements partitions.Log.
func (l *overseen) Append(writes []partitions.Write) error {
	if err := l.Log.Append(writes); err != nil {
		return err
	}
	for i := range writes {
		w := &writes[i]
		if s := w.Snapshot; s != nil {
			l.ledger.saved(l, s)
			l.terms, l.first, l.before = nil, s.Index+1, s.Term
			l.ledger.applied(l, s.Index)
		}
		if w.Changed {
			l.ledger.stored(l.replica, l.state, w.HardState)
			l.state = w.HardState
		}
		if n := len(w.Entries); n > 0 && w.Entries[0].Index >= l.first {
			l.terms = l.terms[:min(w.Entries[0].Index-l.first, id.Index(len(l.terms)))]
		}
		for j := range w.Entries {
			e := &w.Entries[j]
			l.ledger.appended(l.partition, l.replica, e, l.term(e.Index-1))
			l.terms = append(l.terms, e.Term)
		}
	}
	return nil
}

// Sync implements partitions.Log.
func (l *overseen) Sync() error {
	err := l.Log.Sync()
	if err == nil {
		l.ledger.synced(l.replica, l.state)
	}
	return err
}
