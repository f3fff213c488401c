package catalog

import (
	"errors"
	"strings"
	"testing"

	"troupe/partitions"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSettingsAreCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"1048576": "1048576", "1MiB": "1048576", " 1 mib ": "1048576", "4MiB": "4194304", "1KiB": "1024", "500kB": "500000",
		"2048B": "2048", "1MB": "1000000",
	} {
		got, err := canonical(map[string]string{"max.message.bytes": in})
		if err != nil || got["max.message.bytes"] != want {
			t.Errorf("%q: %q, %v, want %q", in, got["max.message.bytes"], err, want)
		}
	}
	got, err := canonical(map[string]string{"message.timestamp.type": "logappendtime", "replicas": "1"})
	if d := cmp.Diff(map[string]string{"message.timestamp.type": "LogAppendTime", "replicas": "1"}, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestSettingsAreRefusedWithASentence(t *testing.T) {
	for _, c := range []struct{ name, value, sentence string }{
		{"max.message.bytes", "1023", "1KiB to 4MiB"},
		{"max.message.bytes", "4194305", "1KiB to 4MiB"},
		{"max.message.bytes", "5MiB", "1KiB to 4MiB"},
		{"max.message.bytes", "1.5MiB", "1KiB to 4MiB"},
		{"max.message.bytes", "-1", "1KiB to 4MiB"},
		{"max.message.bytes", "9223372036854775807TiB", "1KiB to 4MiB"},
		{"max.message.bytes", "", "1KiB to 4MiB"},
		{"message.timestamp.type", "Now", "CreateTime or LogAppendTime"},
		{"replicas", "2", "allowed is 1, 3 or 5"},
		{"replicas", "7", "allowed is 1, 3 or 5"},
		{"replicas", "1B", "allowed is 1, 3 or 5"},
		{"retention.ms", "7d", "retention.ms has no effect yet"},
		{"cleanup.policy", "compact", "cleanup.policy has no effect yet"},
		{"max.mesage.bytes", "1", "nearest: max.message.bytes"},
		{"retention.m", "1", "nearest: retention.ms"},
		{strings.Repeat("y", 1000), "1", "unknown setting"},
	} {
		_, err := canonical(map[string]string{c.name: c.value})
		if !errors.Is(err, ErrInvalidSetting) || !strings.Contains(err.Error(), c.sentence) {
			t.Errorf("%s=%s: %v, want ErrInvalidSetting with %q", c.name, c.value, err, c.sentence)
		}
	}
}

func TestEffectiveSettings(t *testing.T) {
	none, chosen := &Topic{}, &Topic{Partitions: []Assignment{{Replicas: make([]partitions.Placed, 3)}}, Settings: map[string]string{
		"max.message.bytes": "2048", "message.timestamp.type": "LogAppendTime"}}
	if d := cmp.Diff(partitions.Settings{MaxBatchBytes: 1 << 20}, none.Effective()); d != "" {
		t.Errorf("defaults (-want +got):\n%s", d)
	}
	if d := cmp.Diff(partitions.Settings{MaxBatchBytes: 2048, AppendTime: true}, chosen.Effective()); d != "" {
		t.Errorf("chosen (-want +got):\n%s", d)
	}
	want := []Value{
		{Setting: table[0], Value: "2048", Chosen: true},
		{Setting: table[1], Value: "LogAppendTime", Chosen: true},
		{Setting: table[2], Value: "3"},
	}
	if d := cmp.Diff(want, chosen.Values(), cmpopts.IgnoreUnexported(Setting{})); d != "" {
		t.Errorf("values (-want +got):\n%s", d)
	}
}

func TestEveryDefaultIsAllowed(t *testing.T) {
	last := ""
	for _, s := range Settings() {
		if got, err := s.canonical(s.Default); s.Default != "" && (err != nil || got != s.Default) {
			t.Errorf("%s: default %q becomes %q, %v", s.Name, s.Default, got, err)
		}
		if s.Name <= last {
			t.Errorf("%s stands behind %s", s.Name, last)
		}
		last = s.Name
	}
}
