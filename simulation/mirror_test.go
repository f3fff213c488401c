package simulation

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// laidOut returns an empty mirror of a directory of its own.
func laidOut(t *testing.T) *Mirror {
	t.Helper()
	m := newMirror()
	m.layOut(filepath.Join(t.TempDir(), "1"))
	return m
}

// put writes a file in place of what stands there.
func (m *Mirror) put(t *testing.T, name string, b []byte) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(m.path, name), b, 0o600))
}

// syncs makes a file's bytes durable.
func (m *Mirror) syncs(name string) { m.find(filepath.Join(m.path, name)).sync(0) }

// endAndLayOut ends a life, by a power loss or not, and begins the next one.
func (m *Mirror) endAndLayOut(t *testing.T, lose func()) {
	t.Helper()
	m.capture()
	m.leave()
	lose()
	m.layOut(filepath.Join(t.TempDir(), "next"))
}

func (m *Mirror) content(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(m.path, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path[len(m.path)+1:]] = string(b)
		return err
	}))
	return all
}

func TestMirrorKeepsWhatWasSynced(t *testing.T) {
	plan := new(Plan)
	for seed := range uint64(300) {
		random := Streams{seed}.Named("mirror")
		m := laidOut(t)
		kept := bytes.Repeat([]byte{7}, between(random, 1, 3*pageSize))
		m.put(t, "a", kept)
		m.syncs("a")
		m.top.syncNames(m.path)
		m.put(t, "a", append(kept, bytes.Repeat([]byte{9}, between(random, 1, 3*pageSize))...))
		m.endAndLayOut(t, func() { m.powerLoss(random, plan, "broker-a") })
		if got := m.content(t)["a"]; !bytes.HasPrefix([]byte(got), kept) {
			t.Fatalf("seed %d: synced bytes are gone", seed)
		}
		m.leave()
	}
	for kind := FaultLostAll; kind <= FaultZeroTail; kind++ {
		if plan.Faults[kind] == 0 {
			t.Errorf("%v was never drawn", kind)
		}
	}
}

// What the operating system has in memory survives a killed process, and a power loss behind it takes it nevertheless.
func TestMirrorOutlivesAKilledProcess(t *testing.T) {
	m := laidOut(t)
	m.put(t, "a", []byte("old"))
	m.syncs("a")
	m.top.syncNames(m.path)
	m.put(t, "a", []byte("young"))
	m.put(t, "b", []byte("unnamed"))
	m.endAndLayOut(t, func() {})
	if diff := cmp.Diff(map[string]string{"a": "young", "b": "unnamed"}, m.content(t)); diff != "" {
		t.Errorf("after a kill (-want +got):\n%s", diff)
	}
	outcomes := map[string]bool{}
	for seed := range uint64(100) {
		copied := newMirror()
		copied.layOut(filepath.Join(t.TempDir(), "1"))
		copied.put(t, "a", []byte("old"))
		copied.syncs("a")
		copied.top.syncNames(copied.path)
		copied.put(t, "a", []byte("young"))
		copied.endAndLayOut(t, func() {})
		copied.endAndLayOut(t, func() { copied.powerLoss(Streams{seed}.Named("mirror"), new(Plan), "broker-a") })
		outcomes[copied.content(t)["a"]] = true
		copied.leave()
	}
	if !outcomes["old"] || !outcomes["young"] {
		t.Errorf("what was not synced becomes %v, want it lost at times and kept at times", outcomes)
	}
	m.leave()
}

// Changes of names are lost in any order, but a rename as a whole; a directory that is lost takes along what is in it.
func TestMirrorLosesNames(t *testing.T) {
	outcomes := map[string]int{}
	for seed := range uint64(300) {
		m := laidOut(t)
		m.put(t, "old", []byte("x"))
		m.syncs("old")
		m.top.syncNames(m.path)
		must(t, os.Rename(filepath.Join(m.path, "old"), filepath.Join(m.path, "older")))
		made := filepath.Join(m.path, "made.new")
		must(t, os.Mkdir(made, 0o700))
		m.put(t, "made.new/within", []byte("y"))
		m.syncs("made.new/within")
		m.find(made).syncNames(made)
		must(t, os.Rename(made, filepath.Join(m.path, "made")))
		m.endAndLayOut(t, func() { m.powerLoss(Streams{seed}.Named("mirror"), new(Plan), "broker-a") })
		outcomes[cmp.Diff(map[string]string(nil), m.content(t))]++
		for name, b := range m.content(t) {
			if want := map[string]string{"old": "x", "older": "x", "made/within": "y"}[name]; b != want {
				t.Fatalf("seed %d: %s holds %q, want %q", seed, name, b, want)
			}
		}
		m.leave()
	}
	if len(outcomes) != 4 {
		t.Errorf("%d sets of names survive, want 4: either change, both, and neither: %v", len(outcomes), outcomes)
	}
}

// A removal that is lost brings back what was synced, not what was written later.
func TestMirrorBringsBackWhatWasSynced(t *testing.T) {
	back := 0
	for seed := range uint64(50) {
		m := laidOut(t)
		inside := filepath.Join(m.path, "d")
		must(t, os.Mkdir(inside, 0o700))
		m.put(t, "d/a", []byte("old"))
		m.syncs("d/a")
		m.find(inside).syncNames(inside)
		m.top.syncNames(m.path)
		m.put(t, "d/a", []byte("young"))
		m.endAndLayOut(t, func() {})
		m.put(t, "d/a", []byte("youngest"))
		m.syncs("d/a")
		must(t, os.RemoveAll(filepath.Join(m.path, "d")))
		m.endAndLayOut(t, func() { m.powerLoss(Streams{seed}.Named("mirror"), new(Plan), "broker-a") })
		if got, here := m.content(t)["d/a"]; here {
			if back++; got != "youngest" {
				t.Fatalf("seed %d: what was removed comes back as %q", seed, got)
			}
		}
		m.leave()
	}
	if back == 0 || back == 50 {
		t.Errorf("a removal was lost %d times in 50", back)
	}
}

func TestMirrorForgetsWhatAFailedSyncDrops(t *testing.T) {
	m := laidOut(t)
	m.put(t, "a", []byte("old"))
	m.syncs("a")
	m.put(t, "a", []byte("young"))
	m.find(filepath.Join(m.path, "a")).forget(filepath.Join(m.path, "a"))
	if got := m.content(t)["a"]; got != "old" {
		t.Errorf("reads show %q, want what the disk has", got)
	}
	m.leave()
}
