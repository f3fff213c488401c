package simulation

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
	"troupe/wal"
)

// drawDamage draws how often a run damages what was durable: most never do.
func drawDamage(r *rand.Rand) int {
	if chance(r, 40) {
		return 15
	}
	return 0
}

// victim is a file of a partition's.
type victim struct {
	partition id.Partition
	directory string
	owner     id.Replica
	name      string // in its directory
}

func (v victim) segment() bool { return v.name[0] >= '0' && v.name[0] <= '9' }

// injure damages one durable file of some topic's, while the power is off. The catalog and the register are spared: without
// them nothing of a single broker can be served. So is a replica that is damaged already: a second stroke may take what tells
// of the first, and with both nobody can tell it from a tear.
func (b *Broker) injure() {
	w := b.world
	if !w.trouble || !chance(b.damage, w.options.Damage) {
		return
	}
	segments := chance(b.damage, 60)
	var victims []victim
	for _, v := range b.victims() {
		if h := w.atlas.harmed[v.owner]; v.segment() == segments && (h == nil || !h.sick) && w.atlas.permits(v.partition, v.owner) {
			victims = append(victims, v)
		}
	}
	if len(victims) == 0 {
		return
	}
	v := victims[b.damage.IntN(len(victims))]
	b.hurt(v, func(path string) (Fault, int, int) { return b.volume.Damage(path, b.damage) }, w.plan.strike)
}

// hurt damages a file if that may be, and tells whether it was. Where nobody can tell it from a tear, it is beyond what replicas are
// for, and taken back.
func (b *Broker) hurt(v victim, hit func(path string) (what Fault, low, high int), strike func(what Fault, where string) bool) bool {
	w := b.world
	before := b.volume.bytesIn(v.directory)
	path := v.directory + "/" + v.name
	what, low, high := hit(path)
	lost, from := unproven(before, v, low, high)
	forgotten := v.name == hardStateFile && b.unprovenVote(before, v)
	if w.several() && (lost || forgotten) || !strike(what, b.name+", "+path) {
		b.volume.restore(path, before[v.name])
		return false
	}
	h := w.atlas.harm(v.partition, v.owner)
	h.beside = h.beside || !v.segment()
	w.trace.event("damage", what.String(), "%s: bytes %d to below %d", path, low, high)
	if forgotten {
		w.ledger.pardon(v.owner)
	}
	if lost {
		w.ledger.forget(v.partition)
		w.trace.event("damage", "unproven", "%v from offset %d on: nothing else tells that it was durable", v.partition, from)
	}
	if lost && from >= 0 && (!h.lossy || from < h.from) {
		h.lossy, h.from = true, from
	}
	return true
}

// unprovenVote tells whether a damaged hard state file stands with another vote than before: the newest stood in it once.
func (b *Broker) unprovenVote(before map[string][]byte, v victim) bool {
	was, err := wal.ParseSlots(before[v.name])
	is, damaged := wal.ParseSlots(b.volume.Synced(v.directory + "/" + v.name))
	return err == nil && damaged == nil && (is.HardState.Term != was.HardState.Term || is.HardState.Vote != was.HardState.Vote)
}

// restore takes back what was done to a file that nobody has looked at since.
func (v *Volume) restore(name string, b []byte) {
	f := v.files[name]
	f.synced, f.data = b, append([]byte(nil), b...)
}

// victims lists the durable files of all living topics.
func (b *Broker) victims() []victim {
	var all []victim
	for _, path := range sortedKeys(b.volume.durable) {
		directory := directoryOf(path)
		name := strings.TrimPrefix(path[len(directory):], "/")
		if strings.HasSuffix(name, unfinished) || len(b.volume.durable[path].synced) == 0 {
			continue
		}
		for _, t := range b.world.topics {
			for n := range t.Partitions {
				owner, ours := strings.CutPrefix(directory, fmt.Sprintf("replicas/%v-p%d-r", t.ID, n))
				if r, err := strconv.ParseUint(owner, 10, 64); ours && err == nil && !t.Deleted {
					all = append(all, victim{id.Partition{Topic: t.ID, Number: n}, directory, id.Replica(r), name})
				}
			}
		}
	}
	return all
}

// Damage changes what a file durably holds: a bit of it, a page, or its length. It returns which bytes are not what they
// were. It may be called only while nothing is dirty.
func (v *Volume) Damage(name string, random *rand.Rand) (what Fault, low, high int) {
	f := v.files[name]
	low = random.IntN(len(f.synced))
	if chance(random, 40) { // the end matters most
		low = len(f.synced) - 1 - random.IntN(min(len(f.synced), pageSize))
	}
	bit := 0
	if what = FaultBitFlip + Fault(random.IntN(3)); what == FaultBitFlip {
		bit = random.IntN(8)
	}
	low, high = f.damage(what, low, bit)
	return what, low, high
}

// damage hits a file at a byte.
func (f *file) damage(what Fault, at, bit int) (low, high int) {
	low, high = at, at+1
	switch what {
	case FaultBitFlip:
		f.synced[low] ^= 1 << bit
	case FaultZeroPage:
		low -= low % pageSize
		high = min(low+pageSize, len(f.synced))
		clear(f.synced[low:high])
	case FaultCutFile:
		high = len(f.synced)
		f.synced = f.synced[:low]
	}
	f.data = append([]byte(nil), f.synced...)
	return low, high
}

// bytesIn copies a directory's files.
func (v *Volume) bytesIn(directory string) map[string][]byte {
	files := map[string][]byte{}
	for _, name := range v.List(directory) {
		files[name] = append([]byte(nil), v.files[directory+"/"+name].data...)
	}
	return files
}

// unproven tells whether what was hit in a segment is durable by its own word alone: no other frame, slot or checkpoint says
// so. Then nobody can tell it from a tear, and everything from there on may go: from an offset on, or no records at all (-1).
func unproven(before map[string][]byte, v victim, low, high int) (lost bool, from id.Offset) {
	if !v.segment() {
		return false, -1
	}
	proven := id.Index(0)
	if slot, err := wal.ParseSlots(before[hardStateFile]); err == nil {
		proven = slot.Durable
	}
	type held struct {
		index id.Index
		base  id.Offset
	}
	var hit id.Index
	var batches []held
	for _, name := range sortedKeys(before) {
		if c, err := wal.ParseCheckpoint(before[name], v.owner); err == nil && !strings.HasPrefix(name, snapshotPrefix) {
			proven = max(proven, c.Index)
		}
		if !(victim{name: name}).segment() {
			continue
		}
		eachFrame(before[name], v.owner, func(at, end int, f wal.Frame) {
			if name == v.name && at < high && end > low {
				if hit == 0 {
					hit = f.Entry.Index
				}
			} else {
				proven = max(proven, f.Synced)
			}
			if h, err := batch.ParseHeader(f.Entry.Payload); f.Entry.Type == partitions.EntryBatch && err == nil {
				batches = append(batches, held{f.Entry.Index, h.BaseOffset})
			}
		})
	}
	if hit == 0 || hit <= proven {
		return false, -1
	}
	for _, b := range batches {
		if b.index >= hit {
			return true, b.base
		}
	}
	return true, -1
}

// eachFrame walks a segment's frames that verify, also behind bytes that do not: what lies there still tells what was durable.
func eachFrame(b []byte, owner id.Replica, visit func(at, end int, f wal.Frame)) {
	for at := 0; at < len(b); {
		size, n := binary.Uvarint(b[at:])
		if n <= 0 || size > uint64(len(b)-at-n) {
			at++
			continue
		}
		end := at + n + int(size)
		f, err := wal.ParseFrame(b[at+n:end], owner)
		if err != nil {
			at++
			continue
		}
		visit(at, end, f)
		at = end
	}
}
