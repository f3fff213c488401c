package gateway

import (
	"fmt"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/batch"
	"troupe/partitions/catalog"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

func codedBatchOfZstd(t testing.TB) []byte { return codedBatch(t, batch.Zstd, "z", 100, testStart) }

// Batches of every codec arrive as they were sent, and each partition answers for itself.
func TestProduceBatches(t *testing.T) {
	b := newFakeBroker(t, topic("a", 2))
	c := newTalk(t, b, Limits{})
	for codec := batch.None; codec.Known(); codec++ {
		data := codedBatch(t, codec, "v", 10, testStart)
		if got := c.produced("a", 1, data); got.Err != nil || got.BaseOffset != id.Offset(10*int(codec)) || got.Term != 7 {
			t.Errorf("%v: got %+v", codec, got)
		}
	}
	if got := b.logs[id.Partition{Topic: 16, Number: 1}]; got.end != 50 || len(got.batches) != 5 {
		t.Errorf("the log holds %d batches up to %d", len(got.batches), got.end)
	}
}

// A request may hold good and bad batches; each gets its own answer, and nothing bad reaches the broker.
func TestProduceIsCheckedAtTheDoor(t *testing.T) {
	good := batchOf(t, "v", 3, testStart)
	flipped := batchOf(t, "v", 3, testStart)
	flipped[len(flipped)-1] ^= 1
	builder := batch.NewBuilder(batch.None)
	builder.Append(testStart, nil, []byte("v"), nil)
	idempotent, err := builder.Build(9, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	bomb := batch.NewBuilder(batch.Zstd)
	bomb.Append(testStart, nil, make([]byte, 1<<20), nil)
	bombed, err := bomb.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	if err != nil {
		t.Fatal(err)
	}
	small := topic("small", 1)
	small.Settings = map[string]string{"max.message.bytes": "1KiB"}
	for _, c := range []struct {
		name   string
		topic  string
		number int32
		data   []byte
		acks   protocol.Acks
		code   protocol.Code
	}{
		{"good", "a", 0, good, -1, 0},
		{"good, leader", "a", 0, good, 1, 0},
		{"idempotent", "a", 0, idempotent, -1, 0},
		{"idempotent without quorum", "a", 0, idempotent, 1, protocol.CodeInvalidRequest},
		{"flipped bit", "a", 0, flipped, -1, protocol.CodeInvalidBatch},
		{"cut", "a", 0, good[:len(good)-1], -1, protocol.CodeInvalidBatch},
		{"empty", "a", 0, []byte{}, -1, protocol.CodeInvalidBatch},
		{"bomb", "a", 0, bombed, -1, protocol.CodeBatchTooLarge},
		{"no such partition", "a", 2, good, -1, protocol.CodeUnknownTopic},
		{"above the topic's limit", "small", 0, batchOf(t, "v", 100, testStart), -1, protocol.CodeBatchTooLarge},
		{"within the topic's limit", "small", 0, good, -1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newFakeBroker(t, topic("a", 2), small)
			talk := newTalk(t, b, Limits{DecompressedBytes: 1 << 20})
			r := produceTo(c.topic, c.number, c.data)
			r.Acks = c.acks
			r.Partitions = append(r.Partitions, protocol.ProducePartition{Partition: 0, Batch: good, ExpectEnd: protocol.NoOffset})
			got := as[*protocol.ProduceResponse](t, talk.ask(r)).Partitions
			if codeOf(got[0].Err) != c.code {
				t.Errorf("got %v, want %v", got[0].Err, c.code)
			}
			if got[1].Err != nil {
				t.Errorf("the good batch beside it: %v", got[1].Err)
			}
			calls := 2
			if c.code != 0 {
				calls = 1
				if got[0].BaseOffset != protocol.NoOffset {
					t.Errorf("a refused batch has offset %d", got[0].BaseOffset)
				}
			}
			if len(b.calls) != calls {
				t.Errorf("the broker saw %v", b.calls)
			}
		})
	}
}

// Topics are resolved at the door, and the broker's own are for reading only.
func TestProduceResolvesTopics(t *testing.T) {
	b := newFakeBroker(t, topic("a", 1))
	c := newTalk(t, b, Limits{})
	data := batchOf(t, "v", 1, testStart)
	for _, w := range []struct {
		topic string
		id    id.TopicID
		code  protocol.Code
	}{
		{"a", 0, 0}, {"a", 16, 0}, {"a", 17, protocol.CodeTopicRecreated}, {"b", 0, protocol.CodeUnknownTopic},
		{string(catalog.Name), 0, protocol.CodeInvalidTopicName},
	} {
		r := produceTo(w.topic, 0, data)
		r.TopicID = w.id
		if got := c.ask(r).err; codeOf(got) != w.code {
			t.Errorf("%s %v: got %v, want %v", w.topic, w.id, got, w.code)
		}
	}
	for _, call := range b.calls {
		if call != "produce t16/0" {
			t.Errorf("the broker saw %s", call)
		}
	}
}

// What a script sends becomes one batch, with the broker's time where none is given.
func TestProduceRecords(t *testing.T) {
	b := newFakeBroker(t, topic("a", 1))
	c := newTalk(t, b, Limits{})
	w := protocol.NewRecordsWriter()
	w.Append(protocol.Record{Key: []byte("k"), Value: []byte("v"), Timestamp: 5, Headers: []protocol.Header{{Name: "h", Value: []byte("x")}}})
	w.Append(protocol.Record{Value: []byte{}, Timestamp: protocol.NoTimestamp})
	r := produceTo("a", 0, nil)
	r.Partitions[0].Records = w.Records()
	got := as[*protocol.ProduceResponse](t, c.ask(r)).Partitions[0]
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	records, err := batch.Decode(nil, b.logs[id.Partition{Topic: 16}].batches[0], 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := []batch.Record{
		{Offset: 0, Timestamp: 5, Key: []byte("k"), Value: []byte("v"), Headers: []batch.RecordHeader{{Key: "h", Value: []byte("x")}}},
		{Offset: 1, Timestamp: testStart, Value: []byte{}},
	}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Errorf("(-sent +logged):\n%s", diff)
	}

	many := protocol.NewRecordsWriter()
	for range 5000 {
		many.Append(protocol.Record{Value: make([]byte, 1000)})
	}
	r.Partitions[0].Records = many.Records()
	if got := as[*protocol.ProduceResponse](t, c.ask(r)).Partitions[0]; codeOf(got.Err) != protocol.CodeBatchTooLarge {
		t.Errorf("5 MB of records: got %v", got.Err)
	}
	r.Partitions[0].Records = protocol.Records{}
	if got := as[*protocol.ProduceResponse](t, c.ask(r)).Partitions[0]; codeOf(got.Err) != protocol.CodeInvalidBatch {
		t.Errorf("no records: got %v", got.Err)
	}
}

func TestProduceExpectsAnEnd(t *testing.T) {
	c := newTalk(t, newFakeBroker(t, topic("a", 1)), Limits{})
	data := batchOf(t, "v", 3, testStart)
	r := produceTo("a", 0, data)
	r.Partitions[0].ExpectEnd = 0
	if got := as[*protocol.ProduceResponse](t, c.ask(r)).Partitions[0]; got.Err != nil || got.BaseOffset != 0 {
		t.Fatalf("got %+v", got)
	}
	got := as[*protocol.ProduceResponse](t, c.ask(r)).Partitions[0].Err
	if codeOf(got) != protocol.CodeOffsetMismatch || got.Details.LogEnd != 3 || got.Details.Asked != 0 {
		t.Errorf("got %v with %+v", got, got.Details)
	}
}

// acks none says that a batch passed the checks, and nothing of where it is.
func TestProduceWithoutAcksTellsNoOffset(t *testing.T) {
	c := newTalk(t, newFakeBroker(t, topic("a", 1)), Limits{})
	r := produceTo("a", 0, batchOf(t, "v", 3, testStart))
	r.Acks = protocol.AcksNone
	if got := as[*protocol.ProduceResponse](t, c.ask(r)).Partitions[0]; got.Err != nil || got.BaseOffset != protocol.NoOffset {
		t.Errorf("got %+v", got)
	}
}

// Pipelined requests reach each partition in the order they were sent, whatever the order of the answers.
func TestPipeliningKeepsTheOrder(t *testing.T) {
	b := newFakeBroker(t, topic("a", 3))
	c := newTalk(t, b, Limits{})
	b.hold()
	var sent []uint64
	var want []string
	for i := range 30 {
		sent = append(sent, c.send(produceTo("a", int32(i%3), batchOf(t, fmt.Sprint("v", i), 1, testStart))))
		want = append(want, fmt.Sprintf("produce t16/%d", i%3))
	}
	for _, n := range sent {
		c.pending(n)
	}
	b.release()
	for i, n := range sent {
		got := as[*protocol.ProduceResponse](t, c.must(n)).Partitions[0]
		if got.BaseOffset != id.Offset(i/3) {
			t.Errorf("request %d is at offset %d, want %d", i, got.BaseOffset, i/3)
		}
	}
	if diff := cmp.Diff(want, b.calls); diff != "" {
		t.Errorf("(-sent +called):\n%s", diff)
	}
	if c.order[1] != sent[29] {
		t.Errorf("the answer that was ready first did not leave first")
	}
}

// A request with several partitions is answered once, when the last of them is known.
func TestProduceToSeveralPartitionsIsAnsweredOnce(t *testing.T) {
	b := newFakeBroker(t, topic("a", 3))
	c := newTalk(t, b, Limits{})
	b.fail(id.Partition{Topic: 16, Number: 1}, fmt.Errorf("a budget: %w", partitions.ErrThrottled))
	b.hold()
	r := produceTo("a", 0, batchOf(t, "v", 1, testStart))
	for n := int32(1); n < 3; n++ {
		r.Partitions = append(r.Partitions, protocol.ProducePartition{Partition: n, Batch: r.Partitions[0].Batch, ExpectEnd: protocol.NoOffset})
	}
	n := c.send(r)
	c.pending(n)
	b.release()
	got := as[*protocol.ProduceResponse](t, c.must(n))
	codes := []protocol.Code{codeOf(got.Partitions[0].Err), codeOf(got.Partitions[1].Err), codeOf(got.Partitions[2].Err)}
	if diff := cmp.Diff([]protocol.Code{0, protocol.CodeThrottled, 0}, codes); diff != "" {
		t.Error(diff)
	}
	if e := got.Partitions[1].Err; !e.Retriable || e.Details.WaitMillis != 100 || e.Outcome() != protocol.NotDone {
		t.Errorf("got %+v", e)
	}
	if c.ask(&protocol.ProduceRequest{Topic: "a"}).err != nil {
		t.Error("a produce of nothing is not answered with nothing")
	}
}
