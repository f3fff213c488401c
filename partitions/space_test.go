package partitions_test

import (
	"errors"
	"strings"
	"testing"

	"troupe/partitions"
)

func TestReserve(t *testing.T) {
	for _, c := range []struct{ total, want int64 }{{0, 0}, {100, 5}, {20 << 30, 1 << 30}, {1 << 50, 1 << 30}} {
		if got := partitions.DefaultReserve(c.total); got != c.want {
			t.Errorf("reserve of %d: %d, want %d", c.total, got, c.want)
		}
	}
	r := partitions.Reserve{Bytes: 1000}
	for i, step := range []struct {
		free          int64
		changed, full bool
	}{
		{5000, false, false}, {1000, false, false}, {999, true, true}, {1000, false, true}, {1099, false, true}, {0, false, true},
		{1100, true, false}, {1000, false, false}, {10, true, true},
	} {
		changed := r.Measured(partitions.Space{Directory: "/d", Free: step.free, Total: 10_000})
		if err := r.Err(); changed != step.changed || (err != nil) != step.full || err != nil && !errors.Is(err, partitions.ErrDiskFull) {
			t.Fatalf("step %d, %d free: changed %v, %v", i, step.free, changed, err)
		}
	}
	sentence := r.Err().Error()
	for _, part := range []string{"/d", "10 bytes", "1000 bytes", "troupe topic trim"} {
		if !strings.Contains(sentence, part) {
			t.Errorf("%q does not name %q", sentence, part)
		}
	}
}
