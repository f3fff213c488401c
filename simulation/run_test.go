package simulation

import (
	"os"
	"strconv"
	"testing"
	"time"
)

func TestOne(t *testing.T) {
	from, _ := strconv.Atoi(os.Getenv("SEED"))
	n, _ := strconv.Atoi(os.Getenv("SEEDS"))
	var f Faults
	var m Marks
	bad := 0
	for i := from; i < from+max(n, 1); i++ {
		c := Config{Seed: uint64(i)}
		if os.Getenv("TRACE") != "" {
			c.Trace = os.Stdout
		}
		t0 := time.Now()
		r := Run(c)
		f.Add(r.Faults)
		m.Add(r.Marks)
		t.Logf("seed %d %v sim %v steps %d sends %d acked %d unknown %d polls %d hash %s  %v", i, time.Since(t0), r.Simulated, r.Steps, r.Sends, r.Acked, r.Unknown, r.Polls, r.Hash, r.Violation)
		if r.Violation != nil {
			bad++
		}
	}
	t.Log(f)
	t.Log(m)
	t.Log("bad", bad)
}
