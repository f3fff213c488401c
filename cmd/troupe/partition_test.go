package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
)

// TestPartitionRecover loses two of a partition's three brokers for good, as far as the others can tell, and goes on with what
// the third one has; then the two come back.
func TestPartitionRecover(t *testing.T) {
	members := cluster(t, 5)
	at := members[0].Gateway
	awaitTopic(t, at, "__catalog", "a catalog on all five", func(p *protocol.DescribedPartition) bool {
		return len(p.Members) == 5 && p.Settled && p.Ready && !slices.ContainsFunc(p.Members, func(m protocol.DescribedReplica) bool {
			return m.Role != "leader" && m.State != "replicate"
		})
	})
	must(t, "", "topic", "create", "pets", "--partitions", "1", "--replicas", "3", "--broker", at)
	must(t, "", "topic", "create", "single", "--partitions", "1", "--replicas", "1", "--broker", at)
	must(t, "cat\ndog\n", "produce", "pets", "--broker", at)
	awaitTopic(t, at, "pets", "three replicas that have caught up", whole)
	var has, lacks []*member
	var described *protocol.DescribeTopicResponse
	await(t, at, "described", func(c *client.Client) (done bool, err error) {
		described, err = c.DescribeTopic(t.Context(), "pets")
		return err == nil, err
	})
	for _, m := range members {
		if slices.ContainsFunc(described.Partitions[0].Members, func(r protocol.DescribedReplica) bool { return r.Node.String() == m.Node }) {
			has = append(has, m)
		} else {
			lacks = append(lacks, m)
		}
	}
	ask := func(line string) result {
		return troupe(t, "", append(strings.Fields("partition recover "+line), "--broker", lacks[0].Gateway)...)
	}
	refused := func(line string, code int, problem string) {
		t.Helper()
		if got := ask(line); got.code != code || !strings.Contains(got.problems, problem) || got.out != "" {
			t.Errorf("partition recover %s: exit %d\n%s%s\nwant exit %d with %q", line, got.code, got.out, got.problems, code, problem)
		}
	}
	refused("", exitUsage, "TOPIC/N")
	refused("pets --accept-loss", exitUsage, "TOPIC/N")
	refused("pets/0", exitUsage, "--accept-loss")
	refused("pets/0 --accept-loss --from xyz", exitUsage, "cluster status")
	refused("dogs/0 --accept-loss", exitFailed, "UNKNOWN_TOPIC_OR_PARTITION")
	refused("pets/0 --accept-loss", exitFailed, "leads it")
	refused("single/0 --accept-loss", exitFailed, "one replica")
	refused("__catalog/0 --accept-loss", exitFailed, "NOT_RECOVERABLE")

	survivor, lost := has[0], has[1:]
	lost[0].kill()
	refused("pets/0 --accept-loss --from "+survivor.Node, exitFailed, "NOT_RECOVERABLE")
	lost[1].kill()
	refused("pets/0 --accept-loss --from "+lacks[1].Node, exitFailed, "NOT_RECOVERABLE")
	got := awaitRecovery(t, func() result { return ask("pets/0 --accept-loss --wait --from " + survivor.Node) })
	if !strings.Contains(got.out, "goes on with what broker "+survivor.Node+" had") || !strings.Contains(got.out, "it serves again") {
		t.Errorf("%s%s", got.out, got.problems)
	}
	must(t, "cow\n", "produce", "pets", "--broker", lacks[1].Gateway)
	read := func(m *member) {
		t.Helper()
		if got := must(t, "", "consume", "pets", "--until", "end", "--broker", m.Gateway); got != "cat\ndog\ncow\n" {
			t.Errorf("read %q", got)
		}
	}
	read(lacks[0])
	if text := must(t, "", "topic", "describe", "pets", "--broker", survivor.Gateway); !strings.Contains(text, "pets/0 lost its majority: since ") {
		t.Errorf("described:\n%s", text)
	}
	for _, m := range lost {
		m.again(t)
	}
	awaitTopic(t, lacks[0].Gateway, "pets", "three replicas again", whole)
	for _, m := range members {
		read(m)
	}
	var topic jsonTopic
	decode(t, must(t, "", "topic", "describe", "pets", "--output", "json", "--broker", lost[0].Gateway), &topic)
	if r := topic.Partitions[0].Recoveries; len(r) != 1 || r[0].Node != survivor.Node || len(r[0].GivenUp) != 2 {
		t.Errorf("recoveries %+v", r)
	}
}

// awaitRecovery asks until the brokers that were killed are known to be away.
func awaitRecovery(t *testing.T, ask func() result) result {
	t.Helper()
	pause := time.NewTicker(200 * time.Millisecond)
	defer pause.Stop()
	deadline := time.NewTimer(testPatience)
	defer deadline.Stop()
	for {
		got := ask()
		switch {
		case got.code == exitFine:
			return got
		case !strings.Contains(got.problems, "NOT_RECOVERABLE"):
			t.Fatalf("exit %d: %s", got.code, got.problems)
		}
		select {
		case <-pause.C:
		case <-deadline.C:
			t.Fatal(fmt.Errorf("not recovered after %v: %s", testPatience, got.problems))
		}
	}
}
