package partitions

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions/id"
)

// goldenCheckpoint is fullCheckpoint encoded. If it changes, checkpoints of earlier versions cannot be read any more.
const goldenCheckpoint = `
00000000  01 18 17 16 15 14 13 12  11 02 00 00 00 00 00 00  |................|
00000010  00 01 03 00 00 00 01 00  00 00 00 00 00 00 02 00  |................|
00000020  00 00 00 00 00 00 03 00  00 00 00 00 00 00 02 00  |................|
00000030  00 00 01 00 00 00 00 00  00 00 02 00 00 00 00 00  |................|
00000040  00 00 01 00 00 00 04 00  00 00 00 00 00 00 01 00  |................|
00000050  00 00 05 00 00 00 00 00  00 00 02 00 00 00 01 00  |................|
00000060  00 00 00 00 00 00 0b 00  00 00 00 00 00 00 02 00  |................|
00000070  00 00 00 00 00 00 0c 00  00 00 00 00 00 00 e8 03  |................|
00000080  00 00 00 00 00 00 0a 00  00 00 00 00 00 00 ff ff  |................|
00000090  ff ff ff ff ff ff 02 00  00 00 05 00 00 00 00 00  |................|
000000a0  00 00 03 00 63 00 00 00  00 00 00 00 02 00 00 00  |....c...........|
000000b0  00 09 00 00 00 f4 01 00  00 00 00 00 00 0a 00 00  |................|
000000c0  00 0b 00 00 00 fe 01 00  00 00 00 00 00 06 00 00  |................|
000000d0  00 00 00 00 00 ff ff 64  00 00 00 00 00 00 00 00  |.......d........|
000000e0  01 04 00 00 00 66 6f 6c  64                       |.....fold|
`

func fullCheckpoint() *Checkpoint {
	return &Checkpoint{
		Index: 0x1112131415161718, Term: 2,
		Configuration: Configuration{
			Voters: []id.Replica{1, 2, 3}, Outgoing: []id.Replica{1, 2}, Learners: []id.Replica{4}, LearnersNext: []id.Replica{5},
			AutoLeave: true,
		},
		Nodes:      []Placed{{Replica: 1, Node: 11}, {Replica: 2, Node: 12}},
		NextOffset: 1000, LogStart: 10, Clock: -1,
		Producers: []ProducerState{
			{Producer: 5, Epoch: 3, Touched: 99, Last: []Appended{{First: 0, Final: 9, Base: 500}, {First: 10, Final: 11, Base: 510}}},
			{Producer: 6, Epoch: -1, Touched: 100},
		},
		Fold: []byte("fold"),
	}
}

func TestCheckpointBytes(t *testing.T) {
	b := fullCheckpoint().AppendTo(nil)
	if diff := cmp.Diff(goldenCheckpoint, "\n"+hex.Dump(b)); diff != "" {
		t.Fatalf("checkpoint (-want +got):\n%s", diff)
	}
	assigned := fullCheckpoint()
	assigned.Assignment = 77
	if b := assigned.AppendTo(nil); b[0] != checkpointAssignedVersion {
		t.Fatalf("a checkpoint with an assignment has version %d", b[0])
	}
	for _, c := range []*Checkpoint{fullCheckpoint(), assigned, {}, {Fold: []byte{}}} {
		got, err := ParseCheckpoint(c.AppendTo(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Fatalf("round trip (-want +got):\n%s", diff)
		}
	}
}

func TestCheckpointMalformed(t *testing.T) {
	b := fullCheckpoint().AppendTo(nil)
	for n := range b {
		if _, err := ParseCheckpoint(b[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at byte %d: %v", n, err)
		}
	}
	if _, err := ParseCheckpoint(append(bytes.Clone(b), 0)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("a byte too many: %v", err)
	}
	b[0] = 3
	if _, err := ParseCheckpoint(b); !errors.Is(err, ErrNewer) {
		t.Fatalf("another version: %v", err)
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add(fullCheckpoint().AppendTo(nil))
	f.Add((&Checkpoint{}).AppendTo(nil))
	f.Add((&Checkpoint{Assignment: 5}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCheckpoint(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		if again := c.AppendTo(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x parses and encodes to %x", b, again)
		}
	})
}
