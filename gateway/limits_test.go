package gateway

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
)

func TestDefaultsAreComplete(t *testing.T) {
	if err := (Limits{}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	l := reflect.ValueOf(Limits{}.WithDefaults())
	for i := range l.NumField() {
		if l.Field(i).IsZero() {
			t.Errorf("%s has no default", l.Type().Field(i).Name)
		}
	}
}

// Every field of Limits reaches a client of its own: one more of it is told in Hello.
func TestEveryLimitIsTold(t *testing.T) {
	base := Limits{}.WithDefaults()
	base.FetchBytes = 1000 // not the most, so that it can change alone
	for i := range reflect.TypeOf(base).NumField() {
		l := base
		field := reflect.ValueOf(&l).Elem().Field(i)
		step := int64(1)
		if field.Type() == reflect.TypeFor[time.Duration]() {
			step = int64(time.Second)
		}
		field.SetInt(field.Int() + step)
		before, after := base.told(), l.told()
		changed := 0
		for k, f := range before.Fields() {
			if *f.Value != *after.Fields()[k].Value {
				changed++
			}
		}
		if changed != 1 {
			t.Errorf("%s changes %d of what Hello tells", reflect.TypeOf(base).Field(i).Name, changed)
		}
	}
}

func TestLimitsThatContradict(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		says   string
	}{
		{Limits{FrameBytes: 2000}, "hello's frames"},
		{Limits{FrameBytes: 5 << 20}, "batch_bytes"},
		{Limits{FrameBytes: 2 << 30, InflightBytes: 2 << 30, InflightBytesInAll: 2 << 30}, "the most a frame can have"},
		{Limits{DecompressedBytes: 1 << 20}, "decompressed_bytes"},
		{Limits{RecordHeaders: protocol.MaxHeaders + 1}, "record_headers"},
		{Limits{BatchHeaders: 10}, "batch_headers"},
		{Limits{InflightBytes: 1 << 20}, "above inflight_bytes "},
		{Limits{InflightBytesInAll: 16 << 20}, "inflight_bytes_in_all"},
		{Limits{ParkedFetches: 5, ParkedFetchesInAll: 4}, "parked_fetches_in_all"},
		{Limits{Topics: catalog.MaxTopics + 1}, "topics"},
		{Limits{TopicPartitions: catalog.MaxPartitions + 1}, "topic_partitions"},
		{Limits{Partitions: catalog.MaxPartitionsInAll + 1}, "cluster_partitions"},
		{Limits{Connections: -1}, "connections is -1"},
		{Limits{IdleTime: -time.Second}, "idle_ms"},
		{Limits{FetchBytes: -5}, "fetch_bytes"},
	} {
		if err := c.limits.Validate(); !errors.Is(err, ErrLimits) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, expected %q", c.limits, err, c.says)
		}
	}
	small := Limits{FrameBytes: 3 << 20, BatchBytes: 1 << 20, Connections: 10, Partitions: 5}
	if err := small.Validate(); err != nil {
		t.Errorf("a small broker: %v", err)
	}
}

// The configured limits on topics are met before the catalog's own.
func TestTopicsAreBounded(t *testing.T) {
	c := newTalk(t, newFakeBroker(t, topic("a", 2)), Limits{Topics: 3, TopicPartitions: 4, Partitions: 8})
	create := func(name string, partitions int32) protocol.Code {
		return codeOf(c.ask(&protocol.CreateTopicRequest{Topic: name, Partitions: partitions}).err)
	}
	for _, step := range []struct {
		name       string
		partitions int32
		want       protocol.Code
	}{
		{"five", 5, protocol.CodeInvalidPartitions},
		{strings.Repeat("n", catalog.MaxNameBytes+1), 1, protocol.CodeInvalidTopicName},
		{"b", 4, 0},
		{"too-much", 3, protocol.CodeTooManyTopics},
		{"c", 2, 0},
		{"fourth", 1, protocol.CodeTooManyTopics},
		{"b", 1, protocol.CodeTopicExists}, // what is there stays TOPIC_EXISTS: a script may rely on it
	} {
		if got := create(step.name, step.partitions); got != step.want {
			t.Errorf("topic %.20s with %d partitions: %v, want %v", step.name, step.partitions, got, step.want)
		}
	}
	c.ask(&protocol.DeleteTopicRequest{Topic: "c"})
	if got := create("fourth", 1); got != 0 {
		t.Errorf("after a topic was deleted: %v", got)
	}
}
