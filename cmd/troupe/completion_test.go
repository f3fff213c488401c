package main

import (
	"strings"
	"testing"
)

// TestCompletion sets shells up, and offers the topics there are.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if script := must(t, "", "completion", shell); !strings.Contains(script, "__complete") || !strings.Contains(script, "troupe") {
			t.Errorf("%s gets %q", shell, script)
		}
	}
	at := "--broker=" + broker(t).Gateway
	must(t, "", "topic", "create", "pets", at)
	must(t, "", "topic", "create", "birds", at)
	for _, c := range []struct{ line, want string }{
		{"topic describe p", "pets\n:4\n"}, // 4: no files
		{"topic delete ", "birds\npets\n:4\n"},
		{"consume b", "birds\n:4\n"},
		{"produce pets /tm", ":0\n"}, // files
		{"topic create p", ":0\n"},
	} {
		if got := must(t, "", append([]string{"__complete", at}, strings.Split(c.line, " ")...)...); got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
	if got := must(t, "", "__complete", "--broker="+freeAddress(t), "topic", "describe", ""); got != ":4\n" {
		t.Errorf("without a broker: %q", got)
	}
}
