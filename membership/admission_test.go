package membership

import (
	"errors"
	"testing"
	"time"

	"troupe/partitions/id"
)

func TestAdmission(t *testing.T) {
	known := Member{Node: 2, Incarnation: 5, Nonce: 50, Cluster: 1, Gossip: "here:1", Alive: true}
	dead := known
	dead.Alive = false
	for name, test := range map[string]struct {
		known       Member
		incarnation uint64
		nonce       uint64
		gossip      string
		want        error
	}{
		"the same start":                  {known, 5, 50, "here:1", nil},
		"the same start elsewhere":        {known, 5, 50, "there:1", nil}, // memberlist keeps the address that is alive
		"restarted in place":              {known, 6, 60, "here:1", nil},
		"restarted elsewhere, still seen": {known, 6, 60, "there:1", ErrContested},
		"restarted elsewhere":             {dead, 6, 60, "there:1", nil},
		"another nonce":                   {known, 5, 51, "here:1", ErrTwin},
		"another nonce, of a dead one":    {dead, 5, 51, "there:1", ErrTwin},
		"a lower incarnation":             {known, 4, 50, "here:1", ErrTwin},
		"a lower one of a dead one":       {dead, 4, 50, "there:1", ErrTwin},
	} {
		a := admission{self: Member{Node: 1}, known: NewView(1, []Member{test.known})}
		heard := Member{Node: 2, Incarnation: test.incarnation, Nonce: test.nonce, Gossip: test.gossip}
		if err := a.start(heard); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		heard.Node = 3
		if err := a.start(heard); err != nil {
			t.Errorf("%s, but of an unknown node: %v", name, err)
		}
	}
}

func TestAdmissionOfClusters(t *testing.T) {
	for _, test := range []struct {
		self, heard id.Cluster
		want        error
	}{{1, 1, nil}, {1, 0, nil}, {0, 1, nil}, {0, 0, nil}, {1, 2, ErrForeign}} {
		a := admission{self: Member{Cluster: test.self}}
		if err := a.cluster(Member{Cluster: test.heard}); !errors.Is(err, test.want) {
			t.Errorf("cluster %d hears of %d: %v", test.self, test.heard, err)
		}
	}
}

// TestAdmissionOfEpochs: of two epochs of one cluster neither takes the other in, and who must stop is decided by their numbers,
// unless the one that shows it may be a copy of a broker that lives.
func TestAdmissionOfEpochs(t *testing.T) {
	const one, two, other = id.Epoch(1 << 32), id.Epoch(2 << 32), id.Epoch(2<<32 | 1)
	alive := Member{Node: 2, Incarnation: 5, Nonce: 50, Cluster: 1, Gossip: "here:1", Alive: true}
	dead := alive
	dead.Alive = false
	for name, test := range map[string]struct {
		self, heard id.Epoch
		known       Member
		gossip      string
		cluster     id.Cluster
		refused     bool
		stop        bool
	}{
		"the same":                           {self: two, heard: two, gossip: "here:1", cluster: 1},
		"none there":                         {self: two, gossip: "here:1"},
		"a lower one":                        {self: two, heard: one, gossip: "here:1", cluster: 1, refused: true},
		"the one before all":                 {self: one, gossip: "here:1", cluster: 1, refused: true},
		"a higher one":                       {self: one, heard: two, gossip: "here:1", cluster: 1, refused: true, stop: true},
		"the first one":                      {heard: one, gossip: "here:1", cluster: 1, refused: true, stop: true},
		"another of the same number":         {self: two, heard: other, gossip: "here:1", cluster: 1, refused: true, stop: true},
		"a higher one, restarted in place":   {self: one, heard: two, known: alive, gossip: "here:1", cluster: 1, refused: true, stop: true},
		"a higher one, restarted elsewhere":  {self: one, heard: two, known: dead, gossip: "there:1", cluster: 1, refused: true, stop: true},
		"a higher one, of a copy that lives": {self: one, heard: two, known: alive, gossip: "there:1", cluster: 1, refused: true},
	} {
		a := admission{self: Member{Node: 1, Cluster: 1, Epoch: test.self}, known: NewView(1, []Member{test.known})}
		heard := Member{Node: 2, Incarnation: 6, Nonce: 60, Cluster: test.cluster, Epoch: test.heard, Gossip: test.gossip}
		err := a.cluster(heard)
		if refused := errors.Is(err, ErrEpoch); refused != test.refused || !refused && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if test.refused && a.superseded(heard) != test.stop {
			t.Errorf("%s: this broker must stop: %v", name, !test.stop)
		}
		heard.Node = 1
		if err := a.cluster(heard); err != nil {
			t.Errorf("%s, but of this very broker: %v", name, err)
		}
	}
}

func TestMirror(t *testing.T) {
	self := Member{Node: 1, Incarnation: 5, Nonce: 50, Gossip: "here:1"}
	for name, test := range map[string]struct {
		incarnation, nonce uint64
		gossip             string
		lasting, began     bool
		want               error
		stop               bool
	}{
		"itself":                         {5, 50, "here:1", true, true, nil, false},
		"its own past":                   {4, 40, "here:1", true, true, nil, false},
		"a later start, here":            {6, 60, "here:1", false, false, ErrTwin, true},
		"another with its count, here":   {5, 51, "here:1", false, false, ErrTwin, true},
		"an earlier start, a rumour":     {4, 40, "there:1", false, true, ErrContested, false},
		"an earlier start that lives":    {4, 40, "there:1", true, false, ErrTwin, true},
		"a later start elsewhere":        {6, 60, "there:1", true, true, ErrTwin, false},
		"its count elsewhere, and young": {5, 51, "there:1", false, true, ErrTwin, true},
		"its count elsewhere, and old":   {5, 51, "there:1", true, false, ErrTwin, false},
	} {
		heard := Member{Node: 1, Incarnation: test.incarnation, Nonce: test.nonce, Gossip: test.gossip}
		p, found := admission{self: self}.mirror(heard, test.lasting, test.began)
		if found != (test.want != nil) || found && !errors.Is(p, test.want) || p.Stop != test.stop {
			t.Errorf("%s: %v, stop %v", name, p.Err, p.Stop)
		}
	}
}

func TestFlappingIsDamped(t *testing.T) {
	var f flapping
	now := time.Unix(1000, 0)
	see := func(alive, left, want bool, wait time.Duration) {
		t.Helper()
		shown, again := f.steady(Member{Node: 1, Alive: alive, Left: left}, now)
		if shown != want || !again.IsZero() != (wait != 0) || wait != 0 && again.Sub(now) != wait {
			t.Fatalf("shown %v, again at %v; want %v after %v", shown, again, want, wait)
		}
	}
	see(true, false, true, 0)
	see(false, false, false, 0)
	see(true, false, true, 0) // the first failure costs nothing
	see(false, true, false, 0)
	see(true, false, true, 0) // nor does leaving
	for hold := time.Second; hold <= 4*time.Second; hold *= 2 {
		see(false, false, false, 0)
		see(true, false, false, hold)
		now = now.Add(hold - time.Millisecond)
		see(true, false, false, time.Millisecond)
		now = now.Add(time.Millisecond)
		see(true, false, true, 0)
	}
	for range 20 {
		see(false, false, false, 0)
		see(true, false, false, min(f.of[1].risen.Add(mostFlapHold).Sub(now), flapHold<<min(f.of[1].failures-2, 10)))
	}
	now = now.Add(flapMemory + 1)
	see(true, false, true, 0)
	see(false, false, false, 0)
	see(true, false, true, 0) // forgotten
	f.forget(func(id.Node) bool { return false })
	if len(f.of) != 0 {
		t.Fatal("it remembers who is not known")
	}
}

func TestViewAdmits(t *testing.T) {
	v := NewView(1, []Member{{Node: 1, Incarnation: 5, Nonce: 50, Alive: true}, {Node: 2, Incarnation: 5, Nonce: 50}})
	for _, test := range []struct {
		node               id.Node
		incarnation, nonce uint64
		want               error
	}{
		{1, 5, 50, nil}, {1, 5, 51, ErrTwin}, {1, 4, 50, ErrTwin}, {1, 6, 60, ErrContested},
		{2, 6, 60, nil}, {2, 5, 50, nil}, {2, 4, 40, ErrTwin}, {3, 1, 1, nil},
	} {
		if err := v.Admits(test.node, test.incarnation, test.nonce); !errors.Is(err, test.want) {
			t.Errorf("node %d, incarnation %d, nonce %d: %v", test.node, test.incarnation, test.nonce, err)
		}
	}
}
