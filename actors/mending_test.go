package actors

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/id"
)

// replicated makes a topic of one partition on three brokers with a few records that everybody has applied.
func replicated(t *testing.T) (*testCluster, id.Partition) {
	t.Helper()
	c := newCluster(t, 3, Limits{})
	topic := c.create(c.brokers[0], "t", 1, c.brokers...)
	p := id.Partition{Topic: topic.ID}
	c.settled("grown", everywhere(3))
	for _, v := range []string{"a", "b", "c", "d"} {
		if a := c.brokers[1].produce(p, v); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	c.pass(time.Second)
	return c, p
}

// memoryOf is the disk under a broker's replica of a partition.
func (b *testBroker) memoryOf(p id.Partition) *memory { return b.disk.replicas[b.disk.Replicas(p)[0]] }

// spoil makes some batches of a log unreadable, and tells which.
func (m *memory) spoil(from, to int) (bad []id.Index) {
	n := 0
	for _, e := range m.entries {
		if e.Type != partitions.EntryBatch {
			continue
		}
		if n >= from && n < to {
			m.bad[e.Index] = true
			bad = append(bad, e.Index)
		}
		n++
	}
	return bad
}

func (c *testCluster) mended(b *testBroker, p id.Partition, replica id.Replica) {
	c.t.Helper()
	c.until("mended", func() bool {
		a := b.node.router.find(p)
		return a != nil && a.readProblem() == "" && len(b.memoryOf(p).bad) == 0
	})
	if now := b.node.router.find(p).replica; now != replica {
		c.t.Errorf("replica %d was replaced by %d", replica, now)
	}
}

// reads brings down who else could answer one after the other, and demands everything of those who are left.
func (c *testCluster) allThere(p id.Partition) {
	c.t.Helper()
	for _, b := range c.brokers {
		b.kill()
		leader := c.leader(p)
		f := leader.fetch(p, 0)
		if d := cmp.Diff([]string{"a", "b", "c", "d"}, values(c.t, f.Batches)); d != "" || f.Err != nil {
			c.t.Errorf("without broker %d: %v (-want +got):\n%s", b.id, f.Err, d)
		}
		b.start()
		c.until("back", func() bool { return len(b.ready) > 0 })
		c.pass(2 * time.Second)
	}
}

func TestHoleIsFilledFromPeers(t *testing.T) {
	c, p := replicated(t)
	victim := c.brokers[2]
	m := victim.memoryOf(p)
	replica := m.replica
	victim.kill()
	m.spoil(1, 3)
	m.damage = &partitions.Damage{Kind: partitions.DamageHole, Index: 4, Reason: "a flipped bit"}
	victim.start()
	c.mended(victim, p, replica)
	c.allThere(p)
}

// Two of three replicas have lost different entries, and nobody leads: they still give each other what they have.
func TestHolesInAMajorityAreFilled(t *testing.T) {
	c, p := replicated(t)
	var replicas []id.Replica
	for i, b := range c.brokers[1:] {
		m := b.memoryOf(p)
		replicas = append(replicas, m.replica)
		b.kill()
		m.spoil(i, i+1)
		m.damage = &partitions.Damage{Kind: partitions.DamageHole, Index: 4, Reason: "a flipped bit"}
	}
	c.brokers[0].kill()
	c.brokers[1].start()
	c.brokers[2].start()
	for i, b := range c.brokers[1:] {
		c.mended(b, p, replicas[i])
	}
	c.brokers[0].start()
	c.pass(3 * time.Second)
	c.allThere(p)
}

// A leader whose reads meet damage hands over, steps aside, is mended and comes back under its own id.
func TestLeaderWithDamageStepsAside(t *testing.T) {
	c, p := replicated(t)
	c.pass(2 * DefaultLimits.RestAfter) // from then on what was written is read from the disk
	leader := c.leader(p)
	m := leader.memoryOf(p)
	replica := m.replica
	m.spoil(0, 2)
	if f := leader.fetch(p, 0); !errors.Is(f.Err, partitions.ErrDamaged) {
		t.Fatalf("%+v", f)
	}
	c.until("another leads", func() bool {
		for _, b := range c.brokers {
			if b != leader && b.node.router.find(p).leading() {
				return true
			}
		}
		return false
	})
	c.mended(leader, p, replica)
	c.allThere(p)
}

// What all peers have dropped cannot come back: the replica is replaced.
func TestHoleBelowEverybodysLogIsReplaced(t *testing.T) {
	c, p := replicated(t)
	victim := c.brokers[2]
	if c.leader(p) == victim {
		victim = c.brokers[1]
	}
	m := victim.memoryOf(p)
	old := m.replica
	victim.kill()
	bad := m.spoil(0, 1)
	m.damage = &partitions.Damage{Kind: partitions.DamageHole, Index: bad[0], Reason: "a flipped bit"}
	var got answers[partitions.DeleteAnswer]
	leader := c.leader(p)
	leader.node.Router().DeleteRecords(p, partitions.DeleteRecords{Before: 2}, got.take)
	c.until("deleted", func() bool { return len(got.all) > 0 && leader.memoryOf(p).begins() > bad[0] })
	c.pass(2 * time.Second)
	victim.start()
	c.until("replaced", func() bool {
		a := victim.node.router.find(p)
		return a != nil && a.replica != old && a.readProblem() == ""
	})
}

func TestEntriesAreBounded(t *testing.T) {
	c, p := replicated(t)
	b := c.brokers[0]
	ask := func(lo, hi id.Index) ([]partitions.Entry, error) {
		var all []partitions.Entry
		var failed error
		n := 0
		b.node.router.find(p).ask(&entriesRequest{lo: lo, hi: hi, done: func(e []partitions.Entry, err error) { all, failed, n = e, err, n+1 }})
		c.run()
		if n != 1 {
			t.Fatalf("%d answers", n)
		}
		return all, failed
	}
	last := b.memoryOf(p).entries[len(b.memoryOf(p).entries)-1].Index
	if e, err := ask(2, last+100); err != nil || id.Index(len(e)) != last-1 {
		t.Errorf("%d entries up to %d, %v", len(e), last, err)
	}
	for _, lo := range []id.Index{1, last + 1} {
		if e, err := ask(lo, lo+1); err == nil {
			t.Errorf("from %d: %d entries, where there are those from 2 to %d", lo, len(e), last)
		}
	}
}

// A follower is asked for nothing: only the scrubber can find what its disk has done to old segments.
func TestScrubbedDamageIsMended(t *testing.T) {
	c := newCluster(t, 3, Limits{ScrubBytes: 1 << 20, ScrubEvery: time.Second, RestAfter: time.Second})
	topic := c.create(c.brokers[0], "t", 1, c.brokers...)
	p := id.Partition{Topic: topic.ID}
	c.settled("grown", everywhere(3))
	for _, v := range []string{"a", "b", "c", "d"} {
		c.brokers[1].produce(p, v)
	}
	c.pass(time.Second)
	for _, b := range c.brokers {
		if c.leader(p) != b {
			m := b.memoryOf(p)
			m.spoil(1, 2)
			c.mended(b, p, m.replica)
		}
	}
	c.allThere(p)
}
