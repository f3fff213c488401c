package actors

import (
	"log/slog"
	"strings"
	"testing"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// TestStraysAreShown: what a recovered catalog does not know is named, unless it only has not heard of it yet, or it is on its way
// out.
func TestStraysAreShown(t *testing.T) {
	fold, disk := catalog.NewFold(), newMemoryDisk()
	for i, c := range []catalog.Command{
		catalog.Bootstrap{Cluster: 0xc, Node: 7}, catalog.CreateTopic{Name: "known", Partitions: 1, Placements: [][]id.Node{{7}}},
		catalog.CreateTopic{Name: "deleted", Partitions: 1, Placements: [][]id.Node{{7}}}, catalog.DeleteTopic{Topic: catalog.FirstUserTopic + 1},
	} {
		fold.Apply(id.Offset(i), catalog.Batch(c, 1))
	}
	state := *fold.State()
	state.NextReplica = 1000
	hold := func(topic id.TopicID, replicas ...id.Replica) {
		for _, r := range replicas {
			if err := disk.Create(id.Partition{Topic: topic}, r, nil, partitions.HardState{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	hold(catalog.TopicID, catalog.FirstReplica)
	hold(catalog.FirstUserTopic, 2)
	hold(catalog.FirstUserTopic+1, 3)
	hold(99, 1000)
	c := &curator{
		stage: &stage{seams: Seams{Disk: disk}, log: slog.New(slog.DiscardHandler)}, board: newBoard(), state: &state, epoch: 1 << 32,
		erasing: map[id.Replica]bool{50: true},
	}
	hold(99, 50)
	c.lookForStrays()
	if p := c.board.problems(); len(p) != 0 {
		t.Fatalf("%q", p)
	}
	hold(99, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49)
	c.lookForStrays()
	if p := c.board.problems(); len(p) != 1 || !strings.Contains(p[0], "replica 40 of t99/0, ") || !strings.Contains(p[0], "replica 47 of t99/0, 2 more,") {
		t.Fatalf("%q", p)
	}
	for r := id.Replica(40); r < 50; r++ {
		delete(disk.replicas, r)
	}
	c.lookForStrays()
	if p := c.board.problems(); len(p) != 0 {
		t.Fatalf("%q", p)
	}
	hold(99, 40)
	c.epoch = 0
	c.lookForStrays()
	if p := c.board.problems(); len(p) != 0 {
		t.Fatalf("a catalog that was never recovered: %q", p)
	}
}
