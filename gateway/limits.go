package gateway

import (
	"cmp"
	"time"

	"troupe/gateway/protocol"
)

// Limits bound what clients can make the gateway hold or wait for. A field that is zero takes its default. Those that a
// client can run into are told in Hello.
type Limits struct {
	FrameBytes        int // longest frame after Hello, either way; default 8 MiB
	BatchBytes        int // largest record batch, whatever its topic allows; default 4 MiB
	DecompressedBytes int // what one batch may decompress to; default 32 MiB
	Decompressions    int // batches being decompressed at the same time, over all connections; default 4

	InflightRequests int // unanswered requests of a connection; default 256
	InflightBytes    int // their frames, and for a fetch the response it may get; default 32 MiB
	FetchBytes       int // batches in one fetch response; default and most: FrameBytes less 2 MiB
	WaitMillis       int // longest wait of a fetch; default 60,000
	ThrottleMillis   int // how long a throttled client is asked to wait; default 100

	Connections   int           // open at the same time; default 4,096
	HandshakeTime time.Duration // from accepting a connection to its Hello; default 10 s
	IdleTime      time.Duration // without a request; default 10 min
	FrameTime     time.Duration // from the first byte of a frame to its last; default 30 s
	WriteTime     time.Duration // for a client to take what was written; default 30 s
	LingerTime    time.Duration // for a client to read the last replies before its connection is closed; default 1 s
}

// headroom is kept free in a fetch response for everything but batches, and for the batch that is larger than what was
// asked for.
const headroom = 2 << 20

// WithDefaults returns the limits with every zero replaced: what a server that is given them lives by.
func (l Limits) WithDefaults() Limits {
	l.FrameBytes = cmp.Or(l.FrameBytes, protocol.DefaultFrameBytes)
	l.BatchBytes = cmp.Or(l.BatchBytes, 4<<20)
	l.DecompressedBytes = cmp.Or(l.DecompressedBytes, 32<<20)
	l.Decompressions = cmp.Or(l.Decompressions, 4)
	l.InflightRequests = cmp.Or(l.InflightRequests, 256)
	l.InflightBytes = cmp.Or(l.InflightBytes, 32<<20)
	most := max(l.FrameBytes-headroom, 1)
	l.FetchBytes = min(cmp.Or(l.FetchBytes, most), most)
	l.WaitMillis = cmp.Or(l.WaitMillis, 60_000)
	l.ThrottleMillis = cmp.Or(l.ThrottleMillis, 100)
	l.Connections = cmp.Or(l.Connections, 4096)
	l.HandshakeTime = cmp.Or(l.HandshakeTime, 10*time.Second)
	l.IdleTime = cmp.Or(l.IdleTime, 10*time.Minute)
	l.FrameTime = cmp.Or(l.FrameTime, 30*time.Second)
	l.WriteTime = cmp.Or(l.WriteTime, 30*time.Second)
	l.LingerTime = cmp.Or(l.LingerTime, time.Second)
	return l
}

// told is what Hello says of the limits.
func (l Limits) told() protocol.Limits {
	return protocol.Limits{
		FrameBytes:       int64(l.FrameBytes),
		BatchBytes:       int64(l.BatchBytes),
		InflightRequests: int64(l.InflightRequests),
		InflightBytes:    int64(l.InflightBytes),
		Partitions:       protocol.MaxPartitions,
		WaitMillis:       int64(l.WaitMillis),
		IdleMillis:       l.IdleTime.Milliseconds(),
	}
}
