package simulation

import (
	"math/rand/v2"
	"slices"
	"sort"
)

// PowerLoss leaves of every file and name what the disk happens to have. Changes of names survive in the order in which they
// were made, up to a drawn one (file systems keep a journal of them); pages survive in any order.
func (v *Volume) PowerLoss(random *rand.Rand, faults *Faults) {
	keep := random.IntN(len(v.pending) + 1)
	for _, r := range v.pending[:keep] {
		r.apply(v.durable)
	}
	for _, r := range v.pending[keep:] {
		if r.from == "" {
			faults.count(FaultLostCreate)
		} else {
			faults.count(FaultLostRename)
		}
	}
	v.pending = nil
	clear(v.files)
	for _, name := range sortedKeys(v.durable) {
		f := v.durable[name]
		f.powerLoss(random, faults)
		v.files[name] = f
	}
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// powerLoss draws what became of the pages that were not synced.
func (f *file) powerLoss(random *rand.Rand, faults *Faults) {
	if len(f.dirty) > 0 {
		image := f.survivors(random, faults)
		f.synced = image
	}
	f.data = slices.Clone(f.synced)
	clear(f.dirty)
}

func (f *file) survivors(random *rand.Rand, faults *Faults) []byte {
	pages := make([]int, 0, len(f.dirty))
	for page := range f.dirty {
		pages = append(pages, page)
	}
	sort.Ints(pages)
	switch random.IntN(6) {
	case 0:
		faults.count(FaultLostAll)
		return f.synced
	case 1:
		faults.count(FaultKeptAll)
		return slices.Clone(f.data)
	case 2:
		faults.count(FaultLostSuffix)
		return f.mix(pages[:random.IntN(len(pages))], -1, 0)
	case 3:
		faults.count(FaultTornPage)
		i := random.IntN(len(pages))
		return f.mix(pages[:i+1], pages[i], random.IntN(pageSize))
	case 4:
		faults.count(FaultZeroTail)
		return f.zeroTail(random)
	default:
		faults.count(FaultLostPages)
		kept := slices.DeleteFunc(pages, func(int) bool { return chance(random, 50) })
		return f.mix(kept, -1, 0)
	}
}

// mix returns the synced bytes with some dirty pages written over them; of page torn only the first bytes.
func (f *file) mix(pages []int, torn, bytes int) []byte {
	image := slices.Clone(f.synced)
	if len(f.data) < len(image) && len(pages) > 0 {
		image = image[:len(f.data)]
	}
	for _, page := range pages {
		low := min(page*pageSize, len(f.data))
		high := min(low+pageSize, len(f.data))
		if page == torn {
			high = min(low+bytes, high)
		}
		if high > len(image) {
			image = append(image, make([]byte, high-len(image))...)
		}
		copy(image[low:high], f.data[low:high])
	}
	return image
}

// zeroTail is a file that grew on disk while its new bytes did not arrive, from a drawn one on.
func (f *file) zeroTail(random *rand.Rand) []byte {
	image := slices.Clone(f.synced)
	grown := len(f.data) - len(f.synced)
	if grown <= 0 {
		return image
	}
	arrived := len(f.synced) + random.IntN(grown)
	image = append(image, f.data[len(f.synced):arrived]...)
	return append(image, make([]byte, len(f.data)-arrived)...)
}
