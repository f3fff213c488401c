package membership

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/serf/serf"

	"troupe/partitions/id"
)

func TestThreeBrokersFindEachOther(t *testing.T) {
	a := open(t, Options{Self: Member{Node: 1, Incarnation: 7, Nonce: 70, Cluster: ours, Gateway: "127.0.0.1:1", Peer: "127.0.0.1:2",
		Rack: "r1", Version: "1.0", Catalog: true}})
	b := member(t, 2, a)
	c := member(t, 3, b) // it hears of a through b
	for _, each := range []*broker{a, b, c} {
		each.awaitAlive(1, 2, 3)
	}
	want := Member{Node: 1, Incarnation: 7, Nonce: 70, Cluster: ours, Gateway: "127.0.0.1:1", Peer: "127.0.0.1:2", Gossip: a.Gossip(),
		Rack: "r1", Version: "1.0", Catalog: true, Alive: true}
	if got, _ := c.View().Member(1); got != want {
		t.Fatalf("c sees of a (-want +got):\n%s", cmp.Diff(want, got))
	}
	b.SetCatalog(true)
	c.await("b hold the catalog", func(v *View) bool { m, _ := v.Member(2); return m.Catalog })
	if err := b.SetAddresses("127.0.0.1:3", "127.0.0.1:4"); err != nil {
		t.Fatal(err)
	}
	c.await("b be reached", func(v *View) bool { m, _ := v.Member(2); return m.Gateway == "127.0.0.1:3" && m.Peer == "127.0.0.1:4" })
	if err := b.SetAddresses("nowhere", ""); !errors.Is(err, ErrOption) {
		t.Errorf("no address was told: %v", err)
	}
}

func TestFailureLeavingAndReturn(t *testing.T) {
	a := member(t, 1)
	b := member(t, 2, a)
	c := member(t, 3, a)
	for _, each := range []*broker{a, b, c} {
		each.awaitAlive(1, 2, 3)
	}
	c.Close()
	v := a.awaitAlive(1, 2)
	if m, found := v.Member(3); !found || m.Left {
		t.Fatalf("a failed member is seen as %+v, %v", m, found)
	}
	b.awaitAlive(1, 2)

	if err := b.Leave(); err != nil {
		t.Fatal(err)
	}
	// Gossip promises nothing about a goodbye: where it is lost, or late, the one who left looks dead first.
	if m, found := a.awaitAlive(1).Member(2); !found || m.Alive {
		t.Fatalf("a member that left is seen as %+v, %v", m, found)
	}

	// Both come back where they were, one without knowing anybody.
	b = open(t, Options{Self: Member{Node: 2, Incarnation: 2, Cluster: ours}, Bind: b.Gossip()})
	a.awaitAlive(1, 2)
	c = open(t, Options{Self: Member{Node: 3, Incarnation: 2, Cluster: ours}, Bind: c.Gossip(), Seeds: []string{b.Gossip()}})
	for _, each := range []*broker{a, b, c} {
		each.awaitAlive(1, 2, 3)
	}
	if m, _ := a.View().Member(2); m.Incarnation != 2 {
		t.Fatalf("a still sees %+v", m)
	}
}

func TestSurvivorRejoinsEverybodyElse(t *testing.T) {
	b := member(t, 2)
	c := member(t, 3, b)
	a := member(t, 1, b) // of c it knows from gossip only
	a.awaitAlive(1, 2, 3)
	b.awaitAlive(1, 2, 3)
	b.Close()
	c.Close()
	a.awaitAlive(1)
	b = open(t, Options{Self: Member{Node: 2, Incarnation: 2, Cluster: ours}, Bind: b.Gossip()})
	c = open(t, Options{Self: Member{Node: 3, Incarnation: 2, Cluster: ours}, Bind: c.Gossip()})
	for _, each := range []*broker{a, b, c} {
		each.awaitAlive(1, 2, 3)
	}
}

func TestRestartElsewhereIsLetInOnceTheOldStartIsDead(t *testing.T) {
	a := member(t, 1)
	b := member(t, 2, a)
	a.awaitAlive(1, 2)
	b.Close()
	moved := open(t, Options{Self: Member{Node: 2, Incarnation: 2, Cluster: ours}, Seeds: []string{a.Gossip()}})
	a.await("node 2 at its new address", func(v *View) bool {
		m, _ := v.Member(2)
		return m.Alive && m.Gossip == moved.Gossip() && m.Incarnation == 2
	})
	moved.awaitAlive(1, 2)
	moved.unharmed(func(m Member) bool { return m.Node == 2 && m.Incarnation != 2 })
}

// TestRestartElsewhereIsLetInAtOnce: where nothing listens at the old address, nobody waits until gossip finds that out. Here it
// never does, since it probes nobody.
func TestRestartElsewhereIsLetInAtOnce(t *testing.T) {
	never := quick
	never.Probe = time.Hour
	a := open(t, Options{Self: Member{Node: 1, Cluster: ours}, Pace: never})
	b := open(t, Options{Self: Member{Node: 2, Cluster: ours}, Pace: never, Seeds: addresses([]*broker{a})})
	a.awaitAlive(1, 2)
	for incarnation := uint64(2); incarnation < 4; incarnation++ {
		b.Close()
		b = open(t, Options{Self: Member{Node: 2, Incarnation: incarnation, Nonce: 7, Cluster: ours}, Seeds: addresses([]*broker{a})})
		a.await("node 2 at its new address", func(v *View) bool {
			m, _ := v.Member(2)
			return m.Alive && m.Gossip == b.Gossip() && m.Incarnation == incarnation
		})
		if err := a.Admits(2, incarnation, 7); err != nil {
			t.Error(err)
		}
		if err := a.Admits(2, incarnation-1, 0); !errors.Is(err, ErrTwin) {
			t.Errorf("the start before it: %v", err)
		}
		b.awaitAlive(1, 2)
		if err := b.SetAddresses("127.0.0.1:3", "127.0.0.1:4"); err != nil {
			t.Fatal(err)
		}
		a.await("its addresses, which it tells later", func(v *View) bool {
			m, _ := v.Member(2)
			return m.Gateway == "127.0.0.1:3" && m.Peer == "127.0.0.1:4"
		})
	}
	b.Close()
	b = open(t, Options{Self: Member{Node: 2, Incarnation: 4, Cluster: ours}, Bind: b.Gossip(), Seeds: addresses([]*broker{a})})
	a.await("node 2 once more where it was last", func(v *View) bool { m, _ := v.Member(2); return m.Alive && m.Incarnation == 4 })
}

// TestSuccessorThatDiesIsMissed: memberlist has never known it, and cannot tell that it is gone.
func TestSuccessorThatDiesIsMissed(t *testing.T) {
	slow := quick
	slow.Suspicion = 10 // about two seconds, until which the successor has ended
	a := open(t, Options{Self: Member{Node: 1, Cluster: ours}, Pace: slow})
	b := member(t, 2, a)
	a.awaitAlive(1, 2)
	b.Close()
	moved := open(t, Options{Self: Member{Node: 2, Incarnation: 2, Cluster: ours}, Seeds: addresses([]*broker{a})})
	a.await("node 2 at its new address", func(v *View) bool { m, _ := v.Member(2); return m.Incarnation == 2 })
	moved.Close()
	a.awaitAlive(1)
	again := open(t, Options{Self: Member{Node: 2, Incarnation: 3, Cluster: ours}, Seeds: addresses([]*broker{a})})
	a.await("node 2 once more", func(v *View) bool { m, _ := v.Member(2); return m.Alive && m.Gossip == again.Gossip() })
}

// TestSuccessorIsMissedWhereAnotherBrokerTakesItsAddress: its disk is lost, and it comes back under another id.
func TestSuccessorIsMissedWhereAnotherBrokerTakesItsAddress(t *testing.T) {
	slow := quick
	slow.Suspicion = 10
	a := open(t, Options{Self: Member{Node: 1, Cluster: ours}, Pace: slow})
	b := member(t, 2, a)
	a.awaitAlive(1, 2)
	b.Close()
	moved := open(t, Options{Self: Member{Node: 2, Incarnation: 2, Cluster: ours}, Seeds: addresses([]*broker{a})})
	a.await("node 2 at its new address", func(v *View) bool { m, _ := v.Member(2); return m.Incarnation == 2 })
	moved.Close()
	open(t, Options{Self: Member{Node: 3, Cluster: ours}, Bind: moved.Gossip(), Seeds: addresses([]*broker{a})})
	a.awaitAlive(1, 3)
}

func TestNewcomerAdoptsTheClusterItMeets(t *testing.T) {
	a := member(t, 1)
	fails := errors.New("disk")
	var tries []id.Cluster
	b := open(t, Options{Self: Member{Node: 2}, Seeds: []string{a.Gossip()}, Adopt: func(cluster id.Cluster, _ id.Epoch) error {
		if tries = append(tries, cluster); len(tries) == 1 {
			return fails
		}
		return nil
	}})
	if got := b.awaitJoined(); got != ours {
		t.Fatalf("it adopted %v", got)
	}
	if p := b.awaitProblem(fails); p.Stop {
		t.Fatalf("an id that is not durable yet stops a broker: %v", p)
	}
	if d := cmp.Diff([]id.Cluster{ours, ours}, tries); d != "" {
		t.Fatalf("adopted (-want +got):\n%s", d)
	}
	a.awaitAlive(1, 2)
	b.awaitAlive(1, 2)
	if b.Waiting() != "" {
		t.Fatalf("it still waits: %s", b.Waiting())
	}
}

// TestOneClusterIsAdopted: from the first word of a cluster on every other one is foreign, even while the disk does not take
// the id.
func TestOneClusterIsAdopted(t *testing.T) {
	a := member(t, 1)
	full := errors.New("disk")
	b := open(t, Options{Self: Member{Node: 2}, Seeds: []string{a.Gossip()}, Adopt: func(id.Cluster, id.Epoch) error { return full }})
	b.awaitProblem(full)
	foreign := open(t, Options{Self: Member{Node: 3, Cluster: 0xbad}, Seeds: []string{b.Gossip()}})
	if p := b.awaitProblem(ErrForeign); p.Member.Node != 3 {
		t.Fatalf("it is reported as %+v", p)
	}
	foreign.awaitProblem(ErrForeign)
	if b.ID() != 0 {
		t.Fatalf("it belongs to %v, which is not durable", b.ID())
	}
}

func TestForeignClusterIsRefused(t *testing.T) {
	a := member(t, 1)
	b := member(t, 2, a)
	a.awaitAlive(1, 2)
	foreign := open(t, Options{Self: Member{Node: 3, Cluster: 0xbad, Gateway: "127.0.0.1:9"}, Seeds: []string{a.Gossip()}})
	p := a.awaitProblem(ErrForeign)
	if p.Stop || p.Member.Cluster != 0xbad || p.Member.Gateway != "127.0.0.1:9" || p.Member.Gossip != foreign.Gossip() {
		t.Fatalf("it is reported as %+v", p)
	}
	if p := foreign.awaitProblem(ErrForeign); p.Member.Cluster != ours {
		t.Fatalf("to the other side it is reported as %+v", p)
	}
	a.unharmed(isNode(3))
	b.unharmed(isNode(3))
	foreign.unharmed(func(m Member) bool { return m.Node != 3 })
}

// TestEpochsNeverMeet: brokers whose catalog was recovered elsewhere are not let in, and stop; who comes without a cluster adopts
// the epoch with it.
func TestEpochsNeverMeet(t *testing.T) {
	const recovered = id.Epoch(1<<32 | 7)
	a := member(t, 1)
	b := member(t, 2, a)
	a.awaitAlive(1, 2)
	survivor := open(t, Options{Self: Member{Node: 3, Cluster: ours, Epoch: recovered}, Seeds: addresses([]*broker{a, b})})
	for _, old := range []*broker{a, b} {
		if p := old.awaitStop(ErrEpoch); p.Member.Node != 3 || !strings.Contains(p.Error(), recovered.String()) {
			t.Fatalf("it stops for %+v", p)
		}
		old.unharmed(isNode(3))
	}
	if p := survivor.awaitProblem(ErrEpoch); p.Stop {
		t.Fatalf("the survivor stops for %+v", p)
	}
	survivor.unharmed(func(m Member) bool { return m.Node != 3 })
	a.Close()
	b.Close()
	var adopted []id.Epoch
	newcomer := open(t, Options{Self: Member{Node: 4}, Seeds: []string{survivor.Gossip()}, Adopt: func(_ id.Cluster, e id.Epoch) error {
		adopted = append(adopted, e)
		return nil
	}})
	newcomer.awaitJoined()
	if d := cmp.Diff([]id.Epoch{recovered}, adopted); d != "" {
		t.Fatalf("adopted (-want +got):\n%s", d)
	}
	survivor.awaitAlive(3, 4)
	newcomer.awaitAlive(3, 4)
}

func TestAnotherSecretIsRefused(t *testing.T) {
	key := newKey()
	a := open(t, Options{Self: Member{Node: 1, Cluster: ours}, Keys: [][]byte{key}})
	b := open(t, Options{Self: Member{Node: 2, Cluster: ours}, Keys: [][]byte{key}, Seeds: []string{a.Gossip()}})
	a.awaitAlive(1, 2)
	for i, keys := range [][][]byte{{newKey()}, nil} {
		stranger := open(t, Options{Self: Member{Node: id.Node(3 + i), Cluster: ours}, Keys: keys, Seeds: []string{a.Gossip()}})
		stranger.awaitProblem(ErrSecret)
		stranger.unharmed(func(m Member) bool { return m.Node < 3 })
		stranger.Close()
	}
	if p := a.awaitProblem(ErrSecret); p.Stop || p.Member.Gossip != "127.0.0.1" {
		t.Fatalf("it is reported as %+v", p)
	}
	for _, each := range []*broker{a, b} {
		each.unharmed(func(m Member) bool { return m.Node > 2 })
	}
}

func TestSecretIsRotatedWhileRunning(t *testing.T) {
	old, young := newKey(), newKey()
	a := open(t, Options{Self: Member{Node: 1, Cluster: ours}, Keys: [][]byte{old}})
	b := open(t, Options{Self: Member{Node: 2, Cluster: ours}, Keys: [][]byte{old}, Seeds: []string{a.Gossip()}})
	a.awaitAlive(1, 2)
	holds := false
	for _, keys := range [][][]byte{{old, young}, {young, old}, {young}} {
		for _, each := range []*broker{a, b} {
			if err := each.SetKeys(keys); err != nil {
				t.Fatal(err)
			}
		}
		holds = !holds
		a.SetCatalog(holds)
		b.await("a's news under the exchanged keys", func(v *View) bool { m, _ := v.Member(1); return m.Catalog == holds && m.Alive })
	}
	late := open(t, Options{Self: Member{Node: 3, Cluster: ours}, Keys: [][]byte{old}, Seeds: []string{a.Gossip()}})
	late.awaitProblem(ErrSecret)
	if err := a.SetKeys(nil); !errors.Is(err, ErrNoSecret) {
		t.Fatalf("the last key was dropped: %v", err)
	}
	a.unharmed(isNode(3))
}

func TestCopiedDirectoryIsRefused(t *testing.T) {
	pace := quick // in which the original is not taken for dead, however busy this machine is
	pace.Suspicion, pace.Exchange = 1000, 50*time.Millisecond
	a := open(t, Options{Self: Member{Node: 1, Cluster: ours}, Pace: pace})
	original := open(t, Options{Self: Member{Node: 2, Incarnation: 5, Nonce: 50, Cluster: ours}, Pace: pace, Seeds: []string{a.Gossip()}})
	a.awaitAlive(1, 2)
	for _, test := range []struct {
		start    Member
		met      error
		patience time.Duration
	}{
		// The copy of a running broker's directory counts one start more; that of one at rest has the same, and another nonce.
		{Member{Node: 2, Incarnation: 6, Nonce: 60, Cluster: ours}, ErrContested, 500 * time.Millisecond},
		{Member{Node: 2, Incarnation: 5, Nonce: 51, Cluster: ours}, ErrTwin, time.Hour},
	} {
		pace.Patience = test.patience
		twin := open(t, Options{Self: test.start, Pace: pace, Seeds: []string{a.Gossip()}})
		if p := a.awaitProblem(test.met); p.Stop || p.Member.Gossip != twin.Gossip() {
			t.Fatalf("it is reported as %+v", p)
		}
		twin.awaitStop(ErrTwin)
		twin.Close()
		for _, each := range []*broker{a, original} {
			each.unharmed(func(m Member) bool { return m.Node == 2 && m.Nonce != 50 })
		}
	}
}

func TestLowerIncarnationIsRefused(t *testing.T) {
	a := member(t, 1)
	b := open(t, Options{Self: Member{Node: 2, Incarnation: 5, Nonce: 50, Cluster: ours}, Seeds: []string{a.Gossip()}})
	a.awaitAlive(1, 2)
	b.Close()
	a.awaitAlive(1)
	// A backup: elsewhere it is refused; where it was it learns that it has been here before.
	elsewhere := open(t, Options{Self: Member{Node: 2, Incarnation: 4, Cluster: ours}, Seeds: []string{a.Gossip()}})
	if p := a.awaitProblem(ErrTwin); p.Member.Gossip != elsewhere.Gossip() {
		t.Fatalf("it is reported as %+v", p)
	}
	elsewhere.Close()
	here := open(t, Options{Self: Member{Node: 2, Incarnation: 4, Cluster: ours}, Bind: b.Gossip(), Seeds: []string{a.Gossip()}})
	here.awaitStop(ErrTwin)
	a.unharmed(func(m Member) bool { return m.Node == 2 && m.Incarnation != 5 })
}

func TestBootstrapExpect(t *testing.T) {
	var all []*broker
	listed := freeAddresses(t, 3)
	var mu sync.Mutex
	founded := map[id.Node]int{}
	for i, node := range []id.Node{30, 10, 20} {
		all = append(all, open(t, Options{
			Self: Member{Node: node}, Bind: listed[i], Seeds: listed, Expect: 3,
			Found: func() (id.Cluster, error) {
				mu.Lock()
				defer mu.Unlock()
				founded[node]++
				return id.Cluster(node), nil
			},
		}))
		if i == 1 {
			all[0].await("the second", func(v *View) bool { return len(alive(v)) == 2 })
			if waiting := all[0].Waiting(); !strings.Contains(waiting, listed[2]) {
				t.Fatalf("of two it waits for %q", waiting)
			}
		}
	}
	for _, each := range all {
		if got := each.awaitJoined(); got != 10 {
			t.Fatalf("node %v belongs to %v", each.self.Node, got)
		}
		each.await("all in one cluster", func(v *View) bool {
			return len(alive(v)) == 3 && !slices.ContainsFunc(v.Members(), func(m Member) bool { return m.Cluster != 10 })
		})
	}
	mu.Lock()
	defer mu.Unlock()
	if d := cmp.Diff(map[id.Node]int{10: 1}, founded); d != "" {
		t.Fatalf("clusters founded (-want +got):\n%s", d)
	}
}

// freeAddresses finds loopback addresses whose ports are free for UDP and TCP.
func freeAddresses(t *testing.T, count int) (all []string) {
	t.Helper()
	for range count {
		b, err := Open(t.Context(), Options{Self: Member{Node: 1, Incarnation: 1, Cluster: 1}, Bind: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b.Gossip())
		t.Cleanup(func() { b.Close() })
		defer b.Close()
	}
	return all
}

func TestGarbageHarmsNobody(t *testing.T) {
	key := newKey()
	for _, keys := range [][][]byte{{key}, nil} {
		a := open(t, Options{Self: Member{Node: 1, Cluster: ours}, Keys: keys})
		for size := 1; size < 100_000; size = size*3 + 1 {
			garbage := make([]byte, size)
			rand.Read(garbage)
			// Plain, and below memberlist's header for our label, so that it gets further.
			for _, sent := range [][]byte{garbage, append([]byte("\xf4\x06troupe"), garbage...)} {
				for _, network := range []string{"tcp", "udp"} {
					connection, err := net.Dial(network, a.Gossip())
					if err != nil {
						t.Fatal(err)
					}
					connection.Write(sent[:min(len(sent), 60_000)])
					if tcp, ok := connection.(*net.TCPConn); ok {
						tcp.CloseWrite()
						io.Copy(io.Discard, tcp)
					}
					connection.Close()
				}
			}
		}
		b := open(t, Options{Self: Member{Node: 2, Cluster: ours}, Keys: keys, Seeds: []string{a.Gossip()}})
		b.awaitAlive(1, 2)
		a.awaitAlive(1, 2)
		b.Close()
		a.Close()
	}
}

func TestOptionsAreRefused(t *testing.T) {
	fine := Options{Self: Member{Node: 1, Incarnation: 1, Cluster: 1}, Bind: "127.0.0.1:0"}
	for name, test := range map[string]struct {
		change func(*Options)
		want   error
		says   string
	}{
		"all interfaces":    {func(o *Options) { o.Bind = ":0" }, ErrNoSecret, "--secret-file"},
		"another interface": {func(o *Options) { o.Bind = "192.0.2.1:0" }, ErrNoSecret, "--secret-file"},
		"no address":        {func(o *Options) { o.Bind = "localhost" }, ErrOption, "--gossip"},
		"no node":           {func(o *Options) { o.Self.Node = 0 }, ErrOption, ""},
		"no incarnation":    {func(o *Options) { o.Self.Incarnation = 0 }, ErrOption, ""},
		"a short key":       {func(o *Options) { o.Keys = [][]byte{{1}} }, ErrOption, "32"},
		"no way to adopt":   {func(o *Options) { o.Self.Cluster = 0 }, ErrOption, ""},
		"a long rack":       {func(o *Options) { o.Self.Rack = strings.Repeat("r", 65) }, ErrOption, "64"},
		"a bad seed":        {func(o *Options) { o.Seeds = []string{"a:b:c"} }, ErrOption, "--join"},
		"expecting too many": {func(o *Options) {
			o.Self.Cluster, o.Expect, o.Adopt = 0, 2, func(id.Cluster, id.Epoch) error { return nil }
		}, ErrOption, "--bootstrap-expect"},
	} {
		o := fine
		test.change(&o)
		c, err := Open(context.Background(), o)
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSeedsOffLoopbackNeedASecret(t *testing.T) {
	a := open(t, Options{Self: Member{Node: 1, Cluster: ours}, Seeds: []string{"192.0.2.1"}})
	a.awaitProblem(ErrNoSecret)
}

func TestExchangedKeysAreExactlyThose(t *testing.T) {
	a, b, c, d := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 32), bytes.Repeat([]byte{4}, 32)
	broker := open(t, Options{Self: Member{Node: 1, Cluster: ours}, Keys: [][]byte{a}})
	for _, want := range [][][]byte{{a, b, c}, {c, a}, {b, c, d}, {d}, {a, d}} {
		if err := broker.SetKeys(want); err != nil {
			t.Fatal(err)
		}
		got := broker.keys.GetKeys()
		if !bytes.Equal(got[0], want[0]) {
			t.Fatalf("key %d is used of %v", got[0][0], want)
		}
		got = slices.SortedFunc(slices.Values(got), bytes.Compare)
		want = slices.SortedFunc(slices.Values(want), bytes.Compare)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("keys (-want +got):\n%s", diff)
		}
	}
}

func TestNewerGossipIsRefused(t *testing.T) {
	a := member(t, 1)
	config := Options{Self: Member{Node: 2}, Pace: quick}.serfConfig(net.IPv4(127, 0, 0, 1), 0, nil)
	config.Tags = map[string]string{"f": "2", "i": "1", "n": "1", "something": "else"}
	config.LogOutput = io.Discard
	config.MemberlistConfig.LogOutput = io.Discard
	newer, err := serf.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Shutdown()
	newer.Join([]string{a.Gossip()}, true)
	if p := a.awaitProblem(ErrNewer); p.Stop || p.Member.Node != 2 {
		t.Fatalf("it is reported as %+v", p)
	}
	a.unharmed(isNode(2))
}

func TestAllInterfacesAdvertiseTheOneThatReachesTheSeed(t *testing.T) {
	keys := [][]byte{newKey()}
	a := open(t, Options{Self: Member{Node: 1, Cluster: ours}, Keys: keys, Bind: ":0", Advertise: "localhost"})
	b := open(t, Options{Self: Member{Node: 2, Cluster: ours}, Keys: keys, Bind: ":0", Seeds: []string{a.Gossip()}})
	for _, each := range []*broker{a, b} {
		if host, _, _ := net.SplitHostPort(each.Gossip()); host != "127.0.0.1" {
			t.Fatalf("node %v advertises %s", each.self.Node, each.Gossip())
		}
		each.awaitAlive(1, 2)
	}
}

func TestSubscriptionEnds(t *testing.T) {
	a := member(t, 1)
	views := make(chan *View, 100)
	cancel := a.Subscribe(func(v *View) { views <- v })
	if first := <-views; first != a.View() {
		t.Fatalf("the first view told is %d, the present one %d", first.Version(), a.View().Version())
	}
	cancel()
	member(t, 2, a)
	a.awaitAlive(1, 2)
	if len(views) != 0 {
		t.Fatal("views are told after the end")
	}
	if err := errors.Join(a.Leave(), a.Leave(), a.Close()); err != nil {
		t.Fatal(err)
	}
}
