package simulation

import (
	"fmt"
	"strings"
)

// Mark is one kind of recovery or answer that only a misfortune brings about: what shows that the faults reached the code
// that is there for them.
type Mark int

// The marks of one broker, and then those that need several.
const (
	MarkTearCut             Mark = iota // an unsynced end was cut off at opening
	MarkReplay                          // a restart applied entries above its newest checkpoint
	MarkCheckpoint                      // a checkpoint became durable
	MarkRoll                            // a segment was full and another begun
	MarkReopenAfterError                // a log was opened again in a broker that lives, after a disk error
	MarkStop                            // a broker was stopped in order
	MarkDuplicateAnswered               // a batch sent twice was answered with its first offset
	MarkDuplicateForgotten              // a batch sent again too late was recognised, its offset no longer known
	MarkOutcomeUnknown                  // a client was told that nobody knows
	MarkNotReady                        // a client was told to come back
	MarkSequenceRefused                 // a batch was refused because the one before it is missing
	MarkParked                          // a fetch waited and was woken by data
	MarkTopicDeleted                    // a topic was deleted
	MarkExpectationMet                  // a batch was appended where its producer expected the partition to end
	MarkExpectationRefused              // a batch was refused because the partition ends elsewhere
	MarkFoundByTime                     // a time was asked for, and a batch found
	MarkNothingSince                    // a time was asked for, and nothing is that young
	MarkQuarantined                     // damage was found at opening, and the log is read-only
	MarkDamageRead                      // damage was found by a read, in a log that had opened
	MarkDamageMended                    // a log opened whole although a file beside its segments was damaged
	MarkFrontDropped                    // the front of a log was removed
	MarkDropFinished                    // what an interrupted removal left was removed at opening
	MarkRest                            // a log that nobody wrote to let go of its memory
	MarkScrub                           // a segment that is no longer written to was verified
	MarkRefusedFull                     // a client was told that the disk is full
	MarkCheckpointPostponed             // a checkpoint or base found no room, and the log went on
	MarkSlotsInPlace                    // a log on a full disk was opened without a new hard state file
	MarkTrimmedAway                     // a consumer asked for what was deleted, and was told where the log begins

	MarkInstalled       // a snapshot replaced a log
	MarkInstallFinished // the installation of a snapshot was finished at opening
	MarkStaleAnswer     // an answer came from a leader that was deposed
	MarkReplaced        // a damaged replica's place was taken by another
	MarkHoleFilled      // a segment with what a peer gave took a damaged one's place
	markKinds

	firstMarkOfSeveral = MarkInstalled
)

var markNames = [markKinds]string{
	"tear-cut", "replay", "checkpoint", "roll", "reopen-after-error", "stop", "duplicate-answered", "duplicate-forgotten",
	"outcome-unknown", "not-ready", "sequence-refused", "parked", "topic-deleted",
	"expectation-met", "expectation-refused", "found-by-time", "nothing-since",
	"quarantined", "damage-read", "damage-mended", "front-dropped", "drop-finished", "rest", "scrub", "refused-full", "checkpoint-postponed", "slots-in-place", "trimmed-away",
	"installed", "install-finished", "stale-answer", "replaced", "hole-filled",
}

// String returns the mark's name.
func (m Mark) String() string { return markNames[m] }

// Marks counts what was seen.
type Marks [markKinds]int

func (m *Marks) count(mark Mark) { m[mark]++ }

// Add adds the counts of another run.
func (m *Marks) Add(other Marks) {
	for i := range m {
		m[i] += other[i]
	}
}

// Missing lists the kinds that were never seen; several tells that some run had several brokers.
func (m Marks) Missing(several bool) []Mark {
	var missing []Mark
	for i, n := range m {
		if n == 0 && (several || Mark(i) < firstMarkOfSeveral) {
			missing = append(missing, Mark(i))
		}
	}
	return missing
}

// String lists every kind with its count.
func (m Marks) String() string {
	var b strings.Builder
	for i, n := range m {
		fmt.Fprintf(&b, "%s%s %d", map[bool]string{true: "  "}[i > 0], Mark(i), n)
	}
	return b.String()
}
