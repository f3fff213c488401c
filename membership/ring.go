package membership

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"troupe/partitions/id"
)

// pointsPerWeight is how often a site of weight 1 stands on the ring. More points make the walks of different partitions
// less alike; beyond this many it could not be seen in what moves when a site joins, because loads are bounded anyway.
const pointsPerWeight = 64

// MaxWeight is the largest weight that counts; a greater one counts as this.
const MaxWeight = 32

// ring is a consistent-hash ring: every site stands on it in many places, and a partition prefers sites in the order in
// which a walk from its own place meets them. A site that comes or goes changes that order nowhere else.
type ring struct {
	points []point // ordered by hash
	sites  int
}

type point struct {
	hash uint64
	site int // its index
}

// newRing puts sites on a ring. The points depend on node ids and weights alone, never on the order given.
func newRing(sites []Site) ring {
	r := ring{sites: len(sites)}
	for i, s := range sites {
		for n := range s.weight() * pointsPerWeight {
			r.points = append(r.points, point{hash: hashOf(uint64(s.Node), uint64(n)), site: i})
		}
	}
	slices.SortFunc(r.points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(sites[a.site].Node, sites[b.site].Node))
	})
	return r
}

// walk returns every site once, in the order in which p prefers them.
func (r ring) walk(p id.Partition) []int {
	order := make([]int, 0, r.sites)
	met := make([]bool, r.sites)
	start, _ := slices.BinarySearchFunc(r.points, hashOf(uint64(p.Topic), uint64(p.Number)), func(at point, h uint64) int {
		return cmp.Compare(at.hash, h)
	})
	for i := 0; len(order) < r.sites; i++ {
		site := r.points[(start+i)%len(r.points)].site
		if !met[site] {
			met[site] = true
			order = append(order, site)
		}
	}
	return order
}

func hashOf(a, b uint64) uint64 {
	var bytes [16]byte
	binary.LittleEndian.PutUint64(bytes[:], a)
	binary.LittleEndian.PutUint64(bytes[8:], b)
	return xxhash.Sum64(bytes[:])
}
