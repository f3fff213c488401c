package actors

import (
	"slices"

	"troupe/membership"
	"troupe/partitions/id"
)

// herald tells the other brokers what this one leads, and what is wrong with it: what changed at once, everything every now
// and then, since a frame may be lost. It belongs to the ticker. Everybody tells everybody, so that there are links between all.
type herald struct {
	*stage
	board    *board
	members  membership.Feed
	told     map[id.Partition]id.Term
	ill      func() []string // what is wrong
	problems []string        // as told
	met      map[id.Node]bool
	beats    int
}

// healthEvery is how often it is looked, in ticks, whether something else is wrong.
const healthEvery = 10

func newHerald(s *stage, b *board, m membership.Feed, ill func() []string) *herald {
	return &herald{stage: s, board: b, members: m, told: map[id.Partition]id.Term{}, ill: ill, met: map[id.Node]bool{}}
}

// beat comes with every tick.
func (h *herald) beat() {
	if h.seams.Peers == nil {
		return
	}
	h.beats++
	whole := h.beats%h.limits.LeadersEvery == 0
	var changed []led
	order := h.board.view.Load().order
	if len(h.told) > len(order) {
		clear(h.told) // partitions have left: what the others are told once more does no harm
	}
	for _, a := range order {
		term := id.Term(a.leads.Load())
		if h.told[a.partition] != term {
			h.told[a.partition] = term
			if term != 0 {
				changed = append(changed, led{a.partition, term})
			}
		}
	}
	worse := h.beats%healthEvery == 0 && h.look()
	for _, m := range h.members.View().Members() {
		if !m.Alive || m.Node == h.stage.node {
			continue
		}
		switch p := h.peers.to(m.Node); {
		case p.fresh.Swap(false) || whole || !h.met[m.Node]:
			h.met[m.Node] = true
			p.post(sealed(healthFrame(h.problems)))
			h.tell(p, leading(order))
		default:
			if worse {
				p.post(sealed(healthFrame(h.problems)))
			}
			h.tell(p, changed)
		}
	}
}

// leading lists what this broker leads.
func leading(order []*address) []led {
	var all []led
	for _, a := range order {
		if term := id.Term(a.leads.Load()); term != 0 {
			all = append(all, led{a.partition, term})
		}
	}
	return all
}

// look sees what is wrong, and tells whether it is something else than before.
func (h *herald) look() bool {
	problems := h.ill()
	if slices.Equal(problems, h.problems) {
		return false
	}
	h.problems = problems
	return true
}

// tell sends what a frame takes, in as many as it needs. What is lost comes again with everything.
func (h *herald) tell(p *peer, all []led) {
	const most = MaxFrameBytes / leaderBytes / 2
	for len(all) > 0 {
		n := min(len(all), most)
		p.post(sealed(leadersFrame(all[:n])))
		all = all[n:]
	}
}
