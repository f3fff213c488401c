package client

import (
	"fmt"
	"sync"
	"testing"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// fakeNode is one of several brokers that stand before one fakeBroker: what is replicated they share, what they believe and
// whether they answer is their own. A nil one is the only broker, which leads everything.
type fakeNode struct {
	cluster *fakeBroker
	id      id.Node
	address string

	// fakeBroker.mu guards what follows, and mu what hears needs.
	down     bool // refuses connections
	forwards bool // takes what is not its own to the leader
	believes belief
	catalog  id.Offset
	blind    bool // knows of no topic
	unsure   bool // it cannot tell whether it is behind

	mu     sync.Mutex
	frozen bool // takes connections and frames, and answers nothing
	old    bool // speaks version 1 of everything
	asked  map[protocol.API]int
	spoken map[protocol.API]uint16
}

// belief is who leads all partitions, as a node has heard.
type belief struct {
	leader id.Node
	term   id.Term
}

// newFakeCluster returns a broker of several nodes, fake:1 and so on; the first leads in term 1.
func newFakeCluster(topic string, partitions, nodes int) *fakeBroker {
	b := newFakeBroker(topic, partitions)
	b.nodes = map[string]*fakeNode{}
	for i := range nodes {
		n := &fakeNode{cluster: b, id: id.Node(i + 1), address: fmt.Sprintf("fake:%d", i+1), believes: belief{1, 1}, catalog: 5,
			asked: map[protocol.API]int{}, spoken: map[protocol.API]uint16{}}
		b.nodes[n.address] = n
	}
	return b
}

// elect makes a node the leader of everything, in the next term. Those named hear of it.
func (b *fakeBroker) elect(leader int, hear ...int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var term id.Term
	for _, t := range b.topics {
		for i := range t.partitions {
			t.partitions[i].term++
			term = t.partitions[i].term
		}
	}
	for _, n := range append(hear, leader) {
		b.nodes[fmt.Sprintf("fake:%d", n)].believes = belief{id.Node(leader), term}
	}
}

// on changes a node.
func (b *fakeBroker) on(node int, change func(*fakeNode)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.nodes[fmt.Sprintf("fake:%d", node)]
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

// kill takes a node down, with its connections.
func (b *fakeBroker) kill(node int) {
	b.on(node, func(n *fakeNode) { n.down = true })
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.open {
		if s.node.id == id.Node(node) {
			_ = s.conn.Close()
		}
	}
}

// asked tells how often a node was asked for something.
func (b *fakeBroker) asked(node int, api protocol.API) (n int) {
	b.on(node, func(f *fakeNode) { n = f.asked[api] })
	return n
}

func (n *fakeNode) hears(h protocol.RequestHeader) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked[h.API]++
	n.spoken[h.API] = h.Version
	return !n.frozen
}

func (n *fakeNode) versions() []protocol.APIVersions {
	all := protocol.Versions()
	if n == nil {
		return all
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range all {
		if n.old {
			all[i].Max = 1
		}
	}
	return all
}

// metadata puts what the node believes into an answer.
func (n *fakeNode) metadata(m *protocol.MetadataResponse) *protocol.MetadataResponse {
	if n == nil {
		return m
	}
	m.Nodes, m.Catalog = nil, n.catalog
	for i := range n.cluster.nodes {
		other := n.cluster.nodes[i]
		m.Nodes = append(m.Nodes, protocol.MetadataNode{Node: other.id, Gateway: other.address, Alive: true})
	}
	for i := range m.Topics {
		if n.blind {
			m.Topics[i] = protocol.MetadataTopic{Topic: m.Topics[i].Topic, Err: protocol.NewError(protocol.CodeUnknownTopic, "node %d knows no topic", n.id)}
		}
		if n.unsure {
			m.Topics[i] = protocol.MetadataTopic{Topic: m.Topics[i].Topic, Err: protocol.NewError(protocol.CodeNotReady, "node %d cannot tell", n.id)}
		}
		for k := range m.Topics[i].Partitions {
			p := &m.Topics[i].Partitions[k]
			p.Leader, p.Term = n.believes.leader, n.believes.term
		}
	}
	return m
}

// refusal is what a node says to a request for a partition that it does not lead; nil if it serves it, or forwards it. A node
// that believes that it leads, and is wrong, has lost touch with the others.
func (n *fakeNode) refusal(topic string, partition int32) *protocol.Error {
	switch {
	case n == nil:
		return nil
	case n.blind:
		return protocol.NewError(protocol.CodeUnknownTopic, "node %d knows no topic", n.id)
	}
	leads := n.cluster.topics[topic].partitions[partition].term == n.believes.term && n.believes.leader == n.id
	if leads || n.forwards && n.believes.leader != n.id {
		return nil
	}
	e := protocol.NewError(protocol.CodeNotLeader, "node %d does not lead", n.id)
	if n.believes.leader != n.id {
		e.Details = protocol.Details{Leader: n.believes.leader, Term: n.believes.term, Gateway: fmt.Sprintf("fake:%d", n.believes.leader)}
	}
	return e
}

// noCatalog is what a node says to what concerns the catalog, and cannot take to its leader: that it leads the partitions.
func (n *fakeNode) noCatalog() *protocol.Error {
	if n == nil || n.believes.leader == n.id || n.forwards {
		return nil
	}
	e := protocol.NewError(protocol.CodeNotLeader, "node %d cannot reach the catalog", n.id)
	e.Details = protocol.Details{Leader: n.believes.leader, Term: n.believes.term, Gateway: fmt.Sprintf("fake:%d", n.believes.leader)}
	return e
}

// refuse puts refusals into the answer to a fetch.
func (n *fakeNode) refuse(answer *protocol.FetchResponse) (refused bool) {
	for i := range answer.Partitions {
		p := &answer.Partitions[i]
		if e := n.refusal(p.Topic, p.Partition); e != nil {
			*p = protocol.FetchedPartition{Topic: p.Topic, Partition: p.Partition, Err: e, LogStart: -1, HighWatermark: -1, NextOffset: p.NextOffset}
			refused = true
		}
	}
	return refused
}

// sentOnce fails the test if a value ever came under two producer ids.
func (b *fakeBroker) sentOnce(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for value, producers := range b.sent {
		if len(producers) != 1 {
			t.Errorf("%q came under %d producer ids", value, len(producers))
		}
	}
}
