package simulation

import (
	"math/rand/v2"
	"slices"
	"sort"
)

// PowerLoss leaves of every file and name what the disk happens to have. Changes of names survive in the order in which they
// were made, up to a drawn one (file systems keep a journal of them); pages survive in any order.
func (v *Volume) PowerLoss(random *rand.Rand, plan *Plan, broker string) {
	keep := random.IntN(len(v.pending) + 1)
	for i, r := range slices.Backward(v.pending) {
		if i < keep || !plan.strike(r.loss(), broker+", "+max(r.from, r.to)) {
			keep = i + 1 // with everything before it
			break
		}
	}
	for _, r := range v.pending[:keep] {
		r.apply(v.durable)
	}
	v.pending = nil
	clear(v.files)
	for _, name := range sortedKeys(v.durable) {
		f := v.durable[name]
		f.powerLoss(random, plan, broker+", "+name)
		v.files[name] = f
	}
}

// loss is what it is when the change does not survive.
func (r rename) loss() Fault {
	if r.from == "" {
		return FaultLostCreate
	}
	return FaultLostRename
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
func (f *file) powerLoss(random *rand.Rand, plan *Plan, where string) {
	if len(f.dirty) > 0 {
		fate, image := f.fate(random)
		if !plan.strike(fate, where) {
			image = slices.Clone(f.data) // it was on the disk in time
		}
		f.synced = image
	}
	f.data = slices.Clone(f.synced)
	clear(f.dirty)
}

// fate draws which pages survive.
func (f *file) fate(random *rand.Rand) (Fault, []byte) {
	pages := make([]int, 0, len(f.dirty))
	for page := range f.dirty {
		pages = append(pages, page)
	}
	sort.Ints(pages)
	switch random.IntN(6) {
	case 0:
		return FaultLostAll, f.synced
	case 1:
		return FaultKeptAll, slices.Clone(f.data)
	case 2:
		return FaultLostSuffix, f.mix(pages[:random.IntN(len(pages))], -1, 0)
	case 3:
		i := random.IntN(len(pages))
		return FaultTornPage, f.mix(pages[:i+1], pages[i], random.IntN(pageSize))
	case 4:
		return FaultZeroTail, f.zeroTail(random)
	default:
		kept := slices.DeleteFunc(pages, func(int) bool { return chance(random, 50) })
		return FaultLostPages, f.mix(kept, -1, 0)
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
