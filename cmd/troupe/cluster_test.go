package main

import (
	"bytes"
	"strings"
	"testing"

	"troupe/gateway/protocol"
)

// TestUnhealthy shows what is wrong with a cluster, and tells programs and scripts.
func TestUnhealthy(t *testing.T) {
	cluster := &protocol.DescribeClusterResponse{Cluster: 1, Topics: 1, Partitions: 2, Self: 3, Leaderless: 1, Nodes: []protocol.ClusterNode{
		{Node: 1, Gateway: "127.0.0.1:9642", Version: "test", Alive: true, AgeMillis: 1234, Problems: []string{"topic pets, partition 1: quarantined"}},
		{Node: 2, Gateway: "127.0.0.1:9652", Version: "test", AgeMillis: -1},
		{Node: 3, Alive: true},
		{Node: 4, State: "gone", AgeMillis: 90_000},
	}}
	want := []string{"NOT HEALTHY", "topic pets, partition 1: quarantined", "broker 0000000000000002 is down", "1 partition without a leader",
		"1.2 s ago", "never", "now", "gone"}
	var out bytes.Buffer
	s := &session{output: "table"}
	err := s.clusterStatus(&out, cluster)
	if err == nil || err.Error() != "the cluster is not healthy: 3 problems" {
		t.Error(err)
	}
	for _, w := range want {
		if !strings.Contains(out.String(), w) {
			t.Errorf("%q is not in\n%s", w, &out)
		}
	}
	out.Reset()
	s.output = "json"
	if err := s.clusterStatus(&out, cluster); err == nil {
		t.Error("a program is told that all is well")
	}
	var told clusterHealth
	decode(t, out.String(), &told)
	if told.Healthy || len(told.Problems) != 3 || told.Nodes[1].AgeSeconds != nil || *told.Nodes[0].AgeSeconds != 1.234 {
		t.Errorf("%+v", told)
	}
}

// TestExitWhenHealthy waits for a broker that is started later, as a script does.
func TestExitWhenHealthy(t *testing.T) {
	address := freeAddress(t)
	waited := make(chan result, 1)
	go func() {
		waited <- troupe(t, "", "cluster", "status", "--exit-when-healthy", "--interval", "1ms", "--broker", address)
	}()
	brokerAt(t, t.TempDir(), address)
	if got := <-waited; got.code != exitFine || !strings.Contains(got.out, ": healthy, 1 broker") {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.problems)
	}
}

// TestNeverHealthy gives up on time, with a code of its own.
func TestNeverHealthy(t *testing.T) {
	address := freeAddress(t)
	got := troupe(t, "", "cluster", "status", "--exit-when-healthy", "--interval", "1ms", "--timeout", "20ms", "--broker", address)
	if got.code != exitUnhealthy || !strings.Contains(got.problems, address+" is not healthy after 20ms") {
		t.Errorf("exit %d\n%s", got.code, got.problems)
	}
	got = troupe(t, "", "cluster", "status", "--watch", "--interval", "0s", "--broker", address)
	if got.code != exitUsage {
		t.Errorf("no interval: exit %d\n%s", got.code, got.problems)
	}
	got = troupe(t, "", "cluster", "status", "--watch", "--broker", "nowhere")
	if got.code != exitUsage || !strings.Contains(got.problems, "HOST:PORT") {
		t.Errorf("no address: exit %d\n%s", got.code, got.problems)
	}
}

// TestExitCodes reads the page that documents them.
func TestExitCodes(t *testing.T) {
	page := must(t, "", "help", "exit-codes")
	for _, code := range []string{"\n  0 ", "\n  1 ", "\n  2 ", "\n  10 "} {
		if !strings.Contains(page, code) {
			t.Errorf("%q is not in\n%s", code, page)
		}
	}
}
