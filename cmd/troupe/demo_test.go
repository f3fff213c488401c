package main

import (
	"strings"
	"testing"
)

// TestDemo runs the demo, short: it kills a real broker twice and judges by itself.
func TestDemo(t *testing.T) {
	got := troupe(t, "", "demo", "--passes", "3")
	t.Logf("%s%s", got.out, got.problems)
	if got.code != exitFine {
		t.Fatalf("exit %d", got.code)
	}
	if n := strings.Count(got.out, "kill -9"); n != 2 {
		t.Errorf("the broker was killed %d times, want 2", n)
	}
	for _, want := range []string{"acknowledged      30,000", "read              30,000", "lost                   0", "1,753 addresses"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
}
