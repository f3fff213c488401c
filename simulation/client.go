package simulation

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// errLost is what a client knows of a call whose answer never came: the wire broke, or it waited too long.
var errLost = errors.New("simulation: no answer")

// errRefused is what a client knows of a call that never left: there was no broker to connect to.
var errRefused = errors.New("simulation: connection refused")

// Client is one simulated client: it connects when it has something to say, and again whenever its wire was cut. Frames are
// really encoded and decoded.
type Client struct {
	world  *World
	name   string
	life   *Life // the client's own: clients never crash
	random *rand.Rand
	// broker is where wire leads, or led last; home is where it always leads, if that is set.
	broker *Broker
	home   *Broker
	wire   *Wire
	// open tells that Hello was answered; calls made before then wait in unsent.
	open        bool
	correlation uint64
	unsent      []*call
	waiting     []*call // in the order they were sent
}

type call struct {
	correlation uint64
	request     protocol.Message
	batches     [][]byte // what a produce is to append, by partition
	done        func(protocol.Message, error)
	over        bool
	cancel      func()
}

// Call sends a request. Done is called once: with the response, or with a *protocol.Error, errLost or errRefused.
func (c *Client) Call(request protocol.Message, patience time.Duration, done func(protocol.Message, error)) {
	c.call(&call{request: request, done: done}, patience)
}

// Send is Call for a produce; batches are what it is to append to each partition.
func (c *Client) Send(
	request *protocol.ProduceRequest, batches [][]byte, patience time.Duration, done func(protocol.Message, error),
) {
	c.call(&call{request: request, batches: batches, done: done}, patience)
}

func (c *Client) call(k *call, patience time.Duration) {
	k.cancel = c.world.scheduler.At(c.life, patience, func() { c.forget(k) })
	c.unsent = append(c.unsent, k)
	switch {
	case c.wire == nil:
		c.connect()
	case c.open:
		c.flush()
	}
}

// forget gives up waiting for an answer. A call that is late often means a wire that is bad, so it is cut at times.
func (c *Client) forget(k *call) {
	if k.over {
		return
	}
	if i := slices.Index(c.unsent, k); i >= 0 {
		c.unsent = slices.Delete(c.unsent, i, i+1)
		k.end(nil, errRefused)
		c.moveOn() // a broker that stands still does not even say Hello
		return
	}
	c.waiting = slices.DeleteFunc(c.waiting, func(w *call) bool { return w == k })
	k.end(nil, errLost)
	c.moveOn()
}

// moveOn leaves a broker that does not serve for another, at times.
func (c *Client) moveOn() {
	if c.wire != nil && c.world.several() && chance(c.random, 20) {
		c.wire.Cut()
	}
}

func (k *call) end(response protocol.Message, err error) {
	if !k.over {
		k.over = true
		k.cancel()
		k.done(response, err)
	}
}

func (c *Client) connect() {
	c.open = false
	brokers := c.world.cluster.brokers
	if c.broker = c.home; c.broker == nil {
		c.broker = brokers[c.random.IntN(len(brokers))]
	}
	c.wire = c.broker.Connect(c)
	hello := &protocol.HelloRequest{Client: c.name}
	c.wire.Send(protocol.EncodeRequest(0, hello).Payload())
}

// flush sends what waited for Hello.
func (c *Client) flush() {
	unsent := c.unsent
	c.unsent = nil
	for _, k := range unsent {
		c.correlation++
		k.correlation = c.correlation
		c.waiting = append(c.waiting, k)
		c.wire.Send(protocol.EncodeRequest(k.correlation, k.request).Payload())
	}
}

// received takes a payload from the broker.
func (c *Client) received(payload []byte) {
	c.world.trace.mixBytes(payload)
	header, body, err := protocol.ParseResponse(payload)
	if err != nil {
		c.world.violate(violation("malformed-answer", "%s got a frame it cannot parse: %v", c.name, err))
		return
	}
	if !c.open {
		c.open = header.Err == nil
		c.flush()
		return
	}
	i := slices.IndexFunc(c.waiting, func(k *call) bool { return k.correlation == header.Correlation })
	if i < 0 {
		return // given up before
	}
	k := c.waiting[i]
	c.waiting = slices.Delete(c.waiting, i, i+1)
	if header.Err != nil {
		k.end(nil, header.Err)
		c.moveOn()
		return
	}
	response := k.request.API().NewResponse()
	if err := body.Decode(response); err != nil {
		c.world.violate(violation("malformed-answer", "%s cannot decode the answer to %v: %v", c.name, k.request.API(), err))
		return
	}
	k.end(response, nil)
}

// emitted looks at an answer at the moment it leaves the broker: what it promises must be so already.
func (c *Client) emitted(payload []byte) {
	header, body, err := protocol.ParseResponse(payload)
	i := slices.IndexFunc(c.waiting, func(k *call) bool { return k.correlation == header.Correlation })
	if err != nil || header.Err != nil || i < 0 || !c.open {
		return
	}
	switch request := c.waiting[i].request.(type) {
	case *protocol.ProduceRequest:
		var response protocol.ProduceResponse
		if body.Decode(&response) == nil {
			c.produced(request.Acks, c.waiting[i].batches, &response)
		}
	case *protocol.FetchRequest:
		var response protocol.FetchResponse
		if len(c.world.atlas.harmed) == 0 || body.Decode(&response) != nil {
			return
		}
		for _, p := range response.Partitions {
			c.admitted(id.Partition{Topic: p.TopicID, Number: p.Partition}, p.Err)
		}
	}
}

// produced demands that what is acknowledged is durable.
func (c *Client) produced(acks protocol.Acks, batches [][]byte, response *protocol.ProduceResponse) {
	for i, p := range response.Partitions {
		if p.Err != nil {
			continue
		}
		at := id.Partition{Topic: response.TopicID, Number: p.Partition}
		c.admitted(at, nil)
		c.world.cluster.promised(c.name, acks, at, p.BaseOffset, batches[i])
	}
}

// hungUp learns that the wire was cut: what was sent is lost, what was not is refused.
func (c *Client) hungUp() {
	c.wire, c.open = nil, false
	unsent, waiting := c.unsent, c.waiting
	c.unsent, c.waiting = nil, nil
	for _, k := range waiting {
		k.end(nil, errLost)
	}
	for _, k := range unsent {
		k.end(nil, errRefused)
	}
}
