package simulation

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSelectionIsReadAndWritten(t *testing.T) {
	for _, c := range []struct{ text, written string }{
		{"all", "all"},
		{"none", "none"},
		{"crash:1", "crash:1"},
		{"lost-frame:3-5,crash:2", "crash:2,lost-frame:3-5"},
		{"crash:4,crash:1,crash:2-3,crash:9", "crash:1-4,crash:9"},
		{"crash:1-9,crash:2,crash:12-13,crash:5-10", "crash:1-10,crash:12-13"},
	} {
		s, err := ParseSelection(c.text)
		must(t, err)
		if s.String() != c.written {
			t.Errorf("%q is written as %q, want %q", c.text, s, c.written)
		}
	}
}

func TestSelectionIsRefused(t *testing.T) {
	for _, text := range []string{"", "crash", "crash:", ":1", "crash:0", "crash:2-1", "crash:1-", "crash:-1", "crash:1,", "crash:1;stop:1", "crash:99999999999999999999"} {
		if s, err := ParseSelection(text); !errors.Is(err, ErrSelection) {
			t.Errorf("%q is read as %v, with error %v", text, s, err)
		}
	}
	if _, err := ParseStrikes("crush:1"); !errors.Is(err, ErrUnknownFault) || !strings.Contains(err.Error(), "nearest: crash") {
		t.Errorf("a fault that is not known is told as %v", err)
	}
}

func TestSelectionHasWhatWasAdded(t *testing.T) {
	s := Selection{}
	want := []int{1, 2, 3, 7, 9, 10}
	for _, n := range want {
		s.add("crash", n)
	}
	var got []int
	for n := range 12 {
		if s.has("crash", n) {
			got = append(got, n)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || s.Len() != len(want) || s.has("stop", 1) {
		t.Errorf("%v (-want +got):\n%s", s, diff)
	}
	if !Selection(nil).has("crash", 3) {
		t.Error("everything has no third crash")
	}
}

// FuzzSelection: whatever is read is written so that it is read again as the same.
func FuzzSelection(f *testing.F) {
	for _, text := range []string{"all", "none", "crash:1", "a:1-3,b:7,a:4", "a:1,,b:2", "x:0-1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelection(text)
		if err != nil {
			return
		}
		again, err := ParseSelection(s.String())
		must(t, err)
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatalf("%q is written as %q, which is another (-first +second):\n%s", text, s, diff)
		}
	})
}

func TestFaultSetIsReadAndWritten(t *testing.T) {
	for _, text := range []string{"all", "none", "crash", "crash,pause,cut-leader"} {
		set, err := ParseFaults(text)
		must(t, err)
		if set.String() != text {
			t.Errorf("%q is written as %q", text, set)
		}
	}
	if set, err := ParseFaults("no-room"); err != nil || !set.Has(FaultDiskFull) {
		t.Errorf("a write that finds no room comes by a full disk, which %v lacks (%v)", set, err)
	}
	if _, err := ParseFaults("crash,cut-leadr"); !errors.Is(err, ErrUnknownFault) || !strings.Contains(err.Error(), "nearest: cut-leader") {
		t.Errorf("a kind that is not known is told as %v", err)
	}
}

// TestOnlyChosenFaultsHappen holds whole runs to what may happen in them.
func TestOnlyChosenFaultsHappen(t *testing.T) {
	everything := Run(Config{Seed: 4, Nodes: 3, Length: 5 * time.Second})
	for _, text := range []string{"none", "crash", "disk-full,lost-frame,blackout", "lost-create,write-error,bit-flip,cut-one-way"} {
		set, err := ParseFaults(text)
		must(t, err)
		choice := Choice{Faults: set}
		r := Run(Config{Seed: 4, Nodes: 3, Length: 5 * time.Second, Choice: choice})
		if r.Violation != nil {
			t.Errorf("%s: %v", text, r.Violation)
		}
		consequences := []Fault{FaultNoRoom, FaultRetry, FaultCrashInOpen}
		for kind, n := range r.Faults {
			if n > 0 && !set.Has(Fault(kind)) && !slices.Contains(consequences, Fault(kind)) {
				t.Errorf("--faults %s: %v happened %d times", text, Fault(kind), n)
			}
		}
		if r.Hash == everything.Hash || !strings.Contains(r.Replay(), " --faults "+text+" ") || r.Options.Faults != set {
			t.Errorf("--faults %s: hash %s, options %v, replay %s", text, r.Hash, r.Options.Faults, r.Replay())
		}
	}
}

// TestChosenByNumber: a run of what happened in another is that other, and less is another still, each time the same.
func TestChosenByNumber(t *testing.T) {
	run := func(c Choice) *Report { return Run(Config{Seed: 4, Nodes: 3, Length: 3 * time.Second, Choice: c}) }
	whole := run(Choice{})
	if r := run(Choice{Only: whole.Struck, Operations: whole.Done}); r.Hash != whole.Hash {
		t.Errorf("hash %s, and %s of what happened in it", whole.Hash, r.Hash)
	}
	less := Choice{Only: Selection{"crash": {{1, 1}}, "lost-frame": {{1, 3}}}, Operations: Selection{"producer-a": {{1, 10}}, "consumer-a": {{2, 5}}}}
	first, second := run(less), run(less)
	if first.Hash != second.Hash || first.Violation != nil {
		t.Errorf("hash %s, then %s; %v", first.Hash, second.Hash, first.Violation)
	}
	if n := first.Faults[FaultCrash]; n > 1 || first.Faults[FaultLostFrame] > 3 || first.Sends == 0 || first.Sends > 20 {
		t.Errorf("%d crashes, %d lost frames, %d batches", n, first.Faults[FaultLostFrame], first.Sends)
	}
}
