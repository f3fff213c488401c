package main

import "testing"

// Memory is given back once after each busy time, when it is over for good.
func TestMemoryIsGivenBackOnce(t *testing.T) {
	var m memory
	var allocated uint64
	for i, step := range []struct {
		more uint64
		want bool
	}{
		{1 << 20, false}, {1, false}, {1, false}, {1, false}, {1, false}, // an idle start is not worth it
		{100 << 20, false}, {100 << 20, false}, {1, false}, {1, false}, {1, false}, {1, true}, {1, false}, {1, false}, {1, false},
		{9 << 20, false}, {1, false}, {1, false}, {1, false}, {1, false}, // too little
		{60 << 20, false}, {1, false}, {1, false}, {9 << 20, false}, {1, false}, {1, false}, {1, false}, {1, true},
	} {
		allocated += step.more
		if got := m.look(allocated); got != step.want {
			t.Fatalf("look %d: %v, want %v", i, got, step.want)
		}
	}
}
