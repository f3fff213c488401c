package client

import (
	"errors"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// leading is what is known of who leads a partition. It is a hint: any broker forwards what is not for it, and where the one
// that leads does not answer, another is asked (brokers.go). News count by their term; what is told of an earlier term than
// has been seen is old.
//
// Invariant: seen never falls, and told ≤ seen.
type leading struct {
	address string  // where requests go; empty: to any broker
	seen    id.Term // the highest term in anything that a broker said of the partition
	told    id.Term // in which address leads; below seen: another may lead by now. 0: address is a guess
}

const (
	// relook is how long a topic whose leaders are not known for sure is left alone before a broker is asked again.
	relook = 10 * time.Second
	// longestAge is how old what is known of a topic in use may grow: brokers and partitions come without a word.
	longestAge = time.Minute
)

// leader returns the address of a partition's leader; empty if it is not known.
func (t *topic) leader(partition int32) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int(partition) < len(t.leads) {
		return t.leads[partition].address
	}
	return ""
}

// hear takes what a broker tells of all partitions.
func (t *topic) hear(told []protocol.MetadataPartition, at map[id.Node]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.looked = time.Now()
	for _, p := range told {
		t.point(p.Partition, at[p.Leader], p.Term)
	}
}

// point takes that a partition is led from an address, in a term; 0 is a guess. t.mu is held.
func (t *topic) point(partition int32, address string, term id.Term) {
	if int(partition) >= len(t.leads) || address == "" {
		return
	}
	l := &t.leads[partition]
	switch {
	case term > 0 && term >= l.seen:
		l.address, l.seen, l.told = address, term, term
	case term == 0 && l.told == 0:
		l.address = address
	}
}

// heed takes what an answer tells of who leads a partition, and asks a broker where that is not enough.
func (t *topics) heed(about *topic, partition int32, term id.Term, err error) {
	if about.heed(partition, term, err) {
		t.refresh(about.name)
	}
}

// heed takes what an answer tells of who leads a partition: its term, or the hint in a refusal. It returns whether a broker
// should be asked who leads.
func (t *topic) heed(partition int32, term id.Term, err error) (ask bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int(partition) >= len(t.leads) {
		return false
	}
	l := &t.leads[partition]
	var refusal *protocol.Error
	switch {
	case errors.As(err, &refusal) && refusal.Code == protocol.CodeNotLeader:
		if refusal.Details.Term > 0 {
			t.point(partition, refusal.Details.Gateway, refusal.Details.Term)
		}
		return true
	case err != nil:
		return false
	case term > l.seen:
		l.seen = term
		return true
	}
	age := time.Since(t.looked)
	return age > longestAge || l.told < l.seen && age > relook
}

// stale tells whether an answer comes from a leader whose successor has been seen.
func (t *topic) stale(partition int32, term id.Term) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int(partition) < len(t.leads) && term < t.leads[partition].seen
}
