package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// member is a broker process of a cluster, on addresses that it keeps when it is started again.
type member struct {
	*process
	directory string
}

// cluster starts broker processes that find each other by gossip.
func cluster(t *testing.T, n int, more ...string) []*member {
	t.Helper()
	var members []*member
	for range n {
		m := &member{directory: t.TempDir()}
		line := more
		if len(members) > 0 {
			line = append([]string{"--join", members[0].Gossip}, more...)
		}
		if m.process = processAt(t, m.directory, "127.0.0.1:0", line...); m.process == nil {
			t.FailNow()
		}
		members = append(members, m)
	}
	awaitCluster(t, members[0].Gateway, fmt.Sprintf("%d brokers and the catalog on all of them", n), func(c *protocol.DescribeClusterResponse) bool {
		whole := len(c.Nodes) == n
		for _, node := range c.Nodes {
			whole = whole && node.Alive && node.State == "active"
		}
		return whole
	})
	return members
}

// again starts a broker anew, where it was.
func (m *member) again(t *testing.T, more ...string) {
	t.Helper()
	m.process = processAt(t, m.directory, m.Gateway, append([]string{"--peer", m.Peer, "--gossip", m.Gossip}, more...)...)
}

// testPatience is when a test gives up waiting for what must come; nothing is measured by it.
const testPatience = time.Minute

// awaitCluster asks a broker about its cluster until something is so.
func awaitCluster(t *testing.T, gateway, what string, so func(*protocol.DescribeClusterResponse) bool) {
	t.Helper()
	await(t, gateway, what, func(c *client.Client) (bool, error) {
		answer, err := c.DescribeCluster(t.Context())
		return err == nil && so(answer), err
	})
}

// awaitTopic asks a broker about a topic until something is so of each of its partitions.
func awaitTopic(t *testing.T, gateway, topic, what string, so func(*protocol.DescribedPartition) bool) {
	t.Helper()
	await(t, gateway, what, func(c *client.Client) (bool, error) {
		answer, err := c.DescribeTopic(t.Context(), topic)
		if err != nil {
			return false, err
		}
		for i := range answer.Partitions {
			if !so(&answer.Partitions[i]) {
				return false, fmt.Errorf("partition %d: %+v", i, answer.Partitions[i])
			}
		}
		return true, nil
	})
}

func await(t *testing.T, gateway, what string, so func(*client.Client) (bool, error)) {
	t.Helper()
	c, err := client.New(client.WithBroker(gateway))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	deadline := time.NewTimer(testPatience)
	defer deadline.Stop()
	for {
		fine, err := so(c)
		if fine {
			return
		}
		select {
		case <-pause.C:
		case <-deadline.C:
			t.Fatalf("not %s after %v: %v", what, testPatience, err)
		}
	}
}

// ledBy returns the member that leads a partition.
func ledBy(t *testing.T, gateway, topic string, members []*member) *member {
	t.Helper()
	var leader id.Node
	awaitTopic(t, gateway, topic, "led", func(p *protocol.DescribedPartition) bool { leader = p.Leader; return leader != 0 && p.Ready })
	for _, m := range members {
		if m.Node == leader.String() {
			return m
		}
	}
	t.Fatalf("no member is %v", leader)
	return nil
}

// whole tells whether all replicas of a partition are there and have all of it.
func whole(p *protocol.DescribedPartition) bool {
	caught := len(p.Members) == 3
	for _, r := range p.Members {
		caught = caught && (r.Role == "leader" || r.Role == "voter" && r.State == "replicate")
	}
	return caught && p.Ready && p.Settled
}

// other returns a member that is not the one given.
func other(members []*member, not *member) *member {
	if members[0] == not {
		return members[1]
	}
	return members[0]
}

// TestThreeBrokers has three processes find each other, and lets producers write through one of them while the leader is killed
// with SIGKILL, comes back and catches up, and then the next leader stops in order. Nothing acknowledged may be missing,
// doubled or out of order.
func TestThreeBrokers(t *testing.T) {
	members := cluster(t, 3)
	must(t, "", "topic", "create", "crash", "--replicas", "3", "--broker", members[0].Gateway)
	w := startWriters(t, members[1].Gateway)
	w.awaitAcknowledged(t, 500)

	leader := ledBy(t, members[2].Gateway, "crash", members)
	rest := other(members, leader)
	began := time.Now()
	leader.kill()
	w.awaitAcknowledged(t, 500+4*500) // more than was under way
	t.Logf("writes went on %v after a SIGKILL", time.Since(began).Round(time.Millisecond))
	leader.again(t)
	awaitTopic(t, rest.Gateway, "crash", "caught up", whole)

	leader = ledBy(t, rest.Gateway, "crash", members)
	rest = other(members, leader)
	slowest := w.slowest(func() {
		if err := leader.drain(); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
		w.awaitAcknowledged(t, 500+4*500)
	})
	t.Logf("an orderly stop of the leader kept a write waiting for at most %v", slowest.Round(time.Millisecond))
	w.finish()
	readBack(t, rest.Gateway, w.books)
	for number, books := range w.books {
		v := books.verdict()
		t.Logf("producer %d: %d sent, %d acknowledged, %d read", number, v.sent, v.acknowledged, v.read)
		if err := v.err(); err != nil {
			t.Errorf("producer %d: %v", number, err)
		}
	}
}

// TestKillsUnderLoad kills one broker after the other with SIGKILL at random moments, whatever it leads and whether or not the
// last one has caught up, while producers write. Nothing acknowledged may be missing, doubled or out of order.
func TestKillsUnderLoad(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	moments := rand.New(rand.NewPCG(seed, 0))
	members := cluster(t, 3)
	must(t, "", "topic", "create", "crash", "--replicas", "3", "--partitions", strconv.Itoa(crashPartitions), "--broker", members[0].Gateway)
	w := startWriters(t, members[0].Gateway)
	for range rounds {
		w.awaitAcknowledged(t, 1+moments.IntN(20_000))
		m := members[moments.IntN(len(members))]
		m.kill()
		if moments.IntN(2) == 0 {
			w.awaitAcknowledged(t, 1+moments.IntN(20_000))
		}
		if m.again(t); m.process == nil {
			t.FailNow()
		}
	}
	w.awaitAcknowledged(t, 1)
	w.finish()
	awaitTopic(t, members[1].Gateway, "crash", "caught up", whole)
	readBack(t, members[2].Gateway, w.books)
	for number, books := range w.books {
		v := books.verdict()
		t.Logf("producer %d: %d sent, %d acknowledged, %d read", number, v.sent, v.acknowledged, v.read)
		if err := v.err(); err != nil {
			t.Errorf("producer %d: %v", number, err)
		}
	}
}

// TestRestartOfAll kills every broker and starts them again without --join: they look for whom they knew.
func TestRestartOfAll(t *testing.T) {
	members := cluster(t, 3)
	must(t, "", "topic", "create", "pets", "--replicas", "3", "--broker", members[0].Gateway)
	must(t, "cat\ndog\n", "produce", "pets", "--broker", members[1].Gateway)
	for _, m := range members {
		m.kill()
	}
	var starting sync.WaitGroup
	for _, m := range members { // at once: one alone has no quorum to get ready with
		starting.Go(func() { m.again(t) })
	}
	starting.Wait()
	if t.Failed() {
		return
	}
	awaitTopic(t, members[2].Gateway, "pets", "whole again", whole)
	if got := must(t, "", "consume", "pets", "--until", "end", "--broker", members[0].Gateway); got != "cat\ndog\n" {
		t.Errorf("after the restart: %q", got)
	}
}

// TestSecretRotates runs brokers under a secret, and exchanges it while they serve.
func TestSecretRotates(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	old, young := must(t, "", "secret", "new"), must(t, "", "secret", "new")
	give := func(secrets string) {
		if err := os.WriteFile(file, []byte(secrets), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	give(old)
	members := cluster(t, 2, "--secret-file", file)
	must(t, "", "topic", "create", "pets", "--replicas", "1", "--broker", members[0].Gateway)
	for i, secrets := range []string{old + young, young + old, young} {
		give(secrets)
		for _, m := range members {
			m.awaitLog(t, i+1, "the secret has changed and is in use")
		}
	}
	must(t, "cat\n", "produce", "pets", "--broker", members[1].Gateway)
	if got := must(t, "", "consume", "pets", "--until", "end", "--broker", members[0].Gateway); got != "cat\n" {
		t.Errorf("%q", got)
	}

	strange := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(strange, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	from, to := io.Pipe()
	go func() {
		defer to.Close()
		run(ctx, []string{"serve", "--data", t.TempDir(), "--gateway", "127.0.0.1:0", "--join", members[0].Gossip, "--secret-file", strange,
			"--peer", "127.0.0.1:0", "--gossip", "127.0.0.1:0"}, strings.NewReader(""), io.Discard, to)
	}()
	defer cancel()
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "waiting for a cluster") {
			if !strings.Contains(lines.Text(), "another secret") {
				t.Error(lines.Text())
			}
			break
		}
	}
	cancel()
	for lines.Scan() { // until it has stopped
	}
}

// awaitLog waits until a broker has logged something so many times.
func (m *member) awaitLog(t *testing.T, times int, text string) {
	t.Helper()
	await(t, m.Gateway, fmt.Sprintf("%q logged %d times", text, times), func(*client.Client) (bool, error) {
		log, err := os.ReadFile(filepath.Join(m.directory, "broker.log"))
		return strings.Count(string(log), text) >= times, err
	})
}

// TestForeigners has a broker of one cluster told to join another: neither takes the other in.
func TestForeigners(t *testing.T) {
	here, there := broker(t), &member{directory: t.TempDir()}
	there.process = processAt(t, there.directory, "127.0.0.1:0")
	there.kill()
	there.again(t, "--join", here.Gossip)
	there.awaitLog(t, 1, "another cluster")
	for _, gateway := range []string{here.Gateway, there.Gateway} {
		awaitCluster(t, gateway, "alone", func(c *protocol.DescribeClusterResponse) bool { return len(c.Nodes) == 1 })
	}
}

// TestCopiedDirectory starts a copy of a living broker's data directory: it gets no link, and the original keeps its own.
func TestCopiedDirectory(t *testing.T) {
	members := cluster(t, 3)
	must(t, "", "topic", "create", "pets", "--replicas", "3", "--broker", members[0].Gateway)
	awaitTopic(t, members[0].Gateway, "pets", "settled", whole)
	copied := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(members[2].directory, "data"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--data", copied, "--gateway", "127.0.0.1:0", "--join", members[0].Gossip, "--drain-time", "1s"},
			strings.NewReader(""), io.Discard, io.Discard)
	}()
	members[0].awaitLog(t, 1, `"cause":"not this start"`)
	cancel()
	<-ended
	must(t, "cat\n", "produce", "pets", "--broker", members[1].Gateway)
	awaitTopic(t, members[0].Gateway, "pets", "whole with the original", whole)
	members[2].kill()
	members[2].again(t)
	awaitTopic(t, members[0].Gateway, "pets", "whole after a restart of the original", whole)
}

// TestLonelyBrokerStops has a broker that began a cluster of its own on a network hear of another one under its secret: whoever
// started it forgot --join.
func TestLonelyBrokerStops(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(must(t, "", "secret", "new")), 0o600); err != nil {
		t.Fatal(err)
	}
	open := []string{"--peer", ":0", "--gossip", ":0", "--secret-file", secret}
	lonely := processAt(t, t.TempDir(), "127.0.0.1:0", open...)
	if lonely == nil {
		t.FailNow()
	}
	if isLoopback(hostOf(lonely.Gossip)) {
		t.Skip("this machine has no other interface than loopback")
	}
	used := &member{directory: t.TempDir()}
	used.process = processAt(t, used.directory, "127.0.0.1:0", open...)
	must(t, "", "topic", "create", "pets", "--broker", used.Gateway)
	used.kill()
	if used.process = processAt(t, used.directory, "127.0.0.1:0", append(open, "--join", lonely.Gossip)...); used.process == nil {
		t.FailNow()
	}
	<-lonely.exited
	if lonely.outcome == nil {
		t.Error("it has ended as if all were well")
	}
	must(t, "", "topic", "describe", "pets", "--broker", used.Gateway)
}

// TestBootstrapExpect starts brokers that know of each other and of no cluster: one of them makes it, once.
func TestBootstrapExpect(t *testing.T) {
	var gossip []string
	for range 3 {
		gossip = append(gossip, freeAddress(t))
	}
	members := make([]*member, 3)
	var starting sync.WaitGroup
	for i := range members {
		members[i] = &member{directory: t.TempDir()}
		starting.Go(func() {
			members[i].process = processAt(t, members[i].directory, "127.0.0.1:0", "--gossip", gossip[i], "--join", strings.Join(gossip, ","),
				"--bootstrap-expect", "3")
		})
	}
	starting.Wait()
	if t.Failed() {
		return
	}
	awaitCluster(t, members[2].Gateway, "three brokers", func(c *protocol.DescribeClusterResponse) bool { return len(c.Nodes) == 3 })
}
