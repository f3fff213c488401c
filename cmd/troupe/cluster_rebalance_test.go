package main

import (
	"bytes"
	"strings"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// TestRebalanceAlone has nothing to move, and says so.
func TestRebalanceAlone(t *testing.T) {
	broker, _ := serving(t)
	for _, arguments := range [][]string{{"--dry-run"}, nil, {"--wait=false", "--output", "json"}} {
		got := troupe(t, "", append([]string{"cluster", "rebalance", "--broker", broker.Gateway}, arguments...)...)
		if got.code != exitFine || !strings.Contains(got.out+got.problems, "othing") && !strings.Contains(got.out, `"ordered": 0`) {
			t.Errorf("%v: exit %d\n%s%s", arguments, got.code, got.out, got.problems)
		}
	}
	if got := troupe(t, "", "cluster", "rebalance", "--moves", "0", "--broker", broker.Gateway); got.code != exitUsage {
		t.Errorf("exit %d\n%s", got.code, got.problems)
	}
}

// TestPlanIsShown lists what moves, what will and what is held back.
func TestPlanIsShown(t *testing.T) {
	move := func(topic string) []protocol.PlannedMove {
		return []protocol.PlannedMove{{Topic: topic, From: []id.Node{0xa << 60}, To: []id.Node{0xb << 60}, Why: "balance"}}
	}
	var out, problems bytes.Buffer
	s := &session{output: "table", out: &out, problems: &problems}
	plan := &protocol.PlanMovesResponse{Moving: move("one"), Next: move("two"), Held: move("three"), Away: []id.Node{0xc << 60}}
	if err := s.showPlan(plan); err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"one    0          moving  a000  b000  balance", "two    0          next ", "three  0          held "} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("%q is not in\n%s", w, &out)
		}
	}
	if !strings.Contains(problems.String(), "c000000000000000") {
		t.Error(problems.String())
	}
}
