package batch

import (
	"errors"
	"fmt"
	"testing"

	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// Walk sees what Decode returns, whatever the codec, and stops when told.
func TestWalkSeesWhatDecodeReturns(t *testing.T) {
	var d Decompressor
	for codec := None; codec.Known(); codec++ {
		builder := NewBuilder(codec)
		for i := range 50 {
			builder.Append(id.Timestamp(1000+i%7), fmt.Appendf(nil, "key-%d", i), []byte("value"),
				[]RecordHeader{{Key: "h", Value: []byte{byte(i)}}, {Key: "none"}}[:i%3])
		}
		b, err := builder.Build(NoProducer, NoEpoch, NoSequence)
		if err != nil {
			t.Fatal(err)
		}
		Stamp(b, 700, 3)
		want, err := Decode(nil, b, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		var seen int
		err = d.Walk(b, 1<<20, 2, func(r *Record) bool {
			got := *r
			if len(got.Headers) == 0 {
				got.Headers = nil
			}
			if diff := cmp.Diff(want[seen], got); diff != "" {
				t.Errorf("%v: record %d (-Decode +Walk):\n%s", codec, seen, diff)
			}
			seen++
			return seen < 40
		})
		if err != nil || seen != 40 {
			t.Errorf("%v: %d records seen, want 40; error %v", codec, seen, err)
		}
		if err := d.Walk(b, 1<<20, 1, func(*Record) bool { return true }); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v: two headers where one is allowed: %v", codec, err)
		}
		b[len(b)-1] ^= 1
		if err := d.Walk(b, 1<<20, 2, func(*Record) bool { return true }); !errors.Is(err, ErrChecksum) {
			t.Errorf("%v: a flipped bit: %v", codec, err)
		}
	}
}
