package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
)

// data is a member's data directory.
func (m *member) data() string { return filepath.Join(m.directory, "data") }

// loses copies a member's data directory away, and empties it.
func (m *member) loses(t *testing.T) (copied string) {
	t.Helper()
	copied = t.TempDir()
	if err := os.CopyFS(filepath.Join(copied, "data"), os.DirFS(m.data())); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(m.data()); err != nil {
		t.Fatal(err)
	}
	return copied
}

// lostCatalog is a cluster of three with records in two topics of three replicas, of whose stopped brokers the first led what there
// is; it returns the epoch into which the catalog was recovered from it.
func lostCatalog(t *testing.T) (members []*member, epoch string) {
	members = cluster(t, 3)
	at := members[0].Gateway
	awaitTopic(t, at, "__catalog", "a catalog on all three", whole)
	must(t, "", "topic", "create", "pets", "--partitions", "2", "--replicas", "3", "--broker", at)
	must(t, "cat\ndog\nowl\nbee\n", "produce", "pets", "--broker", at)
	awaitTopic(t, at, "pets", "three replicas with all of it", func(p *protocol.DescribedPartition) bool {
		for _, m := range p.Members {
			if m.Role != "leader" && m.Match != p.Members[slices.IndexFunc(p.Members, func(r protocol.DescribedReplica) bool { return r.Role == "leader" })].Match {
				return false
			}
		}
		return whole(p)
	})
	for _, m := range members {
		m.kill()
	}
	from := []string{"cluster", "recover", "--from", members[0].data()}
	refused := func(code int, problem string, more ...string) string {
		t.Helper()
		got := troupe(t, "", append(slices.Clone(from), more...)...)
		if got.code != code || !strings.Contains(got.problems, problem) {
			t.Fatalf("cluster recover %v: exit %d\n%s%s\nwant exit %d with %q", more, got.code, got.out, got.problems, code, problem)
		}
		return got.out
	}
	if has := refused(exitUsage, "--accept-loss"); !strings.Contains(has, "1 topic, 2 partitions, 3 brokers") || strings.Count(has, "on broker") != 3 {
		t.Fatalf("it has:\n%s", has)
	}
	done := must(t, "", append(from, "--accept-loss")...)
	epoch = regexp.MustCompile(`--epoch (\S+)`).FindStringSubmatch(done)[1]
	t.Log(done)
	for range 2 { // again: nothing is left to do
		if again := must(t, "", append(from, "--accept-loss")...); !strings.Contains(again, "nothing left to recover") || !strings.Contains(again, epoch) {
			t.Fatal(again)
		}
	}
	return members, epoch
}

// consumed compares the records of a topic, whatever their order among partitions.
func consumed(t *testing.T, gateway, topic string, want ...string) {
	t.Helper()
	got := strings.Fields(must(t, "", "consume", topic, "--until", "end", "--broker", gateway))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, not %q", topic, got, want)
	}
}

// stops starts a broker that must end by itself, and returns what it says.
func (m *member) stops(t *testing.T, why string) {
	t.Helper()
	p, err := startProcess(t.Context(), m.data(), m.Gateway, filepath.Join(m.directory, "broker.log"), "--peer", m.Peer, "--gossip", m.Gossip)
	if err == nil {
		<-p.exited
		err = p.outcome
	}
	if err == nil {
		t.Fatal("it ended as if all were well")
	}
	log, problem := os.ReadFile(filepath.Join(m.directory, "broker.log"))
	if !strings.Contains(string(log), why) {
		t.Fatalf("%v, %v: the log does not tell %q:\n%s", err, problem, why, log)
	}
}

// TestRecoveredCatalogIsFollowed loses the catalogs of two brokers as far as anybody can tell, and recovers it from the third. One of
// the two comes back with all it had: it is refused, and once it follows, its partitions are as they were.
func TestRecoveredCatalogIsFollowed(t *testing.T) {
	members, epoch := lostCatalog(t)
	survivor, back := members[0], members[1]
	survivor.again(t)
	if survivor.process == nil {
		t.FailNow()
	}
	awaitTopic(t, survivor.Gateway, "__catalog", "led by the survivor", func(p *protocol.DescribedPartition) bool {
		return p.Ready && p.Leader.String() == survivor.Node && len(p.Recoveries) == 1
	})
	for _, line := range [][]string{{"cluster", "recover", "--from", survivor.data()}, {"cluster", "adopt", survivor.data(), "--epoch", epoch}} {
		if got := troupe(t, "", line...); got.code != exitFailed || !strings.Contains(got.problems, "in use") {
			t.Errorf("%v while a broker runs: exit %d\n%s%s", line, got.code, got.out, got.problems)
		}
	}

	back.stops(t, "cluster adopt")
	awaitCluster(t, survivor.Gateway, "without the old broker", func(c *protocol.DescribeClusterResponse) bool {
		return c.Epoch == epoch && !slices.ContainsFunc(c.Nodes, func(n protocol.ClusterNode) bool { return n.Alive && n.Node.String() == back.Node })
	})
	if got := troupe(t, "", "cluster", "adopt", back.data(), "--epoch", epoch[:len(epoch)-1]+"z"); got.code != exitUsage {
		t.Errorf("a mistyped epoch: exit %d\n%s%s", got.code, got.out, got.problems)
	}
	adopted := must(t, "", "cluster", "adopt", back.data(), "--epoch", epoch)
	if kept := regexp.MustCompile(`kept in (\S+);`).FindStringSubmatch(adopted); kept == nil {
		t.Errorf("what was kept is not told: %s", adopted)
	} else if _, err := os.Stat(filepath.Join(kept[1], "hardstate")); err != nil {
		t.Error(err)
	}
	must(t, "", "cluster", "adopt", back.data(), "--epoch", epoch)

	back.again(t)
	awaitTopic(t, survivor.Gateway, "pets", "led again", func(p *protocol.DescribedPartition) bool { return p.Ready })
	consumed(t, back.Gateway, "pets", "cat", "dog", "owl", "bee")
	must(t, "elk\n", "produce", "pets", "--broker", back.Gateway)
	members[2].stops(t, "cluster adopt")
	must(t, "", "cluster", "adopt", members[2].data(), "--epoch", epoch)
	members[2].again(t)
	awaitTopic(t, members[2].Gateway, "__catalog", "a catalog on all three", whole)
	awaitTopic(t, members[2].Gateway, "pets", "whole", whole)
	consumed(t, members[2].Gateway, "pets", "cat", "dog", "owl", "bee", "elk")
	must(t, "", "topic", "create", "new", "--partitions", "1", "--replicas", "3", "--broker", back.Gateway)
	must(t, "ant\n", "produce", "new", "--broker", back.Gateway)
	if got := must(t, "", "topic", "describe", "__catalog", "--broker", back.Gateway); !strings.Contains(got, "lost its majority") {
		t.Errorf("the loss is not shown:\n%s", got)
	}
	if got := must(t, "", "cluster", "status", "--broker", back.Gateway); !strings.Contains(got, epoch) {
		t.Errorf("the epoch is not shown:\n%s", got)
	}
}

// TestRecoveredCatalogLacksWhatTheLostOneMade recovers from a broker that was down when a topic was created. The topic is gone, which is
// shown where its bytes are; one of its name is another.
func TestRecoveredCatalogLacksWhatTheLostOneMade(t *testing.T) {
	members := cluster(t, 3)
	survivor, others := members[0], members[1:]
	awaitTopic(t, survivor.Gateway, "__catalog", "a catalog on all three", whole)
	survivor.kill()
	await(t, others[0].Gateway, "a topic that the survivor never hears of", func(*client.Client) (bool, error) {
		got := troupe(t, "", "topic", "create", "late", "--partitions", "6", "--replicas", "1", "--if-not-exists", "--broker", others[0].Gateway)
		return got.code == exitFine, errors.New(got.problems)
	})
	for _, m := range others {
		m.kill()
	}
	done := must(t, "", "cluster", "recover", "--from", survivor.data(), "--accept-loss")
	epoch := regexp.MustCompile(`--epoch (\S+)`).FindStringSubmatch(done)[1]
	survivor.again(t)
	for _, m := range others {
		must(t, "", "cluster", "adopt", m.data(), "--epoch", epoch)
		if m.again(t); m.process == nil {
			t.FailNow()
		}
	}
	awaitCluster(t, survivor.Gateway, "what it does not know is shown", func(c *protocol.DescribeClusterResponse) bool {
		return slices.ContainsFunc(c.Nodes, func(n protocol.ClusterNode) bool {
			return n.Node.String() != survivor.Node && slices.ContainsFunc(n.Problems, func(p string) bool { return strings.Contains(p, "does not know") })
		})
	})
	must(t, "", "topic", "create", "late", "--partitions", "1", "--replicas", "3", "--broker", survivor.Gateway)
	must(t, "elk\n", "produce", "late", "--broker", others[0].Gateway)
	consumed(t, others[1].Gateway, "late", "elk")
	awaitTopic(t, others[0].Gateway, "__catalog", "a catalog on all three", whole)
}

// TestRecoveredCatalogOfAWipedCluster loses two of three data directories for good. Empty brokers come in their place, the lost ones
// are let go, and a partition that lost its majority with them goes on with what the survivor has.
func TestRecoveredCatalogOfAWipedCluster(t *testing.T) {
	members, epoch := lostCatalog(t)
	survivor := members[0]
	lost := []string{members[1].Node, members[2].Node}
	old := &member{directory: members[1].loses(t), process: members[1].process}
	members[2].loses(t)
	survivor.again(t)
	if survivor.process == nil {
		t.FailNow()
	}
	for _, m := range members[1:] {
		m.again(t, "--join", survivor.Gossip)
		if m.process == nil {
			t.FailNow()
		}
	}
	for n := range 2 {
		must(t, "", "partition", "recover", "pets/"+string(rune('0'+n)), "--accept-loss", "--wait", "--broker", survivor.Gateway)
	}
	consumed(t, members[1].Gateway, "pets", "cat", "dog", "owl", "bee")
	must(t, "elk\n", "produce", "pets", "--broker", members[2].Gateway)
	for _, node := range lost {
		await(t, survivor.Gateway, "let go of "+node, func(*client.Client) (bool, error) {
			got := troupe(t, "", "cluster", "decommission", node, "--broker", survivor.Gateway)
			return got.code == exitFine, errors.New(got.problems)
		})
	}
	awaitTopic(t, members[2].Gateway, "__catalog", "a catalog on all three", whole)
	awaitTopic(t, members[2].Gateway, "pets", "whole", whole)
	consumed(t, members[2].Gateway, "pets", "cat", "dog", "owl", "bee", "elk")

	members[1].kill()
	old.stops(t, epoch)
}
