package id

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"
	"strings"
)

// ErrMalformed is returned by the Parse functions for text that names no identifier of the kind asked for.
var ErrMalformed = errors.New("id: malformed identifier")

// Topic is the name people give a topic. Names can be used again; a TopicID cannot.
type Topic string

// TopicID names one life of a topic: the catalog counts them up, so a name deleted and created again is another topic.
// Zero names none.
type TopicID uint64

// String prints the id as "t17".
func (t TopicID) String() string { return "t" + strconv.FormatUint(uint64(t), 10) }

// Partition names one partition: the unit of order, leadership and placement.
type Partition struct {
	Topic  TopicID
	Number int32 // counted from 0 within the topic
}

// String prints the partition as "t17/3".
func (p Partition) String() string { return fmt.Sprintf("%v/%d", p.Topic, p.Number) }

// Less orders partitions by topic, then by number.
func (p Partition) Less(q Partition) bool {
	if p.Topic != q.Topic {
		return p.Topic < q.Topic
	}
	return p.Number < q.Number
}

// Cluster names a cluster: drawn at random when it is created, the same on every one of its brokers. Zero is "none yet".
type Cluster uint64

// String prints the id as 16 hexadecimal digits.
func (c Cluster) String() string { return fmt.Sprintf("%016x", uint64(c)) }

// Epoch tells which catalog a cluster follows: its number counts how often the catalog lost its majority for ever and was recovered
// from one survivor, and its mark, drawn at random, tells two recoveries apart that know nothing of each other. Zero: it never was.
type Epoch uint64

// Next draws an epoch that follows e.
func (e Epoch) Next(r *rand.Rand) Epoch { return Epoch(uint64(e.Number()+1)<<32 | uint64(r.Uint32())) }

// Number counts the recoveries.
func (e Epoch) Number() uint32 { return uint32(e >> 32) }

// String prints the number, the mark in hexadecimal, and two digits that a mistyped one does not match: "2-9c0ffee1d3".
func (e Epoch) String() string {
	if e == 0 {
		return "0"
	}
	return fmt.Sprintf("%d-%08x%02x", e.Number(), uint32(e), byte(crc32.ChecksumIEEE(binary.BigEndian.AppendUint64(nil, uint64(e)))))
}

// ParseEpoch reads what Epoch.String prints of any but zero. It returns ErrMalformed for anything else.
func ParseEpoch(s string) (Epoch, error) {
	number, mark, _ := strings.Cut(s, "-")
	n, err := strconv.ParseUint(number, 10, 32)
	m, wrong := strconv.ParseUint(mark, 16, 40)
	if e := Epoch(n<<32 | m>>8); err == nil && wrong == nil && n > 0 && e.String() == s {
		return e, nil
	}
	return 0, fmt.Errorf("epoch %q: %w", s, ErrMalformed)
}

// Node names a broker for as long as its data directory lives. Zero names none.
type Node uint64

// String prints the id as 16 hexadecimal digits.
func (n Node) String() string { return fmt.Sprintf("%016x", uint64(n)) }

// ParseNode reads what Node.String prints. It returns ErrMalformed for anything else.
func ParseNode(s string) (Node, error) {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil || v == 0 || len(s) != 16 {
		return 0, fmt.Errorf("node %q: %w", s, ErrMalformed)
	}
	return Node(v), nil
}

// NewNode draws a node id from r.
func NewNode(r *rand.Rand) Node { return Node(nonZero(r)) }

// NewCluster draws a cluster id from r.
func NewCluster(r *rand.Rand) Cluster { return Cluster(nonZero(r)) }

func nonZero(r *rand.Rand) uint64 {
	for {
		if v := r.Uint64(); v != 0 {
			return v
		}
	}
}

// Replica names one copy of one partition, unique in its cluster and never used again; it belongs to one node for ever.
// It is also the replica's id inside raft. Zero names none.
type Replica uint64

// Index is a position in a replica's log, counted in entries from 1. Not every entry holds records: see Offset.
type Index uint64

// Term numbers the reigns of leaders (Kafka calls it the leader epoch).
type Term uint64

// Offset numbers the records of a partition: dense, from 0, never used twice.
type Offset int64

// Producer names a producer whose repeated sends are recognised. Zero and below name none.
type Producer int64

// Timestamp is a moment in milliseconds since 1970-01-01 UTC, the unit of Kafka's record batches.
type Timestamp int64
