package membership

import (
	"cmp"
	"slices"
)

// share is the even load of a site. Where whole units cannot be dealt out alike, least and most are one apart and either is
// even: nothing moves for the sake of a unit that several deserve alike.
type share struct{ least, most int }

// even deals total units to sites, each to the site that has the fewest for its weight, never more than a site's limit nor
// than the room of its group. (The rule is Sainte-Laguë's, in whole numbers: it stays within one of the exact share, and is
// the same on every machine.)
func even(total int, sites []Site, limits, groups, room []int) []share {
	dealt, left := make([]int, len(sites)), slices.Clone(room)
	last := make([]claim, len(room)) // by which each group got its last unit
	var lastOfAll claim
	// next returns the site with the strongest claim among those of which ask is true, or -1.
	next := func(ask func(site int) bool) int {
		best := -1
		for i := range sites {
			if dealt[i] < limits[i] && ask(i) && (best < 0 || claimOf(sites[i], dealt[i]).before(claimOf(sites[best], dealt[best]))) {
				best = i
			}
		}
		return best
	}
	hasRoom := func(site int) bool { return left[groups[site]] > 0 }
	for range total {
		best := next(hasRoom)
		if best < 0 {
			break
		}
		lastOfAll = claimOf(sites[best], dealt[best])
		last[groups[best]] = lastOfAll
		left[groups[best]]--
		dealt[best]++
	}
	shares := make([]share, len(sites))
	for i, s := range sites {
		rivals, served := hasRoom, lastOfAll
		if !hasRoom(i) {
			rivals, served = func(site int) bool { return groups[site] == groups[i] }, last[groups[i]]
		}
		shares[i] = share{least: dealt[i], most: dealt[i]}
		if rival := next(rivals); rival >= 0 && served.weight > 0 {
			shares[i].least = min(shares[i].least, claimOf(sites[rival], dealt[rival]).stronger(s))
			shares[i].most = min(max(shares[i].most, served.notWeaker(s)), limits[i])
		}
	}
	return shares
}

// claim is the right of a site to one more unit: the fraction units/weight, of which the smallest is served first.
type claim struct{ units, weight int }

// claimOf returns the claim of a site that has been dealt so many units: units + 1/2 for its weight, doubled.
func claimOf(s Site, dealt int) claim { return claim{2*dealt + 1, s.weight()} }

func (c claim) before(d claim) bool { return c.units*d.weight < d.units*c.weight }

// stronger counts the claims of a site that come before c, notWeaker those that do not come after it.
func (c claim) stronger(s Site) int  { return (c.units*s.weight() + c.weight - 1) / c.weight / 2 }
func (c claim) notWeaker(s Site) int { return (c.units*s.weight()/c.weight + 1) / 2 }

// balance evens out loads by moving one unit at a time, as few as will do.
type balance struct {
	load   []int // of each site
	shares []share
	best   func(from, to int) (unit int, found bool)
	move   func(unit, from, to int)
}

// slack is how far a load may lie from the even one: a twentieth, so that rounding leaves it within a tenth of the exact
// share; no slack, which is within one, where that is less than a unit.
func slack(load int) int { return max(load-1, 0) / 20 }

func (b *balance) above(site int) bool { return b.load[site] > b.shares[site].least }
func (b *balance) below(site int) bool { return b.load[site] < b.shares[site].most }
func (b *balance) tooMuch(site int) bool {
	return b.load[site] > b.shares[site].most+slack(b.shares[site].most)
}
func (b *balance) tooLittle(site int) bool {
	return b.load[site] < b.shares[site].least-slack(b.shares[site].least)
}

// settle moves units until no site has too much or too little, or nothing that may move helps. Every shift brings the sum
// of what is too much and too little down, so it ends.
func (b *balance) settle() {
	for b.shift(b.tooMuch, b.tooLittle) || b.shift(b.tooMuch, b.below) || b.shift(b.above, b.tooLittle) {
	}
}

// shift takes a unit from one of the sources and gives one to one of the sinks, over as few sites between as possible:
// those pass one on for one they get. It returns false if no such chain exists.
func (b *balance) shift(source, sink func(site int) bool) bool {
	sites := make([]int, len(b.load)) // the neediest first
	for i := range sites {
		sites[i] = i
	}
	slices.SortStableFunc(sites, func(i, j int) int {
		return cmp.Compare(b.load[i]-b.shares[i].most, b.load[j]-b.shares[j].most)
	})
	if !slices.ContainsFunc(sites, sink) {
		return false
	}
	steps := make([]step, len(b.load))
	var queue []int
	for _, site := range slices.Backward(sites) {
		if source(site) {
			queue = append(queue, site)
			steps[site] = step{reached: true, from: -1}
		}
	}
	for len(queue) > 0 {
		from := queue[0]
		queue = queue[1:]
		for _, to := range sites {
			if steps[to].reached {
				continue
			}
			unit, found := b.best(from, to)
			if !found || onPath(steps, from, unit) {
				continue
			}
			steps[to] = step{reached: true, from: from, unit: unit}
			if sink(to) {
				b.follow(steps, to)
				return true
			}
			queue = append(queue, to)
		}
	}
	return false
}

// step is how a search got to a site: with which unit, from where.
type step struct {
	reached bool
	from    int // -1 at a source
	unit    int
}

// onPath tells whether a unit is moved already on the way to a site: whether it may move twice was not asked.
func onPath(steps []step, site, unit int) bool {
	for ; steps[site].from >= 0; site = steps[site].from {
		if steps[site].unit == unit {
			return true
		}
	}
	return false
}

// follow moves the units of the path that ends at a site.
func (b *balance) follow(steps []step, to int) {
	for ; steps[to].from >= 0; to = steps[to].from {
		from := steps[to].from
		b.move(steps[to].unit, from, to)
		b.load[from]--
		b.load[to]++
	}
}
