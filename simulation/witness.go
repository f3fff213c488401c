package simulation

import (
	"troupe/actors"
	"troupe/partitions"
	"troupe/partitions/id"
)

// witness stands between a broker's router and the sessions of its clients: it sees every answer to a read at the moment the
// router lets it out. It is a gateway.Broker.
type witness struct {
	*actors.Router
	broker *Broker
}

// Fetch implements gateway.Broker.
func (w witness) Fetch(p id.Partition, f partitions.Fetch, done func(partitions.FetchAnswer)) (giveUp func()) {
	return w.Router.Fetch(p, f, func(a partitions.FetchAnswer) {
		w.answers(p, a.Term, a.Err)
		done(a)
	})
}

// ListOffsets implements gateway.Broker.
func (w witness) ListOffsets(p id.Partition, l partitions.ListOffsets, done func(partitions.OffsetAnswer)) {
	w.Router.ListOffsets(p, l, func(a partitions.OffsetAnswer) {
		w.answers(p, a.Term, a.Err)
		done(a)
	})
}

// answers demands that a broker shows no answer of a leader whose successor it has heard of.
func (w witness) answers(p id.Partition, term id.Term, err error) {
	if _, heard := w.Router.Leader(p); err == nil && term < heard {
		w.broker.world.violate(violation("stale-leader", "%s answers a read of %v with what the leader of term %d told, and has heard of term %d",
			w.broker.name, p, term, heard))
	}
}
