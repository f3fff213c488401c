package catalog

import (
	"testing"

	"troupe/partitions"

	"github.com/google/go-cmp/cmp"
)

func TestAlterTopic(t *testing.T) {
	s := booted(t)
	c := topic("orders", 1)
	c.Settings = map[string]string{"max.message.bytes": "2MiB", "replicas": "1"}
	first := s.want(c, nil).Topic
	before := s.fold.State()
	altered := s.want(AlterTopic{Topic: 16, Set: map[string]string{"max.message.bytes": "4MiB", "message.timestamp.type": "logappendtime"},
		Unset: []string{"replicas"}}, nil).Topic
	want := *first
	want.Settings = map[string]string{"max.message.bytes": "4194304", "message.timestamp.type": "LogAppendTime"}
	if d := cmp.Diff(&want, altered); d != "" {
		t.Fatalf("altered (-want +got):\n%s", d)
	}
	if now := s.fold.State().Topic("orders"); now != altered {
		t.Fatalf("the state holds %+v", now)
	}
	if before.Topic("orders") != first || first.Settings["max.message.bytes"] != "2097152" {
		t.Fatal("a state that was handed out changed")
	}
	if e := altered.Effective(); e.MaxBatchBytes != 4<<20 || !e.AppendTime {
		t.Fatalf("effective: %+v", e)
	}
	// Nothing that is refused changes anything.
	kept := s.fold.Snapshot()
	for _, refused := range []struct {
		command AlterTopic
		err     error
	}{
		{AlterTopic{Topic: 17, Unset: []string{"replicas"}}, partitions.ErrUnknownTopic},
		{AlterTopic{Topic: TopicID, Unset: []string{"replicas"}}, ErrInvalidName},
		{AlterTopic{Topic: 16}, ErrInvalidSetting},
		{AlterTopic{Topic: 16, Set: map[string]string{"replicas": "1"}, Unset: []string{"replicas"}}, ErrInvalidSetting},
		{AlterTopic{Topic: 16, Set: map[string]string{"max.message.bytes": "1"}}, ErrInvalidSetting},
		{AlterTopic{Topic: 16, Unset: []string{"retention.ms"}}, ErrInvalidSetting},
		{AlterTopic{Topic: 16, Unset: []string{"colour"}}, ErrInvalidSetting},
	} {
		s.want(refused.command, refused.err)
		now := *s.fold.state
		now.Version = before.Version + 1
		if d := cmp.Diff(kept, now.encode()); d != "" {
			t.Fatalf("%+v changed the state", refused.command)
		}
	}
	// The last setting that was chosen is gone: as if none ever had been.
	s.want(AlterTopic{Topic: 16, Unset: []string{"max.message.bytes", "message.timestamp.type"}}, nil)
	if got := s.fold.State().Topic("orders"); got.Settings != nil {
		t.Fatalf("settings: %v", got.Settings)
	}
}
