package simulation

import (
	"errors"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// expected is where a producer that expects wants its next batch: mostly where it believes the partition ends, at times
// beside it. Others do not care.
func (s *stream) expected() id.Offset {
	if s.producer.kind != producingExpecting {
		return protocol.NoOffset
	}
	if chance(s.producer.random, 10) {
		return max(0, s.end+id.Offset(s.producer.random.IntN(5))-2)
	}
	return s.end
}

// met holds the broker to an expectation: what was appended is where it was to be, and nowhere else.
func (s *stream) met(b *sending, base id.Offset) {
	if b.Expected == protocol.NoOffset {
		return
	}
	w := s.producer.world
	if base != b.Expected {
		w.violate(violation("expectation-ignored", "%s wanted its batch at offset %d of %v or nowhere; it was acknowledged at %d",
			s.producer.client.name, b.Expected, b.Partition, base))
	}
	w.marks.count(MarkExpectationMet)
	s.end = base + id.Offset(len(b.Values))
}

// mismatch learns where the partition ends from a refusal that says so.
func (s *stream) mismatch(b *sending, err error) bool {
	var refused *protocol.Error
	if !errors.As(err, &refused) || refused.Code != protocol.CodeOffsetMismatch {
		return false
	}
	w, end := s.producer.world, refused.Details.LogEnd
	if b.Expected == protocol.NoOffset || end == b.Expected || refused.Details.Asked != b.Expected {
		w.violate(violation("expectation-ignored", "%s expected %v to end at %d and is told: %v",
			s.producer.client.name, b.Partition, b.Expected, refused))
	}
	w.marks.count(MarkExpectationRefused)
	w.history.Lists = append(w.history.Lists, &List{
		Client: b.Client, Partition: b.Partition, Invoked: b.tried, Completed: w.scheduler.Now(), Latest: end, Proposed: true,
		Earliest: refused.Details.LogStart, Weak: w.several(),
	})
	s.end = end
	return true
}
