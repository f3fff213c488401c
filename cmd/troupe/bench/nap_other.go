//go:build !linux

package bench

import "time"

// nap waits for about as long as it is told.
func nap(d time.Duration) { time.Sleep(d) }
