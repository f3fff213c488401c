package batch

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

// samples has every shape of record: nil and empty keys and values, headers, numbers of several bytes, times out of order.
func samples() []Record {
	rs := []Record{
		{Timestamp: 1700000000123, Key: []byte("k"), Value: []byte("v")},
		{Timestamp: 1700000000100, Key: nil, Value: []byte{}},
		{Timestamp: 1700000100000, Key: []byte{}, Value: nil},
		{Timestamp: 1700000000124, Key: []byte("a"), Value: []byte(strings.Repeat("long ", 500)), Headers: []RecordHeader{
			{Key: "", Value: nil}, {Key: "x", Value: []byte{}}, {Key: "x", Value: []byte("y")},
		}},
	}
	for i := range 200 {
		rs = append(rs, Record{Timestamp: id.Timestamp(1700000000124 + i*i), Value: fmt.Appendf(nil, "record %d", i)})
	}
	for i := range rs {
		rs[i].Offset = id.Offset(i)
	}
	return rs
}

func build(t testing.TB, c Codec, rs []Record) []byte {
	t.Helper()
	b := NewBuilder(c)
	for _, r := range rs {
		b.Append(r.Timestamp, r.Key, r.Value, r.Headers)
	}
	out, err := b.Build(77, 3, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	want := samples()
	for _, c := range codecs {
		t.Run(c.String(), func(t *testing.T) {
			b := build(t, c, want)
			h, err := Validate(b, within(1<<20, 1<<20))
			if err != nil {
				t.Fatal(err)
			}
			if h.Codec() != c || h.Size() != len(b) || h.Producer != 77 || h.Epoch != 3 || h.FirstSequence != 1000 ||
				h.LastSequence() != 1203 || h.Records != 204 || h.NextOffset() != 204 || h.MaxTimestamp != 1700000100000 {
				t.Fatalf("header %+v", h)
			}
			got, err := Decode(nil, b, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatal(d)
			}
		})
	}
}

func TestStampLeavesTheChecksumAlone(t *testing.T) {
	b := build(t, Zstd, samples())
	Stamp(b, 1<<40, 9)
	h, err := Validate(b, within(1<<20, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if h.BaseOffset != 1<<40 || h.Term != 9 || h.NextOffset() != 1<<40+204 {
		t.Fatalf("header %+v", h)
	}
	rs, err := Decode(nil, append(b, "and what follows"...), 1<<20)
	if err != nil || rs[203].Offset != 1<<40+203 {
		t.Fatalf("%v, %v", rs[203].Offset, err)
	}
}

func TestStampAppendTime(t *testing.T) {
	b := build(t, None, samples())
	StampAppendTime(b, 42)
	h, err := Verify(b)
	if err != nil || !h.AppendTime() || h.MaxTimestamp != 42 {
		t.Fatalf("%+v, %v", h, err)
	}
	rs, err := Decode(nil, b, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		if r.Timestamp != 42 {
			t.Fatalf("offset %d has timestamp %d, want 42", r.Offset, r.Timestamp)
		}
	}
	fromClient := build(t, None, samples())
	h, _ = ParseHeader(fromClient)
	StampAppendTime(fromClient, h.MaxTimestamp) // so that the flag is all there is to find
	if _, err := Validate(fromClient, within(1<<20, 1<<20)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("append time from a client: %v", err)
	}
}

func TestSequencesBeginAgain(t *testing.T) {
	for _, c := range []struct{ first, n, want int32 }{
		{0, 0, 0}, {math.MaxInt32, 0, math.MaxInt32}, {math.MaxInt32, 1, 0}, {math.MaxInt32 - 1, 4, 2},
	} {
		if got := NextSequence(c.first, c.n); got != c.want {
			t.Errorf("%d records after %d: %d, want %d", c.n, c.first, got, c.want)
		}
		h := Header{Producer: 1, FirstSequence: c.first, LastOffsetDelta: c.n}
		if got := h.LastSequence(); got != c.want {
			t.Errorf("last sequence of %d + %d: %d, want %d", c.first, c.n, got, c.want)
		}
	}
	if got := (Header{Producer: NoProducer, FirstSequence: NoSequence, LastOffsetDelta: 9}).LastSequence(); got != NoSequence {
		t.Errorf("last sequence without a producer: %d", got)
	}
}

// What kmsg, the reference codec, reads from our bytes.
func TestReferenceCodecReadsOurs(t *testing.T) {
	want := samples()
	for _, c := range codecs {
		b := build(t, c, want)
		Stamp(b, 5, 6)
		var k kmsg.RecordBatch
		if err := k.ReadFrom(b); err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		h, _ := ParseHeader(b)
		got := Header{
			BaseOffset: id.Offset(k.FirstOffset), Length: k.Length, Term: k.PartitionLeaderEpoch, CRC: uint32(k.CRC),
			Attributes: k.Attributes, LastOffsetDelta: k.LastOffsetDelta, FirstTimestamp: id.Timestamp(k.FirstTimestamp),
			MaxTimestamp: id.Timestamp(k.MaxTimestamp), Producer: id.Producer(k.ProducerID), Epoch: k.ProducerEpoch,
			FirstSequence: k.FirstSequence, Records: k.NumRecords,
		}
		if d := cmp.Diff(h, got); d != "" || k.Magic != magic {
			t.Fatalf("%v: %s", c, d)
		}
		body := k.Records
		if c != None {
			var err error
			if body, err = new(Decompressor).decompress(nil, c, body, 1<<20); err != nil {
				t.Fatal(err)
			}
		}
		for i, w := range want {
			var r kmsg.Record
			length, rest, _ := readLength(body)
			size := len(body) - len(rest) + length
			if err := r.ReadFrom(body[:size]); err != nil {
				t.Fatalf("%v, record %d: %v", c, i, err)
			}
			body = body[size:]
			w.Offset += 5
			var headers []RecordHeader
			for _, h := range r.Headers {
				headers = append(headers, RecordHeader{Key: h.Key, Value: h.Value})
			}
			g := Record{Offset: 5 + id.Offset(r.OffsetDelta), Timestamp: h.FirstTimestamp + id.Timestamp(r.TimestampDelta64), Key: r.Key, Value: r.Value, Headers: headers}
			if d := cmp.Diff(w, g); d != "" {
				t.Fatalf("%v, record %d: %s", c, i, d)
			}
		}
	}
}

// What we read from the bytes of kmsg, the reference codec.
func TestOursReadsReferenceCodec(t *testing.T) {
	want := samples()
	for _, c := range codecs {
		var body []byte
		for i, w := range want {
			r := kmsg.Record{TimestampDelta64: int64(w.Timestamp - want[0].Timestamp), OffsetDelta: int32(i), Key: w.Key, Value: w.Value}
			for _, h := range w.Headers {
				r.Headers = append(r.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
			}
			r.Length = int32(len(r.AppendTo(nil)) - 1) // a length of 0 takes one byte
			body = r.AppendTo(body)
		}
		if c != None {
			body, _ = new(Compressor).compress(nil, c, body)
		}
		k := kmsg.RecordBatch{
			FirstOffset: 0, Length: int32(HeaderSize - atTerm + len(body)), PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(c),
			LastOffsetDelta: int32(len(want) - 1), FirstTimestamp: int64(want[0].Timestamp), MaxTimestamp: 1700000100000,
			ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(len(want)), Records: body,
		}
		b := k.AppendTo(nil)
		k.CRC = int32(checksum(b))
		b = k.AppendTo(nil)
		if _, err := Validate(b, within(1<<20, 1<<20)); err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		got, err := Decode(nil, b, 1<<20)
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%v: %s", c, d)
		}
	}
}

// The vectors of Kafka's own test of murmur2.
func TestPartitioner(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
		if got, want := PartitionFor([]byte(key), 7), (want&math.MaxInt32)%7; got != want {
			t.Errorf("partition of %q: %d, want %d", key, got, want)
		}
	}
}

func TestCodecNames(t *testing.T) {
	for _, c := range codecs {
		if got, err := ParseCodec(c.String()); err != nil || got != c {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if _, err := ParseCodec("brotli"); !errors.Is(err, ErrCodec) {
		t.Error(err)
	}
	if Codec(5).Known() || Codec(-1).Known() {
		t.Error("codecs 5 and -1 are known")
	}
}

func TestRecordBound(t *testing.T) {
	b := NewBuilder(None)
	for _, r := range samples() {
		before := b.Size()
		b.Append(r.Timestamp, r.Key, r.Value, r.Headers)
		if grown, bound := b.Size()-before, RecordBound(r.Key, r.Value, r.Headers); grown > bound || bound > grown+26 {
			t.Fatalf("offset %d grew the batch by %d bytes, bound %d", r.Offset, grown, bound)
		}
	}
}

func TestBuilderCanBuildAgain(t *testing.T) {
	shared := new(Compressor)
	for _, c := range codecs {
		b := NewBuilder(c)
		b.ShareCompressor(shared)
		if _, err := b.Build(1, 0, 0); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%v: building nothing: %v", c, err)
		}
		for round := range 3 {
			b.Append(9, nil, []byte("first"), nil)
			b.Append(8, nil, []byte("second"), nil)
			for sequence := range int32(2) {
				out, err := b.Build(1, 0, sequence)
				if err != nil {
					t.Fatal(err)
				}
				h, err := Validate(out, within(1<<20, 1<<20))
				if err != nil || h.FirstSequence != sequence || h.Records != 2 {
					t.Fatalf("%v, round %d: %+v, %v", c, round, h, err)
				}
			}
			b.Reset()
			if b.Count() != 0 || b.Size() != HeaderSize {
				t.Fatalf("%d records, %d bytes after Reset", b.Count(), b.Size())
			}
		}
	}
}
