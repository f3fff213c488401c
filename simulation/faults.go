package simulation

import (
	"fmt"
	"strings"
)

// Fault is one kind of misfortune. Each is counted, so that a set of runs in which one never happened can be told.
type Fault int

// The faults of one broker, and then those that need several.
const (
	FaultCrash         Fault = iota // the broker dies between two steps
	FaultCrashInDisk                // it dies inside a storage step
	FaultCrashInOpen                // it dies while it recovers
	FaultLostAll                    // nothing of what was not synced survives in a file
	FaultKeptAll                    // all of it survives
	FaultLostSuffix                 // a prefix of the pages survives
	FaultLostPages                  // any subset of the pages survives
	FaultTornPage                   // a page survives in part
	FaultZeroTail                   // a file has grown, but its new bytes are zero
	FaultLostCreate                 // a new file's name is lost
	FaultLostRename                 // a rename or a removal is lost
	FaultWriteError                 // a write fails, partly done
	FaultSyncError                  // a sync fails and the kernel drops the pages
	FaultDiskFull                   // the disk has less than its reserve for a while
	FaultNoRoom                     // a write fails because the disk has no room at all
	FaultSlowDisk                   // a storage step takes long
	FaultCutConnection              // a connection breaks, with what was on its way
	FaultRetry                      // a client sends again after a timeout or a broken connection
	FaultStaleResend                // a client sends a batch again that was acknowledged already
	FaultBitFlip                    // a bit of what was durable flips
	FaultZeroPage                   // a page of what was durable turns to zeros
	FaultCutFile                    // a file that was durable loses its end
	FaultPause                      // a broker stands still for a while, and goes on
	FaultTickBurst                  // its timers come all at once afterwards
	FaultClockSkew                  // its clock is wrong, or fast, or slow
	FaultClockJump                  // its clock jumps, forward or back
	FaultActorPanic                 // a partition's actor panics

	FaultSlowFrame       // a frame between two brokers takes long
	FaultLostFrame       // it is lost, and its link goes on
	FaultDoubledFrame    // it arrives twice
	FaultOvertakingFrame // it arrives before one sent earlier
	FaultCutFrame        // a part of it arrives
	FaultForeignFrame    // another layout or kind arrives in its place
	FaultOversizeFrame   // more bytes arrive than a frame may have
	FaultClog            // links hold frames back and release them later
	FaultLostLink        // the links between two brokers end, with what is on its way
	FaultCutHalves       // two sides do not reach each other
	FaultCutAlone        // one broker reaches nobody
	FaultCutLeader       // one that leads reaches nobody
	FaultCutBridge       // two sides reach each other over one broker only
	FaultCutOneWay       // one side is heard and hears nothing
	FaultBlackout        // all brokers lose their power at once
	FaultRolling         // all brokers are restarted in order, one after the other
	FaultLateView        // a broker learns late who came or went
	FaultStaleView       // a broker's view stands still
	FaultFalseDeath      // a broker believes that a living one is dead
	FaultFlap            // a broker sees another come and go again and again
	FaultWipedDisk       // a broker loses its disk and its name
	FaultDark            // a broker stays away for ever, dead or cut off
	faultKinds

	firstOfSeveral = FaultSlowFrame
)

var faultNames = [faultKinds]string{
	"crash", "crash-in-disk", "crash-in-open", "lost-all", "kept-all", "lost-suffix", "lost-pages", "torn-page", "zero-tail",
	"lost-create", "lost-rename", "write-error", "sync-error", "disk-full", "no-room", "slow-disk", "cut-connection", "retry", "stale-resend",
	"bit-flip", "zero-page", "cut-file", "pause", "tick-burst", "clock-skew", "clock-jump", "actor-panic",
	"slow-frame", "lost-frame", "doubled-frame", "overtaking-frame", "cut-frame", "foreign-frame", "oversize-frame", "clog", "lost-link",
	"cut-halves", "cut-alone", "cut-leader", "cut-bridge", "cut-one-way", "blackout", "rolling-restart",
	"late-view", "stale-view", "false-death", "flap", "wiped-disk", "dark",
}

// String returns the fault's name.
func (f Fault) String() string { return faultNames[f] }

// Faults counts what happened.
type Faults [faultKinds]int

func (f *Faults) count(kind Fault) { f[kind]++ }

// Add adds the counts of another run.
func (f *Faults) Add(other Faults) {
	for i := range f {
		f[i] += other[i]
	}
}

// Missing lists the kinds that never happened; several tells that some run had several brokers.
func (f Faults) Missing(several bool) []Fault {
	var missing []Fault
	for i, n := range f {
		if n == 0 && (several || Fault(i) < firstOfSeveral) {
			missing = append(missing, Fault(i))
		}
	}
	return missing
}

// String lists every kind with its count.
func (f Faults) String() string {
	var b strings.Builder
	for i, n := range f {
		fmt.Fprintf(&b, "%s%s %d", map[bool]string{true: "  "}[i > 0], Fault(i), n)
	}
	return b.String()
}
