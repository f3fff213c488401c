package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"troupe/gateway/client"
)

// TestTrouble is told to people when it lasts, not too often, and not when it is over.
func TestTrouble(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	x := &trouble{out: &out, broker: "here:1", now: func() time.Time { return now }}
	gone := fmt.Errorf("%w: connect: refused\nnot sent", client.ErrUnreachable)
	for _, step := range []struct {
		after time.Duration
		over  bool
		err   error
		want  string
	}{
		{0, false, gone, ""},
		{troublePatience, false, gone, "waiting to write to partition 3 of topic pets: no broker answers at here:1\n"},
		{troubleInterval / 2, false, gone, ""},
		{troubleInterval / 2, false, errors.New("DISK_FULL: no room\nat all"), "waiting to write to partition 3 of topic pets: DISK_FULL: no room; at all\n"},
		{troubleInterval, true, gone, ""}, // the first after a success
		{troublePatience / 2, false, gone, ""},
		{troublePatience / 2, false, gone, "waiting to write to partition 3 of topic pets: no broker answers at here:1\n"},
	} {
		now = now.Add(step.after)
		if step.over {
			x.over()
		}
		x.note("pets", 3, step.err)
		if got := out.String(); got != step.want {
			t.Errorf("%+v: %q", step, got)
		}
		out.Reset()
	}
}
