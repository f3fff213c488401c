package batch

import (
	"encoding/binary"
	"testing"
)

const fuzzLimit = 64 << 10

// within returns limits on bytes, and none that a batch of so many bytes could reach on anything else.
func within(bytes, decompressed int) Limits {
	return Limits{Bytes: bytes, Decompressed: decompressed, Records: 1 << 31, Headers: 1 << 31, RecordHeaders: 1 << 31}
}

func seeds(f *testing.F) {
	for _, c := range codecs {
		f.Add(build(f, c, samples()[:5]))
	}
	f.Add(raw(Snappy, 1, xerial))
	f.Add([]byte{})
}

func FuzzParseHeader(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err == nil && (h.Size() > len(b) || h.Size() < HeaderSize || h.NextOffset() == h.BaseOffset) {
			t.Fatalf("%d bytes: header %+v", len(b), h)
		}
	})
}

// What Validate accepts, Decode reads, and gives as many records as the header says, within the limits.
func FuzzValidate(f *testing.F) {
	seeds(f)
	for _, c := range codecs {
		b := NewBuilder(c)
		b.Append(1, nil, nil, make([]RecordHeader, 8))
		b.Append(1, nil, nil, make([]RecordHeader, 9))
		flood, err := b.Build(NoProducer, NoEpoch, NoSequence)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(flood)
	}
	limits := within(fuzzLimit, fuzzLimit)
	limits.Records, limits.Headers, limits.RecordHeaders = 100, 16, 8
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= HeaderSize { // let the fuzzer past the checksum
			binary.BigEndian.PutUint32(b[atCRC:], checksum(b))
		}
		h, err := Validate(b, limits)
		if err != nil {
			return
		}
		rs, err := Decode(nil, b, fuzzLimit)
		if err != nil || len(rs) != int(h.Records) || rs[len(rs)-1].Offset+1 != h.NextOffset() {
			t.Fatalf("accepted, then decoded to %d records: %v", len(rs), err)
		}
		headers := 0
		for _, r := range rs {
			if headers += len(r.Headers); len(rs) > limits.Records || len(r.Headers) > limits.RecordHeaders || headers > limits.Headers {
				t.Fatalf("accepted %d records, one with %d headers", len(rs), len(r.Headers))
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := ParseHeader(b); err == nil {
			binary.BigEndian.PutUint32(b[atCRC:], checksum(b[:h.Size()]))
		}
		kept := []Record{{Offset: 7}}
		rs, err := Decode(kept, b, fuzzLimit)
		if rs[0].Offset != 7 || (err != nil && len(rs) != 1) {
			t.Fatalf("%d records and %v", len(rs), err)
		}
	})
}
