package bench

import (
	"runtime"
	"syscall"
	"time"
)

// punctual has the naps of the calling goroutine end on time, until release. Go's own timers are up to a millisecond late in a
// process that has nothing else to do, because it waits for them in epoll, which counts in milliseconds: at 1,000 records a second
// that would be most of the latency that is measured, and none of it the broker's. Linux lets a thread's timers be 50 us late
// unless it is told otherwise (PR_SET_TIMERSLACK in prctl(2)), hence a thread of its own.
func punctual() (release func()) {
	runtime.LockOSThread()
	slack(1)
	return func() {
		slack(0) // what it was
		runtime.UnlockOSThread()
	}
}

// slack sets how late the timers of this thread may be, in nanoseconds. If it cannot be set they are late: generator_late tells.
func slack(nanoseconds uintptr) {
	const setTimerSlack = 29
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, nanoseconds, 0)
}

// nap waits for about as long as it is told.
func nap(d time.Duration) {
	rest := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&rest, nil) // a signal may end it early: whoever waits looks at the clock
}
