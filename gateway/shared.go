package gateway

import "sync/atomic"

// shared is what the connections of a server draw on together.
type shared struct {
	inflate decompressors
	bytes   *budget
	parked  atomic.Int64 // fetches that wait for records, at most Limits.ParkedFetchesInAll
}

func newShared(limits Limits, decompressors int) *shared {
	return &shared{inflate: newDecompressors(decompressors), bytes: newBudget(limits.InflightBytesInAll)}
}

// park counts one more parked fetch unless there are most already.
func (s *shared) park(most int) bool {
	if s.parked.Add(1) <= int64(most) {
		return true
	}
	s.parked.Add(-1)
	return false
}
