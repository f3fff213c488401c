package partitions_test

import (
	crypto "crypto/rand"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// group is several replicas of one partition with everything between them in the test's hand: messages, disks, time. Replica
// n lives on node 100 + n.
type group struct {
	t        *testing.T
	random   *rand.Rand
	members  map[id.Replica]*member
	order    []id.Replica // of members
	wires    []sent
	now      id.Timestamp
	limits   partitions.Limits
	want     partitions.Assignment
	cut      func(from, to id.Replica) bool // messages that are lost
	inHand   []byte                         // the message that cut is asked about
	requests partitions.Request
	// acknowledged holds, by offset, the value of every record that somebody was told is durable.
	acknowledged map[id.Offset]string
	asked        map[partitions.Request]string // values of unanswered produces
	unknown      int
	// applied holds the bytes first applied at each index, whoever applied them.
	applied map[id.Index]string
	leaders map[id.Term]id.Replica
}

type member struct {
	replica *partitions.Replica // nil while it is down
	log     *memoryLog
	unsaved []partitions.Write
	saving  *partitions.Checkpoint
	trim    *partitions.Trim
	voters  int // when it was last looked at
}

type sent struct {
	from, to id.Replica
	bytes    []byte
}

func nodeOf(r id.Replica) id.Node { return id.Node(100 + r) }

func placed(replicas ...id.Replica) []partitions.Placed {
	var all []partitions.Placed
	for _, r := range replicas {
		all = append(all, partitions.Placed{Replica: r, Node: nodeOf(r)})
	}
	return all
}

// newGroup makes a group whose founders are 1 to n.
func newGroup(t *testing.T, seed uint64, n int) *group {
	source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	raftRandomness(t, source)
	g := &group{
		t: t, random: rand.New(source), members: map[id.Replica]*member{}, acknowledged: map[id.Offset]string{},
		asked: map[partitions.Request]string{}, applied: map[id.Index]string{}, leaders: map[id.Term]id.Replica{},
		cut: func(id.Replica, id.Replica) bool { return false },
	}
	var all []id.Replica
	for r := id.Replica(1); r <= id.Replica(n); r++ {
		all = append(all, r)
	}
	for _, r := range all {
		g.add(r, founder(r, placed(all...)))
	}
	return g
}

func (g *group) add(r id.Replica, log *memoryLog) {
	g.members[r] = &member{log: log}
	g.order = append(g.order, r)
	g.start(r)
}

func (g *group) start(r id.Replica) {
	m := g.members[r]
	replica, err := partitions.New(partitions.Options{
		Partition: id.Partition{Topic: 16}, Replica: r, Node: nodeOf(r), Log: m.log,
		Settings: partitions.Settings{MaxBatchBytes: 1 << 20}, Limits: g.limits,
	}, g.now)
	if err != nil {
		g.t.Fatalf("replica %d: %v", r, err)
	}
	m.replica = replica
	replica.Assign(g.want)
	g.collect(r)
}

// crash loses what was not synced.
func (g *group) crash(r id.Replica) {
	m := g.members[r]
	m.replica, m.unsaved, m.saving, m.trim = nil, nil, nil, nil
	m.log.crash()
}

func (g *group) assign(version id.Offset, replicas ...id.Replica) {
	g.want = partitions.Assignment{Version: version, Replicas: placed(replicas...)}
	for _, r := range g.order {
		if m := g.members[r]; m.replica != nil {
			m.replica.Assign(g.want)
			g.collect(r)
		}
	}
}

// collect takes what a replica wants done, and checks it.
func (g *group) collect(r id.Replica) {
	m := g.members[r]
	m.replica.Check()
	o := m.replica.Outbox()
	if o.Failed != nil {
		g.t.Fatalf("replica %d failed: %v", r, o.Failed)
	}
	m.unsaved = append(m.unsaved, o.Writes...)
	for _, s := range o.Messages {
		if s.Node != nodeOf(s.To) {
			g.t.Fatalf("%v is addressed to node %v", s, s.Node)
		}
		g.wires = append(g.wires, sent{from: r, to: s.To, bytes: s.AppendTo(nil)})
	}
	if o.Checkpoint != nil {
		m.saving = o.Checkpoint
	}
	if o.Trim != nil {
		m.trim = o.Trim
	}
	for _, a := range o.Produced {
		g.answer(r, a)
	}
	s := m.replica.Status()
	m.voters = len(s.Voters)
	if s.Role == partitions.RoleLeader {
		if was, ok := g.leaders[s.Term]; ok && was != r {
			g.t.Fatalf("replicas %d and %d both lead term %d", was, r, s.Term)
		}
		g.leaders[s.Term] = r
	}
}

func (g *group) answer(leader id.Replica, a partitions.ProduceAnswer) {
	value := g.asked[a.Request]
	delete(g.asked, a.Request)
	if a.Err != nil {
		g.unknown++
		return
	}
	if was, ok := g.acknowledged[a.Base]; ok && was != value {
		g.t.Fatalf("replica %d acknowledges %q at offset %d, where %q is", leader, value, a.Base, was)
	}
	g.acknowledged[a.Base] = value
	holders := 0
	for _, r := range g.order {
		if g.members[r].log.holdsDurably(a.Base, value) {
			holders++
		}
	}
	// A batch in front of a change of the configuration needs a quorum of the members before it.
	m := g.members[leader]
	s := m.replica.Status()
	if voters := min(m.voters, len(s.Voters)); holders <= voters/2 && !s.Joint {
		g.t.Fatalf("offset %d is acknowledged with %d of %d durable copies", a.Base, holders, voters)
	}
}

// holdsDurably tells whether a synced entry of the log is the batch of one record at an offset.
func (l *memoryLog) holdsDurably(at id.Offset, value string) bool {
	return slices.ContainsFunc(l.entries[:l.synced], func(e partitions.Entry) bool {
		return e.Type == partitions.EntryBatch && valueAt(e.Payload, at) == value
	})
}

func valueAt(b []byte, at id.Offset) string {
	if h, err := batch.ParseHeader(b); err != nil || h.BaseOffset != at {
		return ""
	}
	records, err := batch.Decode(nil, b, 1<<20)
	if err != nil || len(records) != 1 {
		return ""
	}
	return string(records[0].Value)
}

// persist syncs everything a replica has handed over, then carries out its other orders.
func (g *group) persist(r id.Replica) {
	m := g.members[r]
	if m.replica == nil {
		return
	}
	if n := len(m.unsaved); n > 0 {
		through := m.unsaved[n-1].Sequence
		_ = m.log.Append(m.unsaved)
		_ = m.log.Sync()
		m.unsaved = nil
		m.replica.Persisted(through)
		g.collect(r)
		return
	}
	if c := m.saving; c != nil {
		m.saving = nil
		if c.Index >= m.log.first()-1 {
			_ = m.log.SaveCheckpoint(c)
		}
		m.replica.CheckpointSaved(c.Index)
		g.collect(r)
		return
	}
	if m.trim != nil {
		base, err := m.trim.Run(m.log)
		if err != nil {
			g.t.Fatal(err)
		}
		m.trim = nil
		m.replica.Trimmed(base)
		g.collect(r)
	}
}

// deliver brings message i to its recipient, through its encoding, unless it is lost.
func (g *group) deliver(i int) {
	s := g.wires[i]
	g.inHand = s.bytes
	g.wires = slices.Delete(g.wires, i, i+1)
	to := g.members[s.to]
	if to == nil || to.replica == nil || g.cut(s.from, s.to) {
		return
	}
	m, err := partitions.ParseMessage(s.bytes)
	if err != nil {
		g.t.Fatal(err)
	}
	to.replica.Step(nodeOf(s.from), m, g.now)
	g.collect(s.to)
}

// settle runs everything that is under way to its end.
func (g *group) settle() {
	for busy := true; busy; {
		busy = false
		for len(g.wires) > 0 {
			g.deliver(0)
			busy = true
		}
		for _, r := range g.order {
			if m := g.members[r]; m.replica != nil && (len(m.unsaved) > 0 || m.saving != nil || m.trim != nil) {
				g.persist(r)
				busy = true
			}
		}
	}
}

// tick lets time pass for everybody, and settles after each tick.
func (g *group) tick(n int) {
	for range n {
		g.now += partitions.TickMillis
		for _, r := range g.order {
			if m := g.members[r]; m.replica != nil {
				m.replica.Tick(g.now)
				g.collect(r)
			}
		}
		g.settle()
	}
}

// lead ticks until somebody leads and answers.
func (g *group) lead() id.Replica {
	for range 200 {
		if l := g.leader(); l != 0 {
			return l
		}
		g.tick(1)
	}
	g.t.Fatalf("nobody leads after 10 s: %s", g.describe())
	return 0
}

// leader is the ready leader of the highest term, 0 when there is none.
func (g *group) leader() (leader id.Replica) {
	var term id.Term
	for _, r := range g.order {
		if m := g.members[r]; m.replica != nil {
			if s := m.replica.Status(); s.Ready && s.Term > term {
				leader, term = r, s.Term
			}
		}
	}
	return leader
}

func (g *group) produce(to id.Replica) {
	g.requests++
	value := fmt.Sprintf("value %d", g.requests)
	b := batch.NewBuilder(batch.None)
	b.Append(g.now, nil, []byte(value), nil)
	data, err := b.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	if err != nil {
		g.t.Fatal(err)
	}
	g.asked[g.requests] = value
	g.members[to].replica.Produce(partitions.Produce{
		Request: g.requests, Batch: slices.Clone(data), Acks: partitions.AcksQuorum, ExpectEnd: partitions.NoExpectation,
	}, g.now)
	g.collect(to)
}

// compare demands that all living members hold the same log, up to what each has applied, with all that was acknowledged.
func (g *group) compare() {
	g.t.Helper()
	for _, r := range g.order {
		m := g.members[r]
		if m.replica == nil {
			continue
		}
		applied := m.replica.Status().Applied
		for _, e := range m.log.entries {
			if e.Index > applied {
				break
			}
			text := fmt.Sprintf("term %d type %d %x", e.Term, e.Type, e.Payload)
			if was, ok := g.applied[e.Index]; ok && was != text {
				g.t.Fatalf("entry %d of replica %d (-first +now):\n%s", e.Index, r, cmp.Diff(was, text))
			}
			g.applied[e.Index] = text
		}
	}
	leader := g.members[g.lead()]
	for at, value := range g.acknowledged {
		if at >= leader.replica.Status().LogStart && !leader.log.holdsDurably(at, value) {
			g.t.Fatalf("offset %d, acknowledged as %q, is not in the leader's log: %s", at, value, g.describe())
		}
	}
}

func (g *group) describe() (all string) {
	for _, r := range g.order {
		if m := g.members[r]; m.replica == nil {
			all += fmt.Sprintf("\n%d: down", r)
		} else {
			s := m.replica.Status()
			all += fmt.Sprintf("\n%d: %v term %d ready %v log %d to %d, high watermark %d, voters %v learners %v settled %v",
				r, s.Role, s.Term, s.Ready, m.log.first(), s.Last, s.HighWatermark, s.Voters, s.Learners, s.Settled)
		}
	}
	return all
}

// raftRandomness replaces raft's source of randomness for a test.
func raftRandomness(t *testing.T, source io.Reader) {
	system := crypto.Reader
	crypto.Reader = source
	t.Cleanup(func() { crypto.Reader = system })
}
