package simulation

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"troupe/partitions"
	"troupe/partitions/id"
	"troupe/wal"
)

// RealDisk is where one life of the broker keeps its logs: the production wal over real files. It implements brokerDisk.
type RealDisk struct {
	*wal.Directory // nil where it could not be opened
	world          *World
	device         *realDevice
	mirror         *Mirror
	refused        bool // the register takes nothing any more
	// logs are those opened last for each replica, closed or not; doubted saw an error in this life.
	logs    map[id.Replica]*realLog
	doubted map[id.Replica]bool
}

// openRealDisk lays out the files that a broker's earlier lives have left, and opens them.
func openRealDisk(w *World, device *Device, mirror *Mirror, path string) (*RealDisk, error) {
	d := &RealDisk{world: w, mirror: mirror, logs: map[id.Replica]*realLog{}, doubted: map[id.Replica]bool{}}
	d.device = &realDevice{
		Device: device, mirror: mirror, segmentBytes: int64(w.options.SegmentBytes), tails: map[string]*tailEnd{},
		rolled: func() { w.marks.count(MarkRoll) },
	}
	mirror.layOut(path)
	var err error
	d.Directory, err = wal.OpenDirectory(path, wal.Options{
		SegmentBytes: w.options.SegmentBytes, Random: w.streams.Named("node id in " + path), Steps: d.device,
	})
	return d, err
}

// Create implements actors.Disk.
func (d *RealDisk) Create(p id.Partition, r id.Replica, birth *partitions.Checkpoint, state partitions.HardState) error {
	return d.registering(d.Directory.Create(p, r, birth, state))
}

// Remove implements actors.Disk.
func (d *RealDisk) Remove(p id.Partition, r id.Replica) error {
	delete(d.doubted, r)
	return d.registering(d.Directory.Remove(p, r))
}

func (d *RealDisk) registering(err error) error {
	d.refused = d.refused || errors.Is(err, partitions.ErrPoisoned)
	return err
}

// Open implements actors.Disk.
func (d *RealDisk) Open(p id.Partition, r id.Replica) (partitions.Log, error) {
	unfinished := d.unfinished(p, r)
	alive := !d.device.dead
	d.device.inPlace = false
	log, err := d.Directory.Open(p, r)
	if d.device.inPlace {
		d.world.marks.count(MarkSlotsInPlace)
	}
	if alive && d.device.dead {
		d.world.plan.count(FaultCrashInOpen)
	}
	doubted := d.doubted[r]
	if err != nil {
		if errors.Is(err, partitions.ErrDamaged) {
			d.world.damaged(p, r, err.Error())
		} else {
			d.doubted[r] = true
		}
		return nil, err
	}
	delete(d.doubted, r)
	d.world.opened(p, r, log.Recovered(), doubted)
	if torn := log.Recovered().Torn; torn > 0 {
		d.world.marks.count(MarkTearCut)
		d.world.trace.event("disk", "tear cut", "replica %d of %v: %d bytes behind entry %d", r, p, torn, log.Recovered().Last)
	}
	for _, mark := range unfinished {
		d.world.marks.count(mark)
	}
	l := &realLog{Log: log, disk: d, partition: p, replica: r}
	d.logs[r] = l
	return l, nil
}

// unfinished tells what an opening has to finish.
func (d *RealDisk) unfinished(p id.Partition, r id.Replica) (marks []Mark) {
	directory := filepath.Join(d.mirror.path, replicaDirectory(p, r))
	b, _ := os.ReadFile(filepath.Join(directory, hardStateFile)) // a failure is no slot
	if slot, err := wal.ParseSlots(b); err == nil && slot.Phase == wal.PhaseInstalling {
		return []Mark{MarkInstallFinished}
	}
	entries, _ := os.ReadDir(directory)
	var firsts []id.Index
	var base id.Index
	for _, e := range entries {
		var index id.Index
		if n, _ := fmt.Sscanf(e.Name(), "base-%d", &index); n == 1 {
			base = max(base, index)
		} else if n, _ := fmt.Sscanf(e.Name(), "%d", &index); n == 1 {
			firsts = append(firsts, index)
		}
	}
	if base > 0 && wal.FrontSegments(firsts, base) > 0 {
		return []Mark{MarkDropFinished}
	}
	return nil
}

// Space implements actors.Disk.
func (d *RealDisk) Space() (partitions.Space, error) { return d.device.space(), nil }

// quarantined implements brokerDisk.
func (d *RealDisk) quarantined(p id.Partition) bool {
	for _, l := range d.logs { // any order: one of them is the partition's
		if l.partition == p && !l.closed && l.Recovered().Damage != nil {
			return true
		}
	}
	return false
}

// refusing implements brokerDisk.
func (d *RealDisk) refusing() bool { return d.refused }

// cease implements brokerDisk. What the broker held open is closed: its device is dead, so that this writes nothing.
func (d *RealDisk) cease() {
	if d.mirror.path == "" {
		return
	}
	if !d.device.dead {
		d.mirror.capture()
		d.device.dead = true
	}
	for _, r := range slices.Sorted(maps.Keys(d.logs)) {
		_ = d.logs[r].Log.Close() // it says that the broker is dead
	}
	if d.Directory != nil {
		demand(d.Directory.Close())
	}
	d.mirror.leave()
}

// missing implements brokerDisk. It looks at what is durable without the help of the log, which may be wrong.
func (d *RealDisk) missing(p id.Partition, base id.Offset, sent []byte) string {
	why := "the partition has no log"
	replicas := d.mirror.top.durable["replicas"]
	if replicas == nil {
		return why
	}
	prefix := strings.TrimPrefix(replicaDirectory(p, 0), "replicas/")
	prefix = strings.TrimSuffix(prefix, "0")
	for _, name := range sortedKeys(replicas.durable) {
		var r id.Replica
		digits, ok := strings.CutPrefix(name, prefix)
		if n, _ := fmt.Sscanf(digits, "%d", &r); !ok || n != 1 || strings.HasSuffix(name, unfinished) {
			continue
		}
		if why = replicas.durable[name].lacks(r, base, sent); why == "" {
			return ""
		}
	}
	return why
}
