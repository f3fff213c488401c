package main

import (
	"errors"
	"fmt"
	"testing"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
)

// TestProduceVerdict tells apart what certainly was not written and what nobody knows.
func TestProduceVerdict(t *testing.T) {
	refused := protocol.NewError(protocol.CodeBatchTooLarge, "too large")
	unknown := fmt.Errorf("produce: %w", client.ErrOutcomeUnknown)
	closed := fmt.Errorf("produce: %w", client.ErrClosed)
	for _, c := range []struct {
		name  string
		notes []error
		want  string
	}{
		{"all written", nil, "interrupted"},
		{"refused", []error{refused, refused}, "2 records not written: BATCH_TOO_LARGE: too large"},
		{"ended before", []error{closed}, "1 record not written: the command was ended before a broker took them"},
		{"nobody knows", []error{unknown}, "of 1 record nobody knows whether they were written: produce: OUTCOME_UNKNOWN"},
		{"both", []error{closed, unknown, closed},
			"of 1 record nobody knows whether they were written, 2 records certainly not: produce: OUTCOME_UNKNOWN"},
	} {
		var p production
		for _, err := range c.notes {
			p.note(err)
		}
		if got := p.verdict(errors.New("interrupted")); got.Error() != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
