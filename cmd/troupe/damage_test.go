package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDamageIsToldAndTheRestServed flips one byte of a record that was durable. Nothing wrong may come out; what lies before
// and behind still does, and whoever meets the damage is told.
func TestDamageIsToldAndTheRestServed(t *testing.T) {
	directory := t.TempDir()
	p := brokerAt(t, directory, "127.0.0.1:0")
	must(t, "", "topic", "create", "hurt", "--broker", p.Gateway)
	for _, line := range []string{"first", "second", "third", "fourth"} {
		must(t, line+"\n", "produce", "hurt", "--broker", p.Gateway)
	}
	if err := p.drain(); err != nil {
		t.Fatal(err)
	}
	flip(t, filepath.Join(directory, "data"), "second")
	p = brokerAt(t, directory, "127.0.0.1:0")

	if r := troupe(t, "", "cluster", "status", "--broker", p.Gateway); r.code != exitUnhealthy || !strings.Contains(r.problems+r.out, "quarantined") {
		t.Errorf("cluster status: exit %d\n%s%s", r.code, r.out, r.problems)
	}
	for from, want := range map[string]string{"0": "first\n", "2": "third\nfourth\n"} {
		r := troupe(t, "", "consume", "hurt", "--from", from, "--until", "end", "--broker", p.Gateway)
		if r.out != want {
			t.Errorf("from %s: read %q, want %q\n%s", from, r.out, want, r.problems)
		}
	}
	if r := troupe(t, "", "consume", "hurt", "--until", "end", "--broker", p.Gateway); r.code != exitFailed || !strings.Contains(r.problems, "DAMAGED") {
		t.Errorf("a read that met damage: exit %d\n%s", r.code, r.problems)
	}
}

// flip changes one bit of the one segment below directory that holds text.
func flip(t *testing.T, directory, text string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(directory, "replicas", "*", "0*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range segments {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(b, []byte(text)); at >= 0 {
			b[at] ^= 1
			if err := os.WriteFile(path, b, 0o640); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%q is in no segment below %s", text, directory)
}
