package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestProgress shows long work: one line again and again on a terminal, a line now and then in a log.
func TestProgress(t *testing.T) {
	for _, c := range []struct {
		name  string
		live  bool
		since time.Duration
		want  string
	}{
		{"a log, early", false, plainInterval / 2, ""},
		{"a log", false, plainInterval, "1 record, 5 B in "},
		{"a terminal, early", true, 0, ""},
		{"a terminal", true, progressInterval, "\r\x1b[K1 record, 5 B in "},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			p := newProgress(&out)
			p.live, p.shown = c.live, time.Now().Add(-c.since)
			if c.since == 0 {
				p.shown = time.Now().Add(time.Hour)
			}
			p.add(1, 5)
			if got := out.String(); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || strings.HasSuffix(got, "\n") == (c.live || got == "") {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
