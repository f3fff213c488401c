package gateway

import (
	"fmt"
	"strings"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"

	"github.com/google/go-cmp/cmp"
)

// unheardOf is a broker with topic a, whose catalog has topic b, which the broker does not know yet.
func unheardOf(t testing.TB) *fakeBroker {
	b := newFakeBroker(t, topic("a", 1))
	later := topic("b", 2)
	later.Placements, later.At = catalog.PlaceOn(2, testNode), testStart
	b.unheard = []catalog.Command{later}
	return b
}

// naming is one request of each kind that names a topic.
func naming(t testing.TB, topic string) []protocol.Message {
	return []protocol.Message{
		produceTo(topic, 0, batchOf(t, "v", 1, testStart)),
		fetchOf(topic, 0, 0),
		&protocol.ListOffsetsRequest{Partitions: []protocol.OffsetPartition{{Topic: topic}}},
		&protocol.DeleteRecordsRequest{Partitions: []protocol.DeletePartition{{Topic: topic}}},
		&protocol.MetadataRequest{Topics: []string{topic}},
		&protocol.DescribeTopicRequest{Topic: topic},
		&protocol.AssignReplicasRequest{Topic: topic, Nodes: []id.Node{testNode}, If: -1},
		&protocol.AlterTopicRequest{Topic: topic, Settings: map[string]string{"max.message.bytes": "4096"}},
		&protocol.DeleteTopicRequest{Topic: topic},
	}
}

// saysOf returns the one error of an answer, or nil.
func saysOf(a answered) *protocol.Error {
	if a.err != nil {
		return a.err
	}
	switch m := a.message.(type) {
	case *protocol.ProduceResponse:
		return m.Partitions[0].Err
	case *protocol.FetchResponse:
		return m.Partitions[0].Err
	case *protocol.ListOffsetsResponse:
		return m.Partitions[0].Err
	case *protocol.DeleteRecordsResponse:
		return m.Partitions[0].Err
	case *protocol.MetadataResponse:
		return m.Topics[0].Err
	}
	return nil
}

// A topic that this broker has not heard of yet is looked for once; whether it is there is told when that is known.
func TestUnheardOf(t *testing.T) {
	for _, m := range naming(t, "b") {
		t.Run(m.API().String(), func(t *testing.T) {
			b := unheardOf(t)
			if e := saysOf(newTalk(t, b, Limits{}).ask(m)); e != nil || b.refreshes != 1 {
				t.Errorf("%v after %d refreshes", e, b.refreshes)
			}
			b = newFakeBroker(t, topic("b", 1))
			if e := saysOf(newTalk(t, b, Limits{}).ask(m)); e != nil || b.refreshes != 0 {
				t.Errorf("what is known: %v after %d refreshes", e, b.refreshes)
			}
			b = newFakeBroker(t)
			if e := saysOf(newTalk(t, b, Limits{}).ask(m)); codeOf(e) != protocol.CodeUnknownTopic || b.refreshes != 1 {
				t.Errorf("what does not exist: %v after %d refreshes", e, b.refreshes)
			}
			b = unheardOf(t)
			b.behind = fmt.Errorf("%w: the catalog does not answer", partitions.ErrNotReady)
			e := saysOf(newTalk(t, b, Limits{}).ask(m))
			if codeOf(e) != protocol.CodeNotReady || !strings.HasSuffix(e.Message, "as far as this broker knows: the catalog does not answer") {
				t.Errorf("where it cannot be known: %v", e)
			}
		})
	}
}

// Partitions above those that are known, and lives of a name that are later than the one known, are looked for likewise.
func TestUnheardOfPartitionsAndLives(t *testing.T) {
	again := topic("a", 3)
	again.Placements, again.At = catalog.PlaceOn(3, testNode), testStart
	for _, c := range []struct {
		name      string
		topic     id.TopicID
		partition int32
		refreshes int
		code      protocol.Code // when the broker has looked
		behind    protocol.Code // when it could not
	}{
		{"known", 0, 0, 0, 0, 0},
		{"an earlier life", 3, 0, 0, protocol.CodeTopicRecreated, protocol.CodeTopicRecreated},
		{"the known life", 16, 0, 0, 0, 0},
		{"a later life", 17, 0, 1, 0, protocol.CodeNotReady},
		{"a life that never was", 18, 0, 1, protocol.CodeTopicRecreated, protocol.CodeNotReady},
		{"another partition", 0, 2, 1, 0, protocol.CodeNotReady},
		{"no partition", 0, 3, 1, protocol.CodeUnknownTopic, protocol.CodeNotReady},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, behind := range []bool{false, true} {
				b := newFakeBroker(t, topic("a", 1))
				b.unheard = []catalog.Command{catalog.DeleteTopic{Topic: 16}, again}
				want := c.code
				if behind {
					b.behind, want = partitions.ErrNotReady, c.behind
				}
				talk := newTalk(t, b, Limits{})
				r := produceTo("a", c.partition, batchOf(t, "v", 1, testStart))
				r.TopicID = c.topic
				if e := saysOf(talk.ask(r)); codeOf(e) != want || b.refreshes != c.refreshes {
					t.Errorf("behind %v: %v after %d refreshes", behind, e, b.refreshes)
				}
			}
		})
	}
}

// While a request waits for the catalog those behind it wait, too, but for greetings; then all go on in their order.
func TestBacklogKeepsOrder(t *testing.T) {
	b := unheardOf(t)
	c := newTalk(t, b, Limits{})
	b.hold()
	var all []uint64
	for i, name := range []string{"b", "a", "b", "a"} {
		all = append(all, c.send(produceTo(name, 0, batchOf(t, fmt.Sprint("v", i), 1, testStart))))
	}
	all = append(all, c.send(fetchOf("a", 0, 0)), c.send(&protocol.DescribeClusterRequest{}))
	c.ask(&protocol.PingRequest{})
	c.ask(&protocol.HelloRequest{})
	for _, n := range all {
		c.pending(n)
	}
	if len(b.calls) != 0 || b.refreshes != 1 {
		t.Errorf("%d refreshes, and asked of partitions: %v", b.refreshes, b.calls)
	}
	b.release()
	want := []string{"produce t17/0", "produce t16/0", "produce t17/0", "produce t16/0", "fetch t16/0"}
	if d := cmp.Diff(want, b.calls[:min(len(want), len(b.calls))]); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
	for i, base := range []id.Offset{0, 0, 1, 1} {
		if p := as[*protocol.ProduceResponse](t, c.must(all[i])).Partitions[0]; p.Err != nil || p.BaseOffset != base {
			t.Errorf("produce %d: %+v", i, p)
		}
	}
	for _, n := range all {
		c.must(n)
	}
	c.produced("a", 0, batchOf(t, "after", 1, testStart))
	if c.session.backlog.occupied.Load() || b.refreshes != 1 {
		t.Errorf("afterwards: %d refreshes", b.refreshes)
	}
}

// Those who came while a refresh was under way share the next one, however many they are.
func TestBacklogSharesRefreshes(t *testing.T) {
	b := newFakeBroker(t)
	c := newTalk(t, b, Limits{})
	b.hold()
	var all []uint64
	for i := range 20 {
		all = append(all, c.send(produceTo(fmt.Sprint("none", i), 0, batchOf(t, "v", 1, testStart))))
	}
	b.release()
	for _, n := range all {
		if a := c.must(n); codeOf(a.err) != protocol.CodeUnknownTopic {
			t.Errorf("%v", a.err)
		}
	}
	if b.refreshes != 2 {
		t.Errorf("%d refreshes", b.refreshes)
	}
}

// A session that closes waits for nothing: who is unknown is not said to be so, and everyone is answered once.
func TestClosedWhileTheCatalogIsAwaited(t *testing.T) {
	b := unheardOf(t)
	c := newTalk(t, b, Limits{})
	b.hold()
	first, known := c.send(produceTo("b", 0, batchOf(t, "v", 1, testStart))), c.send(fetchOf("a", 60_000, 0))
	second := c.send(produceTo("b", 0, batchOf(t, "v", 1, testStart)))
	c.session.Close()
	c.session.Close()
	for _, n := range []uint64{first, second} {
		if a := c.must(n); codeOf(a.err) != protocol.CodeNotReady {
			t.Errorf("%v", a.err)
		}
	}
	c.pending(known) // the broker holds its answer
	if a := c.ask(produceTo("b", 0, batchOf(t, "v", 1, testStart))); codeOf(a.err) != protocol.CodeNotReady {
		t.Errorf("later: %v", a.err)
	}
	b.release()
	as[*protocol.FetchResponse](t, c.must(known))
	if len(c.order) != 5 || b.refreshes != 1 || c.session.shared.bytes.used != 0 {
		t.Errorf("%d answers, %d refreshes, %d bytes held", len(c.order), b.refreshes, c.session.shared.bytes.used)
	}
	if p := c.produced("b", 0, batchOf(t, "v", 1, testStart)); p.Err != nil || p.BaseOffset != 0 {
		t.Errorf("it was carried out: %+v", p)
	}
}

// What is learnt may make an answer longer than was reserved for it: the budget of all connections holds for that, too.
func TestBacklogReserves(t *testing.T) {
	for _, room := range []int{0, 8 << 10} {
		b := unheardOf(t)
		c := newTalk(t, b, Limits{InflightBytesInAll: 1 << 20})
		budget := c.session.shared.bytes
		b.hold()
		n := c.send(&protocol.DescribeTopicRequest{Topic: "b"})
		other := budget.hold()
		if !other.try(1<<20 - budget.used - room) {
			t.Fatal("the budget is used up")
		}
		b.release()
		want := protocol.Code(0)
		if room == 0 {
			want = protocol.CodeThrottled
		}
		if a := c.must(n); codeOf(a.err) != want {
			t.Errorf("with room for %d bytes: %v", room, a.err)
		}
		if other.release(); budget.used != 0 {
			t.Errorf("%d bytes are held by nobody", budget.used)
		}
	}
}

// distantBroker refreshes, and answers, on goroutines of its own.
type distantBroker struct{ *fakeBroker }

func (b distantBroker) Refresh(done func(error)) { go b.fakeBroker.Refresh(done) }

// Over a connection what waits goes on beside the reader, and nothing of one partition changes places.
func TestBacklogOfAConnection(t *testing.T) {
	b := unheardOf(t)
	_, dial := serve(t, distantBroker{b}, Limits{})
	l := dial().hello()
	const rounds = 100
	kinds := []protocol.Message{
		produceTo("b", 0, batchOf(t, "v", 1, testStart)), fetchOf("a", 0, 0),
		produceTo("none", 0, batchOf(t, "v", 1, testStart)), fetchOf("none", 0, 0),
	}
	sent := make([]uint64, rounds*len(kinds))
	for i := range sent {
		sent[i] = correlation(uint64(i+100), kinds[i%len(kinds)].API())
	}
	got := map[uint64]answered{}
	go func() {
		for i, n := range sent {
			if _, err := l.conn.Write(wire(protocol.EncodeRequest(n, kinds[i%len(kinds)]))); err != nil {
				t.Errorf("send: %v", err)
			}
		}
	}()
	for range sent {
		n, a := l.receive()
		got[n] = a
	}
	for i := range rounds {
		if p := as[*protocol.ProduceResponse](t, got[sent[4*i]]).Partitions[0]; p.Err != nil || p.BaseOffset != id.Offset(i) {
			t.Fatalf("produce %d: %+v", i, p)
		}
		if e := saysOf(got[sent[4*i+2]]); codeOf(e) != protocol.CodeUnknownTopic {
			t.Fatalf("no topic: %v", e)
		}
	}
}
