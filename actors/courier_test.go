package actors

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"troupe/partitions"
	"troupe/partitions/id"
)

// stray is a message of so many bytes, more or less, to a replica that does not exist: whose broker gets it counts it.
func stray(t *testing.T, size int) partitions.Message {
	t.Helper()
	b, err := hex.DecodeString(heartbeat)
	if err != nil {
		t.Fatal(err)
	}
	b[1] = byte(partitions.KindAppend)
	copy(b[11:], []byte{99, 0, 0, 0, 0, 0, 0, 0}) // to
	b = b[:len(b)-8]                              // without entries and checkpoint
	const each = 1 << 20
	b = binary.LittleEndian.AppendUint32(b, uint32(size/each))
	for range size / each {
		b = appendBytes(append(b, 6, 0, 0, 0, 0, 0, 0, 0, 0), make([]byte, each))
	}
	m, err := partitions.ParseMessage(append(b, 0, 0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (b *testBroker) strays(p id.Partition) int64 {
	return b.node.router.find(p).status(b.cluster).Counts.Strays
}

// status asks a replica of this broker, wherever the partition is led.
func (a *address) status(c *testCluster) partitions.Status {
	got := &answers[partitions.Status]{}
	a.ask(&describeRequest{request: a.next(), partition: a.partition, replica: a.replica, done: got.take})
	c.run()
	return got.only(c.t)
}

// post hands the courier a message as a partition does.
func (b *testBroker) post(to *testBroker, p id.Partition, m partitions.Message) bool {
	sent := b.node.stage.peers.to(to.id).post(&letter{address: b.node.router.find(p), carriedMessage: carriedMessage{p, m}})
	b.cluster.run()
	return sent
}

// A message that is too large for a frame travels in pieces, while others go on.
func TestLargeMessages(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers...), 0)
	near, far := c.leader(p), c.brokers[0]
	if near == far {
		far = c.brokers[1]
	}
	pieces := 0
	c.lose = func(_, _ id.Node, frame []byte) bool {
		if kind, _ := kindOf(frame); kind == framePiece {
			pieces++
		}
		return false
	}
	before := far.strays(p)
	large := stray(t, 9<<20)
	near.post(far, p, large)
	near.post(far, p, large)
	for range 4 {
		if a := far.produce(p, "meanwhile"); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	c.pass(time.Second)
	if got := far.strays(p) - before; got != 2 || pieces != 20 {
		t.Errorf("%d of 2 arrived, in %d pieces", got, pieces)
	}
	c.lose = func(_, _ id.Node, frame []byte) bool { // one of the pieces
		if kind, _ := kindOf(frame); kind == framePiece {
			pieces++
			return pieces == 23
		}
		return false
	}
	near.post(far, p, large)
	near.post(far, p, large)
	c.pass(time.Second)
	if got := far.strays(p) - before; got != 3 {
		t.Errorf("%d arrived, want 2 as before and 1 of 2", got)
	}
}

// What is larger than may travel is refused, and the operator can see it.
func TestTooLargeMessage(t *testing.T) {
	c := newCluster(t, 3, Limits{FreightBytes: 8 << 20})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers...), 0)
	near := c.leader(p)
	near.post(c.brokers[(near.id)%3], p, stray(t, 9<<20))
	if problems := near.node.Problems(); len(problems) != 1 || !strings.Contains(problems[0], "cannot be brought up to date") {
		t.Errorf("problems: %q", problems)
	}
}

// A courier holds so much and no more; the replica hears of what was not sent.
func TestCourierBudget(t *testing.T) {
	c := newCluster(t, 3, Limits{PeerBytes: 2 << 20})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers...), 0)
	near := c.leader(p)
	far := c.brokers[near.id%3]
	to := near.node.stage.peers.to(far.id)
	one := &letter{address: near.node.router.find(p), carriedMessage: carriedMessage{p, stray(t, 1<<20)}}
	if sent := []bool{to.post(one), to.post(one), to.post(one)}; !slices.Equal(sent, []bool{true, false, false}) {
		t.Errorf("taken: %v", sent)
	}
	before := far.strays(p)
	c.run()
	if got := far.strays(p) - before; got != 1 {
		t.Errorf("%d arrived", got)
	}
	if a := far.produce(p, "after"); a.Err != nil {
		t.Error(a.Err)
	}
}

// The heartbeats of many partitions take one frame a tick and direction.
func TestHeartbeatsTravelTogether(t *testing.T) {
	c := newCluster(t, 3, Limits{})
	topic := c.create(c.brokers[0], "orders", 30, c.brokers...)
	for n := range int32(30) {
		c.leader(at(topic, n))
	}
	c.pass(5 * time.Second)
	messages, heartbeats := 0, 0
	c.lose = func(_, _ id.Node, frame []byte) bool {
		if kind, r, _ := openFrame(frame); kind == frameMessages {
			messages++
			all, err := r.messages()
			if err != nil {
				t.Error(err)
			}
			heartbeats += len(all)
		}
		return false
	}
	c.pass(3 * time.Second)
	if most := 6 * 60; messages > most || heartbeats < 30*2*2*15 {
		t.Errorf("%d heartbeats and answers in %d frames; at most %d are right", heartbeats, messages, most)
	}
}

func TestBrokersWithoutNewsAreTold(t *testing.T) {
	c := newCluster(t, 2, Limits{})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers[1]), 0)
	c.leader(p)
	c.brokers[0].kill()
	c.brokers[0].start()
	c.until("told", func() bool { node, _ := leaderOf(c.brokers[0], p); return node == 2 })
}

func TestAssembly(t *testing.T) {
	frame := append(startFrame(frameLeaders, 0), "whole frame"...)
	cut := func(parcel uint64, from, to int) frameReader {
		_, r, err := openFrame(piece{parcel: parcel, size: uint32(len(frame)), at: uint32(from), bytes: frame[from:to]}.frame())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one, two, three := cut(1, 0, 5), cut(1, 5, 10), cut(1, 10, len(frame))
	for _, c := range []struct {
		name   string
		pieces []frameReader
		whole  bool
	}{
		{"in order", []frameReader{one, two, three}, true},
		{"one is missing", []frameReader{one, three}, false},
		{"one comes twice", []frameReader{one, two, two, three}, false},
		{"without the first", []frameReader{two, three}, false},
		{"of another frame", []frameReader{one, cut(2, 5, 10), three}, false},
		{"begun again", []frameReader{one, two, one, two, three}, true},
	} {
		var a assembly
		var got []byte
		for _, p := range c.pieces {
			whole, err := a.add(p, 100)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, whole...)
		}
		if c.whole != bytes.Equal(got, frame) || !c.whole && got != nil {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	var a assembly
	if _, err := a.add(one, len(frame)-1); !errors.Is(err, partitions.ErrMalformed) {
		t.Errorf("larger than allowed: %v", err)
	}
	nested := piece{parcel: 1, size: 3, at: 0, bytes: []byte("abc")}.frame()
	_, r, _ := openFrame(piece{parcel: 2, size: uint32(len(nested)), bytes: nested}.frame())
	if _, err := a.add(r, 100); !errors.Is(err, partitions.ErrMalformed) {
		t.Errorf("a piece of a piece: %v", err)
	}
}

// What has not left whole when a link ends does not go on over the next one.
func TestFreightEndsWithItsLink(t *testing.T) {
	c := newCluster(t, 3, Limits{FreightABeat: 1 << 20})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers...), 0)
	near := c.leader(p)
	far := c.brokers[near.id%3]
	pieces := 0
	c.lose = func(_, _ id.Node, frame []byte) bool {
		if kind, _ := kindOf(frame); kind == framePiece {
			pieces++
		}
		return false
	}
	near.post(far, p, stray(t, 9<<20))
	before := pieces
	c.split(near, far, true)
	c.run()
	c.split(near, far, false)
	c.pass(time.Second)
	if before == 0 || pieces != before {
		t.Errorf("%d pieces before, %d in all", before, pieces)
	}
}

// An answer waits a moment for a way back: who has just come may ask before it is known how to reach it.
func TestAnswerWaitsForAWayBack(t *testing.T) {
	c := newCluster(t, 2, Limits{})
	p := at(c.create(c.brokers[0], "orders", 1, c.brokers[0]), 0)
	c.leader(p)
	back := [2]id.Node{c.brokers[0].id, c.brokers[1].id}
	c.cut[back] = true
	got := &answers[partitions.OffsetAnswer]{}
	c.brokers[1].node.Router().ListOffsets(p, partitions.ListOffsets{At: partitions.OffsetLatest}, got.take)
	c.pass(time.Second)
	if len(got.all) > 0 {
		t.Fatalf("answered without a way back: %+v", got.all)
	}
	delete(c.cut, back)
	c.pass(50 * time.Millisecond)
	if a := got.only(t); a.Err != nil {
		t.Error(a.Err)
	}
}

// bomb is a parcel that nobody can deliver.
type bomb struct{}

func (bomb) weight() int64    { return 7 }
func (bomb) deliver(*courier) { panic("a test says so") }

// What a courier panics on takes nothing else with it.
func TestCourierPanics(t *testing.T) {
	c, near, far, p := remote(t, Limits{})
	to := near.node.stage.peers.to(far.id)
	before := near.send(p, "before")
	to.post(bomb{})
	after := near.send(p, "after")
	c.run()
	if a, b := before.only(t), after.only(t); a.Err != nil || b.Err != nil || b.Base != 1 {
		t.Errorf("%+v, %+v", a, b)
	}
	if n := to.held.Load(); n != 0 {
		t.Errorf("%d bytes are counted, and nothing waits", n)
	}
}
