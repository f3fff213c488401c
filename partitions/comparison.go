package partitions

import (
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"

	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// Compare asks for the replicas of a partition to be compared, one piece of their logs after the other.
type Compare struct {
	From id.Index // where this piece begins; what not all replicas have any more is passed over
	// End is the last entry to compare, as the first answer told it: what comes later is left alone. 0: what all of them have
	// applied now.
	End id.Index
}

// Comparison is the answer: what one piece has shown.
type Comparison struct {
	Err error
	// From to Through were compared, of what goes up to End. Through = End: that was the last piece.
	From, Through, End id.Index
	// LogStart and HighWatermark are the bounds of what all of the compared have: the highest of the one, the lowest of the
	// other.
	LogStart, HighWatermark id.Offset
	Offset                  id.Offset // of the last batch of the piece; -1: it has none
	Bytes                   int64     // of payload, as each replica has read them
	Replicas                []Compared
}

// Compared is one replica in a comparison.
type Compared struct {
	Placed
	Verdict Verdict
	// Index is the first entry that differs, Offset the base offset of the batch in it; -1: this replica has none there.
	Index  id.Index
	Offset id.Offset
	Reason string // why it was not compared, as a sentence
}

// Verdict is what a comparison says of one replica.
type Verdict uint8

// The verdicts. Where most replicas have the same entry, one that has another differs; where there is no majority all do, and
// it cannot be told here who is right.
const (
	VerdictUncompared Verdict = iota
	VerdictEqual
	VerdictDiffers
)

// String returns the word that people and programs are shown.
func (v Verdict) String() string { return [...]string{"uncompared", "equal", "differs"}[v] }

// Digest is the sum over a range of one replica's log. Replicas that hold the same entries have the same sum: it is a chain over
// index, term, type and append time of each, and the checksum of its payload.
type Digest struct {
	Err     error
	Through id.Index  // the last entry that was added
	Sum     uint64    // of all of them
	Bytes   int64     // of payload
	Offset  id.Offset // the base offset of the last batch; -1: there is none
}

var (
	crc64ECMA  = crc64.MakeTable(crc64.ECMA)
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Add puts the next entry into the sum.
func (d *Digest) Add(e Entry) {
	le := binary.LittleEndian
	var b [29]byte
	le.PutUint64(b[:], uint64(e.Index))
	le.PutUint64(b[8:], uint64(e.Term))
	b[16] = byte(e.Type)
	le.PutUint64(b[17:], uint64(e.AppendTime))
	le.PutUint32(b[25:], crc32.Checksum(e.Payload, castagnoli))
	d.Sum = crc64.Update(d.Sum, crc64ECMA, b[:])
	d.Through, d.Bytes = e.Index, d.Bytes+int64(len(e.Payload))
	if e.Type == EntryBatch {
		if h, err := batch.ParseHeader(e.Payload); err == nil {
			d.Offset = h.BaseOffset
		}
	}
}

// Judge compares the digests that replicas have of one range, and tells which of them differ: those that are not as most are.
func Judge(digests []Digest) (differs []bool, same bool) {
	differs, same = make([]bool, len(digests)), true
	for i, d := range digests {
		equals := 0
		for _, other := range digests {
			if other.Sum == d.Sum {
				equals++
			}
		}
		differs[i] = 2*equals <= len(digests)
		same = same && equals == len(digests)
	}
	return differs, same
}

// Common returns what the logs of replicas have in common: the entries from first to applied, and the bounds of their records.
func Common(replicas []Status) (first, applied id.Index, start, watermark id.Offset) {
	for i, s := range replicas {
		first, start = max(first, s.First), max(start, s.LogStart)
		if i == 0 || s.Applied < applied {
			applied = s.Applied
		}
		if i == 0 || s.HighWatermark < watermark {
			watermark = s.HighWatermark
		}
	}
	return first, applied, start, watermark
}
