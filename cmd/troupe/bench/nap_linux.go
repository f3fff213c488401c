package bench

import (
	"syscall"
	"time"
)

// nap waits for about as long as it is told. Go's own timers are up to a millisecond late in a process that has nothing else to
// do, because it waits for them in epoll, which counts in milliseconds: at 1,000 records a second that would be most of the
// latency that is measured, and none of it the broker's.
func nap(d time.Duration) {
	rest := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&rest, nil) // a signal may end it early: whoever waits looks at the clock
}
