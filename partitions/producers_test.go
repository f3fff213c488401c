package partitions

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"troupe/partitions/batch"
	"troupe/partitions/id"
)

func header(producer id.Producer, epoch int16, first int32, records int32, base id.Offset) batch.Header {
	return batch.Header{
		BaseOffset: base, LastOffsetDelta: records - 1, Records: records, Producer: producer, Epoch: epoch, FirstSequence: first,
	}
}

func TestSequencesWrap(t *testing.T) {
	p := newProducers(10)
	p.apply(header(1, 0, math.MaxInt32-1, 2, 100), 2)
	s := p.find(1)
	for _, c := range []struct {
		first, records int32
		err            error
		duplicate      bool
	}{
		{0, 1, nil, false},
		{math.MaxInt32 - 1, 2, nil, true},
		{math.MaxInt32, 1, ErrOutOfOrderSequence, false},
		{math.MaxInt32 - 9, 3, ErrDuplicate, false},
		{1, 1, ErrOutOfOrderSequence, false},
	} {
		v, err := s.judge(header(1, 0, c.first, c.records, 0))
		if !errors.Is(err, c.err) || v.duplicate != c.duplicate {
			t.Errorf("sequence %d of %d records: duplicate %v, %v; want %v, %v", c.first, c.records, v.duplicate, err, c.duplicate, c.err)
		}
	}
	p.apply(header(1, 0, 0, 3, 102), 3)
	p.check()
}

func TestProducersForgetTheLeastRecentlyTouched(t *testing.T) {
	p := newProducers(2)
	p.apply(header(9, 0, 0, 1, 0), 2)
	p.apply(header(3, 0, 0, 1, 1), 3)
	p.apply(header(9, 0, 1, 1, 2), 4)
	p.apply(header(5, 0, 0, 1, 3), 5)
	p.check()
	want := []ProducerState{
		{Producer: 5, Last: []Appended{{0, 0, 3}}, Touched: 5},
		{Producer: 9, Last: []Appended{{0, 0, 0}, {1, 1, 2}}, Touched: 4},
	}
	if d := cmp.Diff(want, p.snapshot()); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
	restored := newProducers(2)
	restored.restore(p.snapshot())
	restored.apply(header(1, 0, 0, 1, 4), 6)
	if restored.find(9) != nil || restored.find(5) == nil {
		t.Fatal("a restored table forgets in the same order")
	}
	restored.check()
}

func TestSnapshotsAreCopies(t *testing.T) {
	p := newProducers(2)
	p.apply(header(9, 0, 0, 1, 0), 2)
	before := p.snapshot()
	for i := range int32(WindowBatches + 2) {
		p.apply(header(9, 0, 1+i, 1, id.Offset(1+i)), id.Index(3+i))
	}
	if d := cmp.Diff([]ProducerState{{Producer: 9, Last: []Appended{{0, 0, 0}}, Touched: 2}}, before); d != "" {
		t.Fatalf("a snapshot changed under its owner (-want +got):\n%s", d)
	}
	if got := len(p.find(9).Last); got != WindowBatches {
		t.Fatalf("the window holds %d batches, want %d", got, WindowBatches)
	}
}
