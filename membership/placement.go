package membership

import (
	"cmp"
	"slices"

	"troupe/partitions/id"
)

// Site is a broker as placement sees it: a place for replicas.
type Site struct {
	Node     id.Node
	Rack     string // sites of one rack may fail together; those that name none are one rack too
	Weight   int    // its share compared with other sites': 1 to MaxWeight, 0 counts as 1
	Draining bool   // is given nothing and emptied
}

func (s Site) weight() int { return min(max(s.Weight, 1), MaxWeight) }

// Assignment is one partition, how many replicas it should have and where they are; the first node is the preferred leader.
type Assignment struct {
	Partition id.Partition
	Replicas  int // wanted; below 1 counts as 1
	Nodes     []id.Node
}

// Place decides where replicas belong. It is a pure function: of the same sites and partitions, in whatever order they are
// given, it makes the same assignments, returned in the order of partitions. Placing its own result changes nothing.
//
//   - The replicas of a partition are on different sites. There are as many as wanted, or as there are sites.
//   - Of a partition's replicas a rack holds as few as the number of racks and their sizes permit.
//   - Every site holds its even share by weight, give or take a twentieth (but whole replicas), as far as racks permit; and
//     so it is with the partitions of which a site is the preferred leader.
//   - A replica stays where it is as long as that is so; beyond it no more move than must. Replicas without data, followers,
//     and those that the ring would rather have elsewhere move first.
//   - A replica leaves a draining site only for another site: with nowhere to go it stays, last in the list. One on a node
//     that is no site at all counts as gone.
func Place(sites []Site, partitions []Assignment) []Assignment {
	l := newLayout(sites, partitions)
	l.keep()
	l.fill()
	l.settleReplicas()
	l.settleLeaders()
	return l.assignments()
}

// layout is a placement while it is made.
type layout struct {
	sites  []Site // that are not draining, ordered by node
	racks  []int  // of each site: the number of its rack
	sizes  []int  // of each rack: its sites
	placed []placed
	ring   ring

	// holds lists for each site the partitions that it has a replica of: exactly those with the site in at.
	holds  [][]int
	shares []share
}

// placed is one partition in a layout.
type placed struct {
	given Assignment
	want  int // replicas on sites
	most  int // of them in one rack

	at     []int // sites, each once; the first is the preferred leader
	inRack []int // for each rack how many of at
	order  []int // every site, as the ring prefers them
	rank   []int // of each site: its position in order
	was    []int // sites that have the partition's data
}

func newLayout(sites []Site, partitions []Assignment) *layout {
	l := &layout{}
	known := slices.SortedFunc(slices.Values(sites), func(a, b Site) int { return cmp.Compare(a.Node, b.Node) })
	for _, s := range slices.CompactFunc(known, func(a, b Site) bool { return a.Node == b.Node }) {
		if !s.Draining {
			l.sites = append(l.sites, s)
		}
	}
	var names []string
	for _, s := range l.sites {
		names = append(names, s.Rack)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	l.sizes = make([]int, len(names))
	for _, s := range l.sites {
		rack, _ := slices.BinarySearch(names, s.Rack)
		l.racks = append(l.racks, rack)
		l.sizes[rack]++
	}
	l.ring = newRing(l.sites)
	l.holds = make([][]int, len(l.sites))
	draining := map[id.Node]bool{}
	for _, s := range sites {
		draining[s.Node] = s.Draining
	}
	for _, a := range partitions {
		l.placed = append(l.placed, l.newPlaced(a, draining))
	}
	slices.SortFunc(l.placed, func(a, b placed) int {
		p, q := a.given.Partition, b.given.Partition
		return cmp.Or(cmp.Compare(p.Topic, q.Topic), cmp.Compare(p.Number, q.Number))
	})
	return l
}

func (l *layout) newPlaced(a Assignment, draining map[id.Node]bool) placed {
	p := placed{given: a, inRack: make([]int, len(l.sizes)), rank: make([]int, len(l.sites))}
	p.given.Replicas = max(a.Replicas, 1)
	p.want = min(p.given.Replicas, len(l.sites))
	p.most = fewestInRack(l.sizes, p.want)
	p.order = l.ring.walk(a.Partition)
	for rank, site := range p.order {
		p.rank[site] = rank
	}
	p.given.Nodes = nil // from here on: those on draining sites
	for _, node := range a.Nodes {
		if site, found := l.siteOf(node); found && !slices.Contains(p.was, site) {
			p.was = append(p.was, site)
		} else if !found && draining[node] && !slices.Contains(p.given.Nodes, node) {
			p.given.Nodes = append(p.given.Nodes, node)
		}
	}
	return p
}

// fewestInRack returns the smallest number that no rack need exceed for a partition to find room for its replicas.
func fewestInRack(sizes []int, replicas int) int {
	for most := 1; ; most++ {
		room := 0
		for _, size := range sizes {
			room += min(size, most)
		}
		if room >= replicas {
			return most
		}
	}
}

func (l *layout) siteOf(node id.Node) (site int, found bool) {
	return slices.BinarySearchFunc(l.sites, node, func(s Site, n id.Node) int { return cmp.Compare(s.Node, n) })
}

// keep leaves every replica where it is that may stay, and computes the even shares.
func (l *layout) keep() {
	total, room := 0, make([]int, len(l.sizes))
	for i := range l.placed {
		p := &l.placed[i]
		for _, site := range p.was {
			if len(p.at) < p.want && l.permits(p, site) {
				l.put(i, site)
			}
		}
		total += p.want
		for rack, size := range l.sizes {
			room[rack] += min(size, p.most)
		}
	}
	limits := make([]int, len(l.sites))
	for site := range limits {
		limits[site] = len(l.placed)
	}
	l.shares = even(total, l.sites, limits, l.racks, room)
}

// fill gives every partition the replicas that it lacks: the first sites of its walk that have less than their share, then
// those that racks permit. The latter is always possible, see fewestInRack.
func (l *layout) fill() {
	for i := range l.placed {
		p := &l.placed[i]
		first := func(load func(share) int) int {
			return slices.IndexFunc(p.order, func(site int) bool {
				return l.permits(p, site) && len(l.holds[site]) < load(l.shares[site])
			})
		}
		for len(p.at) < p.want {
			at := first(func(s share) int { return s.least })
			if at < 0 {
				at = first(func(s share) int { return s.most })
			}
			if at < 0 {
				at = first(func(share) int { return len(l.placed) })
			}
			l.put(i, p.order[at])
		}
	}
}

// permits tells whether a partition may get one more replica, on site.
func (l *layout) permits(p *placed, site int) bool {
	return p.inRack[l.racks[site]] < p.most && !slices.Contains(p.at, site)
}

func (l *layout) put(partition, site int) {
	p := &l.placed[partition]
	p.at = append(p.at, site)
	p.inRack[l.racks[site]]++
	l.holds[site] = append(l.holds[site], partition)
}

func (l *layout) loads() []int {
	loads := make([]int, len(l.sites))
	for site, held := range l.holds {
		loads[site] = len(held)
	}
	return loads
}

// settleReplicas moves replicas until every site's load is near its even one.
func (l *layout) settleReplicas() {
	b := balance{load: l.loads(), shares: l.shares, best: l.bestReplica}
	b.move = func(partition, from, to int) {
		p := &l.placed[partition]
		p.at[slices.Index(p.at, from)] = to
		p.inRack[l.racks[from]]--
		p.inRack[l.racks[to]]++
		i := slices.Index(l.holds[from], partition)
		l.holds[from] = slices.Delete(l.holds[from], i, i+1)
		l.holds[to] = append(l.holds[to], partition)
	}
	b.settle()
}

// bestReplica returns the partition whose replica had best move from one site to another.
func (l *layout) bestReplica(from, to int) (partition int, found bool) {
	partition = -1
	var least [3]int
	for _, i := range l.holds[from] {
		p := &l.placed[i]
		if slices.Contains(p.at, to) || l.racks[from] != l.racks[to] && p.inRack[l.racks[to]] >= p.most {
			continue
		}
		cost := [3]int{count(slices.Contains(p.was, from)), count(p.at[0] == from), p.rank[to] - p.rank[from]}
		if partition < 0 || cmp.Or(slices.Compare(cost[:], least[:]), cmp.Compare(i, partition)) < 0 {
			partition, least = i, cost
		}
	}
	return partition, partition >= 0
}

// settleLeaders reorders replicas until every site is the first of nearly its even share of partitions. A leader whose
// replica has just moved hands on to one that has the data.
func (l *layout) settleLeaders() {
	leads := make([][]int, len(l.sites))
	for i := range l.placed {
		p := &l.placed[i]
		if first := slices.IndexFunc(p.at, func(site int) bool { return slices.Contains(p.was, site) }); first > 0 {
			toFront(p.at, first)
		}
		if len(p.at) > 0 {
			leads[p.at[0]] = append(leads[p.at[0]], i)
		}
	}
	total, load := 0, make([]int, len(l.sites))
	for site := range leads {
		load[site] = len(leads[site])
		total += load[site]
	}
	b := balance{load: load, shares: even(total, l.sites, l.loads(), make([]int, len(l.sites)), []int{total})}
	b.best = func(from, to int) (partition int, found bool) {
		partition = -1
		var least [2]int
		for _, i := range leads[from] {
			p := &l.placed[i]
			if !slices.Contains(p.at, to) {
				continue
			}
			cost := [2]int{count(!slices.Contains(p.was, to)), p.rank[to] - p.rank[from]}
			if partition < 0 || cmp.Or(slices.Compare(cost[:], least[:]), cmp.Compare(i, partition)) < 0 {
				partition, least = i, cost
			}
		}
		return partition, partition >= 0
	}
	b.move = func(partition, from, to int) {
		at := l.placed[partition].at
		toFront(at, slices.Index(at, to))
		i := slices.Index(leads[from], partition)
		leads[from] = slices.Delete(leads[from], i, i+1)
		leads[to] = append(leads[to], partition)
	}
	b.settle()
}

// assignments reads the layout.
func (l *layout) assignments() []Assignment {
	made := make([]Assignment, 0, len(l.placed))
	for i := range l.placed {
		p := &l.placed[i]
		a := Assignment{Partition: p.given.Partition, Replicas: p.given.Replicas}
		for _, site := range p.at {
			a.Nodes = append(a.Nodes, l.sites[site].Node)
		}
		stay := min(a.Replicas-len(a.Nodes), len(p.given.Nodes))
		a.Nodes = append(a.Nodes, p.given.Nodes[:stay]...)
		made = append(made, a)
	}
	return made
}

// toFront moves the i-th element to the front; the others keep their order.
func toFront(s []int, i int) {
	first := s[i]
	copy(s[1:i+1], s[:i])
	s[0] = first
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
