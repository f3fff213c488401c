package gateway

import (
	"fmt"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions"
)

// A batch that was proposed when its partition failed is answered "outcome unknown: not ready: ...". The second half alone
// would tell the client that it may send again without fear. Found by the simulator: aborted-read.
func TestUnknownOutcomeIsNeverToldAsNotDone(t *testing.T) {
	s := &Session{}
	for _, r := range refusals {
		err := fmt.Errorf("%w: %w", partitions.ErrOutcomeUnknown, r.sentinel)
		if got := s.refusal("topic", err); got.Code != protocol.CodeOutcomeUnknown {
			t.Errorf("%v is told as %v", err, got.Code)
		}
	}
}

// A quarantined partition that holds less than it did answers "damaged: offset out of range". Told as OFFSET_OUT_OF_RANGE, it
// would make a client skip what is damaged. Found by the simulator with a planted bug.
func TestDamageIsNeverToldAsRange(t *testing.T) {
	s := &Session{}
	err := fmt.Errorf("%w: %w", partitions.ErrDamaged, &partitions.RangeError{Err: partitions.ErrOffsetOutOfRange, Asked: 9, LogEnd: 3})
	if got := s.refusal("topic", err); got.Code != protocol.CodeDamaged {
		t.Errorf("%v is told as %v", err, got.Code)
	}
}
