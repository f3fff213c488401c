package simulation

import (
	"fmt"
	"strings"
)

// Fault is one kind of misfortune. Each is counted, so that a set of runs in which one never happened can be told.
type Fault int

// The faults of one broker, and then those that need several. faultTable says what each is.
const (
	FaultCrash Fault = iota
	FaultStop
	FaultCrashInDisk
	FaultCrashInOpen
	FaultLostAll
	FaultKeptAll
	FaultLostSuffix
	FaultLostPages
	FaultTornPage
	FaultZeroTail
	FaultLostCreate
	FaultLostRename
	FaultWriteError
	FaultSyncError
	FaultDiskFull
	FaultNoRoom
	FaultSlowDisk
	FaultCutConnection
	FaultRetry
	FaultStaleResend
	FaultBitFlip
	FaultZeroPage
	FaultCutFile
	FaultPause
	FaultTickBurst
	FaultClockSkew
	FaultClockJump
	FaultActorPanic

	FaultSlowFrame
	FaultLostFrame
	FaultDoubledFrame
	FaultOvertakingFrame
	FaultCutFrame
	FaultForeignFrame
	FaultOversizeFrame
	FaultClog
	FaultClogLeader
	FaultLostLink
	FaultCutHalves
	FaultCutAlone
	FaultCutLeader
	FaultCutBridge
	FaultCutOneWay
	FaultBlackout
	FaultRolling
	FaultOversleep
	FaultLateView
	FaultStaleView
	FaultFalseDeath
	FaultFlap
	FaultWipedDisk
	FaultDark
	faultKinds

	firstOfSeveral = FaultSlowFrame
)

// faultTable says of each kind what it is called and what it is.
var faultTable = [faultKinds]struct{ name, meaning string }{
	FaultCrash:           {"crash", "a broker dies between two steps"},
	FaultStop:            {"stop", "a broker is stopped in order, and started again"},
	FaultCrashInDisk:     {"crash-in-disk", "a broker dies inside a storage step"},
	FaultCrashInOpen:     {"crash-in-open", "a broker dies while it recovers"},
	FaultLostAll:         {"lost-all", "nothing of what was not synced survives in a file"},
	FaultKeptAll:         {"kept-all", "all of what was not synced survives"},
	FaultLostSuffix:      {"lost-suffix", "a prefix of the pages that were not synced survives"},
	FaultLostPages:       {"lost-pages", "any subset of the pages that were not synced survives"},
	FaultTornPage:        {"torn-page", "a page survives in part"},
	FaultZeroTail:        {"zero-tail", "a file has grown, but its new bytes are zero"},
	FaultLostCreate:      {"lost-create", "a new file's name is lost"},
	FaultLostRename:      {"lost-rename", "a rename or a removal is lost"},
	FaultWriteError:      {"write-error", "a write fails, partly done, or a file is not made, renamed or removed"},
	FaultSyncError:       {"sync-error", "a sync fails and the kernel drops the pages"},
	FaultDiskFull:        {"disk-full", "the disk has less than its reserve for a while"},
	FaultNoRoom:          {"no-room", "a write fails because the disk has no room at all"},
	FaultSlowDisk:        {"slow-disk", "a storage step takes long"},
	FaultCutConnection:   {"cut-connection", "a connection breaks, with what was on its way"},
	FaultRetry:           {"retry", "a client sends again after a timeout or a broken connection"},
	FaultStaleResend:     {"stale-resend", "a client sends a batch again that was acknowledged already"},
	FaultBitFlip:         {"bit-flip", "a bit of what was durable flips"},
	FaultZeroPage:        {"zero-page", "a page of what was durable turns to zeros"},
	FaultCutFile:         {"cut-file", "a file that was durable loses its end"},
	FaultPause:           {"pause", "a broker stands still for a while, and goes on"},
	FaultTickBurst:       {"tick-burst", "a broker's timers come all at once after a pause"},
	FaultClockSkew:       {"clock-skew", "a broker's timers are fast or slow"},
	FaultClockJump:       {"clock-jump", "a broker's clock jumps, forward or back"},
	FaultActorPanic:      {"actor-panic", "a partition's actor panics"},
	FaultSlowFrame:       {"slow-frame", "a frame between two brokers takes long"},
	FaultLostFrame:       {"lost-frame", "a frame is lost, and its link goes on"},
	FaultDoubledFrame:    {"doubled-frame", "a frame arrives twice"},
	FaultOvertakingFrame: {"overtaking-frame", "a frame arrives before one sent earlier"},
	FaultCutFrame:        {"cut-frame", "a part of a frame arrives"},
	FaultForeignFrame:    {"foreign-frame", "another layout or kind arrives in place of a frame"},
	FaultOversizeFrame:   {"oversize-frame", "more bytes arrive than a frame may have"},
	FaultClog:            {"clog", "links hold frames back and release them later"},
	FaultClogLeader:      {"clog-leader", "the links of a broker that leads do, until another leads or for long"},
	FaultLostLink:        {"lost-link", "the links between two brokers end, with what is on its way"},
	FaultCutHalves:       {"cut-halves", "two sides do not reach each other"},
	FaultCutAlone:        {"cut-alone", "one broker reaches nobody"},
	FaultCutLeader:       {"cut-leader", "a broker that leads reaches nobody"},
	FaultCutBridge:       {"cut-bridge", "two sides reach each other over one broker only"},
	FaultCutOneWay:       {"cut-one-way", "one side is heard and hears nothing"},
	FaultBlackout:        {"blackout", "all brokers lose their power at once"},
	FaultRolling:         {"rolling-restart", "all brokers are restarted in order, one after the other"},
	FaultOversleep:       {"oversleep", "a broker that leads stands still until another leads, and goes on"},
	FaultLateView:        {"late-view", "a broker learns late who came or went"},
	FaultStaleView:       {"stale-view", "a broker's view stands still"},
	FaultFalseDeath:      {"false-death", "a broker believes that a living one is dead"},
	FaultFlap:            {"flap", "a broker sees another come and go again and again"},
	FaultWipedDisk:       {"wiped-disk", "a broker loses its disk and its name"},
	FaultDark:            {"dark", "a broker stays away for ever, dead or cut off"},
}

// String returns the fault's name.
func (f Fault) String() string { return faultTable[f].name }

// MarshalText writes the fault's name.
func (f Fault) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads a fault's name.
func (f *Fault) UnmarshalText(text []byte) (err error) {
	*f, err = parseFault(string(text))
	return err
}

// Meaning says in a line what happens.
func (f Fault) Meaning() string { return faultTable[f].meaning }

// Several tells that it needs several brokers.
func (f Fault) Several() bool { return f >= firstOfSeveral }

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
		if n == 0 && (several || !Fault(i).Several()) {
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
