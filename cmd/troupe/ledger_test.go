package main

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLedger tells each way in which records can go wrong from the others.
func TestLedger(t *testing.T) {
	l := newLedger()
	for range 6 {
		l.send()
	}
	for _, number := range []int{0, 1, 2, 3} {
		l.answer(number, nil)
	}
	l.answer(4, errors.New("unknown")) // 4 may be there or not; 5 was never answered
	l.read("a", 1, true)
	l.read("a", 0, true) // out of order
	l.read("b", 2, true)
	l.read("b", 2, true)  // twice
	l.read("c", 4, true)  // never acknowledged, yet there: fine
	l.read("c", 9, true)  // never sent
	l.read("c", 5, false) // other bytes than sent
	want := verdict{sent: 6, acknowledged: 4, failed: 1, read: 5, lost: 1, duplicated: 1, disordered: 1, foreign: 2, keys: 3}
	if diff := cmp.Diff(want, l.verdict(), cmp.AllowUnexported(verdict{})); diff != "" {
		t.Error(diff)
	}
	if l.verdict().err() == nil {
		t.Error("a ledger with losses has no error")
	}
	if err := newLedger().verdict().err(); err != nil {
		t.Error(err)
	}
}
