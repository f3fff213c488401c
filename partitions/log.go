package partitions

import "troupe/partitions/id"

// EntryType tells what an entry of the log means. The values are stored on disk: never change one.
type EntryType uint8

// The types of entries.
const (
	// EntryEmpty opens a leader's term. Raft makes it; it uses no offset and its append time is 0.
	EntryEmpty EntryType = 1
	// EntryConfiguration changes who votes. Its payload is raft's own encoding; it uses no offset, its append time is 0.
	EntryConfiguration EntryType = 2
	// EntryBatch holds one record batch (partitions/batch) and uses as many offsets as the batch has records.
	EntryBatch EntryType = 3
	// EntryLogStart moves the log start to the offset in its payload (i64, little-endian), if that lies above it and not
	// above the next offset. It uses no offset.
	EntryLogStart EntryType = 4
	// EntryGap stands in the place of an entry that was lost, and skips the offsets that it used: see Gap. No replica proposes
	// one; a repair writes it into the log.
	EntryGap EntryType = 5
)

// Entry is one position of the log. An entry is immutable from the moment it is proposed or read: nobody may write to its
// Payload, which may share memory with other entries.
type Entry struct {
	Index      id.Index
	Term       id.Term
	Type       EntryType
	AppendTime id.Timestamp // the leader's clock when it was proposed, never below the entry before it; 0 for raft's own
	Payload    []byte
}

// HardState is what a replica must not forget: see the raft paper, figure 2.
type HardState struct {
	Term   id.Term
	Vote   id.Replica // whom it voted for in Term; 0: nobody
	Commit id.Index   // highest index known committed; may lag behind the truth, never ahead of it
}

// Write is one step for the disk. Writes are given to the log in the order in which the replica made them.
type Write struct {
	// Sequence counts a replica's writes from 1. It is what Replica.Persisted is told.
	Sequence uint64
	// Snapshot, when set, replaces everything the log holds: it becomes base and newest checkpoint, the log is empty and
	// continues behind Snapshot.Index, which counts as durable and committed. Entries of the same write follow it.
	Snapshot *Checkpoint
	// Entries are consecutive. If the first index is at or below the log's last, everything from there on is cut first.
	Entries []Entry
	// HardState replaces the stored one where Changed is set.
	HardState HardState
	// Changed tells that HardState differs from what the previous write left.
	Changed bool
}

// Log is one replica's memory on disk: its entries, its vote and its checkpoints. wal implements it on files, simulation
// on a disk that forgets on purpose.
//
// Append, Sync, SaveCheckpoint and Close are called by one goroutine at a time. The reading methods may be called by any
// number of goroutines beside it.
type Log interface {
	// Recovered tells what Open found. It does not change afterwards.
	Recovered() Recovered

	// Append hands writes to the operating system, in order. Nothing of it need be durable before Sync; a snapshot is, and
	// replaces the log at once: interrupted at any point, the next Open finds the old log or the new one. After an error the
	// log is poisoned: every later Append and Sync returns ErrPoisoned until it has been closed and opened anew.
	Append(writes []Write) error

	// Sync makes everything appended so far durable: entries, hard state, and the names of new files. Where only the
	// commit index changed nothing needs to be durable, and Sync does not wait for the disk.
	Sync() error

	// SaveCheckpoint makes c durable as the newest checkpoint. Its index is never below the previous one's, nor above the
	// last entry's.
	SaveCheckpoint(c *Checkpoint) error

	// FrontEnd returns the last index of those whole segments at the front of the log that hold no record at or above
	// start, no gap that reaches above it, and no entry above below; 0 when there is none. The segment that is written to is never among them.
	FrontEnd(start id.Offset, below id.Index) (id.Index, error)

	// DropFront makes base durable as the checkpoint that the log continues from, then removes the segments whose entries
	// all lie at or below base.Index, oldest first. base.Index is what FrontEnd returned. Interrupted at any point, the next
	// Open finishes it. It is called like Append; readers of what is removed get ErrOffsetOutOfRange.
	DropFront(base *Checkpoint) error

	// Rest makes everything appended durable, and lets go of what a log that is not written to needs not hold: memory and
	// descriptors. The next Append takes them again; all other methods work as before. It is called like Append, and fails
	// like it.
	Rest() error

	// Entries returns entries from lo to below hi, at least one and then as many as fit into maxBytes of payload. Every
	// checksum has been verified. It returns ErrDamaged where one fails.
	Entries(lo, hi id.Index, maxBytes int) ([]Entry, error)

	// ReadBatches returns whole record batches, in order: first the one that holds offset from (or, after a gap, the next
	// one), at least that one, then as many as fit into maxBytes and end at or below until. None when no batch ends in
	// (from, until]. The slices may share memory. It returns ErrDamaged where a checksum fails.
	ReadBatches(from, until id.Offset, maxBytes int) ([][]byte, error)

	// FindTime returns the base offset and largest timestamp of the first batch above from and below until whose largest
	// timestamp is at or after t; from itself where that batch begins below it. found is false when there is none.
	FindTime(t id.Timestamp, from, until id.Offset) (at id.Offset, stamp id.Timestamp, found bool, err error)

	// Holes reads the whole log and lists, in order, the entries at or below the known commit index that are not there or do
	// not verify. It returns ErrDamaged where more is damaged than that, and for a log that has forgotten (DamageAmnesia):
	// what is lost there nobody can give back. It is called like a reading method and takes long.
	Holes() ([]Hole, error)

	// Fill puts entries back into holes, as a peer that applied them has them: from the lowest missing entry of a hole on, in
	// order. Others are refused, as are those that contradict what is around. They are kept in memory until their segment is
	// whole, or enough for one of their own; until then Holes still lists them. When it lists none the log is closed and
	// opened anew, and opens whole. What is missing in the segment that is written to is refused: open the log anew first. It is
	// called like Append.
	Fill(entries []Entry) error

	// Scrub verifies every checksum of a segment that is no longer written to: the first one with an entry at or above from. It
	// returns the index that the segment behind it begins with, also beside an error, and how many bytes it read; next is 0
	// where only the segment that is written to is left. It returns ErrDamaged where something does not verify.
	Scrub(from id.Index) (next id.Index, bytes int64, err error)

	// Size tells how much disk the log uses.
	Size() LogSize

	// Close makes everything appended durable, notes that in the hard state, and releases the files. A poisoned log is
	// released without either. Reads under way end first or fail with ErrClosed.
	Close() error
}

// LogSize is what a log occupies on disk.
type LogSize struct {
	Bytes    int64
	Segments int
}

// Recovered is what a log found when it was opened.
type Recovered struct {
	HardState HardState
	// Replica is the id the directory was made for.
	Replica id.Replica
	// Base is the state just before First: what the log continues from, and what a peer needs that has nothing. Newest is
	// never older.
	Base *Checkpoint
	// Newest is the newest checkpoint; nil only for a replica that waits for its first snapshot: then First is 1.
	Newest *Checkpoint
	// First and Last bound the entries; First = Last + 1 when there are none. Entries at or below Newest.Index need not
	// be there.
	First, Last id.Index
	// Terms lists, in order, the first index of each term found from First to Last.
	Terms []TermStart
	// Durable is the highest index known to have been durable before this opening.
	Durable id.Index
	// Torn counts the bytes of an unacknowledged end that was cut off; 0 when the log was clean.
	Torn int64
	// Damage is set when bytes that had been durable are not there or do not verify. Such a log refuses Append, and reads
	// whatever still verifies.
	Damage *Damage
}

// Hole is a range of entries that are missing in a log.
type Hole struct{ First, Last id.Index }

// TermStart tells at which index a term begins in a log.
type TermStart struct {
	Index id.Index
	Term  id.Term
}

// DamageKind separates what can be repaired in place from what cannot: see log.md, two kinds of damage.
type DamageKind uint8

// The kinds of damage.
const (
	// DamageHole: entries are bad while tail, terms and hard state verify.
	DamageHole DamageKind = 1
	// DamageAmnesia: tail, hard state or register are uncertain; the replica may have forgotten a vote or an entry.
	DamageAmnesia DamageKind = 2
)

// String returns the word that people are shown.
func (k DamageKind) String() string {
	if k == DamageAmnesia {
		return "amnesia"
	}
	return "hole"
}

// Damage tells what of a log can no longer be trusted.
type Damage struct {
	Kind   DamageKind
	File   string   // the file's name within the replica's directory
	At     int64    // byte position in File
	Index  id.Index // first index affected, when known
	Reason string   // a sentence for the operator
}
