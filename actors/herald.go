package actors

import (
	"troupe/membership"
	"troupe/partitions/id"
)

// herald tells the other brokers what this one leads: what changed at once, everything every now and then, since a frame may
// be lost. It belongs to the ticker. Who leads nothing says that: so everybody has a link to everybody, and hears of it.
type herald struct {
	*stage
	board   *board
	members membership.Feed
	told    map[id.Partition]id.Term
	met     map[id.Node]bool // have been told something, or were to be
	beats   int
}

func newHerald(s *stage, b *board, m membership.Feed) *herald {
	return &herald{stage: s, board: b, members: m, told: map[id.Partition]id.Term{}, met: map[id.Node]bool{}}
}

// beat comes with every tick.
func (h *herald) beat() {
	if h.seams.Peers == nil {
		return
	}
	h.beats++
	whole := h.beats%h.limits.LeadersEvery == 0
	var all, changed []led
	order := h.board.view.Load().order
	if len(h.told) > len(order) {
		clear(h.told) // partitions have left: what the others are told once more does no harm
	}
	for _, a := range order {
		term := id.Term(a.leads.Load())
		if term != 0 {
			all = append(all, led{a.partition, term})
		}
		if h.told[a.partition] != term {
			h.told[a.partition] = term
			if term != 0 {
				changed = append(changed, led{a.partition, term})
			}
		}
	}
	for _, m := range h.members.View().Members() {
		if !m.Alive || m.Node == h.stage.node {
			continue
		}
		switch p := h.peers.to(m.Node); {
		case p.fresh.Swap(false) || whole || !h.met[m.Node]:
			h.met[m.Node] = true
			h.tell(p, all)
		case len(changed) > 0:
			h.tell(p, changed)
		}
	}
}

// tell sends what a frame takes, in as many as it needs. What is lost comes again with everything.
func (h *herald) tell(p *peer, all []led) {
	const most = MaxFrameBytes / leaderBytes / 2
	for {
		n := min(len(all), most)
		p.post(sealed(leadersFrame(all[:n])))
		if all = all[n:]; len(all) == 0 {
			return
		}
	}
}
