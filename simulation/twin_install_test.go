package simulation

import (
	"errors"
	"math/rand/v2"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"
)

// stop is a storage step at which the broker dies, or which fails.
type stop struct {
	left int // steps until it happens; 0: never
	dies bool
}

func (s *stop) reached() bool { return s.left <= 0 }

// bootStopping begins a life of the disk that is stopped where at says, which may be changed while it lasts.
func (w *World) bootStopping(t *testing.T, random *rand.Rand, at *stop) *Disk {
	t.Helper()
	strike := func(dies bool) func() int {
		return func() int {
			if at.dies != dies {
				return 0
			}
			if at.left--; at.left == 0 {
				return 10_000
			}
			return 0
		}
	}
	d, err := openDisk(w, &Device{
		volume: w.cluster.brokers[0].volume, random: random, room: func() int64 { return simulatedBytes }, plan: w.plan, trace: w.trace,
		crash: strike(true), fail: strike(false),
	}, nil)
	must(t, err)
	return d
}

// TestTwinInstallStopped stops the installation of a snapshot at every storage step, by a kill, a power loss or an error, and
// then its finishing likewise. The log opens to the old or to the new one, with the term and vote that were promised.
func TestTwinInstallStopped(t *testing.T) {
	w := twinWorld(7, 2048)
	for _, kind := range []string{"ahead", "within", "empty"} {
		for mode := range 10 {
			step := 1
			for installStopped(t, w, kind, mode, step) {
				step++
			}
			if step < 15 {
				t.Fatalf("%s: only %d steps", kind, step)
			}
		}
	}
}

// installStopped stops one installation at a step, and its finishing at each of its steps; false when there is no such step.
// Mode 1: the first step fails, otherwise the broker dies; 2: the power fails between them; 4: the second one fails. Modes 8
// and 9 are one life: the first step fails, and in the second the broker dies, or it fails too.
func installStopped(t *testing.T, w *World, kind string, mode, step int) bool {
	for second := 1; ; second++ {
		random := Streams{uint64(step*100 + second)}.Named(kind)
		w.cluster.brokers[0].volume = NewVolume()
		s := prepared(t, w, random, kind)
		var at stop
		d := w.bootStopping(t, random, &at)
		log, err := d.Open(twinPartition, twinReplica)
		must(t, err)
		s.resume(t, log)
		at = stop{left: step, dies: mode < 8 && mode&1 == 0}
		err = s.installAt(t, log, kind)
		if !at.reached() {
			must(t, err)
			return false
		}
		if !errors.Is(err, errPower) && !errors.Is(err, errInputOutput) {
			t.Fatalf("%s, mode %d, step %d: %v", kind, mode, step, err)
		}
		if mode&2 != 0 {
			w.cluster.brokers[0].volume.PowerLoss(random, w.plan, "broker-a")
		}
		at = stop{}
		if mode < 8 {
			d = w.bootStopping(t, random, &at)
		} else {
			_ = log.Close()
		}
		at = stop{left: second, dies: mode&4 == 0 && mode != 9}
		log, err = d.Open(twinPartition, twinReplica)
		if err == nil {
			s.resume(t, log)
			return true // its opening has fewer steps: all have been tried
		}
		if !at.reached() {
			t.Fatalf("%s, mode %d, step %d, then %d: %v", kind, mode, step, second, w.broken)
		}
		w.cluster.brokers[0].volume.PowerLoss(random, w.plan, "broker-a")
		log, err = w.boot(t, random, 0, 0).Open(twinPartition, twinReplica)
		if err != nil {
			t.Fatalf("%s, mode %d, step %d, then %d: %v", kind, mode, step, second, err)
		}
		s.resume(t, log)
		must(t, s.append(log, partitions.Write{HardState: s.state, Changed: true}))
		must(t, s.step(t, log))
		must(t, log.Close())
		if w.broken != nil {
			t.Fatal(w.broken)
		}
	}
}

// prepared makes the log that a snapshot is to replace.
func prepared(t *testing.T, w *World, random *rand.Rand, kind string) *scribe {
	t.Helper()
	d := w.boot(t, random, 0, 0)
	s := newScribe(random)
	if kind == "empty" {
		s = &scribe{random: random}
	}
	must(t, d.Create(twinPartition, twinReplica, s.origin, s.state))
	log, err := d.Open(twinPartition, twinReplica)
	must(t, err)
	for len(s.written) < 12 && kind != "empty" {
		w := s.next(t)
		s.state.Commit = 1
		w.HardState = s.state
		must(t, s.append(log, w))
	}
	s.state.Term, s.state.Vote = s.state.Term+1, 2
	must(t, s.append(log, partitions.Write{HardState: s.state, Changed: true}))
	must(t, log.Close())
	return s
}

// installAt installs a snapshot where the kind of test wants it.
func (s *scribe) installAt(t *testing.T, log partitions.Log, kind string) error {
	index := s.last() + 30
	if kind == "within" {
		index = 2 + id.Index(s.random.IntN(10))
	}
	return s.installBehind(t, log, index)
}
