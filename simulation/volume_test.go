package simulation

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPowerLossKeepsWhatWasSynced(t *testing.T) {
	for seed := range uint64(300) {
		random := Streams{seed}.Named("volume")
		v := NewVolume()
		v.Create("d/a")
		kept := bytes.Repeat([]byte{7}, between(random, 1, 3*pageSize))
		must(t, v.Append("d/a", kept))
		must(t, v.Sync("d/a"))
		v.SyncDirectory("d")
		must(t, v.Append("d/a", bytes.Repeat([]byte{9}, between(random, 1, 3*pageSize))))
		v.PowerLoss(random, new(Plan), "a")
		got, err := v.ReadFile("d/a")
		must(t, err)
		if !bytes.HasPrefix(got, kept) {
			t.Fatalf("seed %d: synced bytes are gone", seed)
		}
		if !bytes.Equal(got, v.Synced("d/a")) {
			t.Fatalf("seed %d: after a power loss the disk is not what is read", seed)
		}
	}
}

func TestPowerLossDrawsEveryOutcome(t *testing.T) {
	plan := new(Plan)
	outcomes := map[string]int{}
	for seed := range uint64(300) {
		random := Streams{seed}.Named("volume")
		v := NewVolume()
		v.Create("d/old")
		must(t, v.Append("d/old", []byte("old")))
		must(t, v.Sync("d/old"))
		v.SyncDirectory("d")
		must(t, v.Append("d/old", bytes.Repeat([]byte{9}, 4*pageSize)))
		v.Create("d/new")
		must(t, v.Rename("d/old", "d/older"))
		v.PowerLoss(random, plan, "a")
		outcomes[cmp.Diff([]string(nil), v.List("d"))]++
	}
	if len(outcomes) != 3 {
		t.Errorf("%d sets of names survive, want 3: neither change, the first, both", len(outcomes))
	}
	for kind := FaultLostAll; kind <= FaultLostRename; kind++ {
		if plan.Faults[kind] == 0 {
			t.Errorf("%v was never drawn", kind)
		}
	}
}

func TestForgetDropsPages(t *testing.T) {
	v := NewVolume()
	v.Create("d/a")
	must(t, v.Append("d/a", []byte("kept")))
	must(t, v.Sync("d/a"))
	must(t, v.Append("d/a", []byte("dropped")))
	v.Forget("d/a")
	must(t, v.Sync("d/a"))
	got, err := v.ReadFile("d/a")
	must(t, err)
	if diff := cmp.Diff("kept", string(got)); diff != "" {
		t.Errorf("after a failed sync (-want +got):\n%s", diff)
	}
}

func TestTruncateIsDurableOnceSynced(t *testing.T) {
	v := NewVolume()
	v.Create("d/a")
	must(t, v.Append("d/a", bytes.Repeat([]byte{1}, 3*pageSize)))
	must(t, v.Sync("d/a"))
	v.SyncDirectory("d")
	must(t, v.Truncate("d/a", 10))
	must(t, v.Append("d/a", []byte{2}))
	must(t, v.Sync("d/a"))
	if diff := cmp.Diff(append(bytes.Repeat([]byte{1}, 10), 2), v.Synced("d/a")); diff != "" {
		t.Errorf("synced bytes (-want +got):\n%s", diff)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
