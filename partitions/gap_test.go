package partitions_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"troupe/partitions"
)

func TestGapBytes(t *testing.T) {
	g := partitions.Gap{First: 0x0102030405060708, Next: 0x1112131415161718}
	const want = "0807060504030201" + "1817161514131211"
	if got := hex.EncodeToString(g.AppendTo(nil)); got != want {
		t.Fatalf("a gap is %s, want %s: logs that hold one cannot be read any more", got, want)
	}
}

func FuzzParseGap(f *testing.F) {
	f.Add(partitions.Gap{First: 3, Next: 9}.AppendTo(nil))
	f.Add(partitions.Gap{First: 9, Next: 3}.AppendTo(nil))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := partitions.ParseGap(b)
		switch {
		case err != nil && !errors.Is(err, partitions.ErrMalformed):
			t.Fatal(err)
		case err == nil && (g.First < 0 || g.Next < g.First || !bytes.Equal(g.AppendTo(nil), b)):
			t.Fatalf("%x parses to %+v", b, g)
		}
	})
}
