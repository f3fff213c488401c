package partitions

import "troupe/partitions/id"

// Options make a Replica.
type Options struct {
	Partition id.Partition
	Replica   id.Replica // the log must have been made for it
	Node      id.Node
	Log       Log
	Fold      Fold // nil for ordinary partitions
	Settings  Settings
	Limits    Limits // zero fields take their defaults
}

// Limits bound what a replica holds in memory.
type Limits struct {
	TailBytes        int // applied entries kept in memory for fetches; default 1 MiB
	UncommittedBytes int // proposed and not yet committed; above it ErrThrottled; default 64 MiB
	ParkedFetches    int // above it ErrThrottled; default 10,000
	Producers        int // idempotent producers remembered; the least recently used is forgotten; default 10,000
	CheckpointBytes  int // of applied payload between two checkpoints; default 64 MiB
}

// Replica is one copy of a partition.
type Replica struct{}

// New recovers.
func New(o Options, now id.Timestamp) (*Replica, error) { panic("in work") }

// Tick tells the time; call it every TickMillis.
func (r *Replica) Tick(now id.Timestamp) {}

// Produce proposes a batch; its answer comes through an Outbox.
func (r *Replica) Produce(p Produce, now id.Timestamp) {}

// Fetch answers or parks.
func (r *Replica) Fetch(f Fetch, now id.Timestamp) {}

// Cancel forgets a parked fetch. No answer follows, unless one is in an Outbox already.
func (r *Replica) Cancel(q Request) {}

// ListOffsets answers through an Outbox.
func (r *Replica) ListOffsets(l ListOffsets) {}

// Persisted tells that all writes up to a sequence are durable.
func (r *Replica) Persisted(through uint64) {}

// CheckpointSaved tells that the checkpoint at index is durable.
func (r *Replica) CheckpointSaved(index id.Index) {}

// SaveCheckpoint asks for a checkpoint of the applied state, as before a clean stop.
func (r *Replica) SaveCheckpoint() {}

// Configure replaces the topic's settings.
func (r *Replica) Configure(s Settings) {}

// Close answers everything outstanding.
func (r *Replica) Close() {}

// Outbox takes what the replica wants done since the last call.
func (r *Replica) Outbox() Outbox { return Outbox{} }

// Status describes the replica.
func (r *Replica) Status() Status { return Status{} }

// Check panics with an InvariantError if the state contradicts itself.
func (r *Replica) Check() {}

// Birth is the state from which every founder of a partition starts: see log.md, Birth.
func Birth(founders []Placed) (Checkpoint, HardState) { panic("in work") }

// TickMillis is the time between two ticks.
const TickMillis = 50
