package actors

import (
	"errors"
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/id"
)

// plan is how a partition's lives begin: what the catalog says of it. It does not change, and is read on the pool.
type plan struct {
	address  *address
	founders []partitions.Placed
	settings partitions.Settings
	// assignment is what the catalog wants of the partition; zero while that is not known.
	assignment partitions.Assignment
	limits     partitions.Limits
	fold       func() partitions.Fold // nil for ordinary partitions
	// survivor is the replica on this node whose log this one's begins with; 0: none.
	survivor id.Replica
	// create permits to make the log if the replica was never created here.
	create bool
}

// life is one instance of a partition: everything that ends when it is restarted. Either replica or quarantine is set.
type life struct {
	log        partitions.Log // nil in quarantine when there is nothing to read from
	fold       partitions.Fold
	replica    *partitions.Replica
	quarantine *quarantine
}

// openLog opens the replica's log, having made it if this is its birth. It returns partitions.ErrDamaged when nothing of
// the log can be read.
func (p *plan) openLog(s *stage) (partitions.Log, error) {
	if p.survivor != 0 {
		return p.inherit(s)
	}
	at, replica := p.address.partition, p.address.replica
	if !s.seams.Disk.Registered(replica) {
		if err := p.bear(s); err != nil {
			return nil, err
		}
	}
	return s.seams.Disk.Open(at, replica)
}

// bear makes the log of a replica that was never here. Only a founder is born; any other begins empty.
func (p *plan) bear(s *stage) error {
	at, replica := p.address.partition, p.address.replica
	if !p.create {
		return fmt.Errorf("replica %d was never created in this data directory: %w", replica, partitions.ErrUnavailable)
	}
	var birth *partitions.Checkpoint // nil: everything comes with the first snapshot
	var state partitions.HardState
	if slices.Contains(p.founders, partitions.Placed{Replica: replica, Node: s.node}) {
		var c partitions.Checkpoint
		c, state = partitions.Birth(p.founders)
		birth = &c
	}
	if err := s.seams.Disk.Create(at, replica, birth, state); err != nil {
		return fmt.Errorf("create replica %d: %w", replica, err)
	}
	return nil
}

// begin builds a replica on an opened log, or what stands in for one on a damaged log. Damage is what an earlier life met.
func (p *plan) begin(s *stage, log partitions.Log, damage error) (*life, error) {
	l := &life{log: log}
	if damage != nil {
		l.quarantine = survey(log, damage)
		return l, nil
	}
	if p.fold != nil {
		l.fold = p.fold()
	}
	var err error
	l.replica, err = partitions.New(partitions.Options{
		Partition: p.address.partition, Replica: p.address.replica, Node: s.node,
		Log: log, Fold: l.fold, Settings: p.settings, Limits: p.limits,
	}, s.seams.Clock.Now())
	if errors.Is(err, partitions.ErrDamaged) {
		l.replica, l.quarantine = nil, survey(log, err)
		return l, nil
	}
	return l, err
}
