package main

import (
	"bytes"
	"strings"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// TestVerifyAlone compares what one broker has: there is nothing to compare, and nothing wrong.
func TestVerifyAlone(t *testing.T) {
	broker, _ := serving(t)
	on := func(in string, arguments ...string) result {
		return troupe(t, in, append(arguments, "--broker", broker.Gateway)...)
	}
	on("", "topic", "create", "pets", "--partitions", "2")
	on("a record\n", "produce", "pets")
	if got := on("", "cluster", "verify"); got.code != exitFine || strings.Count(got.out, "one replica, nothing to compare") != 3 {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.problems)
	}
	if got := on("", "cluster", "verify", "pets/1", "--output", "json"); got.code != exitFine || !strings.Contains(got.out, `"result": "single"`) {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.problems)
	}
	for _, w := range []struct {
		code      int
		arguments []string
	}{
		{exitFailed, []string{"none"}}, {exitFailed, []string{"pets/9"}}, {exitUsage, []string{"pets/x"}}, {exitUsage, []string{"--rate", "fast"}},
	} {
		if got := on("", append([]string{"cluster", "verify"}, w.arguments...)...); got.code != w.code {
			t.Errorf("%v: exit %d\n%s%s", w.arguments, got.code, got.out, got.problems)
		}
	}
}

// TestVerifyShows says of each partition what was found, and where.
func TestVerifyShows(t *testing.T) {
	one := func(verdict string, offset int) protocol.ComparedReplica {
		return protocol.ComparedReplica{Node: 0xa1, Verdict: verdict, Index: 7, Offset: id.Offset(offset), Reason: "its broker cannot be reached"}
	}
	var all []verified
	for _, replicas := range [][]protocol.ComparedReplica{
		{one("equal", 0), one("equal", 0), one("equal", 0)},
		{one("equal", 0), one("differs", 42), one("equal", 0)},
		{one("equal", 0), one("differs", -1), one("uncompared", 0)},
		{one("uncompared", 0)},
	} {
		v := verified{Topic: "pets"}
		v.take(&protocol.CompareReplicasResponse{LogStart: 5, HighWatermark: 50, Replicas: replicas}, true)
		v.take(&protocol.CompareReplicasResponse{LogStart: 6, HighWatermark: 60, Replicas: replicas}, false)
		all = append(all, v)
	}
	var out, problems bytes.Buffer
	s := &session{output: "table", out: &out, problems: &problems}
	if err := s.showVerified(all, "everything"); err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{
		"3 of 3    5 to 50  equal", "differs at offset 42 on broker 00000000000000a1",
		"2 of 3    5 to 50  differs at entry 7 on broker 00000000000000a1; broker 00000000000000a1 not compared: its broker cannot be reached",
		"0 of 1    5 to 50  one replica, nothing to compare",
	} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("%q is not in\n%s", w, &out)
		}
	}
	if !all[0].fine() || all[1].fine() || all[2].fine() || !all[3].fine() {
		t.Errorf("%+v", all)
	}
	if err := (&differingError{2, 4}); err.Error() != "of 4 partitions 2 differ or could not be compared" {
		t.Error(err)
	}
}
