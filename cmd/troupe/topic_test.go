package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestTopicLife creates, lists, describes and deletes a topic, and meets every refusal on the way.
func TestTopicLife(t *testing.T) {
	at := "--broker=" + broker(t).Gateway
	for _, c := range []struct {
		name     string
		line     string
		code     int
		out      string // part of what is printed
		problems string // part of what goes to standard error
	}{
		{"nothing there", "topic list", exitFine, "", "no topics yet"},
		{"nothing to describe", "topic describe pets", exitFailed, "", "troupe topic create"},
		{"nothing to delete", "topic delete pets", exitFailed, "", "troupe topic list"},
		{"that is fine if wanted", "topic delete pets --if-exists", exitFine, "no topic pets", ""},
		{"rehearsal", "topic create pets --partitions 6 --dry-run", exitFine, "would create topic pets with 6 partitions", ""},
		{"creates nothing", "topic list", exitFine, "", "no topics yet"},
		{"creation", "topic create pets --partitions 6 --set max.message.bytes=2MiB", exitFine, "created topic pets with 6 partitions", ""},
		{"more replicas than brokers", "topic create many --replicas 3", exitFailed, "", "TOO_FEW_BROKERS: topic \"many\" wants 3"},
		{"a number of replicas that cannot be", "topic create many --replicas 2", exitFailed, "", "1, 3 or 5"},
		{"replicas said twice", "topic create many --replicas 1 --set replicas=1", exitUsage, "", "give one of them"},
		{"as many replicas as brokers", "topic create solo --replicas 1 --dry-run", exitFine, "would create topic solo", ""},
		{"an alteration to more replicas than brokers", "topic alter pets --set replicas=3", exitFailed, "", "TOO_FEW_BROKERS"},
		{"a second time", "topic create pets", exitFailed, "", "--if-not-exists"},
		{"rehearsed a second time", "topic create pets --dry-run", exitFailed, "", "--if-not-exists"},
		{"that is fine if wanted", "topic create pets --if-not-exists", exitFine, "exists already", ""},
		{"list", "topic list", exitFine, "pets", ""},
		{"describe", "topic describe pets", exitFine, "chosen for this topic", ""},
		{"alter nothing", "topic alter pets", exitUsage, "", "--set"},
		{"a rehearsed alteration", "topic alter pets --set max.message.bytes=4MiB --dry-run", exitFine, "would alter topic pets", ""},
		{"an alteration", "topic alter pets --set max.message.bytes=4MiB", exitFine, "2097152", ""},
		{"the same again", "topic alter pets --set max.message.bytes=4MiB", exitFine, "nothing changed", ""},
		{"back to the default", "topic alter pets --unset max.message.bytes --output json", exitFine, "\"after\": \"1048576 (default)\"", ""},
		{"an alteration of what is not there", "topic alter dogs --unset replicas", exitFailed, "", "dogs"},
		{"an alteration of the broker's own", "topic alter __catalog --unset replicas", exitFailed, "", "broker's own"},
		{"an alteration without effect", "topic alter pets --set retention.ms=7d", exitFailed, "", "no effect yet"},
		{"a flag that is nearly one", "topic create odd --partition 3", exitUsage, "", "did you mean --partitions?"},
		{"a flag that is nothing like one", "topic create odd --zzzzzz 3", exitUsage, "", "unknown flag: --zzzzzz\n"},
		{"a name that cannot be", "topic create a/b", exitFailed, "", "a/b"},
		{"a number that cannot be", "topic create many --partitions 0", exitFailed, "", "0 partitions"},
		{"a setting nobody knows", "topic create odd --set max.mesage.bytes=1", exitFailed, "", "nearest: max.message.bytes"},
		{"a setting without effect", "topic create odd --set retention.ms=7d", exitFailed, "", "no effect yet"},
		{"a setting that is none", "topic create odd --set pets", exitUsage, "", "name=value"},
		{"rehearsed deletion", "topic delete pets --dry-run", exitFine, "would delete topic pets with 0 records", ""},
		{"deletion", "topic delete pets", exitFine, "deleted topic pets", ""},
		{"gone", "topic describe pets", exitFailed, "", "pets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := troupe(t, "", append(strings.Fields(c.line), at)...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || !strings.Contains(got.problems, c.problems) {
				t.Errorf("troupe %s: exit %d\n%s%s\nwant exit %d with %q and %q", c.line, got.code, got.out, got.problems, c.code, c.out, c.problems)
			}
		})
	}
}

// TestTopicTrim deletes the oldest records, by offset and by time, and meets every refusal on the way.
func TestTopicTrim(t *testing.T) {
	at := "--broker=" + broker(t).Gateway
	must(t, "", "topic", "create", "pets", "--partitions", "2", at)
	must(t, "a\nb\nc\n", "produce", "pets", "--partition", "1", at)
	for _, c := range []struct {
		name     string
		line     string
		code     int
		out      string
		problems string
	}{
		{"without a place", "topic trim pets", exitUsage, "", "--before"},
		{"a place that is none", "topic trim pets --before noon", exitUsage, "", "--before"},
		{"beyond an end", "topic trim pets --before 2", exitFailed, "", "partition 0 ends at offset 0"},
		{"rehearsal", "topic trim pets --before 2 --partition 1 --dry-run", exitFine, "would delete 2 records of topic pets", ""},
		{"by offset", "topic trim pets --before 2 --partition 1", exitFine, "deleted 2 records of topic pets", ""},
		{"again", "topic trim pets --before 1 --partition 1", exitFine, "deleted 0 records", ""},
		{"what is left", "consume pets --from start --until end", exitFine, "c", ""},
		{"older than an hour", "topic trim pets --before -1h", exitFine, "deleted 0 records", ""},
		{"everything", "topic trim pets --before end --output json", exitFine, "\"log_start\": 3", ""},
		{"an internal topic", "topic trim __catalog --before end", exitFailed, "", "broker's own"},
		{"no topic", "topic trim dogs --before end", exitFailed, "", "dogs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := troupe(t, "", append(strings.Fields(c.line), at)...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || !strings.Contains(got.problems, c.problems) {
				t.Errorf("troupe %s: exit %d\n%s%s\nwant exit %d with %q and %q", c.line, got.code, got.out, got.problems, c.code, c.out, c.problems)
			}
			if c.name == "what is left" && strings.TrimSpace(got.out) != "c" {
				t.Errorf("left: %q", got.out)
			}
		})
	}
}

// TestTopicJSON describes a topic for a program.
func TestTopicJSON(t *testing.T) {
	at := "--broker=" + broker(t).Gateway
	must(t, "", "topic", "create", "pets", "--partitions", "2", at)
	must(t, "a\nb\nc\n", "produce", "pets", "--partition", "1", at)

	var listed []struct {
		Topic      string
		Partitions int
	}
	decode(t, must(t, "", "topic", "list", "--output", "json", at), &listed)
	if len(listed) != 1 || listed[0].Topic != "pets" || listed[0].Partitions != 2 {
		t.Errorf("listed %+v", listed)
	}
	var described jsonTopic
	decode(t, must(t, "", "topic", "describe", "pets", "--output", "json", at), &described)
	if described.Records != 3 || len(described.Partitions) != 2 || described.Partitions[1].HighWatermark != 3 || !described.Partitions[1].Ready {
		t.Errorf("described %+v", described)
	}
	var cluster struct {
		Healthy bool
		Topics  int
		Nodes   []jsonNode
	}
	decode(t, must(t, "", "cluster", "status", "--output", "json", at), &cluster)
	if !cluster.Healthy || cluster.Topics != 1 || len(cluster.Nodes) != 1 || !cluster.Nodes[0].Alive {
		t.Errorf("cluster %+v", cluster)
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}
