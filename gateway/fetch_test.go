package gateway

import (
	"fmt"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

func fetched(t testing.TB, a answered) []protocol.FetchedPartition {
	t.Helper()
	return as[*protocol.FetchResponse](t, a).Partitions
}

// values decodes the values of a fetched partition's batches, from the offset asked for.
func values(t testing.TB, p protocol.FetchedPartition, from id.Offset) []string {
	t.Helper()
	var list []string
	for _, b := range p.Batches {
		records, err := batch.Decode(nil, b, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if r.Offset >= from {
				list = append(list, string(r.Value))
			}
		}
	}
	for r := range p.Records.All() {
		list = append(list, string(r.Value))
	}
	return list
}

func TestFetchReturnsWhatIsThere(t *testing.T) {
	c := newTalk(t, newFakeBroker(t, topic("a", 2), topic("b", 1)), Limits{})
	c.produced("a", 1, batchOf(t, "x", 3, testStart))
	c.produced("a", 1, batchOf(t, "y", 2, testStart))
	c.produced("b", 0, batchOf(t, "z", 1, testStart))
	r := fetchOf("a", 1000, 0, 1)
	r.Partitions[1].Offset = 1
	r.Partitions = append(r.Partitions, protocol.FetchPartition{Topic: "b", TopicID: 17})
	got := fetched(t, c.ask(r))
	want := []protocol.FetchedPartition{
		{Topic: "a", TopicID: 16, Partition: 0, Term: 7},
		{Topic: "a", TopicID: 16, Partition: 1, Term: 7, HighWatermark: 5, NextOffset: 5},
		{Topic: "b", TopicID: 17, Partition: 0, Term: 7, HighWatermark: 1, NextOffset: 1},
	}
	for i, values := range [][]string{nil, {"x-1", "x-2", "y-0", "y-1"}, {"z-0"}} {
		if diff := cmp.Diff(values, valuesOf(t, &got[i], r.Partitions[i].Offset)); diff != "" {
			t.Errorf("partition %d: %s", i, diff)
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(protocol.Records{})); diff != "" {
		t.Error(diff)
	}
}

// valuesOf takes the batches out of p and returns their values.
func valuesOf(t testing.TB, p *protocol.FetchedPartition, from id.Offset) []string {
	list := values(t, *p, from)
	p.Batches = nil
	return list
}

// A fetch that finds nothing waits; the first record anywhere answers it and gives up all its other waits.
func TestLongPollWakesUp(t *testing.T) {
	b := newFakeBroker(t, topic("a", 3))
	c := newTalk(t, b, Limits{})
	n := c.send(fetchOf("a", 1000, 0, 1, 2))
	c.pending(n)
	if b.parked() != 3 {
		t.Fatalf("%d fetches wait, want 3", b.parked())
	}
	c.produced("a", 1, batchOf(t, "x", 1, testStart))
	got := fetched(t, c.must(n))
	if diff := cmp.Diff([]string{"x-0"}, values(t, got[1], 0)); diff != "" {
		t.Error(diff)
	}
	if b.parked() != 0 {
		t.Errorf("%d fetches still wait", b.parked())
	}
	c.produced("a", 2, batchOf(t, "y", 1, testStart)) // nobody is woken twice: take would complain
}

func TestLongPollEnds(t *testing.T) {
	b := newFakeBroker(t, topic("a", 2))
	c := newTalk(t, b, Limits{WaitMillis: 5000})
	n := c.send(fetchOf("a", 1_000_000, 0, 1))
	b.advance(4999)
	c.pending(n)
	b.advance(1)
	for _, p := range fetched(t, c.must(n)) {
		if p.Err != nil || len(p.Batches) != 0 || p.NextOffset != 0 {
			t.Errorf("got %+v", p)
		}
	}
	if b.parked() != 0 {
		t.Errorf("%d fetches still wait", b.parked())
	}
}

// With min_bytes a fetch collects what arrives, partition by partition, and still ends in time.
func TestLongPollCollectsMinBytes(t *testing.T) {
	b := newFakeBroker(t, topic("a", 2))
	c := newTalk(t, b, Limits{})
	one := batchOf(t, "x", 1, testStart)
	r := fetchOf("a", 1000, 0, 1)
	r.MinBytes = int32(3 * len(one))
	c.produced("a", 0, one)
	n := c.send(r)
	c.produced("a", 1, one)
	c.pending(n)
	c.produced("a", 1, one)
	got := fetched(t, c.must(n))
	if diff := cmp.Diff([]int{1, 2}, []int{len(got[0].Batches), len(got[1].Batches)}); diff != "" {
		t.Error(diff)
	}
	if got[1].NextOffset != 2 {
		t.Errorf("next offset %d", got[1].NextOffset)
	}

	r.Partitions[0].Offset, r.Partitions[1].Offset = 1, 2
	n = c.send(r)
	c.produced("a", 0, one)
	c.pending(n)
	b.advance(1000)
	if got := fetched(t, c.must(n)); len(got[0].Batches) != 1 || got[0].NextOffset != 2 || len(got[1].Batches) != 0 {
		t.Errorf("at the end of the wait: %+v", got)
	}
	if b.parked() != 0 {
		t.Errorf("%d fetches still wait", b.parked())
	}
}

// Closing a session answers what waits with what there is; nobody waits on it again.
func TestCloseGivesUpWaits(t *testing.T) {
	b := newFakeBroker(t, topic("a", 2))
	c := newTalk(t, b, Limits{})
	n, m := c.send(fetchOf("a", 1000, 0, 1)), c.send(fetchOf("a", 1000, 1))
	c.pending(n)
	c.pending(m)
	c.session.Close()
	fetched(t, c.must(n))
	fetched(t, c.must(m))
	if b.parked() != 0 {
		t.Errorf("%d fetches still wait", b.parked())
	}
	fetched(t, c.ask(fetchOf("a", 1000, 0)))
	c.session.Close()
}

// An error answers at once, beside what the others have.
func TestFetchDoesNotWaitWithErrors(t *testing.T) {
	b := newFakeBroker(t, topic("a", 3))
	c := newTalk(t, b, Limits{})
	c.produced("a", 0, batchOf(t, "x", 4, testStart))
	b.fail(id.Partition{Topic: 16, Number: 2}, partitions.ErrClosed)
	for _, w := range []struct {
		name string
		p    protocol.FetchPartition
		code protocol.Code
	}{
		{"beyond the end", protocol.FetchPartition{Topic: "a", Offset: 9}, protocol.CodeOffsetOutOfRange},
		{"another life", protocol.FetchPartition{Topic: "a", TopicID: 3}, protocol.CodeTopicRecreated},
		{"no topic", protocol.FetchPartition{Topic: "b"}, protocol.CodeUnknownTopic},
		{"no partition", protocol.FetchPartition{Topic: "a", Partition: 3}, protocol.CodeUnknownTopic},
		{"closed", protocol.FetchPartition{Topic: "a", Partition: 2}, protocol.CodeUnavailable},
	} {
		r := fetchOf("a", 1000, 1)
		r.Partitions = append(r.Partitions, w.p)
		got := fetched(t, c.ask(r))
		if codeOf(got[1].Err) != w.code || got[0].Err != nil {
			t.Errorf("%s: got %v and %v", w.name, got[1].Err, got[0].Err)
		}
		if e := got[1]; w.code == protocol.CodeOffsetOutOfRange && (e.Err.Details != protocol.Details{Asked: 9, LogEnd: 4} || e.Term == 0 || e.HighWatermark != 4) {
			t.Errorf("%+v, details %+v", e, e.Err.Details)
		}
	}
	n := c.send(fetchOf("a", 1000, 1))
	b.fail(id.Partition{Topic: 16, Number: 1}, partitions.ErrNotLeader)
	b.advance(0)
	c.pending(n)
	b.advance(1000)
	if got := fetched(t, c.must(n)); codeOf(got[0].Err) != protocol.CodeNotLeader {
		t.Errorf("got %v", got[0].Err)
	}
	if got := fetched(t, c.ask(&protocol.FetchRequest{MinBytes: 1, WaitMillis: 1000})); len(got) != 0 {
		t.Errorf("a fetch of nothing: %v", got)
	}
}

// max_bytes is shared by those who have records; at least one batch is returned, and nobody starves.
func TestFetchSharesMaxBytes(t *testing.T) {
	const count = 40 // more than a window
	b := newFakeBroker(t, topic("a", count))
	c := newTalk(t, b, Limits{})
	one := batchOf(t, "value", 50, testStart)
	var numbers []int32
	for n := range int32(count) {
		numbers = append(numbers, n)
		for range 20 {
			c.produced("a", n, one)
		}
	}
	r := fetchOf("a", 1000, numbers...)
	total := func(list []protocol.FetchedPartition) (bytes, served int) {
		for i, p := range list {
			if len(p.Batches) > 0 {
				served++
			}
			if want := id.Offset(50 * len(p.Batches)); p.NextOffset != r.Partitions[i].Offset+want {
				t.Errorf("partition %d: %d batches, next offset %d", i, len(p.Batches), p.NextOffset)
			}
			for _, data := range p.Batches {
				bytes += len(data)
			}
		}
		return bytes, served
	}
	r.MaxBytes = int32(100 * len(one))
	if bytes, served := total(fetched(t, c.ask(r))); bytes > int(r.MaxBytes) || bytes < 80*len(one) || served != count {
		t.Errorf("%d bytes of %d from %d partitions", bytes, r.MaxBytes, served)
	}
	r.MaxBytes = 1
	seen := map[int]bool{}
	for range count {
		got := fetched(t, c.ask(r))
		if bytes, served := total(got); bytes != len(one) || served != 1 {
			t.Fatalf("max_bytes 1: %d bytes from %d partitions", bytes, served)
		}
		for i := range got {
			if len(got[i].Batches) > 0 {
				seen[i] = true
			}
		}
	}
	if len(seen) != count {
		t.Errorf("%d of %d partitions were ever served", len(seen), count)
	}
	// One partition that has much beside many that have nothing gets the room of all.
	for i := range r.Partitions {
		if i != 7 {
			r.Partitions[i].Offset = 1000
		}
	}
	r.MaxBytes = int32(16 * len(one))
	if bytes, served := total(fetched(t, c.ask(r))); bytes < 14*len(one) || bytes > int(r.MaxBytes) || served != 1 {
		t.Errorf("one busy partition: %d bytes of %d from %d partitions", bytes, r.MaxBytes, served)
	}
	r.Partitions[7].MaxBytes = int32(2 * len(one))
	if bytes, _ := total(fetched(t, c.ask(r))); bytes != 2*len(one) {
		t.Errorf("a partition's own max_bytes of two batches: %d bytes, a batch has %d", bytes, len(one))
	}
}

// The form of records begins at the offset asked for, whatever the codec, and ends at max_bytes even within a batch.
func TestFetchRecords(t *testing.T) {
	c := newTalk(t, newFakeBroker(t, topic("a", 1)), Limits{})
	c.produced("a", 0, batchOf(t, "x", 3, testStart))
	c.produced("a", 0, codedBatch(t, batch.LZ4, "y", 3, testStart+1))
	r := fetchOf("a", 1000, 0)
	r.Form, r.Partitions[0].Offset = protocol.FormRecords, 2
	got := fetched(t, c.ask(r))[0]
	var list []string
	for rec := range got.Records.All() {
		list = append(list, fmt.Sprint(rec.Offset, " ", rec.Timestamp-testStart, " ", string(rec.Value)))
	}
	if diff := cmp.Diff([]string{"2 0 x-2", "3 1 y-0", "4 1 y-1", "5 1 y-2"}, list); diff != "" {
		t.Error(diff)
	}
	if got.NextOffset != 6 || len(got.Batches) != 0 {
		t.Errorf("next offset %d, %d batches", got.NextOffset, len(got.Batches))
	}
	r.MaxBytes, r.Partitions[0].Offset = 1, 1
	for want := id.Offset(2); want <= 6; want++ {
		got := fetched(t, c.ask(r))[0]
		if got.Records.Len() != 1 || got.NextOffset != want {
			t.Fatalf("max_bytes 1 from %d: %d records, next offset %d", want-1, got.Records.Len(), got.NextOffset)
		}
		r.Partitions[0].Offset = got.NextOffset
	}
}

// A gap that reaches to the end is told by where to go on, at once; behind it the fetch waits like any other.
func TestFetchInAGap(t *testing.T) {
	for _, form := range []protocol.Form{protocol.FormBatch, protocol.FormRecords} {
		b := newFakeBroker(t, topic("a", 2))
		c := newTalk(t, b, Limits{})
		c.produced("a", 0, batchOf(t, "x", 2, testStart))
		c.produced("a", 1, batchOf(t, "x", 1, testStart))
		b.logs[id.Partition{Topic: 16}].end = 1000
		r := fetchOf("a", 0, 0)
		r.Form, r.Partitions[0].Offset = form, 2
		got := fetched(t, c.ask(r))[0]
		if got.NextOffset != 1000 || got.Err != nil || len(got.Batches)+got.Records.Len() != 0 {
			t.Fatalf("%v: %+v", form, got)
		}
		r = fetchOf("a", 0, 0, 1) // beside one that has records
		r.Form, r.Partitions[0].Offset = form, 2
		if got := fetched(t, c.ask(r)); got[0].NextOffset != 1000 || got[1].NextOffset != 1 {
			t.Fatalf("%v: %+v", form, got)
		}
		r = fetchOf("a", 1000, 0)
		r.Form, r.Partitions[0].Offset = form, 2
		n := c.send(r)
		c.produced("a", 0, batchOf(t, "y", 1, testStart))
		if got := fetched(t, c.must(n))[0]; got.NextOffset != 1001 || len(valuesOf(t, &got, 0)) != 1 {
			t.Fatalf("%v, behind it: %+v", form, got)
		}
	}
}

// A record that no frame holds is refused by name, and damage is called damage.
func TestFetchRecordsThatCannotBeSpeltOut(t *testing.T) {
	b := newFakeBroker(t, topic("a", 2))
	c := newTalk(t, b, Limits{FrameBytes: headroom + 1000})
	large := batch.NewBuilder(batch.Zstd)
	large.Append(testStart, nil, make([]byte, 2000), nil)
	data, err := large.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	if err != nil {
		t.Fatal(err)
	}
	c.produced("a", 0, data)
	c.produced("a", 1, batchOf(t, "x", 1, testStart))
	flipped := b.logs[id.Partition{Topic: 16, Number: 1}].batches[0]
	flipped[len(flipped)-2] ^= 1
	r := fetchOf("a", 1000, 0, 1)
	r.Form = protocol.FormRecords
	got := fetched(t, c.ask(r))
	codes := []protocol.Code{codeOf(got[0].Err), codeOf(got[1].Err)}
	if diff := cmp.Diff([]protocol.Code{protocol.CodeBatchTooLarge, protocol.CodeDamaged}, codes); diff != "" {
		t.Error(diff)
	}
	if got[0].NextOffset != 0 || got[1].NextOffset != 0 {
		t.Errorf("next offsets %d and %d", got[0].NextOffset, got[1].NextOffset)
	}
}

// Whatever completes when, and on whichever goroutine: one reply, and nobody is left waiting.
func TestFetchUnderConcurrency(t *testing.T) {
	b := newFakeBroker(t, topic("a", 4))
	c := newTalk(t, b, Limits{ParkedFetches: 1000})
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := newTalk(t, b, Limits{})
		for i := range 200 {
			p.produced("a", int32(i%4), batchOf(t, "x", 1, testStart))
			if i%5 == 0 {
				b.advance(1)
			}
		}
	}()
	r := fetchOf("a", 3, 0, 1, 2, 3)
	r.MinBytes = 200
	var sent []uint64
	for range 200 {
		sent = append(sent, c.send(r))
		if a, ok := c.answer(sent[0]); ok && a.err == nil {
			for i, p := range a.message.(*protocol.FetchResponse).Partitions {
				r.Partitions[i].Offset = max(r.Partitions[i].Offset, p.NextOffset)
			}
		}
	}
	<-done
	c.session.Close()
	for _, n := range sent {
		fetched(t, c.must(n))
	}
	if b.parked() != 0 {
		t.Errorf("%d fetches still wait", b.parked())
	}
}
