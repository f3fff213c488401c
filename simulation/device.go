package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"troupe/partitions"
)

// errPower is what every storage step returns once the broker has died inside one. The step that learns of it is the last of
// its life, so nobody acts on it.
var errPower = errors.New("simulation: the broker is dead")

// errInputOutput is what a failing disk says.
var errInputOutput = errors.New("simulation: input/output error")

// Device is one life's way to the volume. Every operation is one storage step: the broker may die inside it, or it may fail.
type Device struct {
	broker string // whose life it is
	volume *Volume
	random *rand.Rand
	plan   *Plan
	trace  *Trace
	// crash and fail are how often, in 10,000 steps, the broker dies in one, or one fails; asked anew at every step.
	crash, fail func() int
	// room is how much of the disk is free; asked anew at every step.
	room func() int64
	// dead is set when the broker has died: the volume stays as it was at that moment.
	dead bool
}

// step tells whether an operation happens (nil), fails, or is where the broker dies.
func (d *Device) step(what, name string, size int) error {
	d.trace.mixString(what)
	d.trace.mixString(name)
	d.trace.mix(uint64(size))
	switch {
	case d.dead:
		return errPower
	case d.random.IntN(10_000) < d.crash() && d.plan.strike(FaultCrashInDisk, d.where(what, name)):
		d.dead = true
		d.trace.event("disk", "dies", "in %s of %s", what, name)
		return errPower
	case d.random.IntN(10_000) < d.fail() && d.plan.strike(failing(what), d.where(what, name)):
		d.trace.event("disk", "fails", "in %s of %s", what, name)
		return fmt.Errorf("%s %s: %w", what, name, errInputOutput)
	}
	return nil
}

func (d *Device) where(what, name string) string { return d.broker + ", " + what + " of " + name }

// failing is how a storage step fails.
func failing(what string) Fault {
	if what == "sync" || what == "sync tail" {
		return FaultSyncError
	}
	return FaultWriteError
}

// write is a pwrite. Where it fails or the broker dies, some of it may be done.
func (d *Device) write(name string, at int64, b []byte) error {
	if d.dead {
		return errPower
	}
	err := d.step("write", name, len(b))
	if err == nil && d.room() == 0 && at+int64(len(b)) > d.volume.Size(name) {
		d.plan.count(FaultNoRoom)
		d.trace.event("disk", "is full", "in a write of %s", name)
		err = fmt.Errorf("write %s: %w", name, partitions.ErrDiskFull)
	} else if err == nil {
		d.trace.mixBytes(b)
		return d.volume.WriteAt(name, at, b)
	}
	if part := b[:d.random.IntN(len(b)+1)]; len(part) > 0 {
		if partly := d.volume.WriteAt(name, at, part); partly != nil {
			return partly
		}
	}
	return err
}

// sync is an fsync. Where it fails, the kernel has dropped the pages and believes them clean.
func (d *Device) sync(name string) error {
	err := d.step("sync", name, 0)
	switch {
	case err == nil:
		return d.volume.Sync(name)
	case !d.dead:
		d.volume.Forget(name)
	}
	return err
}

func (d *Device) create(name string) error {
	if err := d.step("create", name, 0); err != nil {
		return err
	}
	d.volume.Create(name)
	return nil
}

func (d *Device) rename(from, to string) error {
	if err := d.step("rename", from, 0); err != nil {
		return err
	}
	return d.volume.Rename(from, to)
}

func (d *Device) unlink(name string) error {
	if err := d.step("unlink", name, 0); err != nil {
		return err
	}
	d.volume.Unlink(name)
	return nil
}

func (d *Device) truncate(name string, size int64) error {
	if err := d.step("truncate", name, int(size)); err != nil {
		return err
	}
	return d.volume.Truncate(name, size)
}

func (d *Device) syncDirectory(directory string) error {
	if err := d.step("sync directory", directory, 0); err != nil {
		return err
	}
	d.volume.SyncDirectory(directory)
	return nil
}

// space tells how much room there is.
func (d *Device) space() partitions.Space {
	return partitions.Space{Directory: "simulated", Free: d.room(), Total: simulatedBytes}
}

// unfinished marks a file that is being written. Whatever bears it at an opening is removed.
const unfinished = ".new"

// replace puts bytes in place of a file, so that after a crash there is the old content or the new one, whole.
func (d *Device) replace(name string, b []byte) error {
	if err := d.create(name + unfinished); err != nil {
		return err
	}
	if err := d.write(name+unfinished, 0, b); err != nil {
		return err
	}
	if err := d.sync(name + unfinished); err != nil {
		return err
	}
	if err := d.rename(name+unfinished, name); err != nil {
		return err
	}
	return d.syncDirectory(directoryOf(name))
}
