package actors

import (
	"time"

	"troupe/partitions/id"
)

// Limits bound what one broker's actors hold, and how long they wait. Zero fields take their defaults.
type Limits struct {
	// Requests wait for one partition's actor, before it has taken them and while it opens; above it ErrThrottled.
	Requests int // default 4096
	// RequestsATurn are handled between two looks at the mailbox.
	RequestsATurn int // default 256
	// Proposals wait for the catalog's actor; above it ErrThrottled.
	Proposals int // default 1024
	// ProducerBlock is how many producer ids are reserved in the catalog at once.
	ProducerBlock int64 // default 1000
	// RestartDelay comes before the first attempt to open a failed log again; it doubles up to RestartDelayMost.
	RestartDelay     time.Duration // default 100 ms
	RestartDelayMost time.Duration // default 10 s
	// OpeningTicks is how long a partition that opened holds requests until it has a leader; then ErrNotReady.
	OpeningTicks int // default 60: 3 s
	// RestAfter is how long nobody writes to a log before it lets go of its memory.
	RestAfter time.Duration // default 15 s
	// ScrubBytes is how much of old segments is read in a second to verify its checksums; 0, the default: none.
	ScrubBytes int64
	// ScrubEvery is the time from the beginning of one round over all logs to the next; a round that takes longer is followed by
	// the next one.
	ScrubEvery time.Duration // default 24 h
	// ScrubPatience is how long one segment may take before the rest of its log is passed over.
	ScrubPatience time.Duration // default 1 min
	// SpaceEvery is how often the room on the disk is looked at.
	SpaceEvery time.Duration // default 1 s
	// PeerBytes, or one message, and PeerParcels wait for the courier to one other broker; above it messages between replicas
	// are lost, and requests get ErrThrottled.
	PeerBytes   int64 // default 64 MiB
	PeerParcels int   // default 16384
	// Mail waits for one partition's replica; what comes above it is lost.
	Mail int // default 1024
	// Forwards are requests that one other broker has not answered; above it ErrThrottled.
	Forwards int // default 4096
	// ForwardWait is how long a forwarded request waits for its answer, beyond the time that it asks to wait for itself.
	// So long also waits who must first know that the catalog seen here is new enough.
	ForwardWait time.Duration // default 10 s
	// ReadWait is the same for a request that changes nothing: it may simply be asked again.
	ReadWait time.Duration // default 2 s
	// FreightBytes is the largest state of a partition that travels between brokers; FreightABeat is how much of it leaves
	// with each tick.
	FreightBytes int // default 256 MiB
	FreightABeat int // default 2 MiB: 40 MiB/s
	// LeadersEvery is how often other brokers are told all that this one leads, in ticks. What changes is told at once.
	LeadersEvery int // default 60: 3 s
	// TailWait is how long one question for news of the catalog waits for some.
	TailWait time.Duration // default 2 s
	// TailRetry comes before the next question when one was not answered.
	TailRetry time.Duration // default 200 ms
	// RoundsEvery is how often the broker that leads the catalog looks how the cluster is, and every other tells it what it
	// has lost.
	RoundsEvery time.Duration // default 1 s
	// Moves is how many partitions are on the move in the cluster at one time.
	Moves int // default 16
	// CancelAfter is how long a broker may be away before moves to it are taken back.
	CancelAfter time.Duration // default 15 s
	// ReplaceAfter is how long a broker may be away before its replicas are made anew on others.
	ReplaceAfter time.Duration // default 10 min
	// CreateWait is how long the answer to a new topic's creator waits for its partitions to open. They hold requests meanwhile.
	CreateWait time.Duration // default 6 s
	// StopWait is how long a stopping partition waits for what is under way.
	StopWait time.Duration // default 5 s
}

// DefaultLimits are what zero fields of Limits stand for.
var DefaultLimits = Limits{
	Requests:         4096,
	RequestsATurn:    256,
	Proposals:        1024,
	ProducerBlock:    1000,
	RestartDelay:     100 * time.Millisecond,
	RestartDelayMost: 10 * time.Second,
	OpeningTicks:     60,
	RestAfter:        15 * time.Second,
	ScrubEvery:       24 * time.Hour,
	ScrubPatience:    time.Minute,
	SpaceEvery:       time.Second,
	PeerBytes:        64 << 20,
	PeerParcels:      16384,
	Mail:             1024,
	Forwards:         4096,
	ForwardWait:      10 * time.Second,
	FreightBytes:     256 << 20,
	FreightABeat:     2 << 20,
	LeadersEvery:     60,
	ReadWait:         2 * time.Second,
	TailWait:         2 * time.Second,
	TailRetry:        200 * time.Millisecond,
	RoundsEvery:      time.Second,
	Moves:            16,
	CancelAfter:      15 * time.Second,
	ReplaceAfter:     10 * time.Minute,
	CreateWait:       6 * time.Second,
	StopWait:         5 * time.Second,
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits
	l.Requests = either(l.Requests, d.Requests)
	l.RequestsATurn = either(l.RequestsATurn, d.RequestsATurn)
	l.Proposals = either(l.Proposals, d.Proposals)
	l.ProducerBlock = either(l.ProducerBlock, d.ProducerBlock)
	l.RestartDelay = either(l.RestartDelay, d.RestartDelay)
	l.RestartDelayMost = either(l.RestartDelayMost, d.RestartDelayMost)
	l.OpeningTicks = either(l.OpeningTicks, d.OpeningTicks)
	l.RestAfter = either(l.RestAfter, d.RestAfter)
	l.ScrubEvery = either(l.ScrubEvery, d.ScrubEvery)
	l.ScrubPatience = either(l.ScrubPatience, d.ScrubPatience)
	l.SpaceEvery = either(l.SpaceEvery, d.SpaceEvery)
	l.PeerBytes = either(l.PeerBytes, d.PeerBytes)
	l.PeerParcels = either(l.PeerParcels, d.PeerParcels)
	l.Mail = either(l.Mail, d.Mail)
	l.Forwards = either(l.Forwards, d.Forwards)
	l.ForwardWait = either(l.ForwardWait, d.ForwardWait)
	l.FreightBytes = either(l.FreightBytes, d.FreightBytes)
	l.FreightABeat = either(l.FreightABeat, d.FreightABeat)
	l.LeadersEvery = either(l.LeadersEvery, d.LeadersEvery)
	l.ReadWait = either(l.ReadWait, d.ReadWait)
	l.TailWait = either(l.TailWait, d.TailWait)
	l.TailRetry = either(l.TailRetry, d.TailRetry)
	l.RoundsEvery = either(l.RoundsEvery, d.RoundsEvery)
	l.Moves = either(l.Moves, d.Moves)
	l.CancelAfter = either(l.CancelAfter, d.CancelAfter)
	l.ReplaceAfter = either(l.ReplaceAfter, d.ReplaceAfter)
	l.CreateWait = either(l.CreateWait, d.CreateWait)
	l.StopWait = either(l.StopWait, d.StopWait)
	return l
}

// either returns v, or otherwise where v is zero.
func either[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// millis is a duration on the injected clock.
func millis(d time.Duration) id.Timestamp { return id.Timestamp(d.Milliseconds()) }
