package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"troupe/partitions"
)

// Setting describes one topic setting: its name, what values it takes and what it does. Names are Kafka's where Kafka has
// the setting.
type Setting struct {
	Name        string
	Unit        string // "bytes", "count", "name"
	Range       string // in words
	Default     string // in canonical form; empty: follows something, see Description
	Description string

	min, max int64    // of a number
	odd      bool     // a number must be odd: an even one more than an odd number of replicas survives nothing more
	words    []string // of a name
}

// Value is one setting of one topic.
type Value struct {
	Setting
	Value  string // in canonical form
	Chosen bool   // somebody chose it for this topic; otherwise it is the default
}

// The names of the settings that have an effect.
const (
	maxMessageBytes = "max.message.bytes"
	timestampType   = "message.timestamp.type"
	replicas        = "replicas"

	createTime = "CreateTime"
	appendTime = "LogAppendTime"

	defaultMaxMessageBytes = 1 << 20
)

// table holds every setting that has an effect, ordered by name.
var table = []Setting{
	{
		Name: maxMessageBytes, Unit: "bytes", Range: "1KiB to 4MiB", Default: strconv.Itoa(defaultMaxMessageBytes),
		Description: "largest record batch, compressed, that the topic takes",
		min:         1 << 10, max: 4 << 20,
	},
	{
		Name: timestampType, Unit: "name", Range: createTime + " or " + appendTime, Default: createTime,
		Description: "whose clock stamps records: the producer's, or the leader's when it appends",
		words:       []string{createTime, appendTime},
	},
	{
		Name: replicas, Unit: "count", Range: "1, 3 or 5",
		Description: "copies of each partition, on different brokers; not chosen: 1 in a cluster of fewer than 3 brokers, else 3",
		min:         1, max: MaxReplicas, odd: true,
	},
}

// unbuilt are settings that people will ask for and that have no effect yet. Accepting one would promise something.
var unbuilt = []string{
	"cleanup.policy", "compression.type", "delete.retention.ms", "min.cleanable.dirty.ratio", "min.compaction.lag.ms",
	"retention.bytes", "retention.ms", "segment.bytes",
}

// Settings returns every topic setting that has an effect, ordered by name.
func Settings() []Setting { return slices.Clone(table) }

// canonical checks what somebody chose and returns it with each value in canonical form; nil for nothing. It returns
// ErrInvalidSetting, for the first wrong one by name.
func canonical(chosen map[string]string) (map[string]string, error) {
	if len(chosen) == 0 {
		return nil, nil
	}
	result := make(map[string]string, len(chosen))
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		s, err := find(name)
		if err != nil {
			return nil, err
		}
		if result[name], err = s.canonical(chosen[name]); err != nil {
			return nil, err
		}
	}
	return result, nil
}

func find(name string) (Setting, error) {
	for _, s := range table {
		if s.Name == name {
			return s, nil
		}
	}
	if slices.Contains(unbuilt, name) {
		return Setting{}, fmt.Errorf("setting %s has no effect yet in this version, so it cannot be set: %w", name,
			ErrInvalidSetting)
	}
	return Setting{}, fmt.Errorf("unknown setting %q (nearest: %s): %w", name, Nearest(name, settingNames()), ErrInvalidSetting)
}

// canonical checks one value.
func (s Setting) canonical(value string) (string, error) {
	if s.words != nil {
		for _, w := range s.words {
			if strings.EqualFold(w, value) {
				return w, nil
			}
		}
		return "", s.refuse(value)
	}
	n, ok := parseCount(value, s.Unit)
	if !ok || n < s.min || n > s.max || s.odd && n%2 == 0 {
		return "", s.refuse(value)
	}
	return strconv.FormatInt(n, 10), nil
}

func (s Setting) refuse(value string) error {
	return fmt.Errorf("setting %s=%q, allowed is %s: %w", s.Name, value, s.Range, ErrInvalidSetting)
}

// effective turns canonical settings into what a replica is configured with.
func effective(chosen map[string]string) partitions.Settings {
	e := partitions.Settings{MaxBatchBytes: defaultMaxMessageBytes, AppendTime: chosen[timestampType] == appendTime}
	if v, ok := chosen[maxMessageBytes]; ok {
		n, err := strconv.Atoi(v)
		if err != nil {
			panic(&partitions.InvariantError{Invariant: "a stored setting is canonical", Got: v, Want: "a number"})
		}
		e.MaxBatchBytes = n
	}
	return e
}

// wantedReplicas returns how many replicas canonical settings choose; 0 if they leave it open.
func wantedReplicas(chosen map[string]string) int {
	v, ok := chosen[replicas]
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		panic(&partitions.InvariantError{Invariant: "a stored setting is canonical", Got: v, Want: "a number"})
	}
	return n
}

func values(chosen map[string]string) []Value {
	all := make([]Value, len(table))
	for i, s := range table {
		v, ok := chosen[s.Name]
		if !ok {
			v = s.Default
		}
		all[i] = Value{Setting: s, Value: v, Chosen: ok}
	}
	return all
}

// settingNames lists every name of a setting that is known, built or not.
func settingNames() []string {
	names := slices.Clone(unbuilt)
	for _, s := range table {
		names = append(names, s.Name)
	}
	return names
}
