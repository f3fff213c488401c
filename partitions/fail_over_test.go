package partitions_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

func TestThreeReplicasElectAndReplicate(t *testing.T) {
	g := newGroup(t, 1, 3)
	leader := g.lead()
	for range 10 {
		g.produce(leader)
	}
	g.settle()
	if len(g.acknowledged) != 10 {
		t.Fatalf("%d of 10 acknowledged: %s", len(g.acknowledged), g.describe())
	}
	g.tick(3) // the commit index travels with the next heartbeat
	for _, r := range g.order {
		if s := g.members[r].replica.Status(); s.HighWatermark != 10 {
			t.Errorf("replica %d has high watermark %d", r, s.HighWatermark)
		}
	}
	follower := leader%3 + 1
	g.members[follower].replica.Produce(partitions.Produce{Request: 99, Acks: partitions.AcksQuorum, ExpectEnd: -1}, g.now)
	var hint *partitions.NotLeaderError
	if a := g.members[follower].replica.Outbox().Produced[0]; !errors.As(a.Err, &hint) || hint.Leader != nodeOf(leader) {
		t.Errorf("a follower answers %v, not where the leader is", a.Err)
	}
	g.compare()
}

func TestNothingAcknowledgedIsLostWithTheLeader(t *testing.T) {
	g := newGroup(t, 2, 3)
	leader := g.lead()
	for range 5 {
		g.produce(leader)
	}
	g.settle()
	g.produce(leader) // proposed, and known to nobody else
	g.crash(leader)
	if next := g.lead(); next == leader {
		t.Fatal("the dead lead")
	}
	g.start(leader)
	g.produce(g.lead())
	g.tick(5)
	g.compare()
	if len(g.acknowledged) != 6 {
		t.Errorf("%d acknowledged", len(g.acknowledged))
	}
}

func TestMinorityLeaderAcknowledgesNothing(t *testing.T) {
	g := newGroup(t, 3, 3)
	old := g.lead()
	g.cut = func(from, to id.Replica) bool { return from == old || to == old }
	g.produce(old)
	g.tick(60)
	if s := g.members[old].replica.Status(); s.Role == partitions.RoleLeader {
		t.Error("a leader that hears nobody still leads after 3 s")
	}
	if len(g.asked) != 0 || len(g.acknowledged) != 0 {
		t.Errorf("%d unanswered, %d acknowledged", len(g.asked), len(g.acknowledged))
	}
	g.produce(g.lead())
	g.settle()
	g.cut = func(id.Replica, id.Replica) bool { return false }
	g.tick(40)
	g.compare()
	if s := g.members[old].replica.Status(); s.HighWatermark != 1 {
		t.Errorf("the old leader did not come back: %s", g.describe())
	}
}

func TestFollowerThatWasAwayCatchesUpBySnapshot(t *testing.T) {
	g := newGroup(t, 4, 3)
	leader := g.lead()
	away := leader%3 + 1
	g.crash(away)
	for range 20 {
		g.produce(leader)
		g.settle()
	}
	g.members[leader].replica.DeleteRecords(partitions.DeleteRecords{Request: 1000, Before: partitions.EverythingSoFar}, g.now)
	g.collect(leader)
	g.tick(3)
	if first := g.members[leader].log.first(); first < 15 {
		t.Fatalf("the leader's log still begins at %d", first)
	}
	g.produce(leader)
	g.settle()
	g.start(away)
	g.tick(40)
	s := g.members[away].replica.Status()
	if s.Counts.SnapshotsInstalled != 1 || s.HighWatermark != 21 || s.LogStart != 20 {
		t.Fatalf("%d snapshots installed: %s", s.Counts.SnapshotsInstalled, g.describe())
	}
	g.crash(away)
	g.start(away)
	g.tick(5)
	g.compare()
}

func TestLostSnapshotIsSentAgain(t *testing.T) {
	g := newGroup(t, 5, 1)
	g.add(2, empty(2))
	g.add(3, empty(3))
	lost := 0
	g.cut = func(from, to id.Replica) bool {
		m, _ := partitions.ParseMessage(g.inHand)
		if m.Kind() == partitions.KindSnapshot && lost < 2 {
			lost++
			return true
		}
		return false
	}
	g.produce(g.lead())
	g.assign(1, 1, 2, 3)
	g.tick(4 * partitions.SnapshotTicks)
	if lost != 2 || !g.members[1].replica.Status().Settled {
		t.Fatalf("%d snapshots lost: %s", lost, g.describe())
	}
	g.compare()
}

func TestOneReplicaGrowsMovesAndShrinks(t *testing.T) {
	g := newGroup(t, 6, 1)
	g.produce(g.lead())
	g.settle()
	for _, r := range []id.Replica{2, 3, 4, 5, 6} {
		g.add(r, empty(r))
	}
	for i, want := range [][]id.Replica{{1, 2, 3}, {4, 2, 3}, {4, 5, 6}, {6}} {
		g.assign(id.Offset(i+1), want...)
		for range 400 {
			if l := g.leader(); l != 0 {
				g.produce(l)
				if g.members[l].replica.Status().Settled {
					break
				}
			}
			g.tick(1)
		}
		g.tick(220) // leadership goes to the preferred one
		l := g.leader()
		if l != want[0] || !g.members[l].replica.Status().Settled {
			t.Fatalf("wanted %v: leader %d: %s", want, l, g.describe())
		}
		g.compare()
	}
	if len(g.acknowledged) < 10 {
		t.Errorf("%d acknowledged, %d with unknown outcome", len(g.acknowledged), g.unknown)
	}
}

// TestReachedVotersNeedNoOldOnes: once a leader tells that an assignment is reached, those who are no voters any more may be
// deleted. Then everybody else restarts with the log that is on the disk and without the commit index, which was not, and one
// of the new voters is lost, too.
func TestReachedVotersNeedNoOldOnes(t *testing.T) {
	for seed := range uint64(10) {
		for _, lost := range []id.Replica{2, 3, 4} {
			g := newGroup(t, 100+seed, 3)
			g.add(4, empty(4))
			g.produce(g.lead())
			g.cut = func(id.Replica, id.Replica) bool { return g.random.IntN(4) == 0 }
			g.assign(1, 3, 2, 4)
			for reached := false; !reached; {
				g.tick(1)
				if l := g.leader(); l != 0 {
					_, reached = g.members[l].replica.Reached()
				}
			}
			g.cut = func(id.Replica, id.Replica) bool { return false }
			for _, r := range g.order {
				g.crash(r)
				m := g.members[r]
				m.log.checkpoint, m.log.state.Commit, m.log.durable.Commit = m.log.base, 0, 0
			}
			g.wires = nil
			for _, r := range g.order {
				if r != 1 && r != lost {
					g.start(r)
				}
			}
			before := len(g.acknowledged)
			g.produce(g.lead())
			g.settle()
			g.compare()
			if len(g.acknowledged) != before+1 {
				t.Fatalf("seed %d without replica %d: nothing can be written: %s", seed, lost, g.describe())
			}
		}
	}
}

func TestOlderAssignmentIsNotFollowed(t *testing.T) {
	g := newGroup(t, 9, 3)
	g.add(4, empty(4))
	g.lead()
	g.assign(5, 4, 2, 3)
	g.tick(100)
	if !g.members[g.lead()].replica.Status().Settled {
		t.Fatalf("not settled: %s", g.describe())
	}
	for _, r := range g.order { // a broker that has not yet read the newest catalog
		g.crash(r)
	}
	g.want = partitions.Assignment{Version: 3, Replicas: placed(1, 2, 3)}
	for _, r := range g.order {
		g.start(r)
	}
	g.lead()
	g.tick(100)
	s := g.members[g.lead()].replica.Status()
	if d := cmp.Diff(placed(2, 3, 4), s.Voters); d != "" || s.Assignment != 5 {
		t.Errorf("assignment %d, voters (-want +got):\n%s", s.Assignment, d)
	}
}

func TestTransferIsQuick(t *testing.T) {
	g := newGroup(t, 7, 3)
	leader := g.lead()
	g.members[leader].replica.Transfer()
	g.collect(leader)
	g.settle()
	if next := g.leader(); next == 0 || next == leader {
		t.Fatalf("no new leader without a tick: %s", g.describe())
	}
}

func TestStrangersAreDropped(t *testing.T) {
	g := newGroup(t, 8, 3)
	g.lead()
	g.tick(1)
	s := g.members[1].replica.Status()
	var heartbeat partitions.Message
	for range 10 {
		g.now += partitions.TickMillis
		l := g.leader()
		g.members[l].replica.Tick(g.now)
		for _, m := range g.members[l].replica.Outbox().Messages {
			heartbeat = m
		}
	}
	to := g.members[heartbeat.To].replica
	before := to.Status()
	to.Step(nodeOf(99), heartbeat, g.now)                               // from another node than its sender lives on
	g.members[heartbeat.From].replica.Step(nodeOf(1), heartbeat, g.now) // for somebody else
	after := to.Status()
	if after.Counts.Strays != before.Counts.Strays+1 || len(to.Outbox().Messages) > 0 {
		t.Errorf("a message from a wrong node was taken: %+v, before %+v", after.Counts, s.Counts)
	}
	before.Counts, after.Counts = partitions.Counts{}, partitions.Counts{}
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("it changed something (-before +after):\n%s", d)
	}
}

// TestRandomTroubleLosesNothing draws crashes, lost, late and repeated messages, cuts, moves and trims, and demands of every
// step what Check and collect demand, and in the end that everybody agrees and nothing acknowledged is gone.
func TestRandomTroubleLosesNothing(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		g := newGroup(t, seed+100, 3)
		g.limits = partitions.Limits{CheckpointBytes: 300, TailBytes: 200, UncommittedBytes: 4000}
		for _, r := range []id.Replica{4, 5} {
			g.add(r, empty(r))
		}
		g.trouble(4000)
		g.wires, g.cut = nil, func(id.Replica, id.Replica) bool { return false }
		for _, r := range g.order {
			if g.members[r].replica == nil {
				g.start(r)
			}
		}
		g.tick(300)
		g.produce(g.lead())
		g.tick(5)
		g.compare()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func (g *group) trouble(steps int) {
	version := id.Offset(0)
	all := [][]id.Replica{{1, 2, 3}, {2, 3, 4}, {1, 4, 5}, {5, 2, 3}, {1, 2, 3, 4, 5}, {3, 4, 5}}
	for range steps {
		switch draw := g.random.IntN(100); {
		case draw < 45 && len(g.wires) > 0:
			i := g.random.IntN(min(len(g.wires), 8))
			switch lot := g.random.IntN(20); {
			case lot == 0: // lost
				g.wires = append(g.wires[:i:i], g.wires[i+1:]...)
			case lot == 1: // repeated
				g.wires = append(g.wires, g.wires[i])
				g.deliver(i)
			default:
				g.deliver(i)
			}
		case draw < 70:
			g.persist(g.order[g.random.IntN(len(g.order))])
		case draw < 88:
			g.now += partitions.TickMillis
			for _, r := range g.order {
				if m := g.members[r]; m.replica != nil && g.random.IntN(5) > 0 {
					m.replica.Tick(g.now)
					g.collect(r)
				}
			}
		case draw < 95:
			if r := g.order[g.random.IntN(len(g.order))]; draw == 94 && g.members[r].replica != nil {
				g.produce(r)
			} else if l := g.leader(); l != 0 {
				g.produce(l)
			}
		case draw < 97:
			r := g.order[g.random.IntN(len(g.order))]
			if g.members[r].replica == nil {
				g.start(r)
			} else {
				g.crash(r)
			}
		case draw < 98:
			lone := g.order[g.random.IntN(len(g.order))]
			g.cut = func(from, to id.Replica) bool { return from == lone || to == lone && lone%2 == 0 }
		case draw < 99:
			version++
			g.assign(version, all[g.random.IntN(len(all))]...)
		default:
			if l := g.leader(); l != 0 {
				g.requests++
				g.members[l].replica.DeleteRecords(partitions.DeleteRecords{Request: g.requests, Before: partitions.EverythingSoFar}, g.now)
				g.collect(l)
			}
		}
	}
}

// Whoever looks at a leader at any moment is told who is there, and who is not.
func TestWhoIsThere(t *testing.T) {
	g := newGroup(t, 12, 3)
	leader := g.lead()
	g.tick(partitions.ElectionTicks)
	there := func() (n int) {
		for _, p := range g.members[leader].replica.Status().Peers {
			if p.Active {
				n++
			}
		}
		return n
	}
	for tick := range 4 * partitions.ElectionTicks {
		g.members[leader].replica.Tick(g.now)
		if there() != 2 { // before anybody can have answered
			t.Fatalf("%d followers are there at tick %d", there(), tick)
		}
		g.tick(1)
	}
	g.crash(leader%3 + 1)
	g.tick(2 * partitions.ElectionTicks)
	if there() != 1 {
		t.Errorf("%d followers are there, one is down", there())
	}
}
