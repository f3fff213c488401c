package remote

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"troupe/partitions/id"
)

const (
	// connectTime is how long a connection may take, from dialing to the end of the handshake.
	connectTime = 5 * time.Second
	// The pause after a link broke or did not come about doubles from retryLeast to retryMost, and begins anew after a link
	// that held for longer than that.
	retryLeast = 50 * time.Millisecond
	retryMost  = 2 * time.Second
)

// correspondent is a node that frames are sent to, over one outlet after the other.
type correspondent struct {
	link *Link
	node id.Node

	mu       sync.Mutex
	outlet   *outlet // nil: none yet, or the last one ended
	failures int     // in a row
	retry    time.Time
}

// send hands over a frame, and begins a link where there is none.
func (c *correspondent) send(frame []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outlet == nil && !c.begin() {
		return false
	}
	o := c.outlet
	n := charge(len(frame))
	if o.bytes+n > c.link.options.PeerBytes {
		return false
	}
	p := &parcel{outlet: o, frame: frame}
	o.waiting = append(o.waiting, p)
	o.bytes += n
	// Under the lock: the library must get frames in the order of waiting.
	c.link.system.Root.Send(o.target, p)
	return true
}

// begin makes an outlet, which dials as soon as it gets its first frame. The lock is held.
func (c *correspondent) begin() bool {
	if c.link.now().Before(c.retry) {
		return false
	}
	address, known := c.link.options.Address(c.node)
	if !known {
		return false
	}
	o := &outlet{to: c, key: fmt.Sprintf("%v-%d", c.node, c.link.numbers.Add(1)), address: address}
	o.target = actor.NewPID(o.key, receptionName)
	c.link.outlets.Store(o.key, o)
	c.outlet = o
	return true
}

// renew begins the link to a node anew that has come in by itself, in this life: what led to an earlier life of it, or to another
// address than it has, ends, and the pause that its silence has earned is over.
func (c *correspondent) renew(life Identity) {
	address, known := c.link.options.Address(c.node)
	c.mu.Lock()
	o := c.outlet
	stays := o != nil && (!known || o.address == address) && (o.met == Identity{} || o.met.Incarnation >= life.Incarnation)
	c.mu.Unlock()
	if o != nil && !stays {
		o.end(errReplaced)
	}
	c.mu.Lock()
	c.retry = time.Time{}
	c.mu.Unlock()
}

// outlet is one attempt at a link to a node, and the link that comes of it. The library knows it by its key, as the address
// of an actor system: no two attempts share anything there, so that what the library still does for one that ended (it sleeps,
// tells of its end late, drops its queue unseen) touches no other.
type outlet struct {
	to      *correspondent
	key     string // host of its target, as the library believes
	address string // host:port that is dialed
	target  *actor.PID

	// The correspondent's lock guards what follows.
	//
	// Invariants: waiting holds what was given to the library and not sent, in that order; bytes is what it is charged, at
	// most PeerBytes; an outlet that is over holds nothing.
	waiting []*parcel
	bytes   int
	cancel  context.CancelCauseFunc // of its stream; nil until it dials
	met     Identity                // who answered; zero: nobody yet
	chain   []*x509.Certificate     // that the peer showed
	upSince time.Time               // zero: not yet
	trouble error                   // why no connection came about
	over    bool
}

// parcel is a frame on its way through the library. To the library it is a message of type frameType.
type parcel struct {
	outlet *outlet
	frame  []byte // nil when sent or dropped; the correspondent's lock guards it
}

// ProtoReflect implements proto.Message: the bytes on the wire are those of a BytesValue.
func (p *parcel) ProtoReflect() protoreflect.Message {
	p.outlet.to.mu.Lock()
	defer p.outlet.to.mu.Unlock()
	return (&wrapperspb.BytesValue{Value: p.frame}).ProtoReflect()
}

// String says nothing of the frame: the library prints what it drops.
func (p *parcel) String() string { return "a frame for " + p.outlet.key }

// sent takes the oldest frames out of the account.
func (o *outlet) sent(frames int) {
	o.to.mu.Lock()
	defer o.to.mu.Unlock()
	for _, p := range o.waiting[:min(frames, len(o.waiting))] {
		o.bytes -= charge(len(p.frame))
		p.frame = nil
	}
	o.waiting = o.waiting[min(frames, len(o.waiting)):]
}

// claim permits one stream, once.
func (o *outlet) claim(cancel context.CancelCauseFunc) error {
	o.to.mu.Lock()
	defer o.to.mu.Unlock()
	if o.over || o.cancel != nil {
		return errReplaced
	}
	o.cancel = cancel
	return nil
}

// up tells that the peer answers.
func (o *outlet) up() {
	c, l := o.to, o.to.link
	c.mu.Lock()
	defer c.mu.Unlock()
	if !o.over {
		o.upSince = l.now()
		l.tellReception(reached{c.node, true})
		l.refusals.linked(o.name())
	}
}

// name is what the log calls the other end.
func (o *outlet) name() string { return fmt.Sprintf("node %v at %s", o.to.node, o.address) }

// end drops what waits, and has the next frame begin anew after a pause. Only the first call counts.
func (o *outlet) end(err error) {
	c, l := o.to, o.to.link
	c.mu.Lock()
	if o.over {
		c.mu.Unlock()
		return
	}
	o.over = true
	if o.trouble != nil {
		err = o.trouble
	}
	for _, p := range o.waiting {
		p.frame = nil
	}
	o.waiting, o.bytes = nil, 0
	now := l.now()
	if !o.upSince.IsZero() && now.Sub(o.upSince) > retryMost {
		c.failures = 0
	}
	c.retry = now.Add(min(retryLeast<<min(c.failures, 10), retryMost))
	c.failures++
	c.outlet = nil
	cancel := o.cancel
	l.tellReception(reached{c.node, false})
	c.mu.Unlock()

	if cancel != nil {
		cancel(err)
	}
	l.outlets.Delete(o.key)
	l.refusals.tell("no link to a broker", o.name(), err)
	l.system.EventStream.Publish(&remote.EndpointTerminatedEvent{Address: o.key})
}
