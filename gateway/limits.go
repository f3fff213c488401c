package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
)

// Limits bound what clients can make the gateway hold or wait for. A field that is zero takes its default. Hello tells all
// of them, and what happens at each stands in PROTOCOL.md.
type Limits struct {
	FrameBytes        int // longest frame after Hello, either way; default 8 MiB
	BatchBytes        int // largest record batch, whatever its topic allows; default 4 MiB
	BatchRecords      int // records in one batch; default 262,144
	BatchHeaders      int // headers in one batch, over all its records; default 1,048,576
	RecordHeaders     int // headers of one record; default and most 1,024
	DecompressedBytes int // what one batch may decompress to; default 32 MiB
	Decompressions    int // batches being decompressed at the same time, over all connections; default 4

	InflightRequests   int // unanswered requests of a connection; default 256
	InflightBytes      int // their frames, and for a fetch the response it may get; default 32 MiB
	InflightBytesInAll int // of all connections; parked fetches count only what they have read; default 256 MiB
	FetchBytes         int // batches in one fetch response; default and most: FrameBytes less 2 MiB
	WaitMillis         int // longest wait of a fetch; default 60,000
	ParkedFetches      int // fetches of a connection that wait for records; default 128
	ParkedFetchesInAll int // of all connections; default 16,384
	ThrottleMillis     int // how long a throttled client is asked to wait; default 100

	Topics          int // that are not internal, in the cluster; default and most 10,000
	TopicPartitions int // of one topic; default and most 10,000
	Partitions      int // of all topics; default and most 50,000

	Connections           int           // open at the same time; default 4,096
	ConnectionsPerAddress int           // from one IP address; default 1,024
	HandshakeTime         time.Duration // from accepting a connection to its Hello; default 10 s
	IdleTime              time.Duration // without a request, while none is unanswered; default 10 min
	FrameTime             time.Duration // from the first byte of a frame to its last; default 30 s
	WriteTime             time.Duration // for a client to take what was written; default 30 s
	LingerTime            time.Duration // for a client to read the last replies before its connection is closed; default 1 s
}

// ErrLimits is returned by Validate for limits that contradict one another.
var ErrLimits = errors.New("gateway: impossible limits")

// headroom is kept free in a fetch response for everything but batches, and for the batch that is larger than what was
// asked for.
const headroom = 2 << 20

// WithDefaults returns the limits with every zero replaced: what a server that is given them lives by.
func (l Limits) WithDefaults() Limits {
	l.FrameBytes = cmp.Or(l.FrameBytes, protocol.DefaultFrameBytes)
	l.BatchBytes = cmp.Or(l.BatchBytes, 4<<20)
	l.BatchRecords = cmp.Or(l.BatchRecords, 1<<18)
	l.BatchHeaders = cmp.Or(l.BatchHeaders, 1<<20)
	l.RecordHeaders = cmp.Or(l.RecordHeaders, protocol.MaxHeaders)
	l.DecompressedBytes = cmp.Or(l.DecompressedBytes, 32<<20)
	l.Decompressions = cmp.Or(l.Decompressions, 4)
	l.InflightRequests = cmp.Or(l.InflightRequests, 256)
	l.InflightBytes = cmp.Or(l.InflightBytes, 32<<20)
	l.InflightBytesInAll = cmp.Or(l.InflightBytesInAll, 256<<20)
	most := max(l.FrameBytes-headroom, 1)
	l.FetchBytes = min(cmp.Or(l.FetchBytes, most), most)
	l.WaitMillis = cmp.Or(l.WaitMillis, 60_000)
	l.ParkedFetches = cmp.Or(l.ParkedFetches, 128)
	l.ParkedFetchesInAll = cmp.Or(l.ParkedFetchesInAll, 16_384)
	l.ThrottleMillis = cmp.Or(l.ThrottleMillis, 100)
	l.Topics = cmp.Or(l.Topics, catalog.MaxTopics)
	l.TopicPartitions = cmp.Or(l.TopicPartitions, catalog.MaxPartitions)
	l.Partitions = cmp.Or(l.Partitions, catalog.MaxPartitionsInAll)
	l.Connections = cmp.Or(l.Connections, 4096)
	l.ConnectionsPerAddress = cmp.Or(l.ConnectionsPerAddress, 1024)
	l.HandshakeTime = cmp.Or(l.HandshakeTime, 10*time.Second)
	l.IdleTime = cmp.Or(l.IdleTime, 10*time.Minute)
	l.FrameTime = cmp.Or(l.FrameTime, 30*time.Second)
	l.WriteTime = cmp.Or(l.WriteTime, 30*time.Second)
	l.LingerTime = cmp.Or(l.LingerTime, time.Second)
	return l
}

// Validate tells whether clients can work within the limits, defaults in place of zeros: ErrLimits, wrapped, names the two
// that contradict each other.
func (l Limits) Validate() error {
	l = l.WithDefaults()
	told := l.told()
	for _, f := range told.Fields() {
		if *f.Value < 1 {
			return fmt.Errorf("%s is %d, must be above 0: %w", f.Name, *f.Value, ErrLimits)
		}
	}
	for _, rule := range []struct {
		low     string
		lowest  int
		high    string
		highest int
	}{
		{"hello's frames of", protocol.HelloFrameBytes, "frame_bytes", l.FrameBytes},
		{"frame_bytes", l.FrameBytes, "the most a frame can have,", protocol.MaxFrameBytes},
		{"batch_bytes and 2 MiB for the rest of a frame,", l.BatchBytes + headroom, "frame_bytes", l.FrameBytes},
		{"batch_bytes", l.BatchBytes, "decompressed_bytes", l.DecompressedBytes},
		{"record_headers", l.RecordHeaders, "the most a record can have,", protocol.MaxHeaders},
		{"record_headers", l.RecordHeaders, "batch_headers", l.BatchHeaders},
		{"frame_bytes", l.FrameBytes, "inflight_bytes", l.InflightBytes},
		{"inflight_bytes", l.InflightBytes, "inflight_bytes_in_all", l.InflightBytesInAll},
		{"frame_bytes and 32 MiB for the longest answer,", l.FrameBytes + 32<<20, "inflight_bytes_in_all", l.InflightBytesInAll},
		{"parked_fetches", l.ParkedFetches, "parked_fetches_in_all", l.ParkedFetchesInAll},
		{"topics", l.Topics, "the most a cluster can have,", catalog.MaxTopics},
		{"topic_partitions", l.TopicPartitions, "the most a topic can have,", catalog.MaxPartitions},
		{"cluster_partitions", l.Partitions, "the most a cluster can have,", catalog.MaxPartitionsInAll},
		{"topic_partitions", min(l.TopicPartitions, l.Partitions), "cluster_partitions", l.Partitions},
		{"connections_per_address", min(l.ConnectionsPerAddress, l.Connections), "connections", l.Connections},
	} {
		if rule.lowest > rule.highest {
			return fmt.Errorf("%s %d, above %s %d: %w", rule.low, rule.lowest, rule.high, rule.highest, ErrLimits)
		}
	}
	return nil
}

// batches is what batch.Validate is to enforce for a topic that takes batches of at most topicBytes.
func (l Limits) batches(topicBytes int) batch.Limits {
	return batch.Limits{
		Bytes: min(topicBytes, l.BatchBytes), Decompressed: l.DecompressedBytes,
		Records: l.BatchRecords, Headers: l.BatchHeaders, RecordHeaders: l.RecordHeaders,
	}
}

// told is what Hello says of the limits.
func (l Limits) told() protocol.Limits {
	return protocol.Limits{
		HelloFrameBytes:       int64(min(protocol.HelloFrameBytes, l.FrameBytes)),
		FrameBytes:            int64(l.FrameBytes),
		BatchBytes:            int64(l.BatchBytes),
		BatchRecords:          int64(l.BatchRecords),
		BatchHeaders:          int64(l.BatchHeaders),
		RecordHeaders:         int64(l.RecordHeaders),
		DecompressedBytes:     int64(l.DecompressedBytes),
		Decompressions:        int64(l.Decompressions),
		InflightRequests:      int64(l.InflightRequests),
		InflightBytes:         int64(l.InflightBytes),
		InflightBytesInAll:    int64(l.InflightBytesInAll),
		FetchBytes:            int64(l.FetchBytes),
		Partitions:            protocol.MaxPartitions,
		WaitMillis:            int64(l.WaitMillis),
		ParkedFetches:         int64(l.ParkedFetches),
		ParkedFetchesInAll:    int64(l.ParkedFetchesInAll),
		ThrottleMillis:        int64(l.ThrottleMillis),
		TopicNameBytes:        catalog.MaxNameBytes,
		Topics:                int64(l.Topics),
		TopicPartitions:       int64(l.TopicPartitions),
		ClusterPartitions:     int64(l.Partitions),
		Connections:           int64(l.Connections),
		ConnectionsPerAddress: int64(l.ConnectionsPerAddress),
		HandshakeMillis:       millis(l.HandshakeTime),
		IdleMillis:            millis(l.IdleTime),
		FrameMillis:           millis(l.FrameTime),
		WriteMillis:           millis(l.WriteTime),
		LingerMillis:          millis(l.LingerTime),
	}
}

// millis rounds up: a time that is not 0 is not told as 0, which would mean "not told".
func millis(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }
