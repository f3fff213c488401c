package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"troupe/partitions/catalog"
)

// settings are the lines that say what there is.
var settings = map[string]struct {
	usage string
	set   func(*Scenario, *words) error
}{
	"seed": {"seed NUMBER", func(s *Scenario, w *words) error {
		n, err := w.number("a seed", 0, 1<<62)
		s.Seed = uint64(n)
		return err
	}},
	"brokers": {"brokers NUMBER", func(s *Scenario, w *words) (err error) {
		s.brokers, err = w.number("how many brokers", 1, mostBrokers)
		return err
	}},
	"topic":   {"topic NAME [partitions NUMBER] [replicas NUMBER]", (*Scenario).topic},
	"segment": {"segment BYTES", func(s *Scenario, w *words) (err error) { s.segment, err = w.number("bytes", 1<<10, 1<<24); return err }},
	"checkpoint": {"checkpoint BYTES", func(s *Scenario, w *words) (err error) {
		s.checkpoint, err = w.number("bytes", 1<<10, 1<<24)
		return err
	}},
	"scrub": {"scrub BYTES", func(s *Scenario, w *words) (err error) { s.scrub, err = w.number("bytes", 0, 1<<24); return err }},
	"replace": {"replace DURATION", func(s *Scenario, w *words) (err error) {
		s.replace, err = w.duration("a duration", time.Second)
		return err
	}},
}

// ScenarioUsage lists the lines that a scenario may have: first those without a time, then the verbs, then what can be expected.
func ScenarioUsage() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		all = append(all, settings[name].usage)
	}
	for _, name := range slices.Sorted(maps.Keys(verbs)) {
		all = append(all, "TIME "+verbs[name].usage)
	}
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		all = append(all, "TIME expect "+conditions[name].usage)
	}
	return all
}

// set takes a line without a time.
func (s *Scenario) set(w *words) error {
	name := w.next()
	setting, ok := settings[name]
	if !ok {
		return fmt.Errorf("no setting is called %q (nearest: %s), and a line that something happens in begins with its time, as in 2s or 500ms",
			name, catalog.Nearest(name, slices.Sorted(maps.Keys(settings))))
	}
	if len(s.lines) > 0 {
		return fmt.Errorf("%q stands behind a line with a time: what there is comes first", name)
	}
	if len(s.topics) > 0 && name == "brokers" {
		return fmt.Errorf("%q stands behind a topic, whose replicas need to know it", name)
	}
	return w.wholly(setting.usage, setting.set(s, w))
}

// topic takes a topic's line.
func (s *Scenario) topic(w *words) (err error) {
	t := layout{name: w.next(), partitions: 1, replicas: min(3, s.brokers)}
	if len(s.topics) == mostTopics {
		return fmt.Errorf("there are at most %d topics", mostTopics)
	}
	if slices.ContainsFunc(s.topics, func(other layout) bool { return other.name == t.name }) {
		return fmt.Errorf("there is a topic %q already", t.name)
	}
	if !plain(t.name) {
		return fmt.Errorf("%q is no name of a topic here: small letters, digits and hyphens, the first a letter", t.name)
	}
	if w.word("partitions") {
		if t.partitions, err = w.number("how many partitions", 1, mostOf); err != nil {
			return err
		}
	}
	if w.word("replicas") {
		if t.replicas, err = w.number("how many replicas", 1, s.brokers); err != nil {
			return err
		}
	}
	s.topics = append(s.topics, t)
	return nil
}
