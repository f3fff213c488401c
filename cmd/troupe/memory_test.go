package main

import "testing"

// Memory is given back twice after each busy time, when it is over for good.
func TestMemoryIsGivenBack(t *testing.T) {
	var m memory
	var allocated uint64
	for i, step := range []struct {
		more uint64
		want bool
	}{
		{1 << 20, false}, {1, false}, {1, false}, {1, false}, {1, false}, // an idle start is not worth it
		{200 << 20, false}, {200 << 20, false}, {1, false}, {30 << 20, false}, {1, false}, {1, true}, {1, false}, {1, false}, {1, false},
		{1, true}, {1, false}, {1, false}, {1, false}, {1, false},
		{65 << 20, false}, {1, false}, {1, false}, {1, false}, {1, false}, // too little
		{250 << 20, false}, {1, false}, {1, false}, {65 << 20, false}, {1, false}, {1, false}, {1, false}, {1, true},
		{65 << 20, false}, {1, false}, {1, false}, {1, false}, {1, false}, {1, false}, {1, false}, {1, false}, {1, false}, // not again
	} {
		allocated += step.more
		if got := m.look(allocated); got != step.want {
			t.Fatalf("look %d: %v, want %v", i, got, step.want)
		}
	}
}
