package id

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestEpochText(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	e := Epoch(0)
	if e.String() != "0" || e.Number() != 0 {
		t.Errorf("%v, number %d", e, e.Number())
	}
	for number := uint32(1); number < 40; number++ {
		if e = e.Next(random); e.Number() != number {
			t.Fatalf("%v is no epoch %d", e, number)
		}
		text := e.String()
		if got, err := ParseEpoch(text); err != nil || got != e {
			t.Fatalf("%s reads as %v, %v", text, got, err)
		}
		for i := range text { // no digit may be mistyped
			other := "1"
			if text[i] == '1' {
				other = "2"
			}
			if got, err := ParseEpoch(text[:i] + other + text[i+1:]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s with %s at %d reads as %v", text, other, i, got)
			}
		}
	}
	for _, text := range []string{"", "0", "-", "1", "1-", "0-0000000000", "+1-0000000000", strings.ToUpper(Epoch(1<<32 | 0xabcdef01).String())} {
		if got, err := ParseEpoch(text); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q reads as %v", text, got)
		}
	}
}
