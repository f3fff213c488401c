package simulation

import (
	"fmt"
	"time"
)

// leadership is what the plan knows of who leads.
type leadership interface {
	leading() int // draws a broker that leads something
	// succession does something as soon as another leads something in a broker's place, or when that takes too long.
	succession(number int, then func())
}

// Trouble plans what goes wrong between the brokers.
func (n *Network) Trouble(again func(mean time.Duration, f func()), leaders leadership) {
	if len(n.stations) < 2 {
		return
	}
	again(n.weather.CutEvery, func() { n.cut(n.drawShape(leaders)) })
	again(n.weather.ClogEvery, n.clog)
	again(2*n.weather.ClogEvery, func() { n.clogLeader(leaders) })
	again(n.weather.LoseEvery, func() {
		i, j := n.pair()
		if !n.plan.strike(FaultLostLink, letter(i)+" and "+letter(j)) {
			return
		}
		n.trace.event("network", "link lost", "%s and %s, %d frames on their way", letter(i), letter(j), n.flying(i, j))
		n.end(i, j)
	})
}

func letter(number int) string { return string(rune('a' + number)) }

// pair draws two different stations.
func (n *Network) pair() (i, j int) {
	i = n.random.IntN(len(n.stations))
	return i, (i + 1 + n.random.IntN(len(n.stations)-1)) % len(n.stations)
}

func (n *Network) flying(i, j int) int {
	frames := 0
	for _, l := range []*link{n.links[i][j], n.links[j][i]} {
		if l.connection != nil {
			frames += len(l.connection.queue)
		}
	}
	return frames
}

// end ends the links between two brokers; each side learns of it by itself, at times late.
func (n *Network) end(i, j int) {
	for _, l := range []*link{n.links[i][j], n.links[j][i]} {
		l.lose()
		l.learn(n.silence(chance(n.random, 30)))
	}
}

// clog holds back what arrives over some links for a while.
func (n *Network) clog() {
	clogged := n.choose(func(*link) bool { return chance(n.random, 30) })
	lasts := time.Duration(n.random.Int64N(int64(3 * time.Second)))
	if n.plan.strike(FaultClog, fmt.Sprintf("%d links, for %v", len(clogged), lasts.Round(time.Millisecond))) {
		n.trace.event("network", "clog", "%d links", len(clogged))
		n.scheduler.At(n.own, lasts, hold(clogged))
	}
}

// clogLeader holds back what a broker that leads sends, at times also what it is sent, until somebody is elected in its place and
// a little longer: then what it said as a leader arrives where its successor is known already.
func (n *Network) clogLeader(leaders leadership) {
	slow, both := leaders.leading(), chance(n.random, 40)
	longer := time.Duration(n.random.Int64N(int64(250 * time.Millisecond)))
	if both {
		longer *= 3
	}
	if !n.plan.strike(FaultClogLeader, letter(slow)) {
		return
	}
	n.trace.event("network", "clog", "%s, which leads", letter(slow))
	release := hold(n.choose(func(l *link) bool { return l.from.number == slow || both && l.to.number == slow }))
	own := n.own
	leaders.succession(slow, func() { n.scheduler.At(own, longer, release) })
}

// resend lets what was sent to a broker arrive a little later.
func (n *Network) resend(number int) {
	release := hold(n.choose(func(l *link) bool { return l.to.number == number }))
	n.scheduler.At(n.own, time.Duration(n.random.Int64N(int64(300*time.Millisecond))), release)
}

func (n *Network) choose(which func(*link) bool) []*link {
	var chosen []*link
	for _, links := range n.links {
		for _, l := range links {
			if l != nil && which(l) {
				chosen = append(chosen, l)
			}
		}
	}
	return chosen
}

// hold clogs links; release ends that.
func hold(clogged []*link) (release func()) {
	for _, l := range clogged {
		l.clogs++
	}
	return func() {
		for _, l := range clogged {
			if l.clogs = max(0, l.clogs-1); l.clogs == 0 {
				l.release()
			}
		}
	}
}

// shape is where a cut lies: which senders do not reach which receivers.
type shape struct {
	kind  Fault
	what  string
	pairs [][2]int
}

// drawShape draws the shape of a cut.
func (n *Network) drawShape(leaders leadership) shape {
	size := len(n.stations)
	order := n.random.Perm(size)
	side := make([]bool, size)
	bridge := -1
	var s shape
	switch n.random.IntN(4) {
	case 0:
		s = shape{kind: FaultCutHalves, what: "halves"}
		for _, i := range order[:1+n.random.IntN(size-1)] {
			side[i] = true
		}
	case 1:
		s = shape{kind: FaultCutAlone, what: letter(order[0]) + " alone"}
		side[order[0]] = true
	case 2:
		l := leaders.leading()
		s = shape{kind: FaultCutLeader, what: letter(l) + " alone, which leads"}
		side[l] = true
	default:
		bridge = order[0]
		s = shape{kind: FaultCutBridge, what: letter(bridge) + " is the bridge"}
		for _, i := range order[1 : 1+max(1, (size-1)/2)] {
			side[i] = true
		}
	}
	oneWay, outward := chance(n.random, 35), chance(n.random, 50)
	if oneWay {
		s.kind, s.what = FaultCutOneWay, s.what+", one way"
	}
	for i := range side {
		for j := range side {
			if side[i] != side[j] && i != bridge && j != bridge && (!oneWay || side[i] == outward) {
				s.pairs = append(s.pairs, [2]int{i, j})
			}
		}
	}
	return s
}

// cut lays a partition over the network for a while. Links that it lasts longer than the patience of their ends end.
func (n *Network) cut(s shape) {
	lasts := time.Duration(n.random.Int64N(int64(8 * time.Second)))
	if !n.plan.strike(s.kind, fmt.Sprintf("%s, for %v", s.what, lasts.Round(time.Millisecond))) {
		return
	}
	n.trace.event("network", "cut", "%s: %s, for %v", s.what, fmt.Sprint(s.pairs), lasts.Round(time.Millisecond))
	n.block(s.pairs)
	n.scheduler.At(n.own, lasts, func() {
		n.trace.event("network", "cut ends", "%s", s.what)
		for _, p := range s.pairs {
			l := n.links[p[0]][p[1]]
			l.blocked = max(0, l.blocked-1)
			n.dial(p[0], p[1])
		}
	})
}

// block lets nothing through from senders to receivers, until somebody takes that back.
func (n *Network) block(pairs [][2]int) {
	for _, p := range pairs {
		l := n.links[p[0]][p[1]]
		l.blocked++
		n.scheduler.At(n.own, n.silence(true), func() {
			if l.blocked > 0 {
				n.end(p[0], p[1])
			}
		})
	}
}
