package partitions

import "fmt"

// Space is how much room there is on the disk where a broker keeps its logs.
type Space struct {
	Directory string // for people
	Free      int64  // bytes that the broker may still write
	Total     int64  // bytes of the whole disk
}

// Reserve is what of a disk is kept for what must go on when it is full: checkpoints, log starts, the repair of logs.
//
// Invariant: the disk is full from the moment less than Bytes is free, until a tenth more than Bytes is: at the edge a
// broker must not refuse and take batches by turns.
type Reserve struct {
	Bytes int64 // 0: DefaultReserve of the disk
	space Space
	full  bool
}

// DefaultReserve is 5 % of a disk, and at most 1 GiB.
func DefaultReserve(total int64) int64 { return min(1<<30, total/20) }

// Measured takes how much room there is, and tells whether the disk has become full, or has room again.
func (r *Reserve) Measured(s Space) (changed bool) {
	least := r.of(s)
	if r.full {
		least += least / 10
	}
	before := r.full
	r.space, r.full = s, s.Free < least
	return r.full != before
}

// Spent takes that bytes were written since the disk was measured, and tells whether it has become full by them: what is
// written between two looks must not use up the reserve.
func (r *Reserve) Spent(bytes int64) (changed bool) {
	if r.space.Total == 0 {
		return false // not measured yet
	}
	s := r.space
	s.Free = max(0, s.Free-bytes)
	return r.Measured(s)
}

func (r *Reserve) of(s Space) int64 {
	if r.Bytes != 0 {
		return r.Bytes
	}
	return DefaultReserve(s.Total)
}

// Space returns what was measured last, and the reserve for it in bytes; zeros before the first time.
func (r *Reserve) Space() (s Space, reserve int64) { return r.space, r.of(r.space) }

// Err returns nil while there is room. Otherwise its sentence, which unwraps to ErrDiskFull, names the directory, what is
// free, the reserve and what to do.
func (r *Reserve) Err() error {
	if !r.full {
		return nil
	}
	return fmt.Errorf("%w: the disk of %s has %s free and %s are kept in reserve; delete old records with `troupe topic trim TOPIC "+
		"--before -7d`, delete topics, or free space there: what was refused is taken again at once", ErrDiskFull, r.space.Directory,
		sizeText(r.space.Free), sizeText(r.of(r.space)))
}

// sizeText writes bytes for people.
func sizeText(n int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
