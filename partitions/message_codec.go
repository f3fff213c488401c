package partitions

import (
	"encoding/binary"
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"

	"troupe/partitions/id"
)

// messageVersion is the layout written and read here. Another one is ErrNewer.
const messageVersion = 1

// A message between two replicas, little endian, no padding; the link below it detects damage.
//
//	 0         1      2       3
//	+---------+------+-------+------+----+------+----------+-------+--------+-------------+
//	| version | kind | flags | from | to | term | log term | index | commit | reject hint |   u8 × 3, then u64 each
//	+---------+------+-------+------+----+------+----------+-------+--------+-------------+
//	| context: length u32, bytes                                                          |
//	+-------------------------------------------------------------------------------------+
//	| entries: count u32, then count × { term u64, form u8, length u32, bytes }           |
//	+-------------------------------------------------------------------------------------+
//	| checkpoint: length u32, bytes (checkpoint_codec.go)                                 |
//	+-------------------------------------------------------------------------------------+
//
// Flag 1: rejected. The entries follow index without gaps. Form 0 is data of the leader's (raft_storage.go draws it) or none,
// form 1 a change of the configuration. Only a snapshot has a checkpoint.
const (
	messageFixed = 3 + 7*8
	entryFixed   = 8 + 1 + 4

	flagRejected = 1

	formNormal        = 0
	formConfiguration = 1
)

// Size is how many bytes AppendTo appends.
func (m Message) Size() int {
	n := messageFixed + 4 + len(m.raft.GetContext()) + 4 + 4 + len(m.raft.GetSnapshot().GetData())
	for _, e := range m.raft.GetEntries() {
		n += entryFixed + len(e.GetData())
	}
	return n
}

// AppendTo appends the encoded message to dst and returns the result. It copies the entries: once, into the frame.
func (m Message) AppendTo(dst []byte) []byte {
	le, r := binary.LittleEndian, m.raft
	flags := byte(0)
	if r.GetReject() {
		flags |= flagRejected
	}
	dst = append(dst, messageVersion, byte(m.Kind()), flags)
	for _, v := range [...]uint64{
		uint64(m.From), uint64(m.To), r.GetTerm(), r.GetLogTerm(), r.GetIndex(), r.GetCommit(), r.GetRejectHint(),
	} {
		dst = le.AppendUint64(dst, v)
	}
	dst = appendBytes(dst, r.GetContext())
	dst = le.AppendUint32(dst, uint32(len(r.GetEntries())))
	for _, e := range r.GetEntries() {
		dst = le.AppendUint64(dst, e.GetTerm())
		form := byte(formNormal)
		if e.GetType() != pb.EntryNormal {
			form = formConfiguration
		}
		dst = appendBytes(append(dst, form), e.GetData())
	}
	return appendBytes(dst, r.GetSnapshot().GetData())
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(b))), b...)
}

// ParseMessage reads what AppendTo wrote. Entries share the memory of b, which nobody may change from here on. It returns
// ErrMalformed for bytes that are no message, and ErrNewer for a layout that this program does not know.
func ParseMessage(b []byte) (Message, error) {
	d := decoder{rest: b}
	if v := d.u8(); !d.short && v != messageVersion {
		return Message{}, fmt.Errorf("message of version %d, this program knows %d: %w", v, messageVersion, ErrNewer)
	}
	kind, flags := Kind(d.u8()), d.u8()
	m := Message{From: id.Replica(d.u64()), To: id.Replica(d.u64())}
	r := &pb.Message{From: new(uint64(m.From)), To: new(uint64(m.To)), Term: new(d.u64()), LogTerm: new(d.u64()),
		Index: new(d.u64()), Commit: new(d.u64()), RejectHint: new(d.u64()), Reject: new(flags&flagRejected != 0)}
	m.raft = r
	r.Context = nilIfEmpty(d.take(d.count(1)))
	r.Entries = d.entries(r.GetIndex())
	checkpoint := d.take(d.count(1))
	switch {
	case d.short || len(d.rest) > 0 || kind == 0 || kind >= kindAfterLast || flags > flagRejected:
		return Message{}, fmt.Errorf("message of %d bytes: %w", len(b), ErrMalformed)
	case kind != KindAppend && len(r.Entries) > 0, (kind == KindSnapshot) != (len(checkpoint) > 0), m.From == 0 || m.To == 0:
		return Message{}, fmt.Errorf("%v with %d entries and a checkpoint of %d bytes: %w", kind, len(r.Entries), len(checkpoint), ErrMalformed)
	}
	r.Type = kindToRaft[kind].Enum()
	if kind == KindSnapshot {
		c, err := ParseCheckpoint(checkpoint)
		if err != nil {
			return Message{}, fmt.Errorf("snapshot: %w", err)
		}
		r.Snapshot = c.toRaft(checkpoint)
	}
	return m, nil
}

// entries reads the entries that follow index.
func (d *decoder) entries(index uint64) []*pb.Entry {
	n := d.count(entryFixed)
	if n == 0 {
		return nil
	}
	values := make([]pb.Entry, n)
	out := make([]*pb.Entry, n)
	numbers := make([]uint64, 2*n)
	for i := range values {
		at := numbers[2*i : 2*i+2]
		at[0], at[1] = d.u64(), index+1+uint64(i)
		e := &values[i]
		e.Term, e.Index, e.Type = &at[0], &at[1], pb.EntryNormal.Enum()
		switch form := d.u8(); form {
		case formNormal:
		case formConfiguration:
			e.Type = pb.EntryConfChangeV2.Enum()
		default:
			d.short = true
		}
		e.Data = nilIfEmpty(d.take(d.count(1)))
		if e.GetType() == pb.EntryNormal && len(e.Data) > 0 && len(e.Data) < carriedHeader {
			d.short = true
		}
		out[i] = e
	}
	return out
}

// toRaft makes raft's snapshot of a checkpoint and its encoding.
func (c *Checkpoint) toRaft(encoded []byte) *pb.Snapshot {
	return &pb.Snapshot{Data: encoded, Metadata: &pb.SnapshotMetadata{
		Index: new(uint64(c.Index)), Term: new(uint64(c.Term)), ConfState: c.Configuration.toRaft(),
	}}
}
