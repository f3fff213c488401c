package catalog

import (
	"errors"
	"strings"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// story feeds commands to a fold as its replica would: one batch each, at dense offsets.
type story struct {
	t    *testing.T
	fold *Fold
	next id.Offset
}

func newStory(t *testing.T) *story { return &story{t: t, fold: NewFold()} }

func (s *story) apply(c Command) Result {
	s.t.Helper()
	r, ok := s.fold.Apply(s.next, Batch(c, 1000)).(Result)
	if !ok {
		s.t.Fatalf("%T: no Result", c)
	}
	s.next++
	if r.Version != s.next || s.fold.State().Version != s.next {
		s.t.Fatalf("%T: version %d and %d, want %d", c, r.Version, s.fold.State().Version, s.next)
	}
	return r
}

func (s *story) want(c Command, err error) Result {
	s.t.Helper()
	r := s.apply(c)
	if !errors.Is(r.Err, err) {
		s.t.Fatalf("%#v: got %v, want %v", c, r.Err, err)
	}
	return r
}

func topic(name id.Topic, partitions int32) CreateTopic {
	return CreateTopic{Name: name, Partitions: partitions, Placements: inTurn(partitions), At: 1234}
}

// inTurn gives each partition one replica, on nodes 7 and 8 in turn.
func inTurn(partitions int32) [][]id.Node {
	placements := PlaceOn(partitions, 7, 8)
	for i := range placements {
		placements[i] = placements[i][:1]
	}
	return placements
}

func booted(t *testing.T) *story {
	s := newStory(t)
	s.want(Bootstrap{Cluster: 0xc1, Node: 7, At: 999}, nil)
	return s
}

func TestBootstrap(t *testing.T) {
	s := newStory(t)
	s.want(Bootstrap{Node: 7}, ErrInvalidCommand)
	s.want(Bootstrap{Cluster: 1}, ErrInvalidCommand)
	s.want(Bootstrap{Cluster: 0xc1, Node: 7, At: 999}, nil)
	s.want(Bootstrap{Cluster: 0xc2, Node: 8}, ErrBootstrapped)
	own := []partitions.Placed{{Replica: 1, Node: 7}}
	catalog := &Topic{ID: 1, Name: "__catalog", Created: 999, Partitions: []Assignment{{Founders: own, Replicas: own, Version: 2, Settled: 2}}}
	want := &State{
		Version: 4, Cluster: 0xc1,
		Topics:    map[id.TopicID]*Topic{1: catalog},
		ByName:    map[id.Topic]id.TopicID{"__catalog": 1},
		Nodes:     map[id.Node]*Node{7: {State: Active}},
		NextTopic: 16, NextReplica: 2, NextProducer: 1,
	}
	if d := cmp.Diff(want, s.fold.State()); d != "" {
		t.Fatalf("state (-want +got):\n%s", d)
	}
}

func TestTopicsLiveAndDie(t *testing.T) {
	s := booted(t)
	c := topic("orders", 3)
	c.Settings = map[string]string{"max.message.bytes": "2MiB"}
	first := s.want(c, nil).Topic
	want := &Topic{
		ID: 16, Name: "orders", Created: 1234, Settings: map[string]string{"max.message.bytes": "2097152"},
		Partitions: []Assignment{
			{Founders: []partitions.Placed{{Replica: 2, Node: 7}}, Replicas: []partitions.Placed{{Replica: 2, Node: 7}}, Version: 1, Settled: 1},
			{Founders: []partitions.Placed{{Replica: 3, Node: 8}}, Replicas: []partitions.Placed{{Replica: 3, Node: 8}}, Version: 1, Settled: 1},
			{Founders: []partitions.Placed{{Replica: 4, Node: 7}}, Replicas: []partitions.Placed{{Replica: 4, Node: 7}}, Version: 1, Settled: 1},
		},
	}
	if d := cmp.Diff(want, first); d != "" {
		t.Fatalf("topic (-want +got):\n%s", d)
	}
	before := s.fold.State()
	if got := s.want(topic("orders", 1), ErrTopicExists).Topic; got != first {
		t.Fatalf("a second create found %+v, want the topic that exists", got)
	}
	s.want(DeleteTopic{Topic: 99}, partitions.ErrUnknownTopic)
	s.want(DeleteTopic{Topic: TopicID}, ErrInvalidName)
	if got := s.want(DeleteTopic{Topic: 16}, nil).Topic; got != first {
		t.Fatalf("delete answered %+v", got)
	}
	if before.Topic("orders") != first {
		t.Fatal("a state that was handed out changed")
	}
	s.want(DeleteTopic{Topic: 16}, partitions.ErrUnknownTopic)
	again := s.want(topic("orders", 1), nil).Topic
	if again.ID != 17 || again.Partitions[0].Founders[0].Replica != 5 {
		t.Fatalf("a name created again got used ids: %+v", again)
	}
}

func TestDoomedReplicasAreForgottenByName(t *testing.T) {
	s := booted(t)
	s.want(topic("a", 2), nil) // replicas 2, 3
	s.want(topic("b", 1), nil) // replica 4
	s.want(DeleteTopic{Topic: 17}, nil)
	s.want(DeleteTopic{Topic: 16}, nil)
	want := []Doomed{
		{id.Partition{Topic: 16}, partitions.Placed{Replica: 2, Node: 7}}, {id.Partition{Topic: 16, Number: 1}, partitions.Placed{Replica: 3, Node: 8}},
		{id.Partition{Topic: 17}, partitions.Placed{Replica: 4, Node: 7}},
	}
	if d := cmp.Diff(want, s.fold.State().Doomed); d != "" {
		t.Fatalf("doomed (-want +got):\n%s", d)
	}
	s.want(Forget{Replicas: []id.Replica{4, 2, 77}}, nil)
	if d := cmp.Diff(want[1:2], s.fold.State().Doomed); d != "" {
		t.Fatalf("doomed (-want +got):\n%s", d)
	}
}

func TestProducerBlocksNeverOverlap(t *testing.T) {
	s := booted(t)
	s.want(ReserveProducers{Count: 0}, ErrInvalidCommand)
	s.want(ReserveProducers{Count: MaxReserveAtOnce + 1}, ErrInvalidCommand)
	a, b := s.want(ReserveProducers{Count: 10}, nil), s.want(ReserveProducers{Count: 5}, nil)
	if a.First != 1 || a.Count != 10 || b.First != 11 || b.Count != 5 || s.fold.State().NextProducer != 16 {
		t.Fatalf("blocks %+v and %+v, next %d", a, b, s.fold.State().NextProducer)
	}
}

func TestRefusedCommandsChangeNothingButVersion(t *testing.T) {
	s := booted(t)
	s.want(topic("orders", 1), nil)
	long := id.Topic(strings.Repeat("x", 250))
	refused := []struct {
		c   Command
		err error
	}{
		{topic("", 1), ErrInvalidName}, {topic(".", 1), ErrInvalidName}, {topic("..", 1), ErrInvalidName},
		{topic("__mine", 1), ErrInvalidName}, {topic("a b", 1), ErrInvalidName}, {topic("a/b", 1), ErrInvalidName},
		{topic("ä", 1), ErrInvalidName}, {topic(long, 1), ErrInvalidName},
		{topic("a", 0), ErrInvalidPartitions}, {topic("a", MaxPartitions+1), ErrInvalidPartitions},
		{CreateTopic{Name: "a", Partitions: 1}, ErrInvalidCommand},
		{CreateTopic{Name: "a", Partitions: 1, Placements: PlaceOn(1, 1), Settings: map[string]string{"x": "1"}}, ErrInvalidSetting},
		{DeleteTopic{Topic: 3}, partitions.ErrUnknownTopic},
		{Bootstrap{Cluster: 5, Node: 5}, ErrBootstrapped},
	}
	for _, r := range refused {
		want := *s.fold.State()
		s.want(r.c, r.err)
		want.Version++
		if d := cmp.Diff(&want, s.fold.State()); d != "" {
			t.Fatalf("%#v changed the state (-want +got):\n%s", r.c, d)
		}
	}
	s.want(topic(long[1:], 1), nil)
	s.want(topic("a-b_c.9", MaxPartitions), nil)
}

func TestUnreadableBatchesOnlyMoveTheVersion(t *testing.T) {
	s := booted(t)
	flipped := Batch(topic("a", 1), 1)
	flipped[len(flipped)-2] ^= 1
	for _, b := range [][]byte{flipped, raw([]byte("no command")), raw(nil), raw([]byte{9, 1})} {
		r := s.fold.Apply(s.next, b).(Result)
		s.next++
		if !errors.Is(r.Err, ErrInvalidCommand) || s.fold.State().Version != s.next || len(s.fold.State().Topics) != 1 {
			t.Fatalf("answer %v, state %+v", r.Err, s.fold.State())
		}
	}
	if r := s.fold.Apply(s.next, []byte("no batch")).(Result); !errors.Is(r.Err, ErrInvalidCommand) {
		t.Fatalf("no batch: %v", r.Err)
	}
}

func TestRestoreContinuesWhereTheSnapshotStood(t *testing.T) {
	s := booted(t)
	c := topic("orders", 3)
	c.Settings = map[string]string{"message.timestamp.type": "logappendtime"}
	s.want(c, nil)
	s.want(topic("gone", 2), nil)
	s.want(DeleteTopic{Topic: 17}, nil)
	s.want(ReserveProducers{Count: 3}, nil)
	restored := NewFold()
	if err := restored.Restore(s.fold.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s.fold.State(), restored.State()); d != "" {
		t.Fatalf("restored (-want +got):\n%s", d)
	}
	more := Batch(topic("more", 2), 5)
	s.fold.Apply(s.next, more)
	restored.Apply(s.next, more)
	if d := cmp.Diff(s.fold.Snapshot(), restored.Snapshot()); d != "" {
		t.Fatalf("the folds part (-want +got):\n%s", d)
	}
}
