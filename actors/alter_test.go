package actors

import (
	"errors"
	"strings"
	"testing"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

func (w *testWorld) alter(c catalog.AlterTopic) error {
	w.t.Helper()
	a := &answers[error]{}
	w.node.Router().AlterTopic(c, func(_ *catalog.Topic, err error) { a.take(err) })
	w.run()
	return a.only(w.t)
}

// A running partition follows its topic's settings at once, in its next lives, and after a restart of the broker.
func TestAlterTopic(t *testing.T) {
	w := newWorld(t)
	topic := w.create("orders", 1)
	p := id.Partition{Topic: topic.ID}
	large := strings.Repeat("x", 5000)
	takes := func(when string, want bool) {
		t.Helper()
		a := w.produce(p, large)
		if want && a.Err != nil || !want && !errors.Is(a.Err, partitions.ErrBatchTooLarge) {
			t.Fatalf("%s: %v", when, a.Err)
		}
	}
	takes("at first", true)
	small := map[string]string{"max.message.bytes": "1KiB"}
	if err := w.alter(catalog.AlterTopic{Topic: topic.ID, Set: small}); err != nil {
		t.Fatal(err)
	}
	takes("altered", false)
	m := w.memory(topic, 0)
	m.onSync = func() error { return errDisk }
	w.produce(p, "lost")
	m.onSync = nil
	w.pass(w.node.stage.limits.RestartDelayMost)
	takes("in another life", false)
	w.crash()
	takes("in another broker", false)
	if err := w.alter(catalog.AlterTopic{Topic: topic.ID, Unset: []string{"max.message.bytes"}}); err != nil {
		t.Fatal(err)
	}
	takes("the default again", true)
	if err := w.alter(catalog.AlterTopic{Topic: topic.ID}); !errors.Is(err, catalog.ErrInvalidSetting) {
		t.Fatalf("nothing named: %v", err)
	}
	if err := w.alter(catalog.AlterTopic{Topic: 99, Set: small}); !errors.Is(err, partitions.ErrUnknownTopic) {
		t.Fatalf("no topic: %v", err)
	}
}
