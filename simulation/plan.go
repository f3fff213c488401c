package simulation

import (
	"fmt"
	"time"
)

// Plan decides which of the faults and operations that a seed draws come to pass. Each is asked for when its draw is made, and numbered
// among those of its name: so it can be left out, by name or by number, while the draws stay what they were. A run that leaves
// nothing out is the seed's own; one that leaves something out is another run, as deterministic as that, in which a number may stand
// for something else from the first omission on.
type Plan struct {
	Faults  // what happened
	choice  Choice
	asked   [faultKinds]int
	turns   map[string]int // by client
	strikes []Strike
	now     func() time.Duration // nil: nobody wants to know when
}

// Choice says what of a seed may come to pass. The zero Choice is everything.
type Choice struct {
	// Faults are the kinds that may happen.
	Faults FaultSet
	// Only are the faults of these kinds that happen, by number.
	Only Selection
	// Operations are what clients do under load, by name and number. Those of the phases before and after it always happen.
	Operations Selection
}

// flags are the choice as the command line takes it, each behind a space.
func (c Choice) flags() string {
	text := ""
	for _, f := range []struct{ name, value string }{
		{"faults", c.Faults.String()}, {"only", c.Only.String()}, {"operations", c.Operations.String()},
	} {
		if f.value != selectAll {
			text += " --" + f.name + " " + f.value
		}
	}
	return text
}

// Strike is one fault that happened by plan.
type Strike struct {
	Fault  Fault
	Number int // among those of its kind
	At     time.Duration
	Where  string
}

// String says when and where it happened.
func (s Strike) String() string {
	return fmt.Sprintf("%s  %-22s %s", moment(s.At), fmt.Sprintf("%v:%d", s.Fault, s.Number), s.Where)
}

// strike tells whether a fault that was drawn happens, and notes it.
func (p *Plan) strike(kind Fault, where string) bool {
	p.asked[kind]++
	n := p.asked[kind]
	if !p.choice.Faults.Has(kind) || !p.choice.Only.has(kind.String(), n) {
		return false
	}
	p.count(kind)
	s := Strike{Fault: kind, Number: n, Where: where}
	if p.now != nil {
		s.At = p.now()
	}
	p.strikes = append(p.strikes, s)
	return true
}

// turn tells whether a client does what its turn has come to.
func (p *Plan) turn(client string) bool {
	if p.turns == nil {
		p.turns = map[string]int{}
	}
	p.turns[client]++
	return p.choice.Operations.has(client, p.turns[client])
}

// struck lists the faults that happened, by kind and number.
func (p *Plan) struck() Selection {
	all := Selection{}
	for _, s := range p.strikes {
		all.add(s.Fault.String(), s.Number)
	}
	return all
}

// done lists the operations that were done.
func (p *Plan) done() Selection {
	all := Selection{}
	for client, turns := range p.turns { // any order: each is listed by its name
		for n := 1; n <= turns; n++ {
			if p.choice.Operations.has(client, n) {
				all.add(client, n)
			}
		}
	}
	return all
}
