package catalog

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// AlterTopic is a command: some settings of the topic are chosen anew, and others follow their defaults again.
type AlterTopic struct {
	Topic id.TopicID
	Set   map[string]string
	Unset []string // names; their order does not matter
}

// Validate tells whether the command could be accepted by any state: ErrInvalidSetting if not, for a name or value that
// cannot be, for a name in both lists, and for no name at all.
func (c AlterTopic) Validate() error {
	_, err := (&Topic{}).Altered(c.Set, c.Unset)
	return err
}

// Altered returns the topic with other settings. The topic itself does not change. It returns ErrInvalidSetting as
// AlterTopic.Validate does.
func (t *Topic) Altered(set map[string]string, unset []string) (*Topic, error) {
	if len(set)+len(unset) == 0 {
		return nil, fmt.Errorf("no setting is named: %w", ErrInvalidSetting)
	}
	chosen, err := canonical(set)
	if err != nil {
		return nil, err
	}
	settings := maps.Clone(t.Settings)
	if settings == nil {
		settings = map[string]string{}
	}
	for _, name := range slices.Sorted(slices.Values(unset)) {
		if _, err := find(name); err != nil {
			return nil, err
		}
		if _, both := chosen[name]; both {
			return nil, fmt.Errorf("setting %s is both set and unset: %w", name, ErrInvalidSetting)
		}
		delete(settings, name)
	}
	maps.Copy(settings, chosen)
	if len(settings) == 0 {
		settings = nil
	}
	altered := *t
	altered.Settings = settings
	return &altered, nil
}

func (c AlterTopic) apply(next *State) (Result, error) {
	t := next.Topics[c.Topic]
	if t == nil {
		return Result{}, fmt.Errorf("topic %v: %w", c.Topic, partitions.ErrUnknownTopic)
	}
	if t.ID < FirstUserTopic {
		return Result{}, fmt.Errorf("topic %q is the broker's own: %w", t.Name, ErrInvalidName)
	}
	altered, err := t.Altered(c.Set, c.Unset)
	if err != nil {
		return Result{}, err
	}
	if n := next.count(Active); wantedReplicas(altered.Settings) > n {
		return Result{}, fmt.Errorf("topic %q: replicas=%s is more than the brokers that take some, %d; start more of them first: %w",
			t.Name, altered.Settings[replicas], n, ErrTooFewNodes)
	}
	next.add(altered)
	return Result{Topic: altered}, nil
}

func (AlterTopic) kind() commandKind { return kindAlterTopic }

func (c AlterTopic) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(c.Topic))
	b = appendSettings(b, c.Set)
	names := slices.Compact(slices.Sorted(slices.Values(c.Unset)))
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, name := range names {
		b = appendString(b, name)
	}
	return b
}

// names reads a counted list of names that ascend.
func (r *reader) names() []string {
	n := r.count(1)
	if n > maxSettingsInHand {
		r.fail()
		return nil
	}
	var all []string
	for i := range n {
		name := r.string()
		if i > 0 && name <= all[i-1] {
			r.fail()
			return nil
		}
		all = append(all, name)
	}
	return all
}
