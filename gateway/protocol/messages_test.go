package protocol

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata anew; read the difference before it is committed")

var compare = cmp.AllowUnexported(Records{})

// Every message comes back as it was sent, and every API has both its messages among the samples.
func TestMessagesReturnAsSent(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range samples() {
		seen[s.name] = true
		got := s.empty()
		if err := s.body().Decode(got); err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if diff := cmp.Diff(s.Message, got, compare); diff != "" {
			t.Errorf("%s (-sent +received):\n%s", s.name, diff)
		}
	}
	for _, a := range apis {
		for _, name := range []string{a.name + "Request", a.name + "Response"} {
			if !seen[name] {
				t.Errorf("no sample of %s", name)
			}
		}
	}
}

// The bytes on the wire are pinned: a difference means that other clients no longer understand this one.
func TestGoldenBytes(t *testing.T) {
	const file = "testdata/golden.txt"
	var now strings.Builder
	for _, s := range samples() {
		fmt.Fprintf(&now, "# %s\n%s\n", s.name, dump(s.frame()))
	}
	for _, e := range []*Error{NewError(CodeMalformed, "cut short"), sampleRange(), sampleLeader()} {
		fmt.Fprintf(&now, "# error %s\n%s\n", e.Name, dump(EncodeError(7, e)))
	}
	if *update {
		if err := os.WriteFile(file, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pinned, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(pinned), "\n"), strings.Split(now.String(), "\n")); diff != "" {
		t.Errorf("(-pinned +now):\n%s", diff)
	}
}

// dump is a hex dump in which the samples' large batch is abbreviated.
func dump(f Frame) string {
	whole := append([]byte{0, 0, 0, 0}, f.Payload()...)
	copy(whole, f[0][:4])
	whole = bytes.ReplaceAll(whole, bytes.Repeat([]byte("batch"), 2000), []byte("<10000 bytes>"))
	return hex.Dump(whole)
}

// A large batch is neither copied into the frame nor out of it.
func TestBatchesAreNotCopied(t *testing.T) {
	batch := bytes.Repeat([]byte{1}, spliceFrom)
	frame := EncodeRequest(1, &ProduceRequest{Topic: "t", Partitions: []ProducePartition{
		{Batch: batch, ExpectEnd: NoOffset}, {Batch: batch, ExpectEnd: NoOffset}}})
	if len(frame) != 4 || &frame[1][0] != &batch[0] || &frame[3][0] != &batch[0] {
		t.Errorf("a frame of %d slices does not hold the batches themselves", len(frame))
	}
	payload := frame.Payload()
	_, body, err := ParseRequest(payload)
	if err != nil {
		t.Fatal(err)
	}
	var got ProduceRequest
	if err := body.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if b := got.Partitions[1].Batch; &b[len(b)-1] != &payload[len(payload)-1] {
		t.Error("the decoded batch is a copy")
	}
	if b := got.Partitions[0].Batch; cap(b) != len(b) {
		t.Errorf("the decoded batch can grow into what follows: length %d, capacity %d", len(b), cap(b))
	}
}
