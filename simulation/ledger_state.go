package simulation

import (
	"slices"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// written is an idempotent batch that was committed.
type written struct {
	index  id.Index
	header batch.Header
}

// write notes a committed batch. Entries come here in their order, but for those that nobody saw being applied.
func (g *group) write(i id.Index, h batch.Header) { g.written = append(g.written, written{i, h}) }

// saved holds a checkpoint to what was committed up to there: of every producer it knows the newest batches. Whoever begins with
// less would take as new what was appended before.
func (l *Ledger) saved(log *overseen, c *partitions.Checkpoint) {
	g := l.group(log.partition)
	if g.gaps || c.Index > id.Index(len(g.committed)) {
		return
	}
	known := map[id.Producer]partitions.ProducerState{}
	for _, s := range c.Producers {
		known[s.Producer] = s
	}
	windows, order := g.windows(c.Index)
	for _, p := range order {
		if got, want := known[p].Last, windows[p]; !slices.Equal(got, want) {
			l.world.violate(violation("producer-forgotten", "replica %d of %v makes a checkpoint of entry %d that knows of producer %d the batches %+v; committed are %+v",
				log.replica, log.partition, c.Index, p, got, want))
			return
		}
	}
}

// windows lists the newest batches of each producer, up to an entry, and the producers.
func (g *group) windows(through id.Index) (map[id.Producer][]partitions.Appended, []id.Producer) {
	windows, epochs := map[id.Producer][]partitions.Appended{}, map[id.Producer]int16{}
	var order []id.Producer
	for _, w := range g.written {
		if w.index > through {
			break
		}
		h := w.header
		last, known := windows[h.Producer]
		if !known {
			order = append(order, h.Producer)
		}
		switch {
		case epochs[h.Producer] != h.Epoch:
			last = nil
		case len(last) == partitions.WindowBatches:
			last = last[1:]
		}
		epochs[h.Producer] = h.Epoch
		windows[h.Producer] = append(last, partitions.Appended{First: h.FirstSequence, Final: h.LastSequence(), Base: h.BaseOffset})
	}
	return windows, order
}

// SaveCheckpoint implements partitions.Log.
func (l *overseen) SaveCheckpoint(c *partitions.Checkpoint) error {
	l.ledger.saved(l, c)
	return l.Log.SaveCheckpoint(c)
}

// DropFront implements partitions.Log.
func (l *overseen) DropFront(base *partitions.Checkpoint) error {
	l.ledger.saved(l, base)
	if err := l.Log.DropFront(base); err != nil {
		return err
	}
	if first := base.Index + 1; first > l.first && int(first-l.first) <= len(l.terms) {
		l.before = l.term(base.Index)
		l.terms, l.first = l.terms[first-l.first:], first
	}
	return nil
}

// Fill implements partitions.Log: what a peer gives back is what was there.
func (l *overseen) Fill(entries []partitions.Entry) error {
	if err := l.Log.Fill(entries); err != nil {
		return err
	}
	for i := range entries {
		l.ledger.appended(l.partition, l.replica, &entries[i], 0)
	}
	return nil
}
