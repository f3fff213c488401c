package gateway

import (
	"fmt"
	"sync"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// talk is a client on a session, without a socket: frames go in, and replies are decoded as they come.
type talk struct {
	t       testing.TB
	session *Session

	mu      sync.Mutex
	next    uint64
	answers map[uint64]answered
	order   []uint64 // correlations, as they were answered
}

type answered struct {
	message protocol.Message // nil after a refusal
	err     *protocol.Error
	frame   int // its size
}

// newTalk begins a conversation and says hello.
func newTalk(t testing.TB, b Broker, limits Limits) *talk {
	c := mute(t, b, limits)
	if a := c.ask(&protocol.HelloRequest{Client: "test"}); a.err != nil {
		t.Fatal(a.err)
	}
	return c
}

// mute begins a conversation without a hello.
func mute(t testing.TB, b Broker, limits Limits) *talk {
	c := &talk{t: t, answers: map[uint64]answered{}}
	c.session = NewSession(b, limits, c.take)
	return c
}

func (c *talk) take(r Reply) {
	frame := r.Frame()
	r.Done()
	header, body, err := protocol.ParseResponse(frame.Payload())
	if err != nil {
		c.t.Errorf("a reply does not parse: %v", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, twice := c.answers[header.Correlation]; twice && header.Correlation != 0 {
		c.t.Errorf("request %d is answered twice", header.Correlation)
	}
	c.order = append(c.order, header.Correlation)
	a := answered{err: header.Err, frame: frame.Len()}
	if a.err == nil {
		a.message = responseOf(header.Correlation).NewResponse()
		if err := body.Decode(a.message); err != nil {
			c.t.Errorf("%v: the response does not decode: %v", a.message.API(), err)
		}
	}
	c.answers[header.Correlation] = a
}

// The correlation of a talk's requests carries their API in its lowest bits, so that replies can be decoded alone.
func correlation(n uint64, api protocol.API) uint64 { return n<<16 | uint64(api) }
func responseOf(correlation uint64) protocol.API    { return protocol.API(correlation & 0xffff) }

// send sends a request and returns its correlation.
func (c *talk) send(m protocol.Message) uint64 {
	c.mu.Lock()
	c.next++
	n := correlation(c.next, m.API())
	c.mu.Unlock()
	if _, err := c.session.Receive(protocol.EncodeRequest(n, m).Payload()); err != nil {
		c.t.Errorf("%v ends the session: %v", m.API(), err)
	}
	return n
}

// answer returns a request's answer, if it has come.
func (c *talk) answer(n uint64) (answered, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.answers[n]
	return a, ok
}

// must returns a request's answer, which has to have come.
func (c *talk) must(n uint64) answered {
	c.t.Helper()
	a, ok := c.answer(n)
	if !ok {
		c.t.Fatalf("%v is not answered", responseOf(n))
	}
	return a
}

// pending fails the test if the request has been answered.
func (c *talk) pending(n uint64) {
	c.t.Helper()
	if a, ok := c.answer(n); ok {
		c.t.Fatalf("%v is answered already: %v %v", responseOf(n), a.message, a.err)
	}
}

// ask sends a request whose answer comes at once.
func (c *talk) ask(m protocol.Message) answered {
	c.t.Helper()
	return c.must(c.send(m))
}

// as returns the answer's message, failing the test if there is none.
func as[T protocol.Message](t testing.TB, a answered) T {
	t.Helper()
	if a.err != nil {
		t.Fatalf("refused: %v", a.err)
	}
	return a.message.(T)
}

// batchOf makes a batch of records with values "prefix-0", "prefix-1" and so on.
func batchOf(t testing.TB, prefix string, n int, at id.Timestamp) []byte {
	return codedBatch(t, batch.None, prefix, n, at)
}

func codedBatch(t testing.TB, codec batch.Codec, prefix string, n int, at id.Timestamp) []byte {
	b := batch.NewBuilder(codec)
	for i := range n {
		b.Append(at, nil, fmt.Appendf(nil, "%s-%d", prefix, i), nil)
	}
	data, err := b.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte(nil), data...)
}

// produceTo is a produce of one batch to one partition.
func produceTo(topic string, number int32, data []byte) *protocol.ProduceRequest {
	return &protocol.ProduceRequest{Topic: topic, Acks: protocol.AcksQuorum, Partitions: []protocol.ProducePartition{
		{Partition: number, Batch: data, ExpectEnd: protocol.NoOffset}}}
}

// produced sends a batch and returns where it went.
func (c *talk) produced(topic string, number int32, data []byte) protocol.ProducedPartition {
	c.t.Helper()
	return as[*protocol.ProduceResponse](c.t, c.ask(produceTo(topic, number, data))).Partitions[0]
}

// fetchOf is a fetch of partitions of one topic, all from offset 0.
func fetchOf(topic string, wait int32, numbers ...int32) *protocol.FetchRequest {
	r := &protocol.FetchRequest{MinBytes: 1, MaxBytes: 1 << 20, WaitMillis: wait}
	for _, n := range numbers {
		r.Partitions = append(r.Partitions, protocol.FetchPartition{Topic: topic, Partition: n})
	}
	return r
}

// codeOf returns an error's code; 0 for nil.
func codeOf(e *protocol.Error) protocol.Code {
	if e == nil {
		return 0
	}
	return e.Code
}
