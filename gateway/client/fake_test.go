package client

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
	"troupe/partitions/id"
)

// fakeBroker is a broker of one node in memory that keeps the protocol's promises, idempotence among them. Faults say what
// happens to a produce instead.
type fakeBroker struct {
	limits protocol.Limits
	// fault is asked before each produce, with its number from 1; nil serves them all.
	fault func(n int, r *protocol.ProduceRequest) fault

	mu        sync.Mutex
	down      bool // refuses connections
	topics    map[string]*fakeTopic
	nextTopic id.TopicID
	producers id.Producer
	produces  int
	fetches   int
	dials     int
	nodes     map[string]*fakeNode            // by address; nil: one node that answers at every address
	sent      map[string]map[id.Producer]bool // under which producer ids each value ever came
	changed   chan struct{}                   // closed and replaced whenever a partition grows
	open      map[*fakeSession]struct{}
}

type fakeTopic struct {
	id         id.TopicID
	partitions []fakePartition
}

type fakePartition struct {
	batches   [][]byte
	start     id.Offset
	next      id.Offset
	term      id.Term
	producers map[id.Producer][]appended
}

type appended struct {
	first, last int32
	base        id.Offset
}

// fault is what becomes of one produce.
type fault struct {
	code      protocol.Code // answer this, not done; 0: serve
	cutBefore bool          // drop the connection before appending
	cutAfter  bool          // append, and drop the connection instead of answering
	silent    bool          // neither append nor answer
	held      <-chan struct{}
}

func newFakeBroker(topic string, partitions int) *fakeBroker {
	b := &fakeBroker{sent: map[string]map[id.Producer]bool{}, topics: map[string]*fakeTopic{}, changed: make(chan struct{}), open: map[*fakeSession]struct{}{}}
	b.create(topic, partitions)
	return b
}

func (b *fakeBroker) create(topic string, partitions int) {
	b.nextTopic++
	t := &fakeTopic{id: b.nextTopic, partitions: make([]fakePartition, partitions)}
	for i := range t.partitions {
		t.partitions[i].producers = map[id.Producer][]appended{}
		t.partitions[i].term = 1
	}
	b.topics[topic] = t
}

// client returns a client that reaches the broker through pipes; it is closed with the test.
func (b *fakeBroker) client(t *testing.T, options ...Option) *Client {
	t.Helper()
	c, err := New(append([]Option{WithBroker("fake:1"), WithDialer(b.dial)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		b.cutAll()
	})
	return c
}

func (b *fakeBroker) dial(_ context.Context, _, address string) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dials++
	node := b.nodes[address]
	if b.down || b.nodes != nil && (node == nil || node.down) {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	s := &fakeSession{broker: b, node: node, conn: ours, over: make(chan struct{})}
	b.open[s] = struct{}{}
	go s.serve()
	return theirs, nil
}

func (b *fakeBroker) cutAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.open {
		_ = s.conn.Close()
	}
}

// values lists what a partition holds, in order, with every stored batch checked.
func (b *fakeBroker) values(t *testing.T, topic string, partition int) []string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var values []string
	for _, stored := range b.topics[topic].partitions[partition].batches {
		rs, err := batch.Decode(nil, stored, 1<<26)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			values = append(values, string(r.Value))
		}
	}
	return values
}

type fakeSession struct {
	broker *fakeBroker
	node   *fakeNode // nil: there is only one
	conn   net.Conn
	write  sync.Mutex
	over   chan struct{}
}

func (s *fakeSession) serve() {
	defer func() {
		close(s.over)
		_ = s.conn.Close()
		s.broker.mu.Lock()
		delete(s.broker.open, s)
		s.broker.mu.Unlock()
	}()
	for {
		payload, err := protocol.ReadFrame(s.conn, protocol.DefaultFrameBytes)
		if err != nil {
			return
		}
		h, body, err := protocol.ParseRequest(payload)
		if err != nil {
			return
		}
		if s.node != nil && !s.node.hears(h) {
			continue
		}
		m := h.API.NewRequest()
		if err := body.Decode(m); err != nil {
			s.answer(protocol.EncodeError(h.Correlation, protocol.NewError(protocol.CodeInvalidRequest, "%v", err)))
			continue
		}
		if f, ok := m.(*protocol.FetchRequest); ok {
			go s.fetch(h.Correlation, f)
			continue
		}
		if !s.handle(h.Correlation, m) {
			return
		}
	}
}

// answer writes from a goroutine of its own: a pipe has no buffer.
func (s *fakeSession) answer(f protocol.Frame) {
	s.write.Lock()
	go func() {
		defer s.write.Unlock()
		buffers := net.Buffers(f)
		_, _ = buffers.WriteTo(s.conn)
	}()
}

func (s *fakeSession) handle(correlation uint64, m protocol.Message) bool {
	b := s.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	var answer protocol.Message
	switch m := m.(type) {
	case *protocol.HelloRequest:
		answer = &protocol.HelloResponse{Version: "fake", APIs: s.node.versions(), Limits: b.limits}
	case *protocol.PingRequest:
		answer = &protocol.PingResponse{}
	case *protocol.InitProducerRequest:
		b.producers++
		answer = &protocol.InitProducerResponse{Producer: b.producers}
	case *protocol.MetadataRequest:
		answer = s.node.metadata(b.metadata(m))
	case *protocol.CreateTopicRequest:
		if e := s.node.noCatalog(); e != nil {
			s.answer(protocol.EncodeError(correlation, e))
			return true
		}
		b.create(m.Topic, int(m.Partitions))
		answer = &protocol.CreateTopicResponse{Topic: m.Topic, TopicID: b.topics[m.Topic].id, Partitions: m.Partitions}
	case *protocol.ListOffsetsRequest:
		answer = b.listOffsets(m)
	case *protocol.ProduceRequest:
		b.produces++
		var f fault
		if b.fault != nil {
			f = b.fault(b.produces, m)
		}
		switch {
		case f.silent:
			return true
		case f.cutBefore:
			return false
		case s.node.refusal(m.Topic, m.Partitions[0].Partition) != nil:
			answer = produced(protocol.ProducedPartition{Partition: m.Partitions[0].Partition, Err: s.node.refusal(m.Topic, m.Partitions[0].Partition), BaseOffset: -1})
		case f.code != 0:
			answer = produced(protocol.ProducedPartition{Partition: m.Partitions[0].Partition, Err: protocol.NewError(f.code, "a fault"), BaseOffset: -1})
		default:
			answer = produced(b.produce(m))
		}
		if f.cutAfter {
			return false
		}
		if f.held != nil {
			go func() {
				select {
				case <-f.held:
					s.answer(protocol.EncodeResponse(correlation, answer))
				case <-s.over:
				}
			}()
			return true
		}
	default:
		s.answer(protocol.EncodeError(correlation, protocol.NewError(protocol.CodeUnknownAPI, "the fake has no %v", m.API())))
		return true
	}
	s.answer(protocol.EncodeResponse(correlation, answer))
	return true
}

func produced(p protocol.ProducedPartition) *protocol.ProduceResponse {
	return &protocol.ProduceResponse{Partitions: []protocol.ProducedPartition{p}}
}

func (b *fakeBroker) metadata(m *protocol.MetadataRequest) *protocol.MetadataResponse {
	answer := &protocol.MetadataResponse{Nodes: []protocol.MetadataNode{{Node: 1, Gateway: "fake:1", Alive: true}}}
	for _, name := range m.Topics {
		about := protocol.MetadataTopic{Topic: name}
		if t := b.topics[name]; t != nil {
			about.TopicID = t.id
			for i := range t.partitions {
				about.Partitions = append(about.Partitions, protocol.MetadataPartition{Partition: int32(i), Leader: 1, Replicas: []id.Node{1}})
			}
		} else {
			about.Err = protocol.NewError(protocol.CodeUnknownTopic, "no topic %s", name)
		}
		answer.Topics = append(answer.Topics, about)
	}
	return answer
}

func (b *fakeBroker) listOffsets(m *protocol.ListOffsetsRequest) *protocol.ListOffsetsResponse {
	answer := new(protocol.ListOffsetsResponse)
	for _, q := range m.Partitions {
		p := &b.topics[q.Topic].partitions[q.Partition]
		l := protocol.ListedOffset{Topic: q.Topic, Partition: q.Partition, Offset: p.start, Time: -1, LogStart: p.start, HighWatermark: p.next, Term: p.term}
		switch q.At {
		case protocol.OffsetLatest:
			l.Offset = p.next
		case protocol.OffsetAtTime:
			l.Offset = p.next
			for _, stored := range p.batches {
				if h, _ := batch.ParseHeader(stored); h.MaxTimestamp >= q.Time {
					l.Offset, l.Time = h.BaseOffset, h.MaxTimestamp
					break
				}
			}
		}
		answer.Partitions = append(answer.Partitions, l)
	}
	return answer
}

func (b *fakeBroker) produce(m *protocol.ProduceRequest) protocol.ProducedPartition {
	in := m.Partitions[0]
	out := protocol.ProducedPartition{Partition: in.Partition, BaseOffset: -1, AppendTime: -1}
	refuse := func(c protocol.Code) protocol.ProducedPartition {
		out.Err = protocol.NewError(c, "the fake says so")
		return out
	}
	t := b.topics[m.Topic]
	switch {
	case t == nil:
		return refuse(protocol.CodeUnknownTopic)
	case m.TopicID != 0 && m.TopicID != t.id:
		return refuse(protocol.CodeTopicRecreated)
	}
	h, err := batch.Validate(in.Batch, batch.Limits{Bytes: 1 << 20, Decompressed: 1 << 26, Records: 1 << 20, Headers: 1 << 20, RecordHeaders: 1 << 10})
	if err != nil {
		return refuse(protocol.CodeInvalidBatch)
	}
	p := &t.partitions[in.Partition]
	out.Term = p.term
	if rs, err := batch.Decode(nil, in.Batch, 1<<26); err == nil {
		for _, r := range rs {
			if b.sent[string(r.Value)] == nil {
				b.sent[string(r.Value)] = map[id.Producer]bool{}
			}
			b.sent[string(r.Value)][h.Producer] = true
		}
	}
	if h.Idempotent() {
		known := p.producers[h.Producer]
		for _, a := range known {
			if a.first == h.FirstSequence && a.last == h.LastSequence() {
				out.BaseOffset, out.Duplicate = a.base, true
				return out
			}
		}
		switch {
		case len(known) == 0 && h.FirstSequence != 0:
			return refuse(protocol.CodeUnknownProducer)
		case len(known) > 0 && batch.NextSequence(known[len(known)-1].last, 1) != h.FirstSequence:
			return refuse(protocol.CodeOutOfOrderSequence)
		}
		known = append(known, appended{h.FirstSequence, h.LastSequence(), p.next})
		p.producers[h.Producer] = known[max(0, len(known)-5):]
	}
	stored := append([]byte(nil), in.Batch...)
	batch.Stamp(stored, p.next, p.term)
	out.BaseOffset = p.next
	p.next += id.Offset(h.Records)
	p.batches = append(p.batches, stored)
	close(b.changed)
	b.changed = make(chan struct{})
	return out
}

// fetch is a long poll.
func (s *fakeSession) fetch(correlation uint64, m *protocol.FetchRequest) {
	timer := time.NewTimer(time.Duration(m.WaitMillis) * time.Millisecond)
	defer timer.Stop()
	s.broker.mu.Lock()
	s.broker.fetches++
	s.broker.mu.Unlock()
	for last := false; ; {
		s.broker.mu.Lock()
		answer, full := s.broker.fetched(m)
		full = s.node.refuse(answer) || full
		changed := s.broker.changed
		s.broker.mu.Unlock()
		if full || last || m.MinBytes == 0 {
			s.answer(protocol.EncodeResponse(correlation, answer))
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			last = true
		case <-s.over:
			return
		}
	}
}

func (b *fakeBroker) fetched(m *protocol.FetchRequest) (answer *protocol.FetchResponse, full bool) {
	answer = new(protocol.FetchResponse)
	for _, q := range m.Partitions {
		p := &b.topics[q.Topic].partitions[q.Partition]
		f := protocol.FetchedPartition{Topic: q.Topic, Partition: q.Partition, LogStart: p.start, HighWatermark: p.next, Term: p.term, NextOffset: q.Offset}
		if q.Offset < p.start || q.Offset > p.next {
			f.Err = protocol.NewError(protocol.CodeOffsetOutOfRange, "asked for %d", q.Offset)
			f.Err.Details = protocol.Details{Asked: q.Offset, LogStart: p.start, LogEnd: p.next}
			full = true
		}
		size := 0
		for _, stored := range p.batches {
			h, _ := batch.ParseHeader(stored)
			if f.Err != nil || h.NextOffset() <= q.Offset || (size > 0 && size+len(stored) > int(q.MaxBytes)) {
				continue
			}
			f.Batches, f.NextOffset, full = append(f.Batches, stored), h.NextOffset(), true
			size += len(stored)
		}
		answer.Partitions = append(answer.Partitions, f)
	}
	return answer, full
}
