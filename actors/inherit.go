package actors

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// inheritBytes is how much of the survivor's log is copied at once.
const inheritBytes = 4 << 20

// inherit opens the log of an heir, having made or finished it first: a copy of the survivor's, as partitions.Inheritance has
// it. It runs on the pool, as opening does; the survivor's replica has ended before the heir's actor was started.
//
// Whatever interrupts it, the heir's log is unfinished until the last step is durable, and the next opening goes on. The
// survivor's bytes stay until the heir leads: only then are they doomed.
func (p *plan) inherit(s *stage) (partitions.Log, error) {
	at, replica := p.address.partition, p.address.replica
	if s.seams.Disk.Registered(replica) {
		log, err := s.seams.Disk.Open(at, replica)
		if err != nil || !partitions.Unfinished(log.Recovered(), p.survivor) {
			return log, err
		}
		if err := log.Close(); err != nil {
			return nil, err
		}
	}
	if err := p.copyLog(s); err != nil {
		return nil, fmt.Errorf("replica %d inherits the log of replica %d: %w", replica, p.survivor, err)
	}
	return s.seams.Disk.Open(at, replica)
}

// copyLog makes the heir's log, or goes on with it, and finishes it.
func (p *plan) copyLog(s *stage) error {
	at, replica := p.address.partition, p.address.replica
	from, err := s.seams.Disk.Open(at, p.survivor)
	if err != nil {
		return survivorLost(err)
	}
	defer s.letGo(from)
	i, err := partitions.Inherit(from.Recovered(), partitions.Placed{Replica: replica, Node: s.node})
	if err != nil {
		return survivorLost(err)
	}
	birth, state := i.Birth()
	if err := s.seams.Disk.Create(at, replica, birth, state); err != nil {
		return err
	}
	to, err := s.seams.Disk.Open(at, replica)
	if err != nil {
		return err
	}
	defer s.letGo(to)
	return copyEntries(i, from, to)
}

// letGo closes a log that was copied from or to. What matters of it is durable.
func (s *stage) letGo(log partitions.Log) {
	defer s.rescue("close", func(error) {})
	_ = log.Close()
}

// survivorLost keeps damage of the survivor's from passing for damage of the heir's.
func survivorLost(err error) error {
	return fmt.Errorf("%w: %v; its bytes are kept", partitions.ErrUnavailable, err)
}

func copyEntries(i *partitions.Inheritance, from, to partitions.Log) error {
	have, all := to.Recovered(), from.Recovered()
	put := func(entries []partitions.Entry, state *partitions.HardState) error {
		w := partitions.Write{Entries: entries, HardState: have.HardState}
		if state != nil {
			w.HardState, w.Changed = *state, true
		}
		if err := to.Append([]partitions.Write{w}); err != nil {
			return err
		}
		return to.Sync()
	}
	for next := all.First; next <= all.Last; {
		read, err := from.Entries(next, all.Last+1, inheritBytes)
		if err != nil {
			return survivorLost(err)
		}
		own, err := i.Take(read)
		if err != nil {
			return survivorLost(err)
		}
		next = own[len(own)-1].Index + 1
		if own = above(own, have.Last); len(own) == 0 {
			continue // of an earlier attempt
		}
		if err := put(own, nil); err != nil {
			return err
		}
	}
	if newest := i.Newest(); newest.Index > have.Newest.Index {
		if err := to.SaveCheckpoint(newest); err != nil {
			return err
		}
	}
	gap, state, err := i.End()
	if err != nil {
		return err
	}
	if err := put([]partitions.Entry{gap}, nil); err != nil {
		return err
	}
	return put(nil, &state)
}

// above returns the entries above an index.
func above(entries []partitions.Entry, index id.Index) []partitions.Entry {
	for len(entries) > 0 && entries[0].Index <= index {
		entries = entries[1:]
	}
	return entries
}
