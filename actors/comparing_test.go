package actors

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// compare has the replicas of a partition compared from one broker, piece by piece until the end or a difference, and
// returns the last answer and how many there were.
func (b *testBroker) compare(p id.Partition, q partitions.Compare) (c partitions.Comparison, pieces int) {
	b.cluster.t.Helper()
	for {
		var got answers[partitions.Comparison]
		b.node.Router().Compare(p, q, got.take)
		b.cluster.until("compared", func() bool { return len(got.all) > 0 })
		c = got.only(b.cluster.t)
		pieces++
		q = partitions.Compare{From: c.Through + 1, End: c.End}
		for _, r := range c.Replicas {
			if r.Verdict != partitions.VerdictEqual {
				return c, pieces
			}
		}
		if c.Err != nil || c.Through >= c.End {
			return c, pieces
		}
	}
}

// verdicts lists what was found, in the order of brokers.
func verdicts(c partitions.Comparison) string {
	s := ""
	slices.SortFunc(c.Replicas, func(a, b partitions.Compared) int { return int(a.Node) - int(b.Node) })
	for _, r := range c.Replicas {
		s += fmt.Sprintf("%d %v ", uint64(r.Node), r.Verdict)
		if r.Verdict == partitions.VerdictDiffers {
			s += fmt.Sprintf("at %d ", r.Offset)
		}
	}
	return strings.TrimSpace(s)
}

// Replicas of one partition hold the same, whoever is asked; one whose log was changed behind its back is found, with the
// batch that differs, wherever that lies.
func TestComparisonFindsTheBatchThatDiffers(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	topic := c.create(c.brokers[0], "t", 1, c.brokers...)
	p := id.Partition{Topic: topic.ID}
	for i := range 40 {
		c.brokers[i%3].produce(p, fmt.Sprintf("record %d", i))
	}
	c.settled("at rest", everywhere(3))
	for _, b := range c.brokers {
		got, _ := b.compare(p, partitions.Compare{})
		if d := cmp.Diff("1 equal 2 equal 3 equal", verdicts(got)); d != "" || got.HighWatermark != 40 || got.Through != got.End || got.Offset != 39 {
			t.Errorf("broker %d: %s %+v", b.id, d, got)
		}
	}
	for _, offset := range []id.Offset{0, 17, 39} {
		b := c.brokers[2]
		restore := b.disk.falsify(b.disk.Replicas(p)[0], offset)
		got, _ := c.brokers[0].compare(p, partitions.Compare{})
		if d := cmp.Diff(fmt.Sprintf("1 equal 2 equal 3 differs at %d", offset), verdicts(got)); d != "" {
			t.Error(d)
		}
		restore()
	}
	if got, _ := c.brokers[0].compare(p, partitions.Compare{}); verdicts(got) != "1 equal 2 equal 3 equal" {
		t.Errorf("restored, and: %s", verdicts(got))
	}
}

// What is written while it is compared is left alone, and pieces follow one another.
func TestComparisonGoesInPieces(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	topic := c.create(c.brokers[0], "t", 1, c.brokers...)
	p := id.Partition{Topic: topic.ID}
	large := strings.Repeat("x", 900<<10)
	for range 12 {
		c.brokers[0].produce(p, large)
	}
	c.settled("at rest", everywhere(3))
	var got answers[partitions.Comparison]
	c.brokers[1].node.Router().Compare(p, partitions.Compare{}, got.take)
	c.until("a piece", func() bool { return len(got.all) > 0 })
	first := got.only(t)
	if first.Through >= first.End || first.Bytes < compareBytes || first.Bytes > compareBytes+2<<20 {
		t.Errorf("the first piece: %+v", first)
	}
	c.brokers[0].produce(p, "later")
	last, pieces := c.brokers[1].compare(p, partitions.Compare{From: first.Through + 1, End: first.End})
	if last.End != first.End || last.Through != first.End || pieces < 2 || verdicts(last) != "1 equal 2 equal 3 equal" {
		t.Errorf("after %d more pieces: %+v", pieces, last)
	}
}

// Who cannot be reached, is quarantined or alone is not compared, and says why; the others are.
func TestComparisonWithoutSome(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	topic := c.create(c.brokers[0], "t", 2, c.brokers...)
	p := id.Partition{Topic: topic.ID}
	c.brokers[0].produce(p, "a")
	c.settled("at rest", everywhere(3))
	c.brokers[2].kill()
	c.leader(p)
	got, _ := c.brokers[0].compare(p, partitions.Compare{})
	if verdicts(got) != "1 equal 2 equal 3 uncompared" || got.Replicas[2].Reason != "its broker cannot be reached" {
		t.Errorf("%s: %+v", verdicts(got), got)
	}
	c.brokers[1].kill()
	if got, _ = c.brokers[0].compare(p, partitions.Compare{}); verdicts(got) != "1 uncompared 2 uncompared 3 uncompared" {
		t.Errorf("alone: %s", verdicts(got))
	}
	if got, _ = c.brokers[0].compare(id.Partition{Topic: 99}, partitions.Compare{}); got.Err == nil {
		t.Error("a partition that is none is compared")
	}
}

// falsify changes the batch at an offset of one replica's log, as damage does that no checksum shows, and returns how to undo
// that.
func (d *memoryDisk) falsify(r id.Replica, offset id.Offset) (restore func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.replicas[r]
	for i := range m.entries {
		e := &m.entries[i]
		if h, err := batch.ParseHeader(e.Payload); e.Type == partitions.EntryBatch && err == nil && h.BaseOffset == offset {
			before := e.Payload
			e.Payload = slices.Clone(before)
			e.Payload[len(before)-1] ^= 1
			return func() { e.Payload = before }
		}
	}
	panic("there is no such batch")
}
