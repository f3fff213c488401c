package actors

import "time"

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
	// SpaceEvery is how often the room on the disk is looked at.
	SpaceEvery time.Duration // default 1 s
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
	SpaceEvery:       time.Second,
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
	l.SpaceEvery = either(l.SpaceEvery, d.SpaceEvery)
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
