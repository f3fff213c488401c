package catalog

import (
	"cmp"
	"fmt"
	"slices"

	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// Fold is the catalog's state machine. It belongs to one replica and is not safe for concurrent use; the States it hands
// out are.
type Fold struct {
	state *State // never nil; replaced, never changed, once State has returned it
}

var _ partitions.Fold = (*Fold)(nil)

// NewFold returns a fold that has applied nothing.
func NewFold() *Fold { return &Fold{state: empty()} }

// State returns what has been applied so far.
func (f *Fold) State() *State { return f.state }

// maxCommandBytes bounds a batch of commands, decompressed: that of the largest batch a topic can take.
const maxCommandBytes = 4 << 20

// Batch wraps a command into the record batch that is proposed to the catalog's partition.
func Batch(c Command, at id.Timestamp) []byte {
	b := batch.NewBuilder(batch.None)
	b.Append(at, nil, Encode(c), nil)
	bytes, err := b.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	if err != nil {
		panic(&partitions.InvariantError{Invariant: "a batch of one uncompressed record can be built", Got: err, Want: nil})
	}
	return bytes
}

// Apply applies the commands of one committed batch, in order, and returns the Result of the last. Proposers put one
// command into a batch. A record that cannot be read changes nothing but Version and answers ErrInvalidCommand.
func (f *Fold) Apply(base id.Offset, bytes []byte) any {
	h, err := batch.ParseHeader(bytes)
	if err != nil {
		return Result{Err: fmt.Errorf("%w: %w", ErrInvalidCommand, err), Version: f.state.Version}
	}
	end := base + id.Offset(h.LastOffsetDelta) + 1
	records, err := batch.Decode(nil, bytes, maxCommandBytes)
	result := Result{Err: ErrInvalidCommand}
	if err != nil {
		result.Err = fmt.Errorf("%w: %w", ErrInvalidCommand, err)
	}
	for i, r := range records {
		result = f.apply(base+id.Offset(i), r.Value)
	}
	at := *f.state
	at.Version = end
	f.state = &at
	result.Version = end
	return result
}

// apply applies the command at an offset to a branch of the state, which replaces it only if the command was not refused.
func (f *Fold) apply(at id.Offset, command []byte) Result {
	c, err := Decode(command)
	if err != nil {
		return Result{Err: err}
	}
	next := f.state.branch()
	next.Version = at
	result, err := c.apply(next)
	if err != nil {
		result.Err = err
		return result
	}
	f.state = next
	return result
}

// Snapshot encodes the state: see snapshot.go.
func (f *Fold) Snapshot() []byte { return f.state.encode() }

// Restore replaces the state by a snapshot's. It returns ErrInvalidSnapshot, and changes nothing, if the bytes are none.
func (f *Fold) Restore(snapshot []byte) error {
	s, err := decodeState(snapshot)
	if err != nil {
		return err
	}
	f.state = s
	return nil
}

func (s *State) add(t *Topic) {
	s.Topics[t.ID] = t
	s.ByName[t.Name] = t.ID
}

func (s *State) forget(replicas []id.Replica) {
	gone := make(map[id.Replica]bool, len(replicas))
	for _, r := range replicas {
		gone[r] = true
	}
	s.Doomed = slices.DeleteFunc(s.Doomed, func(d Doomed) bool { return gone[d.Replica] })
	if len(s.Doomed) == 0 {
		s.Doomed = nil
	}
}

func sortDoomed(d []Doomed) {
	slices.SortFunc(d, func(a, b Doomed) int { return cmp.Compare(a.Replica, b.Replica) })
}

func contains(all []partitions.Placed, r id.Replica) bool {
	return slices.ContainsFunc(all, func(p partitions.Placed) bool { return p.Replica == r })
}

func sortPlaced(all []partitions.Placed) {
	slices.SortFunc(all, func(a, b partitions.Placed) int { return cmp.Compare(a.Replica, b.Replica) })
}
