package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"troupe/simulation/real"
)

// torture runs real brokers under faults, and prints what became of it.
func (f *flags) torture(p printer, seeded bool) error {
	if f.real <= 0 || f.real > mostMinutes {
		return fmt.Errorf("--real %v: between a moment and %d minutes", f.real, mostMinutes)
	}
	return f.processes(p, seeded, time.Duration(f.real*float64(time.Minute)), real.Run)
}

// processes has real brokers run in one way or the other.
func (f *flags) processes(p printer, seeded bool, length time.Duration, run func(context.Context, real.Config) (*real.Report, error)) error {
	c := real.Config{Seed: f.seed, Length: length, Binary: f.program, Loopback: f.loopback, Trace: io.Discard}
	if !seeded {
		c.Seed = uint64(rand.Uint32()) // short enough to be typed
	}
	if c.Binary == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		c.Binary = filepath.Join(filepath.Dir(self), "troupe")
	}
	if _, err := os.Stat(c.Binary); err != nil {
		return fmt.Errorf("--troupe %s: %w; `make build` builds it", c.Binary, err)
	}
	if f.trace {
		c.Trace = p.out
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // the second signal ends the process, and its brokers with it
	r, err := run(ctx, c)
	if err != nil {
		return err
	}
	if p.json {
		p.encode(r)
	} else {
		r.Print(p.out)
	}
	if r.Violation != nil {
		return fmt.Errorf("%w\nreplay: %s", r.Violation, r.Replay())
	}
	return nil
}

// mostMinutes bounds a run: what clients saw of it is held in memory.
const mostMinutes = 24 * 60

// calm is how long nothing happens before, between and after the changes of --growth.
const calm = 10 * time.Second
