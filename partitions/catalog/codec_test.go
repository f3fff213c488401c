package catalog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"troupe/partitions/batch"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// raw makes a batch whose one record has this value.
func raw(value []byte) []byte {
	b := batch.NewBuilder(batch.None)
	b.Append(1, nil, value, nil)
	bytes, err := b.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	if err != nil {
		panic(err)
	}
	return bytes
}

// golden pins each command's bytes: they are in logs for ever.
var golden = []struct {
	command Command
	bytes   string
}{
	{Bootstrap{Cluster: 0x0102, Node: 0x0304, At: 5}, "010102010000000000000403000000000000" + "0a"},
	{
		createTopicOld{
			name: "ab", partitions: 3, nodes: []id.Node{7, 8}, at: -1,
			settings: map[string]string{"replicas": "1", "max.message.bytes": "1MiB"},
		},
		"010202616206" + "02" + "116d61782e6d6573736167652e6279746573" + "04314d6942" + "087265706c69636173" + "0131" +
			"02" + "0700000000000000" + "0800000000000000" + "01",
	},
	{DeleteTopic{Topic: 300}, "0103ac02"},
	{ReserveProducers{Count: 1000}, "0104d00f"},
	{Forget{Replicas: []id.Replica{2, 300}}, "01050202ac02"},
	{Forget{}, "010500"},
	{
		AlterTopic{Topic: 300, Set: map[string]string{"replicas": "1"}, Unset: []string{"a", "b"}},
		"0106ac02" + "01" + "087265706c69636173" + "0131" + "02" + "0161" + "0162",
	},
	{AlterTopic{Topic: 16}, "0106100000"},
	{
		CreateTopic{
			Name: "ab", Partitions: 2, Placements: [][]id.Node{{7}, {9, 7, 8}}, At: -1,
			Settings: map[string]string{"replicas": "3"},
		},
		"010702616204" + "01" + "087265706c69636173" + "0133" + "02" + "01" + "0700000000000000" +
			"03" + "0900000000000000" + "0700000000000000" + "0800000000000000" + "01",
	},
	{
		Assign{Partition: id.Partition{Topic: 300, Number: 2}, Nodes: []id.Node{7}, Replace: []id.Replica{300}, If: -1},
		"0108ac0202" + "01" + "0700000000000000" + "01ac02" + "01",
	},
	{Assign{Partition: id.Partition{Topic: 1}, If: 4}, "01080100" + "00" + "00" + "08"},
	{Moved{Partition: id.Partition{Topic: 300, Number: 2}, Version: 5, Gone: []id.Replica{2, 300}}, "0109ac0202" + "0a" + "0202ac02"},
	{Enlist{Node: 7, Rack: "ab"}, "010a0700000000000000" + "026162"},
	{Drain{Node: 7, On: true}, "010b070000000000000001"},
	{Drain{Node: 7}, "010b070000000000000000"},
	{Dismiss{Node: 7}, "010c0700000000000000"},
	{
		Recover{Partition: id.Partition{Topic: 300, Number: 2}, Survivor: 300, If: 7, At: -1},
		"010dac0202" + "ac02" + "0e" + "01",
	},
	{Succeed{Epoch: 0x0102030405060708, Survivor: 300, At: -1}, "010e0807060504030201" + "ac02" + "01"},
}

func TestCommandBytes(t *testing.T) {
	for _, g := range golden {
		if got := hex.EncodeToString(Encode(g.command)); got != g.bytes {
			t.Errorf("%#v:\n got %s\nwant %s", g.command, got, g.bytes)
			continue
		}
		b, err := hex.DecodeString(g.bytes)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", g.bytes, err)
		}
		if d := cmp.Diff(g.command, back, cmp.AllowUnexported(createTopicOld{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", g.bytes, d)
		}
		for cut := range b {
			if _, err := Decode(b[:cut]); !errors.Is(err, ErrInvalidCommand) {
				t.Errorf("%s cut at %d: %v", g.bytes, cut, err)
			}
		}
		if _, err := Decode(append(b, 0)); !errors.Is(err, ErrInvalidCommand) {
			t.Errorf("%s with a byte too many: %v", g.bytes, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	bad := []struct{ what, bytes string }{
		{"another version", "0203ac02"},
		{"an unknown kind", "010d"},
		{"a padded number", "0103ac8200"},
		{"a count beyond the bytes", "0105ffffffff0f00"},
		{"settings out of order", "010201610202016201310161013100" + "00"},
		{"a name twice", "010201610202016101310161013100" + "00"},
		{"names out of order", "0106100002" + "0162" + "0161"},
		{"a name to unset twice", "0106100002" + "0161" + "0161"},
		{"a switch that is neither on nor off", "010b070000000000000002"},
		{"a partition beyond the most", "0108018080808008" + "00" + "00" + "00"},
		{"negative partitions", "01020161010000" + "00"},
	}
	for _, c := range bad {
		b, err := hex.DecodeString(c.bytes)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(b); !errors.Is(err, ErrInvalidCommand) {
			t.Errorf("%s: %#v, %v", c.what, got, err)
		}
	}
}

const goldenSnapshot = "030ac100000000000000120502" + // format, version 5, cluster, next topic 18, replica 5, producer 1
	"02" + "01095f5f636174616c6f67" + "ce0f" + "00" + "01" + "01010700000000000000" + "01010700000000000000" + "00" + "00" + "00" + "00" + "00" + // __catalog
	"1001" + "61" + "a413" + "01" + "087265706c69636173" + "0131" + "01" + "01020700000000000000" + "01020700000000000000" + "00" + "00" + "02" + "02" + "00" +
	"02" + "1100" + "030700000000000000" + "1101" + "040800000000000000" + // doomed
	"01" + "0700000000000000" + "01" + "00" // nodes

// goldenSnapshotSettled is the same state as the second format told it.
const goldenSnapshotSettled = "020ac100000000000000120502" + // format, version 5, cluster, next topic 18, replica 5, producer 1
	"02" + "01095f5f636174616c6f67" + "ce0f" + "00" + "01" + "01010700000000000000" + "01010700000000000000" + "00" + "00" + "00" + "00" + // __catalog
	"1001" + "61" + "a413" + "01" + "087265706c69636173" + "0131" + "01" + "01020700000000000000" + "01020700000000000000" + "00" + "00" + "02" + "02" +
	"02" + "1100" + "030700000000000000" + "1101" + "040800000000000000" + // doomed
	"01" + "0700000000000000" + "01" + "00" // nodes

// goldenSnapshotOld is the same state as the first format told it.
const goldenSnapshotOld = "010ac100000000000000120502" + // format, version 5, cluster, next topic 18, replica 5, producer 1
	"02" + "01095f5f636174616c6f67" + "ce0f" + "00" + "01" + "01010700000000000000" + "01010700000000000000" + // __catalog
	"1001" + "61" + "a413" + "01" + "087265706c69636173" + "0131" + "01" + "01020700000000000000" + "01020700000000000000" +
	"02" + "1100" + "030700000000000000" + "1101" + "040800000000000000" // doomed

// goldenSnapshotEpoch is a catalog that was recovered and had nothing else in it.
const goldenSnapshotEpoch = "0404c1000000000000000700000001000000" + // format, version 2, cluster, epoch
	"908080808020" + "838080808020" + "828080808040" + // next topic, replica, producer: 2^40 further
	"01" + "01095f5f636174616c6f67" + "ce0f" + "00" + "01" + "01010700000000000000" + // __catalog
	"01" + "828080808020" + "0700000000000000" + "01" + "010700000000000000" + "0101" + "02" + "00" + // on its heir; replica 1 leaves
	"01" + "0a" + "010700000000000000" + "828080808020" + "00" + "02" + // its recovery
	"00" + "01" + "0700000000000000" + "01" + "00" // none doomed; nodes

func TestEpochSnapshotBytes(t *testing.T) {
	s := booted(t)
	s.want(Succeed{Epoch: 1<<32 | 7, Survivor: 1, At: 5}, nil)
	b := s.fold.Snapshot()
	if got := hex.EncodeToString(b); got != goldenSnapshotEpoch {
		t.Fatalf("\n got %s\nwant %s", got, goldenSnapshotEpoch)
	}
	restored := NewFold()
	if err := restored.Restore(b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s.fold.State(), restored.State()); d != "" {
		t.Fatalf("restored (-want +got):\n%s", d)
	}
	for cut := range b {
		if err := NewFold().Restore(b[:cut]); !errors.Is(err, ErrInvalidSnapshot) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestSnapshotBytes(t *testing.T) {
	s := booted(t)
	a := topic("a", 1)
	a.Settings = map[string]string{"replicas": "1"}
	s.want(a, nil)
	s.want(topic("b", 2), nil)
	s.want(DeleteTopic{Topic: 17}, nil)
	s.want(topic("", 2), ErrInvalidName)
	b := s.fold.Snapshot()
	if got := hex.EncodeToString(b); got != goldenSnapshot {
		t.Fatalf("\n got %s\nwant %s", got, goldenSnapshot)
	}
	for cut := range b {
		if err := NewFold().Restore(b[:cut]); !errors.Is(err, ErrInvalidSnapshot) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	broken := NewFold()
	if err := broken.Restore(append([]byte{5}, b[1:]...)); !errors.Is(err, ErrInvalidSnapshot) {
		t.Errorf("another format: %v", err)
	}
	if d := cmp.Diff(NewFold().State(), broken.State()); d != "" {
		t.Errorf("a refused snapshot changed the state (-want +got):\n%s", d)
	}
}

// A snapshot of the second format is the same state without recoveries.
func TestSettledSnapshotIsRead(t *testing.T) {
	var states [2]*Fold
	for i, golden := range []string{goldenSnapshotSettled, goldenSnapshot} {
		b, err := hex.DecodeString(golden)
		if err != nil {
			t.Fatal(err)
		}
		states[i] = NewFold()
		if err := states[i].Restore(b); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(states[1].State(), states[0].State()); d != "" {
		t.Fatalf("restored (-want +got):\n%s", d)
	}
}

// What a broker of the first format left behind is read: an assignment had no version, and the founder was the only node.
func TestOldSnapshotIsRead(t *testing.T) {
	old, err := hex.DecodeString(goldenSnapshotOld)
	if err != nil {
		t.Fatal(err)
	}
	now, err := hex.DecodeString(goldenSnapshot)
	if err != nil {
		t.Fatal(err)
	}
	got, want := NewFold(), NewFold()
	if err := got.Restore(old); err != nil {
		t.Fatal(err)
	}
	if err := want.Restore(now); err != nil {
		t.Fatal(err)
	}
	for _, topic := range want.State().Topics {
		topic.Partitions[0].Version, topic.Partitions[0].Settled = 0, 0
	}
	if d := cmp.Diff(want.State(), got.State()); d != "" {
		t.Fatalf("restored (-want +got):\n%s", d)
	}
	for cut := range old {
		if err := NewFold().Restore(old[:cut]); !errors.Is(err, ErrInvalidSnapshot) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

// A CreateTopic of old does what it did: one replica a partition, on its nodes in turn.
func TestOldCreateTopicIsRead(t *testing.T) {
	old, now := booted(t), booted(t)
	old.want(createTopicOld{name: "orders", partitions: 3, nodes: []id.Node{7, 8}, at: 1234}, nil)
	now.want(topic("orders", 3), nil)
	if d := cmp.Diff(now.fold.State(), old.fold.State()); d != "" {
		t.Fatalf("state (-want +got):\n%s", d)
	}
	old.want(createTopicOld{name: "a", partitions: 1}, ErrInvalidCommand)
	old.want(createTopicOld{name: "b", partitions: 0, nodes: []id.Node{7}}, ErrInvalidPartitions)
}

func FuzzDecode(f *testing.F) {
	for _, g := range golden {
		f.Add(Encode(g.command))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			return
		}
		if again := Encode(c); !bytes.Equal(again, b) {
			t.Fatalf("%x was read as %#v, which is %x", b, c, again)
		}
		fold := NewFold()
		fold.Apply(0, raw(b))
		if err := NewFold().Restore(fold.Snapshot()); err != nil {
			t.Fatalf("%#v leads to a state that cannot be restored: %v", c, err)
		}
	})
}

func FuzzRestore(f *testing.F) {
	seed, err := hex.DecodeString(goldenSnapshot)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	old, err := hex.DecodeString(goldenSnapshotOld)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(old)
	epoch, err := hex.DecodeString(goldenSnapshotEpoch)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(epoch)
	f.Add(NewFold().Snapshot())
	f.Fuzz(func(t *testing.T, b []byte) {
		fold := NewFold()
		if err := fold.Restore(b); err != nil {
			return
		}
		again := fold.Snapshot()
		if b[0] < snapshotFormat {
			if err := NewFold().Restore(again); err != nil {
				t.Fatalf("%x was restored as %x: %v", b, again, err)
			}
			return
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%x was restored as %x", b, again)
		}
	})
}
