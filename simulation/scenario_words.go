package simulation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"troupe/partitions/id"
)

// words are what is left to be read of a scenario's line.
type words struct {
	scenario *Scenario
	names    map[string]bool // of brokers, given by the lines before
	rest     []string
}

// next takes a word; "" when there is none.
func (w *words) next() string {
	if len(w.rest) == 0 {
		return ""
	}
	first := w.rest[0]
	w.rest = w.rest[1:]
	return first
}

// word takes the next word if it is this one.
func (w *words) word(wanted string) bool {
	found := len(w.rest) > 0 && w.rest[0] == wanted
	if found {
		w.rest = w.rest[1:]
	}
	return found
}

// wholly adds what a line should look like to its error, and makes one of words that are left.
func (w *words) wholly(usage string, err error) error {
	if err == nil && len(w.rest) > 0 {
		err = fmt.Errorf("%q is not expected", strings.Join(w.rest, " "))
	}
	if err != nil {
		return fmt.Errorf("%w (usage: %s)", err, usage)
	}
	return nil
}

func (w *words) number(what string, low, high int) (int, error) {
	text := w.next()
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not %s: a number from %d to %d", text, what, low, high)
	}
	return n, nil
}

func (w *words) duration(what string, least time.Duration) (time.Duration, error) {
	text := w.next()
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > mostTime {
		return 0, fmt.Errorf("%q is not %s: a time from %v to %v, as in 2s or 500ms", text, what, least, mostTime)
	}
	return d, nil
}

// plain tells that a word may name a topic or a broker.
func plain(name string) bool {
	return name != "" && len(name) <= 64 && name[0] >= 'a' && name[0] <= 'z' &&
		!strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

// partition is a topic's partition, or all of them, as a line names it: orders/0, or orders.
type partition struct {
	topic  string
	number int // -1: all
}

func (w *words) partition() (partition, error) {
	name, number, one := strings.Cut(w.next(), "/")
	i := slices.IndexFunc(w.scenario.topics, func(t layout) bool { return t.name == name })
	if i < 0 {
		return partition{}, fmt.Errorf("no topic is called %q", name)
	}
	if !one {
		return partition{name, -1}, nil
	}
	n, err := strconv.Atoi(number)
	if count := w.scenario.topics[i].partitions; err != nil || n < 0 || n >= count {
		return partition{}, fmt.Errorf("topic %s has no partition %q: it has %d, from 0 on", name, number, count)
	}
	return partition{name, n}, nil
}

// one is Partition for what concerns one partition; the first, if the line does not say.
func (w *words) one() (partition, error) {
	p, err := w.partition()
	p.number = max(p.number, 0)
	return p, err
}

// in lists the partitions meant.
func (p partition) in(s *script) []id.Partition {
	t := s.topics[p.topic]
	if p.number >= 0 {
		return []id.Partition{{Topic: t.ID, Number: int32(p.number)}}
	}
	var all []id.Partition
	for n := range t.Partitions {
		all = append(all, id.Partition{Topic: t.ID, Number: n})
	}
	return all
}

// someone finds brokers when a line's time has come.
type someone func(*script) ([]*Broker, error)

// broker reads who is meant: a letter, the leader or a follower of the first topic's first partition, or a name that a line gave.
func (w *words) broker() (someone, error) {
	name := w.next()
	switch number := strings.Index(letters[:w.scenario.brokers], name); {
	case len(name) == 1 && number >= 0:
		return func(s *script) ([]*Broker, error) { return s.world.cluster.brokers[number : number+1], nil }, nil
	case name == "leader" || name == "follower":
		if len(w.scenario.topics) == 0 {
			return nil, fmt.Errorf("nobody is the %s: there is no topic", name)
		}
		return func(s *script) ([]*Broker, error) { return s.role(name == "leader") }, nil
	case w.names[name]:
		return func(s *script) ([]*Broker, error) { return []*Broker{s.names[name]}, nil }, nil
	}
	return nil, fmt.Errorf("no broker is called %q: they are %s, leader and follower, and what `name` has named before",
		name, strings.Join(strings.Split(letters[:w.scenario.brokers], ""), " "))
}

const letters = "abcdefg"

// everyone reads a broker, several with commas between them, or all.
func (w *words) everyone() (someone, error) {
	if w.word("all") {
		return func(s *script) ([]*Broker, error) { return s.world.cluster.brokers, nil }, nil
	}
	var each []someone
	for name := range strings.SplitSeq(w.next(), ",") {
		one, err := (&words{scenario: w.scenario, names: w.names, rest: []string{name}}).broker()
		if err != nil {
			return nil, err
		}
		each = append(each, one)
	}
	return func(s *script) ([]*Broker, error) {
		var all []*Broker
		for _, one := range each {
			found, err := one(s)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
		return all, nil
	}, nil
}

// role finds who leads the first partition, or the first of the living brokers that hold it and do not lead.
func (p *script) role(leads bool) ([]*Broker, error) {
	at := partition{p.Scenario.topics[0].name, 0}.in(p)[0]
	leader, _ := p.world.cluster.leads(at)
	if leader == nil {
		return nil, fmt.Errorf("nobody leads %s/0 now", p.Scenario.topics[0].name)
	}
	if leads {
		return []*Broker{leader}, nil
	}
	for _, b := range p.world.cluster.brokers {
		if b != leader && !b.life.over && b.logs.of(at) != nil {
			return []*Broker{b}, nil
		}
	}
	return nil, fmt.Errorf("nobody follows in %s/0 now", p.Scenario.topics[0].name)
}

// of is the newest log of a partition.
func (o *overseer) of(p id.Partition) *overseen {
	var newest *overseen
	for _, l := range o.logs { // any order: the highest id
		if l.partition == p && (newest == nil || l.replica > newest.replica) {
			newest = l
		}
	}
	return newest
}
