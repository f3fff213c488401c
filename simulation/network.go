package simulation

import (
	"math/rand/v2"
	"time"

	"troupe/actors"
	"troupe/partitions/id"
)

// Network carries frames between the brokers as their seam promises (actors.Peers): at most once, in order while a link
// lasts, silently lost with it. Only frames of replica messages, which raft takes in any order and number, are at times
// doubled or overtaken.
//
// Between two brokers there is a link in each direction; the two begin and end together. A link ends when a broker dies, when
// a cut lasts, or for no reason; its sender learns of that later, and believes in it until then.
type Network struct {
	scheduler *Scheduler
	random    *rand.Rand
	trace     *Trace
	plan      *Plan
	own       *Life
	weather   Weather
	// trouble tells whether frames may come to harm.
	trouble  func() bool
	stations []*station
	links    [][]*link // by sender and receiver; nil to oneself
}

// Weather is how bad a run's network is.
type Weather struct {
	Latency   time.Duration // most frames arrive within
	Slowest   time.Duration // a slow one
	Slow      int           // in 10,000 frames
	Lost      int           // in 10,000 frames
	Doubled   int           // in 10,000 frames of replica messages
	Overtakes int           // in 10,000 frames of replica messages
	Broken    int           // in 100,000 frames
	CutEvery  time.Duration // mean time between two partitions
	ClogEvery time.Duration // mean time between two links that hold back
	LoseEvery time.Duration // mean time between two links that end for no reason
}

func drawWeather(r *rand.Rand) Weather {
	return Weather{
		Latency: time.Duration(between(r, 1, 20)) * time.Millisecond, Slowest: time.Duration(between(r, 50, 2000)) * time.Millisecond,
		Slow: r.IntN(200), Lost: r.IntN(150), Doubled: r.IntN(150), Overtakes: r.IntN(300), Broken: r.IntN(40),
		CutEvery:  time.Duration(between(r, 3000, 15_000)) * time.Millisecond,
		ClogEvery: time.Duration(between(r, 2000, 10_000)) * time.Millisecond,
		LoseEvery: time.Duration(between(r, 1000, 8000)) * time.Millisecond,
	}
}

// station is a broker as the network knows it.
type station struct {
	number int
	node   id.Node
	life   *Life
	peer   receiver // nil while it is down
}

// answers tells that the broker is there.
func (s *station) answers() bool { return s.peer != nil && !s.life.paused }

// receiver is a broker's own end: actors.Node.
type receiver interface {
	Receive(from id.Node, frame []byte)
	Reachable(peer id.Node, up bool)
}

func newNetwork(size int, s *Scheduler, random *rand.Rand, trace *Trace, plan *Plan, weather Weather) *Network {
	n := &Network{scheduler: s, random: random, trace: trace, plan: plan, own: &Life{}, weather: weather, trouble: func() bool { return true }}
	for i := range size {
		n.stations = append(n.stations, &station{number: i, life: &Life{over: true}})
	}
	n.links = make([][]*link, size)
	for i := range size {
		n.links[i] = make([]*link, size)
		for j := range size {
			if i != j {
				n.links[i][j] = &link{network: n, from: n.stations[i], to: n.stations[j]}
			}
		}
	}
	return n
}

// port is the network as one life of a broker reaches it. It is an actors.Peers.
type port struct {
	network *Network
	station *station
}

// Send hands a frame to the link to a node.
func (p *port) Send(to id.Node, frame []byte) bool {
	for _, l := range p.network.links[p.station.number] {
		if l != nil && l.to.node == to {
			return l.send(frame)
		}
	}
	return false
}

// Join begins a broker's life in the network; its links follow.
func (n *Network) Join(number int, node id.Node, life *Life, peer receiver) {
	s := n.stations[number]
	s.node, s.life, s.peer = node, life, peer
	n.dialAll(number)
}

// dialAll makes the links of one broker again, as far as they do not stand.
func (n *Network) dialAll(number int) {
	for other := range n.stations {
		if other != number {
			n.dial(number, other)
		}
	}
}

// Port is what the broker of a number sends through; nil where there is nobody to send to.
func (n *Network) Port(number int) actors.Peers {
	if len(n.stations) == 1 {
		return nil
	}
	return &port{n, n.stations[number]}
}

// Leave ends a broker's life in the network. What is on its way to it is lost; what it has sent may still arrive. Its peers
// learn of the death of a process at once, and of a machine's when it has been silent for long.
func (n *Network) Leave(number int, machine bool) {
	s := n.stations[number]
	s.peer = nil
	for other := range n.stations {
		if other == number {
			continue
		}
		in, out := n.links[other][number], n.links[number][other]
		if chance(n.random, 50) {
			out.lose()
		}
		out.connection = nil
		in.lose()
		in.learn(n.silence(machine))
	}
}

// silence draws how long it takes until the end of a link is known.
func (n *Network) silence(long bool) time.Duration {
	if !long {
		return time.Duration(n.random.Int64N(int64(10 * time.Millisecond)))
	}
	return time.Duration(n.random.Int64N(int64(4 * time.Second)))
}

// dial makes the links between two brokers, soon, if both are there and nothing lies between them. Whatever changes that
// calls it again.
func (n *Network) dial(i, j int) {
	there, back := n.links[i][j], n.links[j][i]
	wait := time.Duration(n.random.Int64N(int64(100 * time.Millisecond)))
	n.scheduler.At(n.own, wait, func() {
		if !there.from.answers() || !there.to.answers() || there.blocked > 0 || back.blocked > 0 {
			return
		}
		if there.stands() && back.stands() {
			return
		}
		there.renew()
		back.renew()
	})
}

// heal takes back everything that lies between the brokers.
func (n *Network) heal() {
	n.own.over = true // with all ends of cuts and clogs that were planned
	n.own = &Life{}
	for i, links := range n.links {
		for j, l := range links {
			if l != nil {
				l.blocked, l.clogs = 0, 0
				l.release()
				if i < j {
					n.dial(i, j)
				}
			}
		}
	}
}
