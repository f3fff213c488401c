package actors

import (
	"fmt"

	"troupe/partitions"
	"troupe/partitions/id"
)

// inheritBytes is how much of the survivor's log is copied at once.
const inheritBytes = 4 << 20

// inherit opens the log of an heir, having made or finished it first. It runs on the pool, as opening does; the survivor's
// replica has ended before the heir's actor was started.
func (p *plan) inherit(s *stage) (partitions.Log, error) {
	at, heir := p.address.partition, partitions.Placed{Replica: p.address.replica, Node: s.node}
	i := inheriting{disk: s.seams.Disk, partition: at, survivor: p.survivor, heir: heir, letGo: s.letGo}
	if err := i.run(); err != nil {
		return nil, err
	}
	return s.seams.Disk.Open(at, heir.Replica)
}

// Inherit makes the log of an heir, on a disk that no broker runs on, or finishes it: a copy of the survivor's, as
// partitions.Inheritance has it, with batches behind the gap that ends it. It is how the catalog goes on, which cannot decide about
// itself without its majority.
func Inherit(disk Disk, at id.Partition, survivor id.Replica, heir partitions.Placed, batches ...[]byte) error {
	i := inheriting{disk: disk, partition: at, survivor: survivor, heir: heir, batches: batches}
	i.letGo = func(log partitions.Log) { _ = log.Close() } // what matters of it is durable
	return i.run()
}

// inheriting is the making of an heir's log out of that of a survivor.
//
// Whatever interrupts it, the heir's log is unfinished until the last step is durable, and the next attempt goes on. The
// survivor's bytes stay until the heir leads: only then are they doomed.
type inheriting struct {
	disk      Disk
	partition id.Partition
	survivor  id.Replica
	heir      partitions.Placed
	batches   [][]byte             // to follow the gap
	letGo     func(partitions.Log) // closes a log that was copied from or to
}

func (i *inheriting) run() error {
	if i.disk.Registered(i.heir.Replica) {
		log, err := i.disk.Open(i.partition, i.heir.Replica)
		if err != nil {
			return err
		}
		unfinished := partitions.Unfinished(log.Recovered(), i.survivor)
		if err := log.Close(); err != nil || !unfinished {
			return err
		}
	}
	if err := i.copyLog(); err != nil {
		return fmt.Errorf("replica %d inherits the log of replica %d: %w", i.heir.Replica, i.survivor, err)
	}
	return nil
}

// copyLog makes the heir's log, or goes on with it, and finishes it.
func (i *inheriting) copyLog() error {
	from, err := i.disk.Open(i.partition, i.survivor)
	if err != nil {
		return survivorLost(err)
	}
	defer i.letGo(from)
	own, err := partitions.Inherit(from.Recovered(), i.heir)
	if err != nil {
		return survivorLost(err)
	}
	birth, state := own.Birth()
	if err := i.disk.Create(i.partition, i.heir.Replica, birth, state); err != nil {
		return err
	}
	to, err := i.disk.Open(i.partition, i.heir.Replica)
	if err != nil {
		return err
	}
	defer i.letGo(to)
	return copyEntries(own, from, to, i.batches)
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

func copyEntries(i *partitions.Inheritance, from, to partitions.Log, batches [][]byte) error {
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
	end, state, err := i.End(batches...)
	if err != nil {
		return err
	}
	if err := put(end, nil); err != nil {
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
