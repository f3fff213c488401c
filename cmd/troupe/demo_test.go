package main

import (
	"strings"
	"testing"
)

// TestDemo runs the demo, short: it kills the broker that leads most of three, starts it again, and judges by itself.
func TestDemo(t *testing.T) {
	got := troupe(t, "", "demo", "--passes", "6", "--length", "0")
	t.Logf("%s%s", got.out, got.problems)
	if got.code != exitFine {
		t.Fatalf("exit %d", got.code)
	}
	for _, want := range []string{"kill -9", "taken over", "back", "caught up", "acknowledged      60,000", "read              60,000",
		"lost                   0", "1,753 addresses"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
}
