package simulation

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// seeds is how many seeds the short simulation runs; `make sim` runs 500.
func seeds() uint64 {
	if testing.Short() {
		return 5
	}
	return 30
}

func TestEveryPromiseIsKept(t *testing.T) {
	t.Run("twin", func(t *testing.T) { everyPromiseIsKept(t, seeds(), false) })
	t.Run("real disk", func(t *testing.T) { everyPromiseIsKept(t, seeds()/3, true) })
}

func everyPromiseIsKept(t *testing.T, seeds uint64, realDisk bool) {
	var set Set
	for seed := range seeds {
		r := Run(Config{Seed: seed, RealDisk: realDisk})
		set.Add(r)
		if r.Violation != nil {
			t.Errorf("seed %d: %v\nreplay: %s", seed, r.Violation, r.Replay())
		}
	}
	t.Logf("faults: %v", set.Faults)
	t.Logf("marks:  %v", set.Marks)
	if set.Acked == 0 || set.Faults[FaultCrash] == 0 || set.Marks[MarkReplay] == 0 {
		t.Error("nothing happened")
	}
}

// childSeed makes the test binary run one seed and print its hash, for TestSameSeedSameHash.
const childSeed = "TROUPE_SIMULATION_SEED"

// childDisk, if it is set besides, makes the run keep its logs in real files.
const childDisk = "TROUPE_SIMULATION_REAL_DISK"

func TestMain(m *testing.M) {
	if s := os.Getenv(childSeed); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			panic(err)
		}
		fmt.Println(Run(Config{Seed: seed, Length: 5 * time.Second, RealDisk: os.Getenv(childDisk) != ""}).Hash)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestSameSeedSameHash(t *testing.T) {
	t.Run("twin", func(t *testing.T) { sameSeedSameHash(t, false) })
	t.Run("real disk", func(t *testing.T) { sameSeedSameHash(t, true) })
}

func sameSeedSameHash(t *testing.T, realDisk bool) {
	hashes := map[string]bool{}
	for seed := range uint64(4) {
		c := Config{Seed: seed, Length: 5 * time.Second, RealDisk: realDisk}
		first := Run(c).Hash
		if again := Run(c).Hash; again != first {
			t.Errorf("seed %d: hash %s, then %s", seed, first, again)
		}
		for _, threads := range []string{"1", "2"} {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), "GOMAXPROCS="+threads, childSeed+"="+strconv.FormatUint(seed, 10))
			if realDisk {
				child.Env = append(child.Env, childDisk+"=yes")
			}
			out, err := child.Output()
			must(t, err)
			if got := strings.TrimSpace(string(out)); got != first {
				t.Errorf("seed %d: hash %s here, %s in another process with GOMAXPROCS=%s", seed, first, got, threads)
			}
		}
		hashes[first] = true
	}
	if len(hashes) != 4 {
		t.Errorf("4 seeds gave %d hashes", len(hashes))
	}
}

func TestTraceChangesNothing(t *testing.T) {
	var out strings.Builder
	traced := Run(Config{Seed: 1, Length: 3 * time.Second, Trace: &out})
	silent := Run(Config{Seed: 1, Length: 3 * time.Second})
	if traced.Hash != silent.Hash {
		t.Errorf("hash %s with a trace, %s without", traced.Hash, silent.Hash)
	}
	for _, want := range []string{"broker-a     start", "broker-a     ready", "acknowledged", "catalog      topic", "disk "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the trace does not say %q", want)
		}
	}
}

func TestSetDemandsEveryFault(t *testing.T) {
	var s Set
	whole := &Report{}
	for i := range whole.Faults {
		whole.Faults[i] = 1
	}
	for i := range whole.Marks {
		whole.Marks[i] = 1
	}
	lacking := &Report{Marks: whole.Marks, Faults: whole.Faults}
	lacking.Faults[FaultTornPage] = 0
	for range enough - 1 {
		s.Add(lacking)
	}
	if err := s.Err(); err != nil {
		t.Errorf("%d runs are too few to complain: %v", s.Runs, err)
	}
	s.Add(lacking)
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "torn-page") {
		t.Errorf("a fault that never happened is told as %v", err)
	}
	s.Add(whole)
	if err := s.Err(); err != nil {
		t.Errorf("a whole set: %v", err)
	}
	s.Add(&Report{Seed: 9, Violation: &Violation{"lost-write", "it is gone"}})
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "--seed 9") {
		t.Errorf("a broken promise is told as %v", err)
	}
}
