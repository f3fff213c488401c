package simulation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// verb is how a line with a time goes on.
type verb struct {
	usage string
	read  func(*words) (action, error)
}

// verbs are what can happen in a scenario.
var verbs = map[string]verb{
	"name":    {"name WORD BROKER", (*words).naming},
	"produce": {"produce TOPIC[/NUMBER] every DURATION [for DURATION] [through BROKER]", (*words).producing},
	"consume": {"consume TOPIC", (*words).consuming},
	"trim":    {"trim TOPIC[/NUMBER]", (*words).trimming},

	"kill":   {"kill BROKER[,BROKER]|all", each(func(p *script, b *Broker) error { return b.fall(false) })},
	"unplug": {"unplug BROKER[,BROKER]|all", each(func(p *script, b *Broker) error { return b.fall(true) })},
	"stop":   {"stop BROKER[,BROKER]|all", each((*script).stop)},
	"start":  {"start BROKER[,BROKER]|all", each((*script).start)},
	"wipe":   {"wipe BROKER[,BROKER]", each((*script).wipe)},
	"pause":  {"pause BROKER[,BROKER]|all", each((*script).pause)},
	"resume": {"resume BROKER[,BROKER]|all", each((*script).resume)},

	"clock": {"clock BROKER ahead|behind DURATION", (*words).misdating},

	"partition": {"partition BROKER[,BROKER]|rest from|to BROKER[,BROKER]|rest", (*words).parting},
	"heal":      {"heal", func(*words) (action, error) { return (*script).heal, nil }},
	"fill":      {"fill BROKER[,BROKER]|all", each((*script).fill)},
	"free":      {"free BROKER[,BROKER]|all", each((*script).free)},
	"corrupt":   {"corrupt BROKER TOPIC[/NUMBER] flip|zero|cut", (*words).corrupting},
	"expect":    {"expect CONDITION [within DURATION|for DURATION]", (*words).expecting},
}

// action reads a line behind its time.
func (w *words) action() (action, error) {
	name := w.next()
	v, ok := verbs[name]
	if !ok {
		return nil, fmt.Errorf("no verb is called %q (nearest: %s)", name, catalog.Nearest(name, slices.Sorted(maps.Keys(verbs))))
	}
	act, err := v.read(w)
	return act, w.wholly(v.usage, err)
}

// each reads brokers that something is done to, one after the other.
func each(do func(*script, *Broker) error) func(*words) (action, error) {
	return func(w *words) (action, error) {
		who, err := w.everyone()
		return func(p *script) error {
			all, err := who(p)
			for _, b := range all {
				err = errors.Join(err, do(p, b))
			}
			return err
		}, err
	}
}

func (w *words) naming() (action, error) {
	name := w.next()
	if !plain(name) || len(name) == 1 || name == "leader" || name == "follower" || name == "all" || name == "rest" {
		return nil, fmt.Errorf("%q is no name for a broker: small letters and digits, at least two, and none of leader, follower, all, rest", name)
	}
	who, err := w.broker()
	w.names[name] = true
	return func(p *script) error {
		found, err := who(p)
		if err == nil {
			p.names[name] = found[0]
			p.world.trace.event("scenario", "name", "%s is %s", name, found[0].name)
		}
		return err
	}, err
}

// misdating sets the clock of a broker wrong; by 0s, right.
func (w *words) misdating() (action, error) {
	who, err := w.broker()
	if err != nil {
		return nil, err
	}
	sign := time.Duration(1)
	if w.word("behind") {
		sign = -1
	} else if !w.word("ahead") {
		return nil, errors.New("neither ahead nor behind")
	}
	by, err := w.duration("how much", 0)
	return func(p *script) error {
		found, err := who(p)
		if err != nil {
			return err
		}
		p.world.plan.count(FaultClockJump)
		found[0].drift.ahead = sign * by
		return nil
	}, err
}

// parting cuts brokers off: both ways, or what the first ones say does not reach the others.
func (w *words) parting() (action, error) {
	these, err := w.side()
	if err != nil {
		return nil, err
	}
	bothWays := w.word("from")
	if !bothWays && !w.word("to") {
		return nil, errors.New("neither from nor to")
	}
	those, err := w.side()
	if err == nil && these == nil && those == nil {
		err = errors.New("the rest of whom?")
	}
	return func(p *script) error {
		one, err := p.side(these)
		if err != nil {
			return err
		}
		other, err := p.side(those)
		switch {
		case err != nil:
			return err
		case these == nil:
			one = p.rest(other)
		case those == nil:
			other = p.rest(one)
		}
		return p.part(one, other, bothWays)
	}, err
}

// side reads one side of a cut; nil: whoever is not on the other.
func (w *words) side() (someone, error) {
	if w.word("rest") {
		return nil, nil
	}
	return w.everyone()
}

func (p *script) side(who someone) ([]*Broker, error) {
	if who == nil {
		return nil, nil
	}
	return who(p)
}

func (p *script) rest(of []*Broker) []*Broker {
	return slices.DeleteFunc(slices.Clone(p.world.cluster.brokers), func(b *Broker) bool { return slices.Contains(of, b) })
}

func (p *script) part(one, other []*Broker, bothWays bool) error {
	var pairs [][2]int
	for _, a := range one {
		for _, b := range other {
			if a == b {
				return fmt.Errorf("%s is on both sides", a.name)
			}
			if pairs = append(pairs, [2]int{a.number, b.number}); bothWays {
				pairs = append(pairs, [2]int{b.number, a.number})
			}
		}
	}
	kind := FaultCutOneWay
	if bothWays {
		kind = FaultCutHalves
	}
	p.world.plan.count(kind)
	p.world.trace.event("network", "cut", "%v", pairs)
	p.world.cluster.network.block(pairs)
	return nil
}

func (p *script) heal() error {
	p.world.cluster.network.heal()
	return nil
}

// corrupting damages the middle of a partition's oldest segment, on the disk of a broker that is down.
func (w *words) corrupting() (action, error) {
	who, err := w.broker()
	if err != nil {
		return nil, err
	}
	at, err := w.one()
	if err != nil {
		return nil, err
	}
	how, ok := map[string]Fault{"flip": FaultBitFlip, "zero": FaultZeroPage, "cut": FaultCutFile}[w.next()]
	if !ok {
		err = errors.New("neither flip nor zero nor cut")
	}
	return func(p *script) error {
		found, err := who(p)
		if err != nil {
			return err
		}
		return p.corrupt(found[0], at.in(p)[0], how)
	}, err
}

func (p *script) corrupt(b *Broker, at id.Partition, how Fault) error {
	if !b.life.over {
		return fmt.Errorf("%s runs: kill, unplug or stop it first", b.name)
	}
	for _, v := range b.victims() {
		if v.partition != at || !v.segment() {
			continue
		}
		if !p.world.atlas.permits(v.partition, v.owner) {
			return fmt.Errorf("with the replica on %s, as many would be damaged as a quorum has, or the voters are changing", b.name)
		}
		hit := func(path string) (Fault, int, int) {
			f := b.volume.files[path]
			f.sync()
			low, high := f.damage(how, len(f.synced)/2, 0)
			return how, low, high
		}
		noted := func(what Fault, _ string) bool { p.world.plan.count(what); return true }
		if !b.hurt(v, hit, noted) {
			return fmt.Errorf("nothing else on %s tells that the middle of %s was durable: it would pass for a tear; write more first", b.name, v.name)
		}
		return nil
	}
	return fmt.Errorf("%s holds no segment of %v", b.name, at)
}

func (p *script) wait(most time.Duration, until func() bool) bool {
	w := p.world
	w.scheduler.Run(w.scheduler.Now()+most, func() bool { return w.over() || until() })
	return until()
}
