package actors

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

var update = flag.Bool("update", false, "write testdata/frames.txt anew")

// heartbeat is a message of a replica's: package partitions pins its bytes.
const heartbeat = "010300" + "0100000000000000" + "0200000000000000" + "0600000000000000" + "0500000000000000" + "0700000000000000" +
	"0600000000000000" + "0400000000000000" + "0a000000" + "7265616420696e646578" + "00000000" + "00000000"

type namedFrame struct {
	name  string
	bytes []byte
}

// sampleFrames has a frame of every kind, and of every request and answer.
func sampleFrames(t testing.TB) []namedFrame {
	b, err := hex.DecodeString(heartbeat)
	if err != nil {
		t.Fatal(err)
	}
	m, err := partitions.ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	p := id.Partition{Topic: 0x0102030405060708, Number: 0x11121314}
	one := carriedMessage{p, m}
	all := []namedFrame{
		{"messages", one.appendTo(one.appendTo(startFrame(frameMessages, 0)))},
		{"cancel", cancelFrame(0x2122)},
		{"leaders", leadersFrame([]led{{p, 5}, {id.Partition{Topic: 16}, 9}})},
		{"lost", lostFrame([]id.Replica{5, 6})},
		{"health", healthFrame([]string{"topic t, partition 0: quarantined", "the disk is full"})},
		{"piece", piece{parcel: 7, size: 100, at: 90, bytes: []byte("ten bytes.")}.frame()},
	}
	requests := []forwarded{
		&produceRequest{Produce: partitions.Produce{Batch: []byte("a batch"), Acks: partitions.AcksQuorum, ExpectEnd: partitions.NoExpectation}},
		&fetchRequest{Fetch: partitions.Fetch{Offset: 5, MaxBytes: 1000, Until: 300}},
		&offsetsRequest{ListOffsets: partitions.ListOffsets{At: partitions.OffsetAtTime, Time: 77}},
		&deleteRequest{DeleteRecords: partitions.DeleteRecords{Before: partitions.EverythingSoFar}},
		&describeRequest{}, &foldRequest{}, &entriesRequest{lo: 5, hi: 9},
		&digestRequest{lo: 5, hi: 9, most: 1000},
	}
	for _, q := range requests {
		frame := requestFrame(3, p, q, 0)
		setNumber(frame, 0x31)
		all = append(all, namedFrame{fmt.Sprintf("request %d", q.what()), frame})
	}
	q := question{life: 3, number: 0x31}
	ask := func(what byte) question { q.what = what; return q }
	result := catalog.Result{Err: catalog.ErrTopicExists, Topic: &catalog.Topic{ID: 16, Name: "orders"}, First: 2, Count: 3, Version: 4}
	status := partitions.Status{
		Partition: p, Replica: 1, Role: partitions.RoleLeader, Term: 2, Node: 3, Leader: 4, LeaderNode: 5, Ready: true, LogStart: 6,
		HighWatermark: 7, Applied: 8, First: 5, Last: 9, Parked: 10, Uncommitted: 11, Producers: 12, Log: partitions.LogSize{Bytes: 13, Segments: 14},
		Voters: []partitions.Placed{{Replica: 1, Node: 3}, {Replica: 2, Node: 4}}, Learners: []partitions.Placed{{Replica: 3, Node: 5}},
		Joint: true, Incoming: []partitions.Placed{{Replica: 1, Node: 3}}, Outgoing: []partitions.Placed{{Replica: 2, Node: 4}},
		LastTerm: 29, Forgotten: true, Assignment: 15, Settled: true, Problem: "none",
		Peers:  []partitions.PeerStatus{{Placed: partitions.Placed{Replica: 2, Node: 4}, Learner: true, Match: 16, Active: true, State: "probe"}},
		Counts: partitions.Counts{Batches: 17, Records: 18, Bytes: 19, Duplicates: 20, Fetches: 21, TailFetches: 22, Checkpoints: 23, Elections: 24, SnapshotsSent: 25, SnapshotsInstalled: 26, Reconfigurations: 27, Strays: 28},
	}
	bounds := &partitions.RangeError{Err: partitions.ErrOffsetOutOfRange, Asked: 1, LogStart: 2, LogEnd: 3}
	elsewhere := fmt.Errorf("t16/0: %w", &partitions.NotLeaderError{Leader: 8, Term: 9})
	return append(all,
		namedFrame{"answer 1", ask(askProduce).produced(partitions.ProduceAnswer{Base: 1, AppendTime: -1, LogStart: 2, HighWatermark: 3, Term: 4, Duplicate: true})},
		namedFrame{"answer 1 of the catalog", ask(askProduce).produced(partitions.ProduceAnswer{Base: 1, Result: result})},
		namedFrame{"answer 1 refused", ask(askProduce).refused(elsewhere)},
		namedFrame{"answer 2", ask(askFetch).fetched(partitions.FetchAnswer{Batches: [][]byte{[]byte("one"), []byte("two")}, LogStart: 1, HighWatermark: 2, Term: 3})},
		namedFrame{"answer 2 in a gap", ask(askFetch).fetched(partitions.FetchAnswer{Skip: 4, LogStart: 1, HighWatermark: 4, Term: 3})},
		namedFrame{"answer 2 from quarantine", ask(askFetch).fetched(partitions.FetchAnswer{Err: fmt.Errorf("%w: %w", partitions.ErrDamaged, bounds), Verified: true})},
		namedFrame{"answer 3", ask(askOffsets).listed(partitions.OffsetAnswer{Offset: 1, Time: -1, LogStart: 2, HighWatermark: 3, Term: 4})},
		namedFrame{"answer 4", ask(askDelete).deleted(partitions.DeleteAnswer{LogStart: 1, HighWatermark: 2, Term: 3})},
		namedFrame{"answer 5", ask(askDescribe).described(status)},
		namedFrame{"answer 5 refused", ask(askDescribe).refused(partitions.ErrNotReady)},
		namedFrame{"answer 6", ask(askFold).folded([]byte("state"), nil)},
		namedFrame{"answer 7", ask(askEntries).supplied([]partitions.Entry{
			{Index: 5, Term: 2, Type: partitions.EntryEmpty}, {Index: 6, Term: 3, Type: partitions.EntryBatch, AppendTime: 4, Payload: []byte("a batch")},
		}, nil)},
		namedFrame{"answer 7 refused", ask(askEntries).refused(partitions.ErrNotReady)},
		namedFrame{"answer 8", ask(askDigest).digested(partitions.Digest{Through: 5, Sum: 6, Bytes: 7, Offset: 8})},
		namedFrame{"answer 8 refused", ask(askDigest).refused(partitions.ErrDamaged)},
	)
}

// TestFrameBytes pins the layouts: two versions of the program may run in one cluster.
func TestFrameBytes(t *testing.T) {
	var got strings.Builder
	for _, f := range sampleFrames(t) {
		fmt.Fprintf(&got, "%s\n%s\n", f.name, hex.Dump(f.bytes))
	}
	path := filepath.Join("testdata", "frames.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
}

// again reads a frame and writes what it has read.
func again(b []byte) ([]byte, error) {
	kind, r, err := openFrame(b)
	if err != nil {
		return nil, err
	}
	switch kind {
	case frameMessages:
		all, err := r.messages()
		out := startFrame(kind, 0)
		for _, m := range all {
			out = m.appendTo(out)
		}
		return out, err
	case frameRequest:
		return requestAgain(r)
	case frameAnswer:
		return answerAgain(r)
	case frameCancel:
		n, err := r.cancel()
		return cancelFrame(n), err
	case frameLeaders:
		all, err := r.leaders()
		return leadersFrame(all), err
	case frameLost:
		all, err := r.lost()
		return lostFrame(all), err
	case frameHealth:
		problems, err := r.health()
		return healthFrame(problems), err
	case framePiece:
		p, err := r.piece()
		return p.frame(), err
	}
	return nil, partitions.ErrMalformed
}

func requestAgain(r frameReader) ([]byte, error) {
	q, err := r.question()
	if err != nil {
		return nil, err
	}
	var f forwarded
	switch q.what {
	case askProduce:
		p, e := r.produce()
		f, err = &produceRequest{Produce: p}, e
	case askFetch:
		p, e := r.fetch(0)
		f, err = &fetchRequest{Fetch: p}, e
	case askOffsets:
		l, e := r.listOffsets()
		f, err = &offsetsRequest{ListOffsets: l}, e
	case askDelete:
		d, e := r.deleteRecords()
		f, err = &deleteRequest{DeleteRecords: d}, e
	case askDescribe:
		f, err = &describeRequest{}, r.end("describe")
	case askFold:
		f, err = &foldRequest{}, r.end("fold")
	case askEntries:
		lo, hi, e := r.wanted()
		f, err = &entriesRequest{lo: lo, hi: hi}, e
	case askDigest:
		d, e := r.digest()
		if e != nil {
			return nil, e
		}
		f = d
	default:
		return nil, partitions.ErrMalformed
	}
	out := requestFrame(q.life, q.partition, f, 0)
	setNumber(out, q.number)
	return out, err
}

func answerAgain(r frameReader) ([]byte, error) {
	q, err := r.answered()
	if err != nil {
		return nil, err
	}
	switch q.what {
	case askProduce:
		a, err := r.produced()
		return q.produced(a), err
	case askFetch:
		a, err := r.fetched()
		return q.fetched(a), err
	case askOffsets:
		a, err := r.listed()
		return q.listed(a), err
	case askDelete:
		a, err := r.deleted()
		return q.deleted(a), err
	case askDescribe:
		if refused := r.error(); refused != nil {
			return q.refused(refused), r.end("status")
		}
		s, err := r.status()
		return q.described(s), err
	case askFold:
		snapshot, refused, err := r.folded()
		return q.folded(snapshot, refused), err
	case askEntries:
		asked := &entriesRequest{lo: 1, hi: 1000}
		var frame []byte
		asked.done = func(entries []partitions.Entry, refused error) { frame = q.supplied(entries, refused) }
		err := asked.hear(&r, hearing{})
		return frame, err
	case askDigest:
		var frame []byte
		asked := &digestRequest{done: func(d partitions.Digest) { frame = q.digested(d) }}
		err := asked.hear(&r, hearing{})
		return frame, err
	}
	return nil, partitions.ErrMalformed
}

func TestFramesTravelWhole(t *testing.T) {
	for _, f := range sampleFrames(t) {
		got, err := again(f.bytes)
		if err != nil || !bytes.Equal(f.bytes, got) {
			t.Errorf("%s: %v (-sent +sent on):\n%s", f.name, err, cmp.Diff(hex.Dump(f.bytes), hex.Dump(got)))
		}
		whole := slices.Contains([]string{"messages", "leaders", "lost", "piece"}, f.name) // these may end early, and say so by their sums
		for cut := range f.bytes {
			if got, err := again(f.bytes[:cut]); !whole && !errors.Is(err, partitions.ErrMalformed) {
				t.Errorf("%s cut to %d of %d bytes: %v, %x", f.name, cut, len(f.bytes), err, got)
			}
		}
		newer := slices.Clone(f.bytes)
		newer[0]++
		if _, err := again(newer); !errors.Is(err, partitions.ErrNewer) {
			t.Errorf("%s of another version: %v", f.name, err)
		}
	}
}

// TestErrorsTravel: a sentinel is the same on both sides, with what goes with it.
func TestErrorsTravel(t *testing.T) {
	travel := func(err error) error {
		r := frameReader{rest: appendError(nil, err)}
		got := r.error()
		if err := r.end("error"); err != nil {
			t.Fatal(err)
		}
		return got
	}
	for n, sentinel := range sentinels {
		if sentinel == nil {
			continue
		}
		got := travel(fmt.Errorf("as it was: %w", sentinel))
		for m, other := range sentinels {
			if other != nil && errors.Is(got, other) != (n == m) {
				t.Errorf("%v comes as %v: is it %v? %v", sentinel, got, other, n != m)
			}
		}
		if !strings.HasPrefix(got.Error(), "as it was: ") {
			t.Errorf("%v comes as %q", sentinel, got)
		}
	}
	var leader *partitions.NotLeaderError
	if err := travel(&partitions.NotLeaderError{Leader: 3, Term: 4}); !errors.As(err, &leader) || leader.Leader != 3 || leader.Term != 4 {
		t.Errorf("not leader: %v", err)
	}
	var bounds *partitions.RangeError
	want := &partitions.RangeError{Err: partitions.ErrOffsetMismatch, Asked: 1, LogStart: 2, LogEnd: 3}
	if err := travel(fmt.Errorf("x: %w", want)); !errors.As(err, &bounds) || *bounds != *want {
		t.Errorf("bounds: %v", err)
	}
	if err := travel(errors.New("nobody knows this one")); !errors.Is(err, partitions.ErrOutcomeUnknown) {
		t.Errorf("without a number: %v", err)
	}
	if travel(nil) != nil {
		t.Error("no error became one")
	}
}

func FuzzFrame(f *testing.F) {
	for _, s := range sampleFrames(f) {
		f.Add(s.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := again(b)
		if err == nil && !bytes.Equal(got, b) {
			t.Fatalf("%x parses, and encodes to %x", b, got)
		}
	})
}
