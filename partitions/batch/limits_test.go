package batch

import (
	"bytes"
	"errors"
	"testing"
)

// Each limit lets its number pass and refuses one more.
func TestLimitsOfABatch(t *testing.T) {
	headers := make([]RecordHeader, 3)
	b := NewBuilder(None)
	b.Append(1, nil, []byte("v"), headers)
	b.Append(1, nil, []byte("v"), headers[:2])
	data, err := b.Build(NoProducer, NoEpoch, NoSequence)
	if err != nil {
		t.Fatal(err)
	}
	exact := Limits{Bytes: len(data), Decompressed: len(data) - HeaderSize, Records: 2, Headers: 5, RecordHeaders: 3}
	if _, err := Validate(data, exact); err != nil {
		t.Errorf("exactly what is allowed: %v", err)
	}
	for name, less := range map[string]func(*Limits){
		"bytes":          func(l *Limits) { l.Bytes-- },
		"decompressed":   func(l *Limits) { l.Decompressed-- },
		"records":        func(l *Limits) { l.Records-- },
		"headers":        func(l *Limits) { l.Headers-- },
		"record headers": func(l *Limits) { l.RecordHeaders-- },
	} {
		l := exact
		less(&l)
		if _, err := Validate(data, l); !errors.Is(err, ErrTooLarge) {
			t.Errorf("one beyond the limit on %s: %v", name, err)
		}
	}
}

// A few KiB that become megabytes of empty headers are refused, in one record and over many.
func TestAFloodOfHeaders(t *testing.T) {
	limits := Limits{Bytes: 1 << 20, Decompressed: 32 << 20, Records: 1 << 18, Headers: 1 << 20, RecordHeaders: 1 << 10}
	one := NewBuilder(Zstd)
	one.Append(1, nil, nil, make([]RecordHeader, 1<<20+1))
	many := NewBuilder(Zstd)
	for range 1<<10 + 1 {
		many.Append(1, nil, nil, make([]RecordHeader, 1<<10))
	}
	for name, b := range map[string]*Builder{"one record": one, "many records": many} {
		data, err := b.Build(NoProducer, NoEpoch, NoSequence)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > limits.Bytes || b.Size() > limits.Decompressed {
			t.Fatalf("%s: %d bytes, %d decompressed: refused for its size", name, len(data), b.Size())
		}
		if _, err := Validate(data, limits); !errors.Is(err, ErrTooLarge) || !bytes.Contains([]byte(err.Error()), []byte("headers")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
