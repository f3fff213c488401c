package simulation

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
	"troupe/wal"
)

// Disk is where one life of the broker keeps its logs: the twin of wal's directory. It implements actors.Disk. The volume
// below it outlives it.
type Disk struct {
	world  *World
	device *Device
	// register says what became of every replica that was ever created here, as the file of that name does.
	register map[id.Replica]bool // true: removed
	// open are the logs in use. poisoned are those whose last owner saw a write or sync fail.
	open     map[id.Replica]*Twin
	poisoned map[id.Replica]bool
	// seen tells that a replica's log was opened before in this life.
	seen map[id.Replica]bool
}

const registerFile = "register"

// openDisk reads the register.
func openDisk(w *World, d *Device) (*Disk, error) {
	disk := &Disk{
		world: w, device: d, register: map[id.Replica]bool{}, open: map[id.Replica]*Twin{},
		poisoned: map[id.Replica]bool{}, seen: map[id.Replica]bool{},
	}
	b, err := w.volume.ReadFile(registerFile)
	if err != nil {
		return disk, nil // a new disk
	}
	for _, line := range strings.Fields(string(b)) {
		number, removed := strings.CutSuffix(line, "-")
		r, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("register: %w: %w", err, partitions.ErrDamaged)
		}
		disk.register[id.Replica(r)] = removed
	}
	return disk, nil
}

// note makes the fate of a replica durable in the register.
func (d *Disk) note(r id.Replica, removed bool) error {
	var b strings.Builder
	if old, err := d.world.volume.ReadFile(registerFile); err == nil {
		b.Write(old)
	}
	b.WriteString(strconv.FormatUint(uint64(r), 10))
	if removed {
		b.WriteByte('-')
	}
	b.WriteByte('\n')
	if err := d.device.replace(registerFile, []byte(b.String())); err != nil {
		return err
	}
	d.register[r] = removed
	return nil
}

// Registered tells whether a replica was ever created here.
func (d *Disk) Registered(r id.Replica) bool {
	_, ok := d.register[r]
	return ok
}

// Create makes the durable beginning of a replica's log, and registers it.
func (d *Disk) Create(p id.Partition, r id.Replica, birth partitions.Checkpoint, state partitions.HardState) error {
	if removed, ok := d.register[r]; ok {
		if removed {
			return wal.ErrRemoved
		}
		return nil
	}
	if err := d.twin(p, r).born(birth, state); err != nil {
		return err
	}
	return d.note(r, false)
}

func (d *Disk) twin(p id.Partition, r id.Replica) *Twin {
	return &Twin{
		device: d.device, disk: d, owner: r, segmentBytes: d.world.options.SegmentBytes,
		directory: fmt.Sprintf("%v-%d-%d", p.Topic, p.Number, r),
	}
}

// Open repairs and opens a log.
func (d *Disk) Open(p id.Partition, r id.Replica) (partitions.Log, error) {
	removed, ok := d.register[r]
	switch {
	case !ok:
		return nil, wal.ErrNotRegistered
	case removed:
		return nil, wal.ErrRemoved
	case d.open[r] != nil:
		return nil, wal.ErrOpen
	}
	t := d.twin(p, r)
	err := t.open(d.poisoned[r])
	if d.device.dead {
		d.world.faults.count(FaultCrashInOpen)
	}
	if err != nil {
		return nil, fmt.Errorf("open replica %d of %v: %w", r, p, err)
	}
	if damage := t.recovered.Damage; damage != nil {
		d.world.violate(violation("false-damage", "nothing was damaged, and replica %d of %v is: %s, %s at byte %d",
			r, p, damage.Reason, damage.File, damage.At))
	}
	if d.poisoned[r] {
		d.world.marks.count(MarkReopenAfterError)
		delete(d.poisoned, r)
	}
	if t.recovered.Last > t.recovered.Newest.Index {
		d.world.marks.count(MarkReplay)
	}
	d.open[r] = t
	return t, nil
}

// released takes back a log whose owner has closed it.
func (d *Disk) released(t *Twin) {
	delete(d.open, t.owner)
	if t.poison != nil {
		d.poisoned[t.owner] = true
	}
}

// Remove deletes a replica's log for good and notes in the register that this was meant.
func (d *Disk) Remove(p id.Partition, r id.Replica) error {
	removed, ok := d.register[r]
	if !ok {
		return wal.ErrNotRegistered
	}
	if !removed {
		if err := d.note(r, true); err != nil {
			return err
		}
	}
	t := d.twin(p, r)
	for _, name := range d.world.volume.List(t.directory) {
		if err := d.device.unlink(t.file(name)); err != nil {
			return err
		}
	}
	return d.device.syncDirectory(t.directory)
}

// missing looks for acknowledged records in what a power loss at this very moment would leave of the disk. It returns why
// they are not there, or nothing.
func (d *Disk) missing(p id.Partition, base id.Offset, sent []byte) string {
	for _, t := range d.open {
		if !strings.HasPrefix(t.directory, fmt.Sprintf("%v-%d-", p.Topic, p.Number)) {
			continue
		}
		i := t.holding(base)
		if i == len(t.entries) || t.entries[i].base != base {
			return fmt.Sprintf("no batch of replica %d begins there", t.owner)
		}
		e := t.entries[i]
		b := d.world.volume.Synced(t.path(e.segment))
		if e.at+e.size > int64(len(b)) {
			return fmt.Sprintf("segment %s is synced up to byte %d, the batch ends at %d", segmentFile(e.segment), len(b), e.at+e.size)
		}
		frame, err := wal.ParseFrame(b[e.at:e.at+e.size], t.owner)
		if err != nil {
			return "what is synced there does not verify"
		}
		if !bytes.Equal(frame.Entry.Payload[batch.HeaderSize:], sent[batch.HeaderSize:]) {
			return "other records are synced there"
		}
		return ""
	}
	return "no log of the partition is open"
}
