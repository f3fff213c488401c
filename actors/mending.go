package actors

import (
	"errors"
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// mending is how a quarantined partition gets back the entries that its log has lost, from replicas on other brokers that
// have applied them. The replica keeps its id and its vote: it has forgotten nothing that it cannot be told again, and takes
// no part in anything until the log is whole. One that has forgotten its vote, or whose peers no longer have what it lacks,
// is reported to the catalog's leader, who has another made in its place.
//
//	looking ──► asking ──► filling ──► looking ... whole: closed, and opened anew
//
// Invariant: at most one step is under way, of this life.
type mending struct {
	holes  []partitions.Hole // what is missing, as far as is known; none before the first look
	busy   bool
	next   int // of the others, whom to ask
	tries  int // since something was filled
	beyond int // of those, how many were told that the peer does not reach back so far
}

// entriesAtOnce bounds the payload of one answer with entries; one entry always fits.
const entriesAtOnce = 2 << 20

// others lists the nodes of the partition's other replicas.
func (p *partition) others() []id.Node {
	var all []id.Node
	for _, r := range p.assignment.Replicas {
		if r.Node != p.stage.node {
			all = append(all, r.Node)
		}
	}
	return all
}

// repair is work that belongs to mending, the partition's own log or a peer's, or to comparing it with theirs.
func (p *partition) repair(message any) {
	switch m := message.(type) {
	case looked:
		if m.instance == p.instance {
			p.looked(m)
		}
	case given:
		if m.instance == p.instance {
			p.given(m)
		}
	case filled:
		if m.instance == p.instance && p.phase == phaseQuarantined {
			p.filled(m)
		}
	case mendAgain:
		if m.instance == p.instance {
			p.mend()
		}
	case supplied:
		m.request.answer(m.entries, m.err)
		if m.instance == p.instance {
			p.jobs--
			p.close()
		}
	case digested:
		m.request.answer(m.answer)
		if m.instance == p.instance {
			p.jobs--
			p.note(m.answer.Err)
			p.close()
		}
	}
}

// mend takes the next step, if the partition can be mended and no step is under way.
func (p *partition) mend() {
	m := &p.mending
	if p.phase != phaseQuarantined || m.busy || p.seams.Peers == nil || len(p.others()) == 0 {
		return
	}
	if p.life.quarantine.amnesic() {
		p.send(p.catalog, forgotten{replica: p.replica})
		return
	}
	m.busy = true
	if len(m.holes) == 0 {
		p.look()
		return
	}
	p.fetchEntries(m.holes[0])
}

// look reads the whole log for what is missing.
func (p *partition) look() {
	p.jobs++
	s, log, self, instance := p.stage, p.life.log, p.self, p.instance
	s.seams.Pool.Run(func() {
		m := looked{instance: instance}
		defer func() { s.send(self, m) }()
		defer s.rescue("look for holes", func(err error) { m.err = err })
		m.holes, m.err = log.Holes()
	})
}

func (p *partition) looked(m looked) {
	p.jobs--
	p.mending.busy = false
	switch {
	case errors.Is(m.err, partitions.ErrDamaged):
		p.complain("quarantined, and cannot be mended: " + m.err.Error())
		p.send(p.catalog, forgotten{replica: p.replica})
	case m.err != nil:
		p.mendLater()
	case len(m.holes) == 0:
		p.damage = nil
		p.fail(errMended)
	default:
		p.log.Info("a damaged log is mended from its peers", "partition", p.name, "holes", len(m.holes), "first", uint64(m.holes[0].First))
		p.mending.holes = m.holes
		p.mend()
	}
	p.close()
}

// errMended ends the life of a quarantine whose log is whole again.
var errMended = errors.New("actors: the log has been mended")

// fetchEntries asks the next of the others for what is missing.
func (p *partition) fetchEntries(h partitions.Hole) {
	m, others := &p.mending, p.others()
	node := others[m.next%len(others)]
	m.next++
	s, self, instance := p.stage, p.self, p.instance
	q := &entriesRequest{lo: h.First, hi: h.Last + 1}
	q.done = func(entries []partitions.Entry, err error) {
		s.send(self, given{instance: instance, entries: entries, err: err})
	}
	s.peers.to(node).pose(p.partition, q)
}

// given takes a peer's answer.
func (p *partition) given(g given) {
	m := &p.mending
	switch {
	case p.phase != phaseQuarantined:
	case g.err != nil || len(g.entries) == 0:
		m.busy = false
		if errors.Is(g.err, partitions.ErrOffsetOutOfRange) {
			m.beyond++
		}
		if m.tries++; m.tries == len(p.others()) && m.beyond == m.tries {
			p.complain("quarantined, and nobody has what it lost any more")
			p.send(p.catalog, forgotten{replica: p.replica})
		}
		p.mendLater()
	default:
		m.tries, m.beyond = 0, 0
		p.send(p.storage, fillOrder{instance: p.instance, entries: g.entries})
	}
}

// filled comes when entries are back in the log, or were refused.
func (p *partition) filled(f filled) {
	m := &p.mending
	m.busy = false
	switch {
	case f.err != nil:
		m.holes = nil // look again
		p.log.Warn("entries from a peer could not be put back", "partition", p.name, "reason", f.err, "next", "it is tried again by itself")
		p.mendLater()
		return
	case len(m.holes) > 0:
		if m.holes[0].First = f.through + 1; m.holes[0].First > m.holes[0].Last {
			m.holes = slices.Delete(m.holes, 0, 1)
		}
	}
	p.mend()
}

func (p *partition) mendLater() {
	p.later(p.limits.delay(p.mending.tries+1), p.self, mendAgain{instance: p.instance})
}

// committed tells up to which entry this replica knows its log to be committed, for whoever wants entries from lo on, or why
// there are none to be had.
func (p *partition) committed(lo id.Index) (known id.Index, err error) {
	if p.life == nil || p.life.log == nil || !p.running() && p.phase != phaseQuarantined {
		return 0, p.refusal()
	}
	found := p.life.log.Recovered()
	first, known := found.First, min(found.HardState.Commit, found.Last)
	if p.running() {
		s := p.life.replica.Status()
		first, known = s.First, s.Applied
	}
	switch {
	case lo < first:
		return 0, fmt.Errorf("%s: entry %d, the log begins at %d: %w", p.name, lo, first, partitions.ErrOffsetOutOfRange)
	case lo > known:
		return 0, fmt.Errorf("%s: entry %d, known to be committed are those up to %d: %w", p.name, lo, known, partitions.ErrNotReady)
	}
	return known, nil
}

// supply answers a peer that lacks entries, with those that this replica knows to be committed.
func (p *partition) supply(q *entriesRequest) {
	known, err := p.committed(q.lo)
	if err != nil {
		q.refuse(err)
		return
	}
	p.jobs++
	s, log, self, instance, hi := p.stage, p.life.log, p.self, p.instance, min(q.hi, known+1)
	s.seams.Pool.Run(func() {
		m := supplied{instance: instance, request: q}
		defer func() { s.send(self, m) }()
		defer s.rescue("read entries for a peer", func(err error) { m.err = err })
		m.entries, m.err = log.Entries(q.lo, hi, entriesAtOnce)
	})
}
