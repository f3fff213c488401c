package simulation

import (
	"fmt"
	"slices"
	"time"
)

// Shrunk is what is left of a run that broke a promise when everything was left out that the break did not need, as far as the
// runs sufficed.
type Shrunk struct {
	Whole *Report
	Least *Report
	Runs  int  // made for it
	Spent bool // no more were permitted: less might do
	// Strikes are the faults that are left, in the order in which they happen.
	Strikes []Strike
}

// Shrink looks for the least part of a run that breaks the same promise, by delta debugging: it leaves out faults and operations,
// many at a time first, runs what is left, and goes on from there if the same invariant is broken. Its first step leaves out the
// time after the break. It makes at most so many runs, width of them at once by calling run, and the last one here. Whatever
// width is, the result is the same.
func Shrink(r *Report, most, width int, run func([]Config) ([]*Report, error)) (*Shrunk, error) {
	s := &shrinking{least: r, most: most, width: width, run: run}
	for changed := true; changed && s.runs < s.most; {
		before := s.runs
		changed = false
		for _, step := range []func() (bool, error){
			s.shorten,
			func() (bool, error) { return s.reduce(byName(faultsOf), true) },
			func() (bool, error) { return s.reduce(byName(operationsOf), true) },
			func() (bool, error) { return s.reduce(oneByOne(faultsOf), false) },
			func() (bool, error) { return s.reduce(oneByOne(operationsOf), false) },
		} {
			less, err := step()
			if err != nil {
				return nil, err
			}
			changed = changed || less
		}
		changed = changed && s.runs > before
	}
	least := Run(configOf(s.least))
	if least.Hash != s.least.Hash {
		return nil, fmt.Errorf("seed %d is not deterministic: hash %s, then %s: %s", r.Seed, s.least.Hash, least.Hash, least.Replay())
	}
	return &Shrunk{Whole: r, Least: least, Runs: s.runs, Spent: s.runs >= s.most, Strikes: least.strikes}, nil
}

// shrinking is a search for less.
type shrinking struct {
	least *Report // so far
	runs  int     // never above most
	most  int
	width int
	run   func([]Config) ([]*Report, error)
}

// part is one thing that may be left out: a fault, or an operation of a client's.
type part struct {
	name   string
	number int
}

func configOf(r *Report) Config {
	return Config{Seed: r.Seed, Length: r.Length, Nodes: r.Options.Nodes, RealDisk: r.RealDisk, Choice: r.Choice}
}

// aspect is what parts are of, and how a choice names them.
type aspect struct {
	parts  func(*Report) Selection
	choose func(*Choice, Selection)
}

var (
	faultsOf     = aspect{func(r *Report) Selection { return r.Struck }, func(c *Choice, s Selection) { c.Only = s }}
	operationsOf = aspect{func(r *Report) Selection { return r.Done }, func(c *Choice, s Selection) { c.Operations = s }}
)

// division cuts what happened in a run into units, each of which is left out or not.
type division struct {
	aspect
	units func(*Report) [][]part
}

// byName makes a unit of each kind of fault, or each client.
func byName(a aspect) division {
	return division{a, func(r *Report) [][]part {
		var units [][]part
		for p := range a.parts(r).all() {
			if last := len(units) - 1; last >= 0 && units[last][0].name == p.name {
				units[last] = append(units[last], p)
			} else {
				units = append(units, []part{p})
			}
		}
		return units
	}}
}

// oneByOne makes a unit of each part.
func oneByOne(a aspect) division {
	return division{a, func(r *Report) [][]part {
		var units [][]part
		for p := range a.parts(r).all() {
			units = append(units, []part{p})
		}
		return units
	}}
}

// without is a run of all units but some.
func (d division) without(r *Report, units [][]part, from, below int) Config {
	rest := Selection{}
	for i, unit := range units {
		for _, p := range unit {
			if i < from || i >= below {
				rest.add(p.name, p.number)
			}
		}
	}
	c := configOf(r)
	d.choose(&c.Choice, rest)
	return c
}

// shorten leaves out the time after the break; if that was after the load, half of the load, again and again.
func (s *shrinking) shorten() (less bool, err error) {
	for {
		c := configOf(s.least)
		switch end := s.least.Simulated - s.least.Loaded; {
		case s.least.Loaded == 0: // it broke before that
			c.Length = time.Millisecond
		case end < c.Length:
			c.Length = end.Truncate(time.Millisecond) + time.Millisecond
		default:
			c.Length = (c.Length / 2).Truncate(time.Millisecond)
		}
		if c.Length <= 0 || c.Length >= s.least.Length {
			return less, nil
		}
		taken, err := s.first([]Config{c})
		if taken < 0 || err != nil {
			return less, err
		}
		less = true
	}
}

// reduce leaves out units: half of them at once, then the other half, quarters, and so on down to each alone; all at once before
// that, if whole.
func (s *shrinking) reduce(d division, whole bool) (less bool, err error) {
	units := d.units(s.least)
	size := (len(units) + 1) / 2
	if whole {
		size = len(units)
	}
	for ; len(units) > 0; size = (size + 1) / 2 {
		for at := 0; at < len(units) && s.runs < s.most; {
			var candidates []Config
			for from := at; from < len(units) && len(candidates) < s.width; from += size {
				candidates = append(candidates, d.without(s.least, units, from, from+size))
			}
			taken, err := s.first(candidates)
			if err != nil {
				return less, err
			}
			if taken < 0 {
				at += len(candidates) * size
				continue
			}
			less = true
			units = d.units(s.least)
			at += taken * size // what was behind it has moved here
		}
		if size <= 1 || s.runs >= s.most {
			break
		}
	}
	return less, nil
}

// first runs candidates and takes the first that breaks the same promise: its number, or -1. Those behind it do not count as run.
func (s *shrinking) first(candidates []Config) (int, error) {
	candidates = candidates[:min(len(candidates), s.most-s.runs)]
	if len(candidates) == 0 {
		return -1, nil
	}
	reports, err := s.run(candidates)
	if err != nil {
		return -1, err
	}
	taken := slices.IndexFunc(reports, func(r *Report) bool {
		return r.Violation != nil && r.Violation.Invariant == s.least.Violation.Invariant
	})
	if taken < 0 {
		s.runs += len(candidates)
		return -1, nil
	}
	s.runs += taken + 1
	s.least = reports[taken]
	// What did not come to pass in it need not be named: the run is the same.
	s.least.Choice.Only, s.least.Choice.Operations = s.least.Struck, s.least.Done
	return taken, nil
}
