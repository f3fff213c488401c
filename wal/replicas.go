package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"troupe/partitions"
	"troupe/partitions/id"
)

// Create makes the durable beginning of a replica's log: a checkpoint, the hard state, and an empty log behind the
// checkpoint; then it registers the replica. Without a birth checkpoint the replica is registered and empty: it waits for
// a snapshot, and keeps its term and vote until then. Creating what is registered already changes nothing and is no error, even
// where its directory is gone: that is amnesia, and Open says so. It returns ErrRemoved for a replica that was removed,
// and an error that unwraps to partitions.ErrDamaged while the register is damaged: it cannot tell whether the id is new.
func (d *Directory) Create(p id.Partition, r id.Replica, birth *partitions.Checkpoint, state partitions.HardState) error {
	if begun, err := d.conceive(p, r); begun || err != nil {
		return err
	}
	err := d.appear(d.replica(p, r), r, birth, state)
	named := d.named.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.making, r)
	if err != nil {
		return fmt.Errorf("replica %d of %v: %w", r, p, err)
	}
	if err := d.settleNames(named); err != nil {
		return err
	}
	return d.register.add(Registration{Replica: r, Partition: p})
}

// conceive claims an id that is to begin; begun: it has already.
func (d *Directory) conceive(p id.Partition, r id.Replica) (begun bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found, ok := d.register.ids[r]; ok {
		return true, found.check(p)
	}
	switch {
	case d.register.refused != nil:
		return false, fmt.Errorf("replica %d of %v cannot begin: %w", r, p, d.register.refused)
	case d.making[r]:
		return false, fmt.Errorf("replica %d of %v is being made: %w", r, p, ErrOpen)
	}
	d.making[r] = true
	return false, nil
}

// appear makes a replica's directory. One of that name is complete: a crash came between its renaming and the register.
func (d *Directory) appear(path string, r id.Replica, birth *partitions.Checkpoint, state partitions.HardState) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return d.build(path, r, birth, state)
}

// settleNames makes the names of replicas' directories durable up to a number, unless a sync that began after that one was
// given has done so: many that are made at one time share it.
func (d *Directory) settleNames(number uint64) error {
	if number <= d.settled {
		return nil
	}
	through := d.named.Load()
	if err := d.options.system.syncDirectory(d.replicas()); err != nil {
		return err
	}
	d.settled = through
	return nil
}

// build makes a replica's directory under another name and renames it when it is complete and durable.
func (d *Directory) build(path string, r id.Replica, birth *partitions.Checkpoint, state partitions.HardState) error {
	sys, making := d.options.system, path+newSuffix
	if err := os.RemoveAll(making); err != nil {
		return err
	}
	if err := os.Mkdir(making, 0o750); err != nil {
		return err
	}
	slot := Slot{Sequence: 1, Replica: r, HardState: state, Phase: PhaseEmpty}
	if birth != nil {
		slot.Durable, slot.Phase = birth.Index, PhaseBegun
		if err := writeNewFile(sys, filepath.Join(making, checkpointName(birth.Index)), AppendCheckpoint(nil, r, birth)); err != nil {
			return err
		}
	}
	if err := writeNewFile(sys, filepath.Join(making, hardStateName), NewSlots(slot)); err != nil {
		return err
	}
	if err := writeNewFile(sys, filepath.Join(making, segmentName(slot.Durable+1)), nil); err != nil {
		return err
	}
	if err := sys.syncDirectory(making); err != nil {
		return err
	}
	return sys.rename(making, path)
}

// check tells why a registered replica cannot be used for a partition.
func (r Registration) check(p id.Partition) error {
	if r.Partition != p {
		return fmt.Errorf("replica %d belongs to %v, not to %v: %w", r.Replica, r.Partition, p, partitions.ErrMisplaced)
	}
	if r.Removed {
		return fmt.Errorf("replica %d of %v: %w", r.Replica, p, ErrRemoved)
	}
	return nil
}

// Open repairs and opens a replica's log: see the package comment. One that is damaged opens too, for reading only. Where
// there is nothing to read from, or the directory of a registered replica is gone, it returns an error that unwraps to
// partitions.ErrDamaged, and leaves everything as it is. The others: ErrNotRegistered, ErrRemoved, ErrOpen,
// partitions.ErrMisplaced, partitions.ErrNewer, and the operating system's.
func (d *Directory) Open(p id.Partition, r id.Replica) (partitions.Log, error) {
	o, err := d.begin(p, r)
	if err != nil {
		return nil, err
	}
	l, err := o.open()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		delete(d.doubts, r)
		l.released = func(poison error, durable id.Index) { d.release(r, poison, durable) }
		return l, nil
	}
	delete(d.open, r)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("a file of it is gone: %w: %w", err, partitions.ErrDamaged)
	}
	if !errors.Is(err, partitions.ErrDamaged) && !errors.Is(err, partitions.ErrNewer) {
		// A write or fsync of the repair may have failed. That poisons nothing: a repair only writes what was read there
		// already, and what a killed broker acknowledged may lie above the highest index known durable. The next one repairs
		// anew, whatever it finds.
		d.doubts[r] = o.doubt
	}
	return nil, fmt.Errorf("replica %d of %v: %w", r, p, err)
}

// begin claims a log for opening.
func (d *Directory) begin(p id.Partition, r id.Replica) (*opening, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.claim(p, r); err != nil {
		return nil, err
	}
	o := &opening{
		sys: d.options.system, directory: d.replica(p, r), owner: r, segmentBytes: d.options.SegmentBytes,
	}
	o.doubt, o.doubted = d.doubts[r]
	return o, nil
}

// claim makes sure that a replica's directory has one user.
func (d *Directory) claim(p id.Partition, r id.Replica) error {
	found, ok := d.register.ids[r]
	if !ok {
		return fmt.Errorf("replica %d of %v: %w", r, p, ErrNotRegistered)
	}
	if err := found.check(p); err != nil {
		return err
	}
	if d.open[r] {
		return fmt.Errorf("replica %d of %v: %w", r, p, ErrOpen)
	}
	d.open[r] = true
	return nil
}

// release is told when a log was closed.
func (d *Directory) release(r id.Replica, poison error, durable id.Index) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, r)
	if poison != nil {
		d.doubts[r] = doubt{poisoned: !unwritten(poison), durable: durable}
	}
}

// Remove notes in the register that a replica is gone for good, and then deletes its directory. Its log must be closed:
// otherwise it returns ErrOpen. Removing what was removed is no error.
func (d *Directory) Remove(p id.Partition, r id.Replica) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.claim(p, r)
	if errors.Is(err, ErrRemoved) {
		return nil
	}
	if err != nil {
		return err
	}
	defer delete(d.open, r)
	if err := d.register.add(Registration{Replica: r, Partition: p, Removed: true}); err != nil {
		return err
	}
	delete(d.doubts, r)
	if err := os.RemoveAll(d.replica(p, r)); err != nil {
		return err
	}
	return d.options.system.syncDirectory(d.replicas())
}
