package real

import (
	"slices"
	"time"

	"troupe/simulation"
)

// Stage is a part of a run, and what those who wrote felt of it.
type Stage struct {
	Name     string
	Took     time.Duration
	from, to time.Duration // in the time of the history
	// Acknowledged, Failed and Unknown count records that were sent meanwhile; Rate is how many of them were acknowledged a second.
	Acknowledged, Failed, Unknown int
	Rate                          float64
	// Median, P99 and Worst are of the times that records took to be acknowledged.
	Median, P99, Worst time.Duration
	// Shares are the brokers' at its end, where it changed them.
	Shares []Share `json:",omitempty"`
}

// weigh works out the figures of a stage.
func (s *Stage) weigh(h *simulation.History) {
	var delays []time.Duration
	for _, send := range h.Sends {
		if send.Invoked < s.from || send.Invoked >= s.to {
			continue
		}
		switch send.Outcome {
		case simulation.OutcomeAcknowledged:
			delays = append(delays, send.Completed-send.Invoked)
		case simulation.OutcomeFailed:
			s.Failed++
		default:
			s.Unknown++
		}
	}
	s.Took, s.Acknowledged = s.to-s.from, len(delays)
	if len(delays) == 0 {
		return
	}
	slices.Sort(delays)
	s.Rate = float64(len(delays)) / s.Took.Seconds()
	s.Median, s.P99, s.Worst = delays[(len(delays)-1)/2], delays[(len(delays)*99-1)/100], delays[len(delays)-1]
}

// print writes a stage for people.
func (s *Stage) print(line func(name, format string, arguments ...any)) {
	short := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	line(s.Name, "%.1f s: %d records acknowledged, %.0f a second, in %v at the median, %v for 99 %%, %v at worst; %d failed, %d of unknown fate",
		s.Took.Seconds(), s.Acknowledged, s.Rate, short(s.Median), short(s.P99), short(s.Worst), s.Failed, s.Unknown)
	for _, share := range s.Shares {
		line("", "broker %v: %3d replicas (%+5.1f %%), leads %2d (%+5.1f %%)",
			share.Node, share.Replicas, 100*share.OffReplicas, share.Leaders, 100*share.OffLeaders)
	}
}
