package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfigShow prints what a broker would run with, and where each value comes from.
func TestConfigShow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "troupe.yaml")
	if err := os.WriteFile(file, []byte("gateway:\n  idle_time: 7d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TROUPE_LOG_LEVEL", "warn")
	arguments := []string{"config", "show", "--config", file, "--pprof", "--set", "gateway.connections=5", "--data", "/d"}
	var values []jsonValue
	decode(t, must(t, "", append(arguments, "--output", "json")...), &values)
	got := map[string]jsonValue{}
	for _, v := range values {
		got[v.Name] = v
	}
	for name, want := range map[string][2]string{
		"gateway.idle_time":      {"7d", file + ":2"},
		"log.level":              {"warn", "environment TROUPE_LOG_LEVEL"},
		"http.pprof":             {"true", "flag --pprof"},
		"gateway.connections":    {"5", "flag --set"},
		"data.directory":         {"/d", "flag --data"},
		"gateway.address":        {"127.0.0.1:9642", "default"},
		"gateway.insecure":       {"false", "default"},
		"gateway.frame_bytes":    {"8MiB", "default"},
		"gateway.linger_time":    {"1s", "default"},
		"gateway.decompressions": {"4", "default"},
	} {
		if v := got[name]; v.Value != want[0] || v.From != want[1] {
			t.Errorf("%s is %q from %s, want %q from %s", name, v.Value, v.From, want[0], want[1])
		}
	}
	if v := got["gateway.address"]; v.Flag != "--gateway" || v.Environment != "TROUPE_GATEWAY_ADDRESS" || v.Default != "127.0.0.1:9642" {
		t.Errorf("%+v", v)
	}
	table := must(t, "", arguments...)
	if !strings.Contains(table, "gateway.idle_time") || !strings.Contains(table, file+":2") {
		t.Errorf("\n%s", table)
	}
}

// TestConfigRefusals meets settings that cannot be meant, by serve and by show: both say what would be right.
func TestConfigRefusals(t *testing.T) {
	file := filepath.Join(t.TempDir(), "troupe.yaml")
	if err := os.WriteFile(file, []byte("gateway:\n  adress: 127.0.0.1:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		arguments []string
		code      int
		problems  string
	}{
		{"a key in the file", []string{"--config", file}, exitUsage, file + `:2: there is no setting "gateway.adress"; the nearest is gateway.address`},
		{"a key of --set", []string{"--set", "gateway.idletime=5s"}, exitUsage, "gateway.idle_time"},
		{"no value", []string{"--set", "gateway.idle_time"}, exitUsage, "name=value"},
		{"no duration", []string{"--drain-time", "soon"}, exitUsage, `flag --drain-time: serve.drain_time cannot be "soon"`},
		{"limits that contradict", []string{"--set", "gateway.frame_bytes=1MiB"}, exitUsage, "frame_bytes"},
		{"no file", []string{"--config", "/nowhere/troupe.yaml"}, exitFailed, "--config"},
		{"pprof for all", []string{"--pprof", "--http", "0.0.0.0:0"}, exitUsage, "tunnel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			verbs := [][]string{{"serve", "--data", t.TempDir(), "--gateway", "127.0.0.1:0"}, {"config", "show"}}
			if c.name == "pprof for all" { // which show does not judge
				verbs = verbs[:1]
			}
			for _, verb := range verbs {
				got := troupe(t, "", append(verb, c.arguments...)...)
				if got.code != c.code || !strings.Contains(got.problems, c.problems) {
					t.Errorf("%s: exit %d\n%s\nwant exit %d with %q", verb[0], got.code, got.problems, c.code, c.problems)
				}
			}
		})
	}
}
