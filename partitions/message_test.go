package partitions

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/raft/v3/raftpb"

	"troupe/partitions/id"
)

// sampleMessages has one message of every kind.
func sampleMessages() []Message {
	c := &Checkpoint{Index: 40, Term: 3, Configuration: Configuration{Voters: []id.Replica{1, 2, 3}},
		Nodes: []Placed{{1, 11}, {2, 12}, {3, 13}}, NextOffset: 90, LogStart: 10, Clock: 5}
	data := carry(EntryBatch, 77, []byte("a batch"))
	entries := []*pb.Entry{
		{Term: new(uint64(5)), Index: new(uint64(8)), Type: pb.EntryNormal.Enum(), Data: data},
		{Term: new(uint64(6)), Index: new(uint64(9)), Type: pb.EntryNormal.Enum()},
		{Term: new(uint64(6)), Index: new(uint64(10)), Type: pb.EntryConfChangeV2.Enum(), Data: []byte{1, 2}},
	}
	var all []Message
	for k := KindAppend; k < kindAfterLast; k++ {
		r := &pb.Message{Type: kindToRaft[k].Enum(), From: new(uint64(1)), To: new(uint64(2)), Term: new(uint64(6)), LogTerm: new(uint64(5)),
			Index: new(uint64(7)), Commit: new(uint64(6)), RejectHint: new(uint64(4)), Reject: new(k == KindVoteReply)}
		switch k {
		case KindAppend:
			r.Entries = entries
		case KindSnapshot:
			r.Snapshot = c.toRaft(c.AppendTo(nil))
		case KindHeartbeat:
			r.Context = []byte("read index")
		}
		all = append(all, Message{From: 1, To: 2, raft: r})
	}
	return all
}

func TestMessagesTravelWhole(t *testing.T) {
	for _, m := range sampleMessages() {
		b := m.AppendTo(nil)
		if len(b) != m.Size() {
			t.Errorf("%v: %d bytes, Size says %d", m, len(b), m.Size())
		}
		got, err := ParseMessage(b)
		if err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		if d := cmp.Diff(hex.EncodeToString(b), hex.EncodeToString(got.AppendTo(nil))); d != "" {
			t.Errorf("%v (-sent +sent on):\n%s", m, d)
		}
		if got.String() != m.String() || got.Urgent() != m.Urgent() {
			t.Errorf("sent %v, received %v", m, got)
		}
		for cut := range b {
			if _, err := ParseMessage(b[:cut]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v cut to %d of %d bytes: %v", m, cut, len(b), err)
			}
		}
		b[0]++
		if _, err := ParseMessage(b); !errors.Is(err, ErrNewer) {
			t.Errorf("another version: %v", err)
		}
	}
}

// TestMessageBytes pins the layout: two versions of the program may run in one cluster.
func TestMessageBytes(t *testing.T) {
	const want = "010100" + "0100000000000000" + "0200000000000000" + "0600000000000000" + "0500000000000000" + "0700000000000000" +
		"0600000000000000" + "0400000000000000" + "00000000" + "03000000" +
		"0500000000000000" + "00" + "10000000" + "034d00000000000000" + "61206261746368" +
		"0600000000000000" + "00" + "00000000" +
		"0600000000000000" + "01" + "02000000" + "0102" +
		"00000000"
	if got := hex.EncodeToString(sampleMessages()[0].AppendTo(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, m := range sampleMessages() {
		f.Add(m.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		if again := m.AppendTo(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x parses, and encodes to %x", b, again)
		}
	})
}
