package batch

import (
	"bytes"
	"testing"
)

// hundred is a batch of about 64 KiB of records with 100 bytes of value each, the size of the stated goals.
func hundred(b testing.TB, c Codec) []byte {
	w, value := NewBuilder(c), bytes.Repeat([]byte("x"), 100)
	for w.Size() < 64<<10 {
		w.Append(1700000000000, nil, value, nil)
	}
	out, err := w.Build(1, 0, 0)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func BenchmarkParseHeader(b *testing.B) {
	in := hundred(b, None)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseHeader(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	for _, c := range codecs {
		b.Run(c.String(), func(b *testing.B) {
			in := hundred(b, c)
			var d Decompressor
			b.SetBytes(int64(len(hundred(b, None))))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Validate(in, within(1<<20, 1<<20)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	in := hundred(b, None)
	var rs []Record
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if rs, err = Decode(rs[:0], in, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	w, key, value := NewBuilder(None), []byte("0123456789"), bytes.Repeat([]byte("x"), 100)
	b.SetBytes(int64(len(key) + len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if w.Size() > 64<<10 {
			w.Reset()
		}
		w.Append(1700000000000, key, value, nil)
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, c := range codecs {
		b.Run(c.String(), func(b *testing.B) {
			w, value := NewBuilder(c), bytes.Repeat([]byte("x"), 100)
			for w.Size() < 64<<10 {
				w.Append(1700000000000, nil, value, nil)
			}
			b.SetBytes(int64(w.Size()))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Build(1, 0, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	in := hundred(t, None)
	if n := testing.AllocsPerRun(100, func() { _, _ = Validate(in, within(1<<20, 1<<20)) }); n != 0 {
		t.Errorf("validating an uncompressed batch allocates %v times", n)
	}
	w, value := NewBuilder(None), bytes.Repeat([]byte("x"), 100)
	fill := func() {
		w.Reset()
		for range 100 {
			w.Append(1, value, value, nil)
		}
		_, _ = w.Build(1, 0, 0)
	}
	fill()
	if n := testing.AllocsPerRun(100, fill); n != 0 {
		t.Errorf("building 100 records in a grown buffer allocates %v times", n)
	}
}
