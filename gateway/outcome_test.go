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
