package simulation

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"troupe/actors"
	"troupe/partitions/id"
)

// listener is a broker that only listens.
type listener struct {
	got   []string
	up    map[id.Node]bool
	links int // that began
	size  int // of the largest frame
}

func (l *listener) Receive(from id.Node, frame []byte) {
	l.size = max(l.size, len(frame))
	if len(frame) == 10 && frame[0] == 1 && frame[1] <= 2 {
		l.got = append(l.got, fmt.Sprintf("%d/%d:%d", from, frame[1], binary.LittleEndian.Uint64(frame[2:])))
	}
}

func (l *listener) Reachable(peer id.Node, up bool) {
	l.up[peer] = up
	if up {
		l.links++
	}
}

// numbered is a frame of a kind (1: replica messages) with a number in it.
func numbered(kind byte, number int) []byte {
	return binary.LittleEndian.AppendUint64([]byte{1, kind}, uint64(number))
}

type testNetwork struct {
	*Network
	listeners []*listener
	lives     []*Life
}

func newTestNetwork(seed uint64, size int, weather Weather) *testNetwork {
	trace, plan := NewTrace(nil), new(Plan)
	s := NewScheduler(Streams{seed}.Named("scheduler"), trace)
	t := &testNetwork{Network: newNetwork(size, s, Streams{seed}.Named("network"), trace, plan, weather)}
	for i := range size {
		t.listeners = append(t.listeners, &listener{up: map[id.Node]bool{}})
		t.lives = append(t.lives, &Life{})
		t.Join(i, id.Node(i+1), t.lives[i], t.listeners[i])
	}
	t.run(time.Second)
	return t
}

func (t *testNetwork) run(d time.Duration) { t.scheduler.Run(t.scheduler.Now()+d, forever) }

// say sends a numbered frame of a request from one to another.
func (t *testNetwork) say(from, to, number int) bool {
	return t.Port(from).Send(id.Node(to+1), numbered(2, number))
}

func calm() Weather { return Weather{Latency: 5 * time.Millisecond, Slowest: time.Second} }

func TestNetworkDeliversOnceAndInOrder(t *testing.T) {
	n := newTestNetwork(1, 3, calm())
	var want []string
	for i := range 100 {
		if !n.say(0, 1, i) {
			t.Fatal("a link that stands refuses")
		}
		want = append(want, fmt.Sprintf("1/2:%d", i))
	}
	n.run(time.Second)
	if diff := cmp.Diff(want, n.listeners[1].got); diff != "" {
		t.Errorf("arrived (-want +got):\n%s", diff)
	}
	if len(n.listeners[2].got) > 0 || n.Port(0).Send(99, numbered(2, 0)) {
		t.Error("a frame went to somebody else")
	}
}

func TestOnlyReplicaMessagesAreDoubledOrOvertaken(t *testing.T) {
	w := calm()
	w.Doubled, w.Overtakes = 3000, 3000
	n := newTestNetwork(2, 2, w)
	for i := range 200 {
		n.say(0, 1, i)
		n.Port(0).Send(2, numbered(1, i))
	}
	n.run(time.Minute)
	var requests []string
	seen := map[string]int{}
	for _, got := range n.listeners[1].got {
		if seen[got]++; got[2] == '2' {
			requests = append(requests, got)
		}
	}
	for i, got := range requests {
		if want := fmt.Sprintf("1/2:%d", i); got != want {
			t.Fatalf("request %d is %s, want %s", i, got, want)
		}
	}
	if n.plan.Faults[FaultDoubledFrame] == 0 || n.plan.Faults[FaultOvertakingFrame] == 0 || len(requests) != 200 || len(seen) != 400 {
		t.Errorf("%d requests, %d frames, faults %v", len(requests), len(seen), n.plan.Faults)
	}
}

func TestCutNetworkIsSilentUntilItHeals(t *testing.T) {
	n := newTestNetwork(3, 3, calm())
	s := shape{kind: FaultCutAlone, pairs: [][2]int{{0, 1}, {1, 0}, {0, 2}, {2, 0}}}
	n.cut(s)
	if !n.say(0, 1, 1) {
		t.Error("the sender knows of the cut at once")
	}
	n.say(1, 2, 2)
	n.run(20 * time.Second) // the cut ends by itself
	if diff := cmp.Diff(map[id.Node]bool{2: true, 3: true}, n.listeners[0].up); diff != "" {
		t.Errorf("the links of the lonely one afterwards (-want +got):\n%s", diff)
	}
	if len(n.listeners[1].got) > 0 || len(n.listeners[2].got) != 1 {
		t.Errorf("arrived %v and %v", n.listeners[1].got, n.listeners[2].got)
	}
	n.say(0, 1, 3)
	n.run(time.Second)
	if diff := cmp.Diff([]string{"1/2:3"}, n.listeners[1].got); diff != "" {
		t.Errorf("arrived after the cut (-want +got):\n%s", diff)
	}
}

func TestPausedBrokerGetsItsFramesLater(t *testing.T) {
	n := newTestNetwork(4, 2, calm())
	n.scheduler.Pause(n.lives[1])
	var want []string
	for i := range 20 {
		n.say(0, 1, i)
		want = append(want, fmt.Sprintf("1/2:%d", i))
	}
	n.run(time.Second)
	if len(n.listeners[1].got) > 0 {
		t.Error("a paused broker hears")
	}
	n.scheduler.Resume(n.lives[1])
	n.run(time.Second)
	if diff := cmp.Diff(want, n.listeners[1].got); diff != "" {
		t.Errorf("arrived (-want +got):\n%s", diff)
	}
}

func TestDeadBrokerIsNoticedAndForgotten(t *testing.T) {
	n := newTestNetwork(5, 2, calm())
	n.say(0, 1, 1)
	n.lives[1].over = true
	n.Leave(1, true)
	if !n.say(0, 1, 2) {
		t.Error("the sender knows of the death at once")
	}
	n.run(10 * time.Second)
	if n.say(0, 1, 3) || n.listeners[0].up[2] {
		t.Error("the sender never learns")
	}
	n.lives[1] = &Life{}
	n.Join(1, 2, n.lives[1], n.listeners[1])
	n.run(time.Second)
	n.say(0, 1, 4)
	n.run(time.Second)
	if diff := cmp.Diff([]string{"1/2:4"}, n.listeners[1].got); diff != "" {
		t.Errorf("arrived in the next life (-want +got):\n%s", diff)
	}
}

func TestNetworkFaultsAllHappenAndHeal(t *testing.T) {
	n := newTestNetwork(6, 5, Weather{
		Latency: 20 * time.Millisecond, Slowest: time.Second, Slow: 100, Lost: 100, Doubled: 100, Overtakes: 300, Broken: 1000,
		CutEvery: 3 * time.Second, ClogEvery: 2 * time.Second, LoseEvery: time.Second,
	})
	trouble, life := true, &Life{}
	n.trouble = func() bool { return trouble }
	var again func(time.Duration, func())
	again = func(mean time.Duration, f func()) {
		n.scheduler.At(life, time.Duration(n.random.Int64N(int64(2*mean))), func() {
			if trouble {
				f()
				again(mean, f)
			}
		})
	}
	n.Trouble(again, alwaysLeads(3))
	sent := 0
	for range 3000 {
		i, j := n.pair()
		sent++
		n.Port(i).Send(id.Node(j+1), numbered(byte(1+sent%2), sent))
		n.run(20 * time.Millisecond)
	}
	for f := firstOfSeveral; f < FaultBlackout; f++ {
		if n.plan.Faults[f] == 0 {
			t.Errorf("%v never happened", f)
		}
	}
	trouble = false
	n.heal()
	n.run(5 * time.Second)
	for i, l := range n.listeners {
		if l.size > actors.MaxFrameBytes+1 {
			t.Errorf("station %d was given %d bytes at once", i, l.size)
		}
		before := len(l.got)
		for j := range n.listeners {
			if i != j && !n.say(j, i, 0) {
				t.Errorf("no link from %d to %d after all healed", j, i)
			}
		}
		n.run(time.Second)
		if got := len(l.got) - before; got != 4 {
			t.Errorf("station %d got %d of 4 frames after all healed", i, got)
		}
	}
}

// alwaysLeads is a broker that nobody follows.
type alwaysLeads int

func (a alwaysLeads) leading() int { return int(a) }

func (alwaysLeads) succession(_ int, then func()) { then() }
