package simulation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// condition looks at a run when a line's time has come, and returns what tells since then whether it is so: "" or why not.
type condition func(*script) (func() string, error)

// conditions are what can be expected.
var conditions = map[string]struct {
	usage string
	read  func(*words) (condition, error)
}{
	"leader":   {"leader TOPIC[/NUMBER] [is [not] BROKER]", (*words).leading},
	"writes":   {"writes TOPIC[/NUMBER]", func(w *words) (condition, error) { return w.writing(true) }},
	"no-write": {"no-write TOPIC[/NUMBER]", func(w *words) (condition, error) { return w.writing(false) }},
	"consumed": {"consumed TOPIC[/NUMBER]", (*words).consumed},
	"holds":    {"holds BROKER TOPIC[/NUMBER]", (*words).holding},
	"up":       {"up BROKER[,BROKER]|all", (*words).upright},
	"mark":     {"mark NAME", (*words).marked},
}

// expecting reads what must be so: at once, at the latest after a while, or all the while.
func (w *words) expecting() (action, error) {
	name := w.next()
	c, ok := conditions[name]
	if !ok {
		return nil, fmt.Errorf("nothing that can be expected is called %q (nearest: %s)", name, catalog.Nearest(name, slices.Sorted(maps.Keys(conditions))))
	}
	so, err := c.read(w)
	if err != nil {
		return nil, fmt.Errorf("%w (usage: expect %s)", err, c.usage)
	}
	var within, during time.Duration
	if w.word("within") {
		within, err = w.duration("how long it may take", 0)
	} else if w.word("for") {
		during, err = w.duration("how long it must be so", 0)
	}
	return func(p *script) error {
		missing, err := so(p)
		if err != nil {
			return err
		}
		if during > 0 {
			p.wait(during, func() bool { return missing() != "" })
		} else {
			p.wait(within, func() bool { return missing() == "" })
		}
		if why := missing(); why != "" && !p.world.over() {
			return errors.New(why)
		}
		return nil
	}, err
}

func (w *words) leading() (condition, error) {
	where, err := w.one()
	if err != nil {
		return nil, err
	}
	var who someone
	is := w.word("is")
	not := is && w.word("not")
	if is {
		who, err = w.broker()
	}
	return func(p *script) (func() string, error) {
		var wanted *Broker
		if who != nil {
			found, err := who(p)
			if err != nil {
				return nil, err
			}
			wanted = found[0]
		}
		return func() string {
			switch leader, _ := p.world.cluster.leads(where.in(p)[0]); {
			case leader == nil:
				return "nobody leads"
			case wanted != nil && (leader == wanted) == not:
				return leader.name + " leads"
			}
			return ""
		}, nil
	}, err
}

// writing sends a batch to each partition, and expects each or none to be acknowledged.
func (w *words) writing(wanted bool) (condition, error) {
	where, err := w.partition()
	return func(p *script) (func() string, error) {
		prober := p.probing()
		made := len(p.world.history.Sends)
		sent := false
		prober.ready(func() {
			made, sent = len(p.world.history.Sends), true
			for _, s := range p.streams(prober, where) {
				s.send()
			}
		})
		return func() string {
			acknowledged, all := 0, len(where.in(p))
			for _, b := range p.world.history.Sends[made:] {
				if sent && b.Client == prober.number && b.Outcome == OutcomeAcknowledged {
					acknowledged++
				}
			}
			if wanted && acknowledged < all || !wanted && acknowledged > 0 {
				return fmt.Sprintf("%d of %d batches sent now are acknowledged: %s", acknowledged, all, p.world.describe())
			}
			return ""
		}, nil
	}, err
}

// probing is the producer that expectations send with. Each has its own: one that waits does not hold up the next.
func (p *script) probing() *Producer {
	prober := newProducer(p.world, len(p.world.producers), producingIdempotent)
	p.world.producers = append(p.world.producers, prober)
	return prober
}

// consumed expects some consumer to have read everything that is acknowledged by now.
func (w *words) consumed() (condition, error) {
	where, err := w.partition()
	return func(p *script) (func() string, error) {
		ends := map[id.Partition]id.Offset{}
		for _, b := range p.world.history.Sends {
			if b.Outcome == OutcomeAcknowledged && b.Base >= 0 {
				ends[b.Partition] = max(ends[b.Partition], b.Base+id.Offset(len(b.Values)))
			}
		}
		return func() string {
			for _, at := range where.in(p) {
				if next := p.read(at); next < ends[at] {
					return fmt.Sprintf("%v is read up to %d, and acknowledged up to %d", at, next, ends[at])
				}
			}
			return ""
		}, nil
	}, err
}

// read is how far the consumer of a partition has come that has come farthest.
func (p *script) read(at id.Partition) id.Offset {
	var most id.Offset
	for _, c := range p.world.consumers {
		for _, position := range c.positions {
			if position.partition() == at {
				most = max(most, position.next)
			}
		}
	}
	return most
}

// holding expects a broker to be a voter of partitions, and to have applied everything that is committed by now.
func (w *words) holding() (condition, error) {
	who, err := w.broker()
	if err != nil {
		return nil, err
	}
	where, err := w.partition()
	return func(p *script) (func() string, error) {
		found, err := who(p)
		if err != nil {
			return nil, err
		}
		b, committed := found[0], map[id.Partition]id.Index{}
		for _, at := range where.in(p) {
			committed[at] = id.Index(len(p.world.ledger.group(at).committed))
		}
		return func() string {
			for _, at := range where.in(p) {
				votes := slices.ContainsFunc(p.world.cluster.voters(at), func(m partitions.Placed) bool { return m.Node == b.identity })
				if !votes {
					return fmt.Sprintf("%s is no voter of %v", b.name, at)
				}
				if l := b.logs.of(at); l == nil || l.stands.Applied < committed[at] {
					return fmt.Sprintf("%s has not applied entry %d of %v", b.name, committed[at], at)
				}
			}
			return ""
		}, nil
	}, err
}

func (w *words) upright() (condition, error) {
	who, err := w.everyone()
	return func(p *script) (func() string, error) {
		all, err := who(p)
		return func() string {
			for _, b := range all {
				if !b.Up() {
					return b.describe()
				}
			}
			return ""
		}, err
	}, err
}

// marked expects that something came about since the scenario began that only a misfortune brings about.
func (w *words) marked() (condition, error) {
	name := w.next()
	i := slices.Index(markNames[:], name)
	var err error
	if i < 0 {
		err = fmt.Errorf("no mark is called %q (nearest: %s); they are %s", name, catalog.Nearest(name, markNames[:]), strings.Join(markNames[:], " "))
	}
	return func(p *script) (func() string, error) {
		return func() string {
			if p.world.marks[i] == p.marks[i] {
				return "it did not come about"
			}
			return ""
		}, nil
	}, err
}
