package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
)

// TestOlderDirectoryInPlace puts an older copy of a broker's data directory in its place while everybody is down. Alone it cannot
// know. The first broker that it meets has met later starts of it, before its own start, and refuses it: together they would be a
// majority that has forgotten what was acknowledged.
func TestOlderDirectoryInPlace(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts broker processes")
	}
	members := cluster(t, 3)
	keeps, restored, behind := members[0], members[1], members[2]
	must(t, "", "topic", "create", "acked", "--partitions", "1", "--replicas", "3", "--broker", keeps.Gateway)
	// The catalog, too: a copy without a replica of it would not be ready alone.
	for _, topic := range []string{"acked", string(catalog.Name)} {
		awaitTopic(t, keeps.Gateway, topic, "on all three", func(p *protocol.DescribedPartition) bool {
			return p.Ready && p.Settled && len(p.Members) == 3
		})
	}
	writeNumbered(t, keeps.Gateway, 0, 100)
	data, copied := filepath.Join(restored.directory, "data"), filepath.Join(t.TempDir(), "copied")
	if err := restored.drain(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(copied, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	restored.again(t, "--join", keeps.Gossip)
	awaitCluster(t, behind.Gateway, "back", func(c *protocol.DescribeClusterResponse) bool { return allAlive(c, 3) })
	awaitTopic(t, behind.Gateway, "acked", "followed again by all", func(p *protocol.DescribedPartition) bool {
		return p.Ready && followedByAll(p)
	})
	behind.kill() // what comes now is acknowledged by the two others
	writeNumbered(t, keeps.Gateway, 100, 200)
	restored.kill()
	keeps.kill()

	if err := errors.Join(os.RemoveAll(data), os.CopyFS(data, os.DirFS(copied))); err != nil {
		t.Fatal(err)
	}
	restored.again(t)
	behind.again(t)
	<-restored.exited
	log, err := os.ReadFile(filepath.Join(restored.directory, "broker.log"))
	if err != nil {
		t.Fatal(err)
	}
	if said := string(log); !strings.Contains(said, "older than the last that this broker had") {
		t.Errorf("it ended, and did not say why: %v", restored.outcome)
	}
	keeps.again(t, "--join", behind.Gossip)
	c, err := client.New(client.WithBroker(keeps.Gateway))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	awaitTopic(t, keeps.Gateway, "acked", "led", func(p *protocol.DescribedPartition) bool { return p.Ready })
	seen := 0
	err = readAll(t.Context(), c, "acked", func(r *client.Record) {
		if want := fmt.Sprint(seen); string(r.Value) != want {
			t.Errorf("record %d is %q", seen, r.Value)
		}
		seen++
	})
	if err != nil || seen != 200 {
		t.Errorf("%d of 200 acknowledged records are there: %v", seen, err)
	}
}

func allAlive(c *protocol.DescribeClusterResponse, n int) bool {
	for _, node := range c.Nodes {
		if node.Alive {
			n--
		}
	}
	return n == 0
}

func followedByAll(p *protocol.DescribedPartition) bool {
	for _, m := range p.Members {
		if m.Role != "leader" && m.State != "replicate" {
			return false
		}
	}
	return true
}

// writeNumbered has the numbers from one to below another acknowledged, each a record.
func writeNumbered(t *testing.T, gateway string, from, to int) {
	t.Helper()
	c, err := client.New(client.WithBroker(gateway))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n := from; n < to; n++ {
		if err := c.ProduceSync(t.Context(), &client.Record{Topic: "acked", Value: fmt.Append(nil, n)}); err != nil {
			t.Fatal(err)
		}
	}
}
