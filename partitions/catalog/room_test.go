package catalog

import (
	"errors"
	"fmt"
	"testing"

	"troupe/partitions/id"
)

// The most topics and partitions that there may be are what apply lets through, however they were proposed.
func TestApplyBoundsTopics(t *testing.T) {
	create := func(s *State, name string, partitions int32) error {
		_, err := CreateTopic{Name: id.Topic(name), Partitions: partitions, Placements: PlaceOn(partitions, 1)}.apply(s)
		return err
	}
	s := empty()
	for i := range MaxTopics - 1 { // as if created: each create counts them all
		s.add(&Topic{ID: FirstUserTopic + id.TopicID(i), Name: id.Topic(fmt.Sprint("old", i)), Partitions: make([]Assignment, 1)})
	}
	s.NextTopic += MaxTopics
	for i := range 1 {
		if err := create(s, fmt.Sprint("t", i), 1); err != nil {
			t.Fatalf("topic %d: %v", i, err)
		}
	}
	if err := create(s, "one-more", 1); !errors.Is(err, ErrTooMany) {
		t.Errorf("a topic more than %d: %v", MaxTopics, err)
	}
	s = empty()
	for i := range MaxPartitionsInAll / MaxPartitions {
		if err := create(s, fmt.Sprint("t", i), MaxPartitions); err != nil {
			t.Fatalf("topic %d: %v", i, err)
		}
	}
	if err := create(s, "one-more", 1); !errors.Is(err, ErrTooMany) {
		t.Errorf("a partition more than %d: %v", MaxPartitionsInAll, err)
	}
}
