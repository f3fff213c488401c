package batch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// change returns a copy of b, changed, with the checksum made to match.
func change(b []byte, f func([]byte)) []byte {
	b = bytes.Clone(b)
	f(b)
	binary.BigEndian.PutUint32(b[atCRC:], checksum(b))
	return b
}

// raw returns a batch whose records are body, whatever that is.
func raw(c Codec, records int, body []byte) []byte {
	b := NewBuilder(None)
	b.Append(1, nil, nil, nil)
	out, _ := b.Build(NoProducer, NoEpoch, NoSequence)
	out = append(bytes.Clone(out[:HeaderSize]), body...)
	return change(out, func(out []byte) {
		binary.BigEndian.PutUint32(out[atLength:], uint32(len(out)-atTerm))
		binary.BigEndian.PutUint16(out[atAttributes:], uint16(c))
		binary.BigEndian.PutUint32(out[atLastOffsetDelta:], uint32(records-1))
		binary.BigEndian.PutUint32(out[atRecords:], uint32(records))
	})
}

func put16(at int, v uint16) func([]byte) {
	return func(b []byte) { binary.BigEndian.PutUint16(b[at:], v) }
}

func put32(at int, v uint32) func([]byte) {
	return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) }
}

func TestValidateRefuses(t *testing.T) {
	good := build(t, None, samples())
	// One record without anything: length 6, attributes, timestamp delta, offset delta, nil, nil, no headers.
	one := []byte{12, 0, 0, 0, 1, 1, 0}
	if _, err := Validate(raw(None, 1, one), within(1<<20, 1<<20)); err != nil {
		t.Fatal(err)
	}
	patch := func(at int, v byte) []byte { b := bytes.Clone(one); b[at] = v; return b }
	cases := map[string]struct {
		b    []byte
		want error
	}{
		"nothing":              {nil, ErrMalformed},
		"header cut":           {good[:HeaderSize-1], ErrMalformed},
		"magic":                {change(good, func(b []byte) { b[atMagic] = 1 }), ErrMalformed},
		"length above":         {change(good, put32(atLength, uint32(len(good)-atTerm+1))), ErrMalformed},
		"length below":         {change(good, put32(atLength, HeaderSize-atTerm-1)), ErrMalformed},
		"length negative":      {change(good, put32(atLength, 1<<31)), ErrMalformed},
		"followed by more":     {append(bytes.Clone(good), 0), ErrMalformed},
		"flipped":              {func() []byte { b := bytes.Clone(good); b[len(b)/2] ^= 1; return b }(), ErrChecksum},
		"unknown codec":        {change(good, put16(atAttributes, 5)), ErrCodec},
		"transactional":        {change(good, put16(atAttributes, attributeTransactional)), ErrMalformed},
		"control":              {change(good, put16(atAttributes, attributeControl)), ErrMalformed},
		"unknown attribute":    {change(good, put16(atAttributes, 1<<6)), ErrMalformed},
		"count and delta":      {change(good, put32(atRecords, 203)), ErrMalformed},
		"no records":           {change(good, put32(atRecords, 0)), ErrMalformed},
		"negative count":       {change(good, put32(atRecords, 1<<31)), ErrMalformed},
		"negative delta":       {change(good, put32(atLastOffsetDelta, 1<<31)), ErrMalformed},
		"producer, no epoch":   {change(good, put16(atEpoch, 0xffff)), ErrMalformed},
		"producer, no seq":     {change(good, put32(atFirstSequence, 0xffffffff)), ErrMalformed},
		"newest timestamp":     {change(good, func(b []byte) { b[atMaxTimestamp+7]++ }), ErrMalformed},
		"records cut":          {raw(None, 1, one[:6]), ErrMalformed},
		"records missing":      {raw(None, 2, one), ErrMalformed},
		"bytes after records":  {raw(None, 1, append(bytes.Clone(one), 0)), ErrMalformed},
		"record too short":     {raw(None, 1, patch(0, 10)), ErrMalformed},
		"record too long":      {raw(None, 1, patch(0, 14)), ErrMalformed},
		"record length minus":  {raw(None, 1, patch(0, 1)), ErrMalformed},
		"offset delta":         {raw(None, 1, patch(3, 2)), ErrMalformed},
		"time before 1970":     {raw(None, 1, patch(2, 5)), ErrMalformed},
		"key length -2":        {raw(None, 1, patch(4, 3)), ErrMalformed},
		"key beyond record":    {raw(None, 1, patch(4, 40)), ErrMalformed},
		"value beyond record":  {raw(None, 1, patch(5, 40)), ErrMalformed},
		"headers beyond":       {raw(None, 1, patch(6, 2)), ErrMalformed},
		"headers negative":     {raw(None, 1, patch(6, 1)), ErrMalformed},
		"header without key":   {raw(None, 1, []byte{16, 0, 0, 0, 1, 1, 2, 1, 1}), ErrMalformed},
		"varint without end":   {raw(None, 1, bytes.Repeat([]byte{0xff}, 20)), ErrMalformed},
		"gzip garbage":         {raw(Gzip, 1, []byte("no gzip at all")), ErrMalformed},
		"snappy garbage":       {raw(Snappy, 1, []byte{0xff, 0xff}), ErrMalformed},
		"lz4 garbage":          {raw(LZ4, 1, []byte("no lz4 at all")), ErrMalformed},
		"zstd garbage":         {raw(Zstd, 1, []byte("no zstd at all")), ErrMalformed},
		"xerial cut in header": {raw(Snappy, 1, xerial), ErrMalformed},
		"xerial cut in block":  {raw(Snappy, 1, append(bytes.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 1)), ErrMalformed},
		"compressed nothing":   {raw(Gzip, 1, nil), ErrMalformed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := Validate(c.b, within(1<<20, 1<<20)); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestEveryFlippedByteIsSeen(t *testing.T) {
	good := build(t, None, samples()[:4])
	for at := range good {
		if at < atLength || at >= atTerm && at < atMagic {
			continue // the base offset and the term are the leader's
		}
		b := bytes.Clone(good)
		b[at] ^= 0x10
		if _, err := Validate(b, within(1<<20, 1<<20)); err == nil {
			t.Fatalf("byte %d flipped: accepted", at)
		}
		if _, err := Decode(nil, b, 1<<20); err == nil {
			t.Fatalf("byte %d flipped: decoded", at)
		}
	}
	for n := range good {
		if _, err := Validate(good[:n], within(1<<20, 1<<20)); err == nil {
			t.Fatalf("cut to %d bytes: accepted", n)
		}
	}
}

func TestLimits(t *testing.T) {
	rs := samples()[:3]
	rs[0].Value = bytes.Repeat([]byte("x"), 1<<20)
	for _, c := range codecs {
		b := build(t, c, rs)
		plain := len(build(t, None, rs)) - HeaderSize
		if _, err := Validate(b, within(len(b), plain)); err != nil {
			t.Errorf("%v: at the limits: %v", c, err)
		}
		if _, err := Validate(b, within(len(b)-1, plain)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v: batch above its limit: %v", c, err)
		}
		if _, err := Validate(b, within(len(b), plain-1)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v: records above their limit: %v", c, err)
		}
		if c != None {
			if _, err := Decode(nil, b, plain-1); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%v: decoded above the limit: %v", c, err)
			}
		}
	}
}

// A zstd frame that asks for a window larger than ours is refused, however small it is.
func TestWindowLimit(t *testing.T) {
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed, zstd.WithWindowSize(64<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // several writes, so that the frame does not know its size
		_, _ = w.Write(bytes.Repeat([]byte{0}, 8<<20))
	}
	_ = w.Close()
	if _, err := Validate(raw(Zstd, 1, packed.Bytes()), within(1<<20, 1<<30)); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

// One Decompressor reads batch after batch, also after a bad one.
func TestDecompressorIsUsedAgain(t *testing.T) {
	var d Decompressor
	for range 3 {
		for _, c := range codecs[1:] {
			if _, err := d.Validate(raw(c, 1, []byte("garbage of some length")), within(1<<20, 1<<20)); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v: %v", c, err)
			}
			b := build(t, c, samples())
			if _, err := d.Validate(b, within(1<<20, 1<<20)); err != nil {
				t.Fatalf("%v: %v", c, err)
			}
			if rs, err := d.Decode(nil, b, 1<<20); err != nil || len(rs) != 204 {
				t.Fatalf("%v: %d records, %v", c, len(rs), err)
			}
		}
	}
}

func TestXerialFrames(t *testing.T) {
	plain := build(t, None, samples())
	body := plain[HeaderSize:]
	framed := append(bytes.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1)
	for rest := body; len(rest) > 0; {
		n := min(len(rest), 1000)
		block := snappy.Encode(nil, rest[:n])
		framed = binary.BigEndian.AppendUint32(framed, uint32(len(block)))
		framed = append(framed, block...)
		rest = rest[n:]
	}
	got, err := new(Decompressor).decompress(nil, Snappy, framed, len(body))
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if _, err := new(Decompressor).decompress(nil, Snappy, framed, len(body)-1); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

// What compaction will leave behind must stay readable: records missing, the header as it was.
func TestDecodeThinnedBatch(t *testing.T) {
	third := []byte{12, 0, 0, 4, 1, 1, 0} // offset delta 2
	b := change(raw(None, 1, third), put32(atLastOffsetDelta, 9))
	rs, err := Decode(nil, b, 1<<20)
	if err != nil || len(rs) != 1 || rs[0].Offset != 2 {
		t.Fatalf("%v, %v", rs, err)
	}
	if _, err := Validate(b, within(1<<20, 1<<20)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("a client's thinned batch: %v", err)
	}
	empty := change(raw(None, 1, nil), func(b []byte) { put32(atLastOffsetDelta, 9)(b); put32(atRecords, 0)(b) })
	if rs, err := Decode(nil, empty, 1<<20); err != nil || len(rs) != 0 {
		t.Fatalf("%v, %v", rs, err)
	}
	if _, err := Decode(nil, change(b, put32(atLastOffsetDelta, 1)), 1<<20); !errors.Is(err, ErrMalformed) {
		t.Fatalf("a record beyond the last offset: %v", err)
	}
	twice := change(raw(None, 2, append(bytes.Clone(third), third...)), put32(atLastOffsetDelta, 9))
	if _, err := Decode(nil, twice, 1<<20); !errors.Is(err, ErrMalformed) {
		t.Fatalf("an offset twice: %v", err)
	}
}

// The bytes of every codec whose writer is ours to pin; those of the compressors are read, not written, by this test.
func TestGolden(t *testing.T) {
	for _, c := range codecs {
		path := filepath.Join("testdata", c.String()+".hex")
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(path, []byte(dump(build(t, c, samples()[:4]))), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			t.Fatal(err)
		}
		if c == None {
			if got := build(t, None, samples()[:4]); !bytes.Equal(got, want) {
				t.Fatalf("built\n%s\ngolden\n%s", dump(got), text)
			}
		}
		if _, err := Validate(want, within(1<<20, 1<<20)); err != nil {
			t.Fatalf("%v: %v", c, err)
		}
	}
}

func dump(b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		n := min(len(b), 64)
		s.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return s.String()
}
