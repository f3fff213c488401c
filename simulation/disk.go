package simulation

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"troupe/actors"
	"troupe/partitions"
	"troupe/partitions/id"
	"troupe/wal"
)

// brokerDisk is where one life of a broker keeps its logs: on the twin of wal's directory, or on wal's over real files.
type brokerDisk interface {
	actors.Disk
	// missing looks for acknowledged records in what a power loss at this very moment would leave of the disk. It returns why
	// they are not there, or nothing.
	missing(p id.Partition, base id.Offset, sent []byte) string
	// quarantined tells whether the partition's log was found damaged when it was opened last.
	quarantined(p id.Partition) bool
	// refusing tells that the register takes nothing any more: an operator has to restart the broker.
	refusing() bool
	// cease ends its part in the broker's life. What it holds at this moment is what the next life finds, unless the power goes.
	cease()
}

// Disk is the twin of wal's directory. It implements brokerDisk. The volume below it outlives it.
type Disk struct {
	world  *World
	device *Device
	// register says what became of every replica that was ever created here, as the file of that name does.
	register map[id.Replica]wal.Registration
	refused  error // why nothing can be added to it
	// open are the logs in use; doubts remembers those that saw a write or sync fail.
	open   map[id.Replica]*Twin
	doubts map[id.Replica]doubt
	// newest are the logs opened last for each replica, closed or not.
	newest map[id.Replica]*Twin
	// earlier are those of the life before: what is durable of a log that this one has not opened yet.
	earlier map[id.Replica]*Twin
}

// doubt is wal's: a failure in use poisons a log, so that nothing above durable is believed; one while it opened does not.
type doubt struct {
	poisoned bool
	durable  id.Index
}

const registerFile = "register"

// openDisk reads the register and writes it anew, as wal does.
func openDisk(w *World, d *Device, earlier map[id.Replica]*Twin) (*Disk, error) {
	disk := &Disk{
		world: w, device: d, register: map[id.Replica]wal.Registration{}, open: map[id.Replica]*Twin{},
		doubts: map[id.Replica]doubt{}, newest: map[id.Replica]*Twin{}, earlier: earlier,
	}
	b, err := d.volume.ReadFile(registerFile)
	if err != nil {
		return disk, d.replace(registerFile, nil) // a new disk
	}
	records, err := wal.ParseRegister(b)
	if err != nil {
		return nil, err
	}
	var whole []byte
	for _, r := range records {
		disk.register[r.Replica] = r
		whole = r.AppendTo(whole)
	}
	return disk, d.replace(registerFile, whole)
}

// remembered lists the logs opened last for each replica in all lives so far.
func (d *Disk) remembered() map[id.Replica]*Twin {
	all := map[id.Replica]*Twin{}
	if d != nil {
		maps.Copy(all, d.earlier)
		maps.Copy(all, d.newest)
	}
	return all
}

// note makes the fate of a replica durable in the register. After a failure its end is uncertain: nothing is added any more.
func (d *Disk) note(r wal.Registration) error {
	if d.refused != nil {
		return d.refused
	}
	b, err := d.device.volume.ReadFile(registerFile)
	if err == nil {
		err = d.device.write(registerFile, int64(len(b)), r.AppendTo(nil))
	}
	if err == nil {
		err = d.device.sync(registerFile)
	}
	if err != nil {
		d.refused = fmt.Errorf("register: %w: %w", partitions.ErrPoisoned, err)
		return d.refused
	}
	d.register[r.Replica] = r
	return nil
}

// Registered tells whether a replica was ever created here.
func (d *Disk) Registered(r id.Replica) bool {
	_, ok := d.register[r]
	return ok
}

// Replicas returns the replicas of a partition that were created here and not removed, in ascending order.
func (d *Disk) Replicas(p id.Partition) []id.Replica {
	var all []id.Replica
	for r, found := range d.register { // any order: sorted below
		if found.Partition == p && !found.Removed {
			all = append(all, r)
		}
	}
	slices.Sort(all)
	return all
}

// Held returns every replica that was created here and not removed, with its partition.
func (d *Disk) Held() map[id.Replica]id.Partition {
	held := make(map[id.Replica]id.Partition, len(d.register))
	for r, found := range d.register { // any order: into a map
		if !found.Removed {
			held[r] = found.Partition
		}
	}
	return held
}

// Create makes the durable beginning of a replica's log, and registers it.
func (d *Disk) Create(p id.Partition, r id.Replica, birth *partitions.Checkpoint, state partitions.HardState) error {
	if found, ok := d.register[r]; ok {
		if found.Removed {
			return wal.ErrRemoved
		}
		return nil
	}
	if d.refused != nil {
		return d.refused // what was written of an earlier attempt may be durable, and its log must stay
	}
	if err := d.twin(p, r).born(birth, state); err != nil {
		return err
	}
	return d.note(wal.Registration{Replica: r, Partition: p})
}

func (d *Disk) twin(p id.Partition, r id.Replica) *Twin {
	return &Twin{
		device: d.device, disk: d, partition: p, owner: r, segmentBytes: d.world.options.SegmentBytes, directory: replicaDirectory(p, r),
	}
}

// replicaDirectory is where wal keeps a replica's log.
func replicaDirectory(p id.Partition, r id.Replica) string {
	return fmt.Sprintf("replicas/%v-p%d-r%d", p.Topic, p.Number, r)
}

// Open repairs and opens a log.
func (d *Disk) Open(p id.Partition, r id.Replica) (partitions.Log, error) {
	found, ok := d.register[r]
	switch {
	case !ok:
		return nil, wal.ErrNotRegistered
	case found.Removed:
		return nil, wal.ErrRemoved
	case d.open[r] != nil:
		return nil, wal.ErrOpen
	}
	t := d.twin(p, r)
	alive := !d.device.dead
	old, doubted := d.doubts[r]
	known := knowledge{doubt: old, doubted: doubted}
	err := t.open(&known)
	if alive && d.device.dead {
		d.world.plan.count(FaultCrashInOpen)
	}
	if err != nil {
		if errors.Is(err, partitions.ErrDamaged) {
			d.world.damaged(p, r, err.Error())
		} else {
			d.doubts[r] = doubt{poisoned: known.poisoned, durable: max(known.durable, t.recovered.Durable)}
		}
		return nil, fmt.Errorf("open replica %d of %v: %w", r, p, err)
	}
	delete(d.doubts, r)
	d.world.opened(p, r, t.recovered, doubted)
	d.open[r], d.newest[r] = t, t
	return t, nil
}

// refusing implements brokerDisk.
func (d *Disk) refusing() bool { return d.refused != nil }

// cease implements brokerDisk. The volume is as it is.
func (d *Disk) cease() {}

// released takes back a log whose owner has closed it.
func (d *Disk) released(t *Twin) {
	delete(d.open, t.owner)
	if t.poison != nil {
		d.doubts[t.owner] = doubt{poisoned: !errors.Is(t.poison, partitions.ErrDiskFull), durable: t.durable}
	}
}

// Remove deletes a replica's log for good and notes in the register that this was meant.
func (d *Disk) Remove(p id.Partition, r id.Replica) error {
	found, ok := d.register[r]
	if !ok {
		return wal.ErrNotRegistered
	}
	if !found.Removed {
		if err := d.note(wal.Registration{Replica: r, Partition: p, Removed: true}); err != nil {
			return err
		}
	}
	t := d.twin(p, r)
	for _, name := range d.device.volume.List(t.directory) {
		if err := d.device.unlink(t.file(name)); err != nil {
			return err
		}
	}
	return d.device.syncDirectory(t.directory)
}

// Space tells how much room there is.
func (d *Disk) Space() (partitions.Space, error) {
	return d.device.space(), nil
}
