package simulation

import (
	"hash/crc32"
	"slices"
	"time"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// Ledger remembers what every replica of every broker did, across lives and wiped disks, and holds each step to what came
// before. It looks only at what a step has touched.
type Ledger struct {
	world    *World
	groups   map[id.Partition]*group
	replicas map[id.Replica]*conduct
	// deposed counts how often another came to lead what a replica of a node led last.
	deposed map[id.Node]int
}

// group is what all replicas of a partition have in common.
type group struct {
	partition id.Partition
	leaders   map[id.Term]id.Replica
	entries   map[entryKey]entrySum
	// committed is the term of each entry that some replica has applied, from entry 1 on; 0 where it is not known.
	committed []id.Term
	next      id.Offset // behind the last batch of committed; -1 while not known
	sequences map[sequence]id.Index
	written   []written  // the idempotent batches of committed
	gaps      bool       // not all of committed is known
	leader    id.Replica // that became leader last
	// voters is how many the newest leader that was ready counted; voted how many before that, up to changed.
	voters, voted int
	joint         bool
	changed       time.Duration
}

// entryKey is what raft names an entry by: two logs that hold the same agree up to there.
type entryKey struct {
	index id.Index
	term  id.Term
}

// entrySum stands for the bytes of an entry, and for what comes before it.
type entrySum struct {
	sum    uint32
	before id.Term // of the entry in front; 0: not known
	batch  bool
	header batch.Header
}

// sequence is what must stand in a partition once.
type sequence struct {
	producer id.Producer
	epoch    int16
	first    int32
}

// conduct is what one replica may not forget.
type conduct struct {
	partition id.Partition
	node      id.Node
	durable   partitions.HardState // what a sync has covered: the least of what it must know after any crash
	applied   id.Index
}

func newLedger(w *World) *Ledger {
	return &Ledger{world: w, groups: map[id.Partition]*group{}, replicas: map[id.Replica]*conduct{}, deposed: map[id.Node]int{}}
}

func (l *Ledger) group(p id.Partition) *group {
	g := l.groups[p]
	if g == nil {
		g = &group{
			partition: p, leaders: map[id.Term]id.Replica{}, entries: map[entryKey]entrySum{}, next: -1, sequences: map[sequence]id.Index{},
		}
		l.groups[p] = g
	}
	return g
}

// begun notes that a replica is made on a node: the only one that will ever have its id.
func (l *Ledger) begun(p id.Partition, r id.Replica, node id.Node) {
	c := l.replicas[r]
	if c == nil {
		l.replicas[r] = &conduct{partition: p, node: node}
		return
	}
	if c.node != node || c.partition != p {
		l.world.violate(violation("replica-id-reused", "replica %d of %v is made on node %v; it was of %v on node %v", r, p, node, c.partition, c.node))
	}
}

// opened holds what a replica finds at opening to what it may not have forgotten. Damage that is told may take anything.
func (l *Ledger) opened(r id.Replica, found partitions.Recovered) {
	c := l.replicas[r]
	if c == nil || found.Damage != nil {
		return
	}
	if found.HardState.Commit > found.Last {
		l.world.violate(violation("commit-beyond-log", "replica %d of %v opens with entry %d committed, and its log ends at %d",
			r, c.partition, found.HardState.Commit, found.Last))
	}
	switch was, is := c.durable, found.HardState; {
	case is.Term < was.Term:
		l.world.violate(violation("term-forgotten", "replica %d of %v was in term %d for sure, and opens in %d", r, c.partition, was.Term, is.Term))
	case is.Term == was.Term && was.Vote != 0 && is.Vote != was.Vote:
		l.world.violate(violation("vote-forgotten", "replica %d of %v voted for %d in term %d for sure, and opens with a vote for %d",
			r, c.partition, was.Vote, was.Term, is.Vote))
	}
	c.applied = 0
}

// stored holds a hard state to the one before it in the same life.
func (l *Ledger) stored(r id.Replica, was, is partitions.HardState) {
	switch {
	case is.Term < was.Term || is.Commit < was.Commit:
		l.world.violate(violation("hard-state-fell", "replica %d goes from %+v to %+v", r, was, is))
	case is.Term == was.Term && was.Vote != 0 && is.Vote != was.Vote:
		l.world.violate(violation("voted-twice", "replica %d votes for %d in term %d, in which it voted for %d", r, is.Vote, is.Term, was.Vote))
	}
}

// synced notes a hard state that no crash can take any more.
func (l *Ledger) synced(r id.Replica, s partitions.HardState) {
	if c := l.replicas[r]; c != nil {
		c.durable = s
	}
}

// appended holds an entry to all others of its index and term.
func (l *Ledger) appended(p id.Partition, r id.Replica, e *partitions.Entry, before id.Term) {
	g := l.group(p)
	key := entryKey{e.Index, e.Term}
	sum := entrySum{sum: crc32.Checksum(e.Payload, castagnoli) ^ uint32(e.Type)<<24 ^ uint32(e.AppendTime), before: before}
	was, known := g.entries[key]
	switch {
	case !known:
		if e.Type == partitions.EntryBatch {
			sum.header, _ = batch.ParseHeader(e.Payload)
			sum.batch = true
		}
		g.entries[key] = sum
	case was.sum != sum.sum:
		l.world.violate(violation("log-matching", "replica %d of %v holds entry %d of term %d with other bytes than some other replica did", r, p, e.Index, e.Term))
	case was.before != 0 && before != 0 && was.before != before:
		l.world.violate(violation("log-matching", "replica %d of %v holds entry %d of term %d behind one of term %d; some other replica did behind one of term %d",
			r, p, e.Index, e.Term, before, was.before))
	}
}

// applied holds what a replica applies to what others have applied.
func (l *Ledger) applied(log *overseen, through id.Index) {
	p, r := log.partition, log.replica
	c := l.replicas[r]
	if c == nil || through <= c.applied {
		return
	}
	g := l.group(p)
	// What lies before the log is of a birth or a snapshot, whose own entry stands for it.
	from := max(c.applied+1, log.first-1, 1)
	c.applied = through
	for i := from; i <= through && l.world.broken == nil; i++ {
		term := log.term(i)
		if term == 0 && i < log.first || i < log.trusted {
			continue // its checkpoint does not verify, or what it holds there
		}
		if known := g.term(i); known == 0 {
			l.commit(g, r, i, term)
		} else if known != term {
			l.world.violate(violation("applied-differs", "replica %d of %v applies entry %d of term %d; it was applied with term %d before", r, p, i, term, known))
		}
	}
}

// term is that of a committed entry; 0 where none is known.
func (g *group) term(i id.Index) id.Term {
	if i < 1 || i > id.Index(len(g.committed)) {
		return 0
	}
	return g.committed[i-1]
}

// commit takes an entry that is applied for the first time: offsets are dense, and a producer's sequence stands there once.
func (l *Ledger) commit(g *group, r id.Replica, i id.Index, term id.Term) {
	late := i <= id.Index(len(g.committed))
	for id.Index(len(g.committed)) < i {
		if id.Index(len(g.committed)) < i-1 {
			g.next, g.gaps = -1, true
		}
		g.committed = append(g.committed, 0)
	}
	g.committed[i-1] = term
	if late {
		return // what follows it was compared already
	}
	e, known := g.entries[entryKey{i, term}]
	if !known {
		g.next, g.gaps = -1, g.gaps || i > 1 // the first is no entry: it stands for the birth
		return
	}
	if !e.batch {
		return
	}
	if g.next >= 0 && e.header.BaseOffset != g.next {
		l.world.violate(violation("dense-offsets", "entry %d of %v, applied by replica %d, begins at offset %d, due is %d", i, g.partition, r, e.header.BaseOffset, g.next))
	}
	g.next = e.header.NextOffset()
	if e.header.Producer == batch.NoProducer {
		return
	}
	key := sequence{e.header.Producer, e.header.Epoch, e.header.FirstSequence}
	if other, twice := g.sequences[key]; twice {
		l.world.violate(violation("sequence-twice", "entries %d and %d of %v are both producer %d's sequence %d", other, i, g.partition, key.producer, key.first))
	}
	g.sequences[key] = i
	g.write(i, e.header)
}

// leads holds a replica that leads to being the only one in its term, and to holding everything that was committed before.
func (l *Ledger) leads(log *overseen, term id.Term) {
	p, r := log.partition, log.replica
	g := l.group(p)
	if other, known := g.leaders[term]; known {
		if other != r {
			l.world.violate(violation("two-leaders", "replicas %d and %d of %v both lead in term %d", other, r, p, term))
		}
		return
	}
	if g.leader != 0 {
		l.deposed[l.nodeOf(g.leader)]++
	}
	g.leaders[term], g.leader = r, r
	l.world.trace.event("leader", "elected", "replica %d of %v in term %d, with entries up to %d", r, p, term, log.first+id.Index(len(log.terms))-1)
	for later := range g.leaders { // any order: whether there is one
		if later > term {
			return // elected by votes that came late: what later terms have committed since need not be in its log
		}
	}
	last := id.Index(len(g.committed))
	for last > 0 && (g.term(last) == 0 || g.term(last) >= term) {
		last--
	}
	if last+1 < log.first || last < log.trusted {
		return // it has applied more than that, or what it holds there need not verify
	}
	if holds := log.term(last); last > 0 && holds != g.term(last) {
		l.world.violate(violation("leader-completeness", "replica %d of %v leads in term %d; entry %d of term %d is committed, and its log holds there one of term %d",
			r, p, term, last, g.term(last), holds))
	}
}

// forget drops what is known of a partition whose only replica may have lost its end by the stated limit.
func (l *Ledger) forget(p id.Partition) { delete(l.groups, p) }

// pardon drops what a replica voted, where the stated limit lets it forget that.
func (l *Ledger) pardon(r id.Replica) {
	if c := l.replicas[r]; c != nil {
		c.durable = partitions.HardState{}
	}
}

// counts notes how many voters a leader counts that is ready, and whether others decide with them.
func (l *Ledger) counts(p id.Partition, voters int, joint bool) {
	if g := l.group(p); voters != g.voters || joint != g.joint {
		g.voted, g.voters, g.joint, g.changed = g.voters, voters, joint, l.world.scheduler.Now()
	}
}

// firm is how many voters a partition has that has not changed them lately; else 0.
func (l *Ledger) firm(p id.Partition) int {
	if g := l.group(p); !g.joint && l.world.scheduler.Now() > g.changed+settleTime/2 {
		return g.voters
	}
	return 0
}

// quorum is how many replicas must hold what is acknowledged now. An answer may be under way while the voters change.
func (l *Ledger) quorum(p id.Partition) int {
	g := l.group(p)
	if l.world.scheduler.Now() < g.changed+answerTime {
		return min(g.voters, g.voted)/2 + 1
	}
	return g.voters/2 + 1
}

// answerTime is longer than it takes from the commit of a batch to its answer.
const answerTime = 2 * time.Second

// nodeOf tells where a replica lives; 0 when it was never made.
func (l *Ledger) nodeOf(r id.Replica) id.Node {
	if c := l.replicas[r]; c != nil {
		return c.node
	}
	return 0
}

// led lists the replicas that became leader last, each of its partition, in the order of partitions.
func (l *Ledger) led() []id.Replica {
	var all []id.Replica
	for _, p := range sortedPartitions(l.groups) {
		if g := l.groups[p]; g.leader != 0 {
			all = append(all, g.leader)
		}
	}
	return slices.Clip(all)
}
