package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"troupe/partitions"
	"troupe/partitions/id"
)

// A repair never changes a damaged directory. It builds the repaired log in one beside it, complete and durable, moves the
// old one away, and gives the new one its name:
//
//	replicas/t7-p0-r12             1. as it was found
//	replicas/t7-p0-r12.repaired    2. built; whole segments are links to the old files, the last one is a copy
//	aside/t7-p0-r12-1              3. the old one, moved; nobody deletes it
//	replicas/t7-p0-r12             4. the new one, renamed
//
// A crash before 3 leaves the damaged log, and after it a name that is missing: then the repair is run again, and does what
// is left of it.
const (
	repairedSuffix = ".repaired"
	asideName      = "aside"
)

// Repaired is what a repair did.
type Repaired struct {
	// Aside is where what was there before is kept; "" when nothing had to be.
	Aside string
	// Torn counts the bytes that were cut off an unacknowledged end.
	Torn int64
	// Holes were given up.
	Holes []Hole
	// Finished: an earlier repair had been interrupted, and its last step was made up for.
	Finished bool
}

// Repair makes a log usable. A tear is cut as an opening would cut it. Damage is only repaired with a loss that was accepted; with nil it returns partitions.ErrDamaged.
func (o *Offline) Repair(i *Inspection, accepted *Loss) (*Repaired, error) {
	if o.Data == "" {
		return nil, fmt.Errorf("%s stands alone: %w: repair the replica in its data directory, where a broker finds it", i.Stored.Path, ErrBeyondRepair)
	}
	if err := o.Problem(); err != nil {
		return nil, fmt.Errorf("data directory %s: %w; put the file back from a copy", o.Data, err)
	}
	if i.Finishable {
		return &Repaired{Finished: true}, o.rename(i.Stored)
	}
	switch health := i.Health(); {
	case health == HealthNewer:
		return nil, fmt.Errorf("%s: %w; nothing was changed, run the newer program", i.Stored, partitions.ErrNewer)
	case health >= HealthHole && accepted == nil:
		return nil, fmt.Errorf("%s: %w; nothing was changed", i.Stored, partitions.ErrDamaged)
	case health >= HealthHole:
		return o.salvage(i, accepted)
	}
	return o.mend(i)
}

// mend does what an opening does, having kept what that cuts off. A checkpoint that does not verify stays: the broker
// replaces it with the next one.
func (o *Offline) mend(i *Inspection) (*Repaired, error) {
	done := &Repaired{Torn: i.Torn}
	if i.Torn > 0 {
		var names []string
		for _, p := range i.pieces[i.verdict.Segment:] {
			names = append(names, segmentName(p.first))
		}
		var err error
		if done.Aside, err = o.keep(i.Stored, names); err != nil {
			return nil, err
		}
	}
	_, err := o.reopen(i.Stored.Path, i.Stored.Replica)
	return done, err
}

// reopen opens a log, which repairs it, and closes it.
func (o *Offline) reopen(path string, owner id.Replica) (partitions.Recovered, error) {
	opening := &opening{sys: o.sys, directory: path, owner: owner, segmentBytes: defaultSegmentBytes}
	l, err := opening.open()
	if err != nil {
		return partitions.Recovered{}, err
	}
	l.released = func(error, id.Index) {}
	return l.Recovered(), l.Close()
}

// keep copies files of a replica into a new directory aside.
func (o *Offline) keep(s Stored, names []string) (string, error) {
	aside, err := o.aside(s)
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(aside, 0o750); err != nil {
		return "", err
	}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(s.Path, name))
		if err != nil {
			return "", err
		}
		if err := writeNewFile(o.sys, filepath.Join(aside, name), b); err != nil {
			return "", full(err)
		}
	}
	return aside, errors.Join(o.sys.syncDirectory(aside), o.sys.syncDirectory(filepath.Dir(aside)))
}

// aside returns a path, not used yet, for what is kept of a replica.
func (o *Offline) aside(s Stored) (string, error) {
	return asidePath(o.sys, o.Data, filepath.Base(s.Path))
}

// asidePath returns a path in a data directory, not used yet, for what is kept of a replica's directory.
func asidePath(sys system, data, name string) (string, error) {
	directory := filepath.Join(data, asideName)
	if err := os.MkdirAll(directory, 0o750); err != nil {
		return "", err
	}
	if err := sys.syncDirectory(data); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		path := filepath.Join(directory, fmt.Sprintf("%s-%d", name, n))
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			return path, nil
		} else if err != nil {
			return "", err
		}
	}
}

// salvage builds the log anew with gaps in place of its holes, and exchanges the directories.
func (o *Offline) salvage(i *Inspection, l *Loss) (*Repaired, error) {
	making := i.Stored.Path + repairedSuffix
	if err := os.RemoveAll(making); err != nil {
		return nil, err
	}
	if err := os.Mkdir(making, 0o750); err != nil {
		return nil, err
	}
	b := &rebuilding{sys: o.sys, from: i.Stored.Path, to: making, owner: i.Stored.Replica, next: l.first, holes: l.Holes}
	if err := b.build(i, l); err != nil {
		return nil, fmt.Errorf("repair of %s: %w; what was there is unchanged", i.Stored, full(err))
	}
	found, err := o.reopen(making, i.Stored.Replica)
	if err == nil && (found.Damage != nil || found.Last != l.state.Commit || found.HardState != l.state) {
		err = fmt.Errorf("what was built opens as %+v: %w", found, partitions.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("repair of %s: %w; what was there is unchanged", i.Stored, err)
	}
	done := &Repaired{Holes: l.Holes}
	if done.Aside, err = o.aside(i.Stored); err != nil {
		return nil, err
	}
	if err := os.Rename(i.Stored.Path, done.Aside); err != nil {
		return nil, err
	}
	if err := o.sys.syncDirectory(filepath.Dir(done.Aside)); err != nil {
		return nil, err
	}
	return done, o.rename(i.Stored)
}

// rename gives a repaired log its name.
func (o *Offline) rename(s Stored) error {
	if err := os.Rename(s.Path+repairedSuffix, s.Path); err != nil {
		return err
	}
	return o.sys.syncDirectory(filepath.Dir(s.Path))
}
