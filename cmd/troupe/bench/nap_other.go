//go:build !linux

package bench

import "time"

// punctual has the naps of the calling goroutine end on time, as far as Go's own timers do.
func punctual() (release func()) { return func() {} }

// nap waits for about as long as it is told.
func nap(d time.Duration) { time.Sleep(d) }
