package bench

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/batch"
)

// ErrLoad is wrapped by the error for a load that makes no sense.
var ErrLoad = errors.New("bench: bad load")

// Load says what to do to a broker.
type Load struct {
	Broker     string  `json:"broker"` // HOST:PORT, several with commas
	Topic      string  `json:"topic"`  // empty: a name of its own
	Partitions int32   `json:"partitions"`
	Rate       float64 `json:"rate"` // records per second of all clients together; 0: as fast as possible
	// Records ends the measured run after so many, Duration after that time; Records, if above 0, decides.
	Records     int64         `json:"records"`
	Duration    time.Duration `json:"duration_ns"`
	Warmup      time.Duration `json:"warmup_ns"` // runs before, unmeasured, at the same rate
	RecordBytes int           `json:"record_bytes"`
	Random      bool          `json:"random"` // incompressible values; otherwise zeros
	Keys        int           `json:"keys"`   // distinct keys; 0: none, the client spreads records a batch at a time
	Clients     int           `json:"clients"`
	BatchBytes  int           `json:"batch_bytes"`
	Linger      time.Duration `json:"linger_ns"`
	FetchBytes  int           `json:"fetch_bytes"`
	Compression string        `json:"compression"`
	Acks        string        `json:"acks"`
	Passes      int           `json:"passes"` // of consume
	Keep        bool          `json:"keep"`   // leave the topic there
}

// DefaultLoad is what the command line begins with.
func DefaultLoad() Load {
	return Load{
		Broker: client.DefaultBroker, Partitions: 6, Duration: 10 * time.Second, Warmup: 2 * time.Second, RecordBytes: 100,
		Random: true, Clients: 1, BatchBytes: 256 << 10, Linger: 5 * time.Millisecond, FetchBytes: 1 << 20,
		Compression: "none", Acks: "quorum", Passes: 3,
	}
}

var acksByName = map[string]protocol.Acks{
	"none": protocol.AcksNone, "leader": protocol.AcksLeader, "quorum": protocol.AcksQuorum,
}

// Check returns an error that wraps ErrLoad and names the value that cannot be meant.
func (l *Load) Check() error {
	_, codecErr := batch.ParseCodec(l.Compression)
	_, acksKnown := acksByName[l.Acks]
	for _, c := range []struct {
		wrong bool
		what  string
	}{
		{l.Partitions < 1, fmt.Sprintf("partitions must be above 0, not %d", l.Partitions)},
		{l.Rate < 0, fmt.Sprintf("the rate is %g; 0 means as fast as possible", l.Rate)},
		{l.Records < 0, fmt.Sprintf("records must not be negative, as %d is", l.Records)},
		{l.Records == 0 && l.Duration <= 0, "neither records nor a duration say when to end"},
		{l.Warmup < 0, fmt.Sprintf("the warm-up lasts %v", l.Warmup)},
		{l.RecordBytes < 0 || l.RecordBytes > 4<<20, fmt.Sprintf("records of %d bytes; 0 to 4 MiB are possible", l.RecordBytes)},
		{l.Keys < 0, fmt.Sprintf("%d keys", l.Keys)},
		{l.Clients < 1 || l.Clients > 1000, fmt.Sprintf("%d clients; 1 to 1000 are possible", l.Clients)},
		{l.Passes < 1, fmt.Sprintf("%d passes", l.Passes)},
		{codecErr != nil, fmt.Sprintf("compression %q: %v", l.Compression, codecErr)},
		{!acksKnown, fmt.Sprintf("acks are quorum, leader or none, not %q", l.Acks)},
	} {
		if c.wrong {
			return fmt.Errorf("%s: %w", c.what, ErrLoad)
		}
	}
	return nil
}

// connect makes one client as the load wants it.
func (l *Load) connect() (*client.Client, error) {
	codec, err := batch.ParseCodec(l.Compression)
	if err != nil {
		return nil, err
	}
	return client.New(client.WithBroker(strings.Split(l.Broker, ",")...), client.WithClientName("troupe bench"), client.WithCompression(codec),
		client.WithAcks(acksByName[l.Acks]), client.WithBatchBytes(l.BatchBytes), client.WithLinger(l.Linger),
		client.WithFetchBytes(l.FetchBytes))
}

// share is one client's part of the load: rate and number of records are divided, the first clients take what is left over.
func (l *Load) share(of int) Load {
	part := *l
	part.Rate = l.Rate / float64(l.Clients)
	part.Records = l.Records / int64(l.Clients)
	if int64(of) < l.Records%int64(l.Clients) {
		part.Records++
	}
	return part
}

// measured is the schedule of the run that counts.
func (l *Load) measured() Schedule {
	return Schedule{Rate: l.Rate, Records: l.Records, Duration: l.Duration}
}

// warmup is the schedule of the run that does not.
func (l *Load) warmup() Schedule { return Schedule{Rate: l.Rate, Duration: l.Warmup} }
