package partitions

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"troupe/partitions/id"
)

// raftStorage shows a replica's log to raft, which calls it synchronously. It answers from memory: terms are kept as runs,
// and the tail holds whatever is not yet applied; only a replay after a restart reads the log itself.
type raftStorage struct {
	log    *raftLog
	state  HardState
	newest *Checkpoint
	base   func() *Checkpoint // what the log continues from; nil where it has no beginning yet
}

// raftLog is the log as raft sees it: everything ever handed to it, durable or not.
//
// Invariant: first ≤ last + 1, terms are sorted by index, and tail holds every index above the applied one that was
// handed over since the opening.
type raftLog struct {
	disk        Log
	first, last id.Index
	base        TermStart // the entry before first
	terms       []TermStart
	tail        tail
	damage      error // what made raft panic when it read
}

// newRaftLog starts raft's view at the base: a peer gets the base as its snapshot and every entry behind it, because the
// records are in the entries and in no checkpoint.
func newRaftLog(disk Log, found Recovered, tailBytes int) *raftLog {
	l := &raftLog{disk: disk, first: found.First, last: found.Last, terms: slices.Clone(found.Terms)}
	if c := found.Base; c != nil {
		l.base = TermStart{c.Index, c.Term}
	}
	l.tail = newTail(l.last+1, tailBytes)
	return l
}

// InitialState implements raft.Storage.
func (s *raftStorage) InitialState() (*pb.HardState, *pb.ConfState, error) {
	h := &pb.HardState{Term: new(uint64(s.state.Term)), Vote: new(uint64(s.state.Vote)), Commit: new(uint64(s.state.Commit))}
	if s.newest == nil {
		return h, &pb.ConfState{}, nil
	}
	return h, s.newest.Configuration.toRaft(), nil
}

// Entries implements raft.Storage. A range whose checksums fail is reported as compacted, the only error raft survives;
// where it does not, the panic finds the reason in damage.
func (s *raftStorage) Entries(lo, hi, maxSize uint64) ([]*pb.Entry, error) {
	l := s.log
	if id.Index(lo) < l.first {
		return nil, raft.ErrCompacted
	}
	if id.Index(lo) >= l.tail.first {
		return l.tail.raftEntries(id.Index(lo), id.Index(hi), maxSize), nil
	}
	read, err := l.disk.Entries(id.Index(lo), min(id.Index(hi), l.tail.first), int(min(maxSize, 1<<30)))
	if err != nil {
		l.damage = err
		return nil, raft.ErrCompacted
	}
	entries := make([]*pb.Entry, len(read))
	for i, e := range read {
		entries[i] = toRaft(e)
	}
	return entries, nil
}

// Term implements raft.Storage.
func (s *raftStorage) Term(i uint64) (uint64, error) {
	term, err := s.log.term(id.Index(i))
	return uint64(term), err
}

// FirstIndex implements raft.Storage.
func (s *raftStorage) FirstIndex() (uint64, error) { return uint64(s.log.first), nil }

// LastIndex implements raft.Storage.
func (s *raftStorage) LastIndex() (uint64, error) { return uint64(s.log.last), nil }

// Snapshot implements raft.Storage: it is what the log continues from. Whoever gets it gets every entry behind it too.
func (s *raftStorage) Snapshot() (*pb.Snapshot, error) {
	base := s.base()
	if base == nil || s.log.damage != nil {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return base.toRaft(nil), nil // post fills in the bytes, for its recipient
}

func (l *raftLog) term(i id.Index) (id.Term, error) {
	switch {
	case i > l.last:
		return 0, raft.ErrUnavailable
	case i == l.base.Index:
		return l.base.Term, nil
	case i < l.first:
		return 0, raft.ErrCompacted
	}
	at, exact := slices.BinarySearchFunc(l.terms, i, func(t TermStart, i id.Index) int {
		return int(int64(t.Index) - int64(i))
	})
	if !exact {
		at--
	}
	if at < 0 {
		return 0, raft.ErrCompacted
	}
	return l.terms[at].Term, nil
}

// append takes entries that raft wants stored; a first index at or below last replaces everything from there on.
func (l *raftLog) append(entries []*pb.Entry) []Entry {
	first := id.Index(entries[0].GetIndex())
	if first > l.last+1 {
		panic(&InvariantError{"entries handed to the log are consecutive", first, l.last + 1})
	}
	if first <= l.last {
		l.cut(first)
	}
	converted := make([]Entry, len(entries))
	for i, e := range entries {
		converted[i] = fromRaft(e)
		if n := len(l.terms); n == 0 || l.terms[n-1].Term != converted[i].Term {
			l.terms = append(l.terms, TermStart{converted[i].Index, converted[i].Term})
		}
		l.tail.push(converted[i], e)
	}
	l.last = converted[len(converted)-1].Index
	return converted
}

// reset makes the log empty: it continues behind a snapshot that replaces all of it.
func (l *raftLog) reset(c *Checkpoint) {
	l.base, l.first, l.last, l.terms = TermStart{c.Index, c.Term}, c.Index+1, c.Index, nil
	l.tail = newTail(l.first, l.tail.limit)
}

// rebase forgets what lies at or below base, which is no longer on disk.
func (l *raftLog) rebase(base *Checkpoint) {
	keep := 0
	for keep+1 < len(l.terms) && l.terms[keep+1].Index <= base.Index+1 {
		keep++
	}
	l.terms = slices.Delete(l.terms, 0, keep)
	l.base, l.first = TermStart{base.Index, base.Term}, base.Index+1
}

func (l *raftLog) cut(from id.Index) {
	for len(l.terms) > 0 && l.terms[len(l.terms)-1].Index >= from {
		l.terms = l.terms[:len(l.terms)-1]
	}
	l.tail.cut(from)
	l.last = from - 1
}

// What raft carries as the data of an entry that is not its own:
//
//	+---------+----------------------+-----------------+
//	| type u8 | append time i64 (LE) | payload         |
//	+---------+----------------------+-----------------+
const carriedHeader = 9

// carry makes raft's data of a payload, copying it: from here on nobody may write to the bytes.
func carry(t EntryType, at id.Timestamp, payload []byte) []byte {
	data := make([]byte, carriedHeader+len(payload))
	data[0] = byte(t)
	binary.LittleEndian.PutUint64(data[1:], uint64(at))
	copy(data[carriedHeader:], payload)
	return data
}

// fromRaft reads an entry of raft's; the payload shares its memory.
func fromRaft(e *pb.Entry) Entry {
	out := Entry{Index: id.Index(e.GetIndex()), Term: id.Term(e.GetTerm())}
	switch data := e.GetData(); {
	case e.GetType() != pb.EntryNormal:
		out.Type, out.Payload = EntryConfiguration, data
	case len(data) == 0:
		out.Type = EntryEmpty
	case len(data) < carriedHeader:
		panic(&InvariantError{"an entry carries its header", len(data), carriedHeader})
	default:
		out.Type = EntryType(data[0])
		out.AppendTime = id.Timestamp(binary.LittleEndian.Uint64(data[1:]))
		out.Payload = data[carriedHeader:]
	}
	return out
}

// toRaft makes an entry of raft's from one read back.
func toRaft(e Entry) *pb.Entry {
	out := &pb.Entry{Index: new(uint64(e.Index)), Term: new(uint64(e.Term)), Type: pb.EntryNormal.Enum()}
	switch e.Type {
	case EntryEmpty:
	case EntryConfiguration:
		out.Type, out.Data = pb.EntryConfChangeV2.Enum(), e.Payload
	default:
		out.Data = carry(e.Type, e.AppendTime, e.Payload)
	}
	return out
}

func (c Configuration) toRaft() *pb.ConfState {
	ids := func(replicas []id.Replica) []uint64 {
		out := make([]uint64, len(replicas))
		for i, r := range replicas {
			out[i] = uint64(r)
		}
		return out
	}
	return &pb.ConfState{
		Voters: ids(c.Voters), VotersOutgoing: ids(c.Outgoing),
		Learners: ids(c.Learners), LearnersNext: ids(c.LearnersNext), AutoLeave: new(c.AutoLeave),
	}
}

// raftLogger makes raft's panics ours and drops the rest: the core has no place to write to, and raft's own logger ends
// the process on Fatal.
type raftLogger struct{}

func (raftLogger) Debug(...any)              {}
func (raftLogger) Debugf(string, ...any)     {}
func (raftLogger) Error(...any)              {}
func (raftLogger) Errorf(string, ...any)     {}
func (raftLogger) Info(...any)               {}
func (raftLogger) Infof(string, ...any)      {}
func (raftLogger) Warning(...any)            {}
func (raftLogger) Warningf(string, ...any)   {}
func (raftLogger) Fatal(v ...any)            { raftPanic(fmt.Sprint(v...)) }
func (raftLogger) Fatalf(f string, v ...any) { raftPanic(fmt.Sprintf(f, v...)) }
func (raftLogger) Panic(v ...any)            { raftPanic(fmt.Sprint(v...)) }
func (raftLogger) Panicf(f string, v ...any) { raftPanic(fmt.Sprintf(f, v...)) }

func raftPanic(message string) {
	panic(&InvariantError{"raft: " + message, errors.New("panic"), "none"})
}
