package main

import (
	"strings"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// TestTransfer moves leadership by hand.
func TestTransfer(t *testing.T) {
	members := cluster(t, 3)
	at := "--broker=" + members[0].Gateway
	must(t, "", "topic", "create", "pets", "--replicas", "3", at)
	first := map[string]id.Node{} // preferred leaders: a broker that leads both will not keep both
	for _, topic := range []string{"__catalog", "pets"} {
		awaitTopic(t, members[0].Gateway, topic, "settled", func(p *protocol.DescribedPartition) bool {
			first[topic] = p.Replicas[0]
			return whole(p)
		})
	}
	for _, m := range members {
		if m.Node != first["__catalog"].String() && m.Node != first["pets"].String() {
			must(t, "", "cluster", "transfer", "pets/0", "--to", m.Node, "--wait", at)
			return
		}
	}
	t.Fatal("there is no third broker")
}

// TestNodeOperations empties a broker, takes that back, and lets one go for ever, while producers write.
func TestNodeOperations(t *testing.T) {
	members := cluster(t, 4)
	at := "--broker=" + members[0].Gateway
	must(t, "", "topic", "create", "crash", "--replicas", "3", "--partitions", "3", at)
	w := startWriters(t, members[1].Gateway)
	w.awaitAcknowledged(t, 500)

	last := members[3]
	must(t, "", "cluster", "drain", last.Node, "--wait", at)
	if out := must(t, "", "cluster", "nodes", at); !strings.Contains(out, "draining") {
		t.Error(out)
	}
	w.awaitAcknowledged(t, 500)
	if got := troupe(t, "", "cluster", "drain", members[2].Node, at); got.code != exitFailed || !strings.Contains(got.problems, "crash") {
		t.Errorf("too few are left: exit %d, %s", got.code, got.problems)
	}
	must(t, "", "cluster", "drain", last.Node, "--undo", at)
	must(t, "", "cluster", "decommission", last.Node, at)
	if err := last.drain(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if got := troupe(t, "", "cluster", "decommission", last.Node, at); got.code == exitFine {
		t.Error("who is gone is let go again")
	}
	w.awaitAcknowledged(t, 500)
	w.finish()
	readBack(t, members[2].Gateway, w.books)
	for number, books := range w.books {
		if err := books.verdict().err(); err != nil {
			t.Errorf("producer %d: %v", number, err)
		}
	}
}
