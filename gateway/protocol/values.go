package protocol

import (
	"math"
	"strconv"

	"troupe/partitions/id"
)

// The values that several messages share, in the forms they take on the wire.

// Bounds of lists within one message.
const (
	// MaxPartitions is how many partitions one Produce, Fetch or ListOffsets may name.
	MaxPartitions = 4096
	// MaxTopics is how many topics one Metadata request may name.
	MaxTopics = 4096
	// MaxSettings is how many settings one CreateTopic may carry.
	MaxSettings = 256
	// maxAnswers bounds the lists of responses, which name all there is when a request names nothing.
	maxAnswers = MaxElements
)

// NoTimestamp stands where there is no time.
const NoTimestamp id.Timestamp = -1

// NoOffset stands where there is no offset.
const NoOffset id.Offset = -1

const (
	maxInt64 = math.MaxInt64
	maxInt32 = math.MaxInt32
)

// offset reads an offset, or NoOffset.
func (r *reader) offset() id.Offset { return id.Offset(r.int(int64(NoOffset), maxInt64)) }

// timestamp reads milliseconds since 1970, or NoTimestamp.
func (r *reader) timestamp() id.Timestamp { return id.Timestamp(r.int(int64(NoTimestamp), maxInt64)) }

// partition reads a partition's number.
func (r *reader) partition() int32 { return int32(r.int(0, maxInt32)) }

// topicID reads a topic's id; 0 is none.
func (r *reader) topicID() id.TopicID { return id.TopicID(r.uint(math.MaxUint64)) }

// Nodes and clusters are 64 bits drawn at random. They travel as 16 hexadecimal digits, the way people see them, because
// some languages have no such numbers.

func (w *writer) putNode(key string, n id.Node) {
	if n == 0 {
		w.putStr(key, "")
		return
	}
	w.putStr(key, n.String())
}

func (r *reader) hex() uint64 {
	s := r.str()
	if r.err != nil || s == "" {
		return 0
	}
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		r.fail("want 16 hexadecimal digits, got %q", s)
		return 0
	}
	return v
}

func (r *reader) node() id.Node { return id.Node(r.hex()) }

// strings reads a list of strings.
func (r *reader) strings(max int) []string {
	var list []string
	r.list(max, func(int) { list = append(list, r.str()) })
	return list
}

func (w *writer) putNodes(key string, nodes []id.Node) {
	w.putList(key, len(nodes))
	for _, n := range nodes {
		w.str(n.String())
	}
}

func (r *reader) nodes() []id.Node {
	var nodes []id.Node
	r.list(maxAnswers, func(int) { nodes = append(nodes, r.node()) })
	return nodes
}

// replica reads a replica's id; 0 is none.
func (r *reader) replica() id.Replica { return id.Replica(r.uint(math.MaxUint64)) }

// index reads the index of an entry; 0 is none.
func (r *reader) index() id.Index { return id.Index(r.uint(math.MaxUint64)) }

// term reads a leader's term.
func (r *reader) term() id.Term { return id.Term(r.uint(math.MaxUint64)) }
