package actors

import (
	"troupe/partitions"
)

// This file is about a partition's replica among those on other brokers: what they tell each other, and who of them answers
// requests.

// silentTicks is how long a replica that hears no leader may be one that the others have removed.
const silentTicks = 2 * partitions.ElectionTicks

// mail is a message that a replica on another broker has sent.
type mail struct {
	from    *peer
	message partitions.Message
	bytes   int64
}

// deliver takes a frame of messages to the partitions they are for. What a replica keeps of a message shares its memory: a
// small message is copied, so that it does not hold a large frame.
func (n *Node) deliver(from *peer, frame []byte) error {
	table := n.board.view.Load().table
	r := frameReader{rest: frame[frameHeader:]}
	for len(r.rest) > 0 {
		p := r.partition()
		bytes := r.bytes()
		if r.short {
			return r.malformed("messages")
		}
		a := table[p]
		if a == nil {
			continue // it has left, or is not here yet: what matters comes again
		}
		if len(bytes) < len(frame)/4 {
			bytes = append([]byte(nil), bytes...)
		}
		m, err := partitions.ParseMessage(bytes)
		if err != nil {
			return err
		}
		a.take(mail{from: from, message: m, bytes: int64(len(bytes))})
	}
	return nil
}

// take puts a message into the mail, which loses it when it is full, as a link would.
func (a *address) take(m mail) {
	if held := a.mailed.Add(m.bytes); held > max(mailBytes, m.bytes) || a.mail.enter(m) != nil {
		a.mailed.Add(-m.bytes)
	}
}

// mailBytes wait for one replica at most, or one message. A leader has 16 MiB on its way to a follower, or a snapshot.
const mailBytes = 64 << 20

// step hands the replica what others have sent it.
func (p *partition) step() {
	p.letters = p.mail.take(p.letters[:0], p.limits.RequestsATurn)
	now := p.seams.Clock.Now()
	for _, m := range p.letters {
		p.mailed.Add(-m.bytes)
	}
	for _, m := range p.letters {
		if p.running() {
			p.life.replica.Step(m.from.node, m.message, now)
		}
	}
	clear(p.letters)
}

// post gives the couriers what the replica tells others. One that it does not know the broker of is lost.
func (p *partition) post(all []partitions.Message) {
	for _, m := range all {
		if m.Node == 0 || m.Node == p.stage.node {
			continue
		}
		if !p.peers.to(m.Node).post(&letter{address: p.address, carriedMessage: carriedMessage{p.partition, m}}) {
			p.send(p.self, unreachable{replica: m.To})
		}
	}
}

// stand takes note of what the replica is among the others. From settling on it serves as soon as it leads, and has applied
// what it must know for that, or follows somebody: then it says who.
func (p *partition) stand() {
	if !p.running() {
		return
	}
	s := p.life.replica.Standing()
	if alone := s.Silent > silentTicks; alone != p.alone.Load() {
		p.alone.Store(alone)
	}
	leads := uint64(0)
	if s.Ready {
		leads = uint64(s.Term)
	}
	if leads != p.leads.Load() {
		p.leads.Store(leads)
		if leads != 0 {
			p.leaders.learn(p.partition, s.Term, p.stage.node)
		}
	}
	if version, ok := p.life.replica.Reached(); ok && version != p.told {
		p.told = version
		p.send(p.catalog, reached{partition: p.partition, version: version})
	}
	if follows := (led{p.partition, s.Term}); s.Role != partitions.RoleLeader && s.LeaderNode != 0 && p.follows != follows {
		p.follows = follows
		p.leaders.learn(p.partition, s.Term, s.LeaderNode)
	}
	if p.phase == phaseSettling && (s.Ready || s.Role != partitions.RoleLeader && s.Leader != 0) {
		p.phase, p.tries, p.failure = phaseServing, 0, nil
		p.complain("")
		p.settle()
		p.release()
		p.drain()
	}
}

// handOver tells that a stopping partition still leads replicas that could go on without it, having asked one of them to.
func (p *partition) handOver() bool {
	s := p.life.replica.Standing()
	if s.Role != partitions.RoleLeader || s.Voters < 2 {
		return false
	}
	p.life.replica.Transfer()
	p.drain()
	return true
}
