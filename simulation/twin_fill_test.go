package simulation

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"troupe/actors"
	"troupe/partitions"
	"troupe/wal"
)

// wound spoils one segment of a log at rest: a bit, a range, its end, or all of it. It returns the name, and nil bytes where the
// file is gone.
func wound(random *rand.Rand, files map[string][]byte) (name string, b []byte) {
	var names []string
	for _, n := range sortedKeys(files) {
		if (victim{name: n}).segment() && len(files[n]) > 0 {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	name = names[random.IntN(len(names))]
	b = append([]byte(nil), files[name]...)
	at := random.IntN(len(b))
	switch random.IntN(5) {
	case 0:
		return name, nil
	case 1:
		return name, b[:at]
	case 2:
		clear(b[at:min(len(b), at+random.IntN(3000))])
	default:
		b[at] ^= 1 << random.IntN(8)
	}
	return name, b
}

// fill fills all holes, a few entries at a time.
func (s *scribe) fill(log partitions.Log) error {
	holes, err := log.Holes()
	for i := 0; i < len(holes) && err == nil; i++ {
		for at := holes[i].First; at <= holes[i].Last && err == nil; at += 3 {
			err = log.Fill(s.written[at-2 : min(at+3, holes[i].Last+1)-2])
		}
	}
	return err
}

// TestTwinFillsLikeWAL: both are damaged alike, list the same holes, fill them with the same bytes, and open whole.
func TestTwinFillsLikeWAL(t *testing.T) {
	filled, forgotten := 0, 0
	for seed := range 1 + seeds()/2 {
		random := Streams{seed}.Named("fill")
		path := t.TempDir()
		w := twinWorld(seed, 2048)
		volume := w.cluster.brokers[0].volume
		real, err := wal.OpenDirectory(path, wal.Options{SegmentBytes: 2048, Random: rand.New(rand.NewPCG(1, seed))})
		must(t, err)
		twin := w.boot(t, random, 0, 0)
		s := newScribe(random)
		disks := [2]actors.Disk{real, twin}
		for _, d := range disks {
			must(t, d.Create(twinPartition, twinReplica, s.origin, s.state))
		}
		for range 2 {
			conform(t, s, real, twin)
		}
		s.state.Commit = s.last()
		for _, d := range disks {
			log, err := d.Open(twinPartition, twinReplica)
			must(t, err)
			must(t, s.append(log, partitions.Write{HardState: s.state, Changed: true}))
			must(t, log.Close())
		}
		directory := twin.twin(twinPartition, twinReplica).directory
		w.atlas.harmed[twinReplica] = &Harm{}
		for range 2 {
			if name, b := wound(random, volume.bytesIn(directory)); name != "" {
				file := filepath.Join(path, "replicas", "t7-p2-r41", name)
				must(t, os.Remove(file))
				volume.Unlink(directory + "/" + name)
				if b != nil {
					must(t, os.WriteFile(file, b, 0o640))
					volume.Create(directory + "/" + name)
					must(t, volume.WriteAt(directory+"/"+name, 0, b))
				}
			}
		}
		if !fillBoth(t, s, disks) {
			forgotten++
			must(t, real.Close())
			continue
		}
		sameFiles(t, filepath.Join(path, "replicas", "t7-p2-r41"), volume, directory)
		conform(t, s, real, twin)
		must(t, real.Close())
		filled++
	}
	if (filled == 0 || forgotten == 0) && !testing.Short() {
		t.Fatalf("%d filled, %d forgotten", filled, forgotten)
	}
}

// fillBoth opens both, fills the holes, and closes them; false where not all can be filled.
func fillBoth(t *testing.T, s *scribe, disks [2]actors.Disk) bool {
	t.Helper()
	var logs [2]partitions.Log
	var failed [2]error
	for i, d := range disks {
		logs[i], failed[i] = d.Open(twinPartition, twinReplica)
	}
	if failed[0] != nil || failed[1] != nil {
		if !errors.Is(failed[0], partitions.ErrDamaged) || !errors.Is(failed[1], partitions.ErrDamaged) {
			t.Fatalf("wal opens with %v, the twin with %v", failed[0], failed[1])
		}
		return false
	}
	defer func() {
		for _, log := range logs {
			must(t, log.Close())
		}
	}()
	for i, log := range logs {
		if d := log.Recovered().Damage; d != nil && d.Kind == partitions.DamageAmnesia {
			failed[i] = partitions.ErrDamaged
		}
	}
	if failed[0] != failed[1] {
		t.Fatalf("wal: %+v, the twin: %+v", logs[0].Recovered().Damage, logs[1].Recovered().Damage)
	}
	if failed[0] != nil {
		return false
	}
	same(t, "Holes", logs, func(l partitions.Log) any {
		holes, err := l.Holes()
		return []any{holes, err == nil}
	})
	if _, err := logs[0].Holes(); err != nil {
		return false
	}
	for _, log := range logs {
		if err := s.fill(log); err != nil {
			t.Fatalf("%T: %v", log, err)
		}
		if holes, err := log.Holes(); err != nil || len(holes) > 0 {
			t.Fatalf("%T: still missing: %v, %v", log, holes, err)
		}
	}
	for _, log := range logs {
		if log.Recovered().First > s.last() {
			continue // a base in front of nothing
		}
		got, err := log.Entries(log.Recovered().First, s.last()+1, 1<<30)
		must(t, err)
		sameEntries(t, s.written[log.Recovered().First-2:], got)
	}
	return true
}

// TestTwinFillStopped stops filling at every storage step, by a kill, a power loss or an error; the rest is filled later.
func TestTwinFillStopped(t *testing.T) {
	w := twinWorld(7, 2048)
	for seed := range seeds() {
		for mode := range 3 {
			for step := 1; fillStopped(t, w, seed, mode, step); step++ {
			}
		}
	}
}

// fillStopped stops at one step; false when there is no such step. Mode 1: the power fails then; 2: the step fails.
func fillStopped(t *testing.T, w *World, seed uint64, mode, step int) bool {
	t.Helper()
	random := Streams{seed}.Named("fill stopped")
	volume := NewVolume()
	w.cluster.brokers[0].volume, w.atlas.harmed[twinReplica] = volume, &Harm{}
	s := prepared(t, w, random, "ahead")
	log, err := w.boot(t, random, 0, 0).Open(twinPartition, twinReplica)
	must(t, err)
	s.state.Commit = s.last()
	must(t, s.append(log, partitions.Write{HardState: s.state, Changed: true}))
	must(t, log.Close())
	directory := log.(*Twin).directory
	for range 2 {
		name, b := wound(random, volume.bytesIn(directory))
		volume.Create(directory + "/" + name)
		must(t, volume.WriteAt(directory+"/"+name, 0, b))
		must(t, volume.Sync(directory+"/"+name))
		volume.SyncDirectory(directory)
	}
	var at stop
	d := w.bootStopping(t, random, &at)
	log, err = d.Open(twinPartition, twinReplica)
	if _, unhealable := fillable(log, err); unhealable {
		return false
	}
	at = stop{left: step, dies: mode != 2}
	err = s.fill(log)
	if !at.reached() {
		must(t, err)
		return false
	}
	if !errors.Is(err, errPower) && !errors.Is(err, errInputOutput) {
		t.Fatalf("seed %d, mode %d, step %d: %v", seed, mode, step, err)
	}
	_ = log.Close()
	if mode != 2 {
		if mode == 1 {
			volume.PowerLoss(random, w.plan, "broker-a")
		}
		d = w.boot(t, random, 0, 0)
	}
	log, err = d.Open(twinPartition, twinReplica)
	if err != nil {
		t.Fatalf("seed %d, mode %d, step %d: %v", seed, mode, step, err)
	}
	must(t, s.fill(log))
	must(t, log.Close())
	log, err = d.Open(twinPartition, twinReplica)
	must(t, err)
	s.resume(t, log)
	if w.broken != nil {
		t.Fatal(w.broken)
	}
	return true
}

// fillable tells whether an opened log can be healed.
func fillable(log partitions.Log, err error) (holes []partitions.Hole, unhealable bool) {
	if err == nil {
		holes, err = log.Holes()
	}
	return holes, err != nil
}
