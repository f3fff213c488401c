package partitions

import (
	"encoding/binary"
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"

	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// applied is the state of the partition as of its last applied entry: what a checkpoint holds.
//
// Invariants: logStart ≤ next; index and clock never fall; next only grows, by the records of each batch and by recorded gaps.
// next is the high watermark: everything below it is durable on a quorum, or given up.
type applied struct {
	index         id.Index
	term          id.Term
	next          id.Offset
	logStart      id.Offset
	clock         id.Timestamp
	configuration Configuration
	nodes         []Placed  // where the members of configuration live, ordered by replica
	assignment    id.Offset // the newest Assignment.Version that a change of the configuration followed
	producers     producers
}

func newApplied(maxProducers int) applied { return applied{producers: newProducers(maxProducers)} }

func (a *applied) restore(c *Checkpoint) {
	a.index, a.term = c.Index, c.Term
	a.next, a.logStart, a.clock = c.NextOffset, c.LogStart, c.Clock
	a.configuration, a.nodes, a.assignment = c.Configuration, c.Nodes, c.Assignment
	a.producers.restore(c.Producers)
}

// checkpoint copies the state; the fold's is not in it.
func (a *applied) checkpoint() *Checkpoint {
	return &Checkpoint{
		Index: a.index, Term: a.term, Configuration: a.configuration, Nodes: a.nodes, Assignment: a.assignment,
		NextOffset: a.next, LogStart: a.logStart, Clock: a.clock, Producers: a.producers.snapshot(),
	}
}

// take appends a batch's records to the state.
func (a *applied) take(h batch.Header, index id.Index) {
	a.next = h.NextOffset()
	if h.Idempotent() {
		a.producers.apply(h, index)
	}
}

// moveStart applies a log start. What the entry asks for is bounded by what is applied, so that every replica agrees.
func (a *applied) moveStart(e Entry) error {
	if len(e.Payload) != 8 {
		return fmt.Errorf("entry %d: a log start of %d bytes: %w", e.Index, len(e.Payload), ErrDamaged)
	}
	asked := id.Offset(binary.LittleEndian.Uint64(e.Payload))
	a.logStart = max(a.logStart, min(asked, a.next))
	return nil
}

// apply takes committed entries, in order, each once.
func (r *Replica) apply(entries []*pb.Entry) {
	before := r.applied.next
	for _, raw := range entries {
		e := fromRaft(raw)
		if e.Index != r.applied.index+1 {
			panic(&InvariantError{"entries are applied one after the other", e.Index, r.applied.index + 1})
		}
		r.applied.index, r.applied.term = e.Index, e.Term
		r.applied.clock = max(r.applied.clock, e.AppendTime)
		switch e.Type {
		case EntryEmpty:
			r.becomeReady(e.Term)
		case EntryBatch:
			r.applyBatch(e)
		case EntryLogStart:
			r.applyStart(e)
		case EntryConfiguration:
			r.applyConfiguration(e)
		case EntryGap:
			r.applyGap(e)
		default:
			panic(&InvariantError{"an entry's type is one this replica can apply", e.Type, EntryBatch})
		}
	}
	if r.applied.next > before {
		r.wake() // before anything leaves the tail: who waits at the end is served from memory
	}
	r.log.tail.evict(r.applied.index)
	r.serveLatest()
	r.considerCheckpoint()
}

func (r *Replica) applyBatch(e Entry) {
	h, err := batch.ParseHeader(e.Payload)
	if err != nil {
		panic(&InvariantError{fmt.Sprintf("entry %d holds a whole batch", e.Index), err, nil})
	}
	if h.BaseOffset != r.applied.next {
		panic(&InvariantError{"offsets are dense", h.BaseOffset, r.applied.next})
	}
	r.applied.take(h, e.Index)
	var result any
	if r.options.Fold != nil {
		result = r.options.Fold.Apply(h.BaseOffset, e.Payload)
	}
	r.checkpoint.bytes += len(e.Payload)
	r.settle(e.Index, result)
}

// becomeReady lets a leader answer clients: the first entry of its own term is applied, so everything committed before it
// is too, and no earlier leader can have told of a higher watermark.
func (r *Replica) becomeReady(term id.Term) {
	if r.role != RoleLeader || term != r.term || r.ready {
		return
	}
	r.ready = true
	r.steering.patience = preferAfterTicks
	r.leading = leading{next: r.applied.next, clock: r.applied.clock, producers: map[id.Producer]*inFlight{}}
}

// checkpointing is about the newest checkpoint: at most one is on its way to the disk.
type checkpointing struct {
	saved   id.Index  // durable
	wanted  bool      // asked for while another was on its way
	pending id.Index  // on its way; 0 for none
	start   id.Offset // the log start in the last one made
	bytes   int       // of payload applied since the last one was made
}

// SaveCheckpoint asks for a checkpoint of the applied state, as before a clean stop. Where nothing was applied since the
// last one, nothing follows.
func (r *Replica) SaveCheckpoint() {
	r.checkpoint.wanted = true
	r.considerCheckpoint()
}

// CheckpointSaved tells that the checkpoint at index is durable.
func (r *Replica) CheckpointSaved(index id.Index) {
	if index != r.checkpoint.pending {
		panic(&InvariantError{"the checkpoint that was saved is the one handed out", index, r.checkpoint.pending})
	}
	r.checkpoint.saved, r.checkpoint.pending = max(index, r.checkpoint.saved), 0 // a snapshot may have come meanwhile
	r.counts.Checkpoints++
	r.considerTrim()
	r.considerCheckpoint()
}

func (r *Replica) considerCheckpoint() {
	c := &r.checkpoint
	if c.bytes >= r.limits.CheckpointBytes {
		c.wanted = true
	}
	if !c.wanted || c.pending != 0 || r.failure != nil {
		return
	}
	c.wanted, c.bytes = false, 0
	if r.applied.index == c.saved {
		return
	}
	c.pending, c.start = r.applied.index, r.applied.logStart
	made := r.applied.checkpoint()
	if r.options.Fold != nil {
		made.Fold = r.options.Fold.Snapshot()
	}
	r.outbox.Checkpoint = made
}

// Birth is the state that every founder of a partition starts from: the first configuration, as if it had been the log's
// first entry. See log.md, Birth.
func Birth(founders []Placed) (Checkpoint, HardState) {
	c := Checkpoint{Index: 1, Term: 1, Nodes: founders}
	for _, f := range founders {
		c.Configuration.Voters = append(c.Configuration.Voters, f.Replica)
	}
	return c, HardState{Term: 1, Commit: 1}
}
