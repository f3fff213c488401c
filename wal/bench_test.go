package wal

import (
	"fmt"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"
)

const benchBatch = 16 << 10

// realBench is a log on a real disk, so that fsync costs what it costs.
func realBench(b *testing.B) (*Log, *story) {
	path := b.TempDir()
	bench := newBench(b, Options{})
	d, err := OpenDirectory(path+"/data", bench.options)
	must(b, err)
	must(b, d.Create(testPartition, testReplica, born(), partitions.HardState{Term: 1, Commit: 1}))
	l, err := d.Open(testPartition, testReplica)
	must(b, err)
	b.Cleanup(func() { must(b, l.Close()); must(b, d.Close()) })
	return l.(*Log), newStory()
}

// BenchmarkGroupCommit appends some batches of 16 KiB and syncs once.
func BenchmarkGroupCommit(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("%dx16KiB", n), func(b *testing.B) {
			l, s := realBench(b)
			entries := s.batches(n, benchBatch)
			write := []partitions.Write{{Entries: entries, Changed: true}}
			b.ReportAllocs()
			b.SetBytes(int64(n * benchBatch))
			for b.Loop() {
				write[0].HardState = partitions.HardState{Term: 1, Commit: l.last}
				for i := range entries {
					entries[i].Index = l.last + 1 + id.Index(i)
				}
				must(b, l.Append(write))
				must(b, l.Sync())
			}
		})
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	e := newStory().batch(benchBatch)
	var frame []byte
	b.ReportAllocs()
	b.SetBytes(benchBatch)
	for b.Loop() {
		frame = AppendFrame(frame[:0], testReplica, e, 1)
	}
}

func BenchmarkParseFrame(b *testing.B) {
	frame := AppendFrame(nil, testReplica, newStory().batch(benchBatch), 1)
	b.ReportAllocs()
	b.SetBytes(benchBatch)
	for b.Loop() {
		if _, err := ParseFrame(frame, testReplica); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkColdRead reads 1 MiB at a time through 64 MiB of segments.
func BenchmarkColdRead(b *testing.B) {
	l, s := realBench(b)
	for range 64 {
		s.commit(b, l, s.batches(64, benchBatch)...)
	}
	b.ReportAllocs()
	b.SetBytes(1 << 20)
	from := id.Offset(0)
	for b.Loop() {
		batches, err := l.ReadBatches(from, s.offset, 1<<20)
		must(b, err)
		from = (from + id.Offset(2*len(batches))) % s.offset
	}
}

// BenchmarkSurvey surveys a torn segment of 2 MiB.
func BenchmarkSurvey(b *testing.B) {
	s := newStory()
	var segment []byte
	for len(segment) < 2<<20 {
		segment = AppendEntry(segment, testReplica, s.batch(benchBatch), 1)
	}
	segment = segment[:len(segment)-100]
	b.ReportAllocs()
	b.SetBytes(int64(len(segment)))
	for b.Loop() {
		_, err := Survey(testReplica, []SegmentBytes{{First: 2, Bytes: segment}}, Known{})
		must(b, err)
	}
}
