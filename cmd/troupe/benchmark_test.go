package main

import (
	"strings"
	"testing"

	"troupe/cmd/troupe/bench"
)

// TestBenchCommands runs every kind of bench through the command line, for people and for programs.
func TestBenchCommands(t *testing.T) {
	at := "--broker=" + broker(t).Gateway
	const quick = "--records 200 --partitions 2"
	for _, c := range []struct {
		name, line     string
		code           int
		out, problems  string
		results        int
		medianInFsyncs bool
	}{
		{"produce", "produce --warmup 0s --keys 3 " + quick, exitFine, "", "", 1, true},
		{"produce at a rate", "produce --rate 1000 --linger 0s --warmup 10ms " + quick, exitFine, "", "", 1, true},
		{"sweep", "produce --sweep --warmup 0s --records 200", exitFine, "", "", 4, true},
		{"consume", "consume --passes 2 " + quick, exitFine, "", "", 2, false},
		{"end to end", "end-to-end --rate 5000 --warmup 0s " + quick, exitFine, "", "", 1, true},
		{"two ways at once", "produce --sweep --find-rate", exitUsage, "", "exclude", 0, false},
		{"no payload", "produce --payload noise", exitUsage, "", "random or zero", 0, false},
		{"no size", "produce --record-bytes many", exitUsage, "", "--record-bytes", 0, false},
		{"no number of clients", "produce --clients 0", exitUsage, "", "0 clients", 0, false},
		{"no directory", "produce --fsync-dir /nowhere/at/all", exitFailed, "", "--fsync-dir", 0, false},
		{"no kind", "prduce", exitUsage, "", "did you mean produce", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			arguments := append([]string{"bench"}, append(strings.Fields(c.line), at)...)
			got := troupe(t, "", arguments...)
			if got.code != c.code || !strings.Contains(got.problems, c.problems) {
				t.Fatalf("exit %d\n%s%s\nwant exit %d with %q", got.code, got.out, got.problems, c.code, c.problems)
			}
			if c.results == 0 {
				return
			}
			if !strings.Contains(got.out, "fsync     median") || !strings.Contains(got.out, "achieved/s") {
				t.Errorf("for people:\n%s", got.out)
			}
			var r bench.Report
			decode(t, must(t, "", append(arguments, "--output", "json")...), &r)
			if len(r.Results) != c.results || r.Environment.Fsync == nil || (r.MedianFsyncs > 0) != c.medianInFsyncs {
				t.Errorf("for programs: %+v", r)
			}
			for _, one := range r.Results {
				if one.Records != 200 || one.Errors != 0 {
					t.Errorf("a result: %+v", one)
				}
			}
		})
	}
}
