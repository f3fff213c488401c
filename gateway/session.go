package gateway

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"troupe/gateway/protocol"
)

// errHelloRequired ends a connection whose first request was another one.
var errHelloRequired = errors.New("gateway: the first request was not Hello")

// Session is one client's conversation: bytes in, replies out. It has no socket, no goroutine and no clock.
//
// Receive is called by one goroutine at a time; Close and the broker's completions may come on any other.
type Session struct {
	broker  Broker
	limits  Limits
	inflate decompressors
	send    func(Reply)

	// Only Receive touches these.
	greeted bool // Hello has succeeded
	fetches int  // counts fetches, so that each begins at another partition

	mu      sync.Mutex
	closed  bool                   // nobody waits any more
	waiting map[*fetching]struct{} // fetches that wait for records; empty once closed
}

// NewSession begins a conversation. Zero limits take their defaults. send is called once for every frame received, on any
// goroutine, perhaps before Receive returns; it must not block, nor call the session.
func NewSession(broker Broker, limits Limits, send func(Reply)) *Session {
	limits = limits.WithDefaults()
	return newSession(broker, limits, newDecompressors(1), send)
}

func newSession(broker Broker, limits Limits, inflate decompressors, send func(Reply)) *Session {
	return &Session{broker: broker, limits: limits, inflate: inflate, send: send, waiting: make(map[*fetching]struct{})}
}

// Reply is what a client is to get. Its frame is made by whoever sends it, not by the actor that knew the answer.
type Reply struct {
	// Reserved is what Receive returned for the request.
	Reserved int

	correlation uint64
	limit       int // of the frame
	refusal     *protocol.Error
	answer      func() protocol.Message // when there is no refusal
}

// Frame encodes the reply. It may decompress batches, and takes the memory of the whole response.
func (r Reply) Frame() protocol.Frame {
	if r.refusal != nil {
		return protocol.EncodeError(r.correlation, r.refusal)
	}
	message := r.answer()
	frame := protocol.EncodeResponse(r.correlation, message)
	if n := frame.Len(); n > r.limit {
		return protocol.EncodeError(r.correlation, protocol.NewError(protocol.CodeInvalidRequest,
			"%v: the response would take %d bytes, frames end at %d; ask for less at a time", message.API(), n, r.limit))
	}
	return frame
}

// call is one request on its way to its reply.
type call struct {
	session     *Session
	correlation uint64
	reserved    int
}

func (c call) reply(m protocol.Message) { c.replyWith(func() protocol.Message { return m }) }

// replyWith has the answer made when the frame is.
func (c call) replyWith(answer func() protocol.Message) {
	c.session.send(Reply{Reserved: c.reserved, correlation: c.correlation, limit: c.session.limits.FrameBytes, answer: answer})
}

func (c call) refuse(e *protocol.Error) {
	c.session.send(Reply{Reserved: c.reserved, correlation: c.correlation, refusal: e})
}

// FrameLimit returns how long the next frame may be, without its length.
func (s *Session) FrameLimit() int {
	if !s.greeted {
		return min(protocol.HelloFrameBytes, s.limits.FrameBytes)
	}
	return s.limits.FrameBytes
}

// Receive takes a frame without its length. The memory belongs to the session from now on: batches in it go to the broker
// as they are.
//
// It returns how many bytes the request holds until its reply has been written. An error means that the connection must be
// closed once its replies are written; the client has been told why. The error is protocol.ErrMalformed,
// protocol.ErrFrameTooLarge or one that says that Hello was missing.
func (s *Session) Receive(payload []byte) (reserved int, err error) {
	c := call{session: s, reserved: len(payload)}
	if limit := s.FrameLimit(); len(payload) > limit {
		return c.reserved, s.tooLarge(fmt.Errorf("%w: %d bytes, at most %d", protocol.ErrFrameTooLarge, len(payload), limit))
	}
	header, body, err := protocol.ParseRequest(payload)
	c.correlation = header.Correlation
	if err != nil {
		c.refuse(protocol.NewError(protocol.CodeMalformed, "%v", err))
		return c.reserved, err
	}
	if !s.greeted && header.API != protocol.APIHello {
		c.refuse(protocol.NewError(protocol.CodeHelloRequired, "%v came before Hello; send Hello first", header.API))
		return c.reserved, errHelloRequired
	}
	request := header.API.NewRequest()
	if request == nil {
		c.refuse(protocol.NewError(protocol.CodeUnknownAPI, "%v is not known here; Hello lists what is", header.API))
		return c.reserved, nil
	}
	if newest := header.API.MaxVersion(); header.Version < 1 || header.Version > newest {
		c.refuse(protocol.NewError(protocol.CodeUnsupportedVersion, "%v version %d; this broker speaks 1 to %d",
			header.API, header.Version, newest))
		return c.reserved, nil
	}
	if err := body.Decode(request); err != nil {
		c.refuse(protocol.NewError(protocol.CodeInvalidRequest, "%v: %v", header.API, err))
		return c.reserved, nil
	}
	return s.dispatch(c, request), nil
}

// tooLarge answers a frame that is too long to be read, and returns err.
func (s *Session) tooLarge(err error) error {
	e := protocol.NewError(protocol.CodeFrameTooLarge, "%v", err)
	if e.Details.Limit = "frame_bytes"; !s.greeted {
		e.Details.Limit = "hello_frame_bytes"
	}
	call{session: s}.refuse(e)
	return err
}

// dispatch carries a request out and returns what it reserves.
func (s *Session) dispatch(c call, request protocol.Message) int {
	switch r := request.(type) {
	case *protocol.HelloRequest:
		s.hello(c)
	case *protocol.PingRequest:
		c.reply(&protocol.PingResponse{Now: s.broker.Now()})
	case *protocol.MetadataRequest:
		s.metadata(c, r)
	case *protocol.DescribeClusterRequest:
		s.describeCluster(c)
	case *protocol.CreateTopicRequest:
		s.createTopic(c, r)
	case *protocol.DeleteTopicRequest:
		s.deleteTopic(c, r)
	case *protocol.DescribeTopicRequest:
		s.describeTopic(c, r)
	case *protocol.InitProducerRequest:
		s.initProducer(c)
	case *protocol.ProduceRequest:
		s.produce(c, r)
	case *protocol.FetchRequest:
		c.reserved += max(s.fetchBytes(r), s.limits.BatchBytes)
		s.fetch(c, r)
	case *protocol.ListOffsetsRequest:
		s.listOffsets(c, r)
	default:
		c.refuse(protocol.NewError(protocol.CodeInternal, "%v is in the table of APIs and not carried out", request.API()))
	}
	return c.reserved
}

// hello answers the first request.
func (s *Session) hello(c call) {
	s.greeted = true
	view := s.broker.Cluster()
	answer := &protocol.HelloResponse{
		Cluster: view.Cluster, Node: view.Self, APIs: protocol.Versions(), Limits: s.limits.told(),
	}
	for _, n := range view.Nodes {
		if n.Node == view.Self {
			answer.Version = n.Version
		}
	}
	c.reply(answer)
}

// park notes that f waits, unless the session is closed.
func (s *Session) park(f *fetching) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.waiting[f] = struct{}{}
	return true
}

func (s *Session) unpark(f *fetching) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, f)
}

// Close gives up every wait: what is parked is answered with what there is. Later fetches do not wait. It may be called at
// any time, repeatedly.
func (s *Session) Close() {
	s.mu.Lock()
	s.closed = true
	var parked []*fetching
	for f := range s.waiting {
		parked = append(parked, f)
	}
	s.mu.Unlock()
	// In the order they came: what happens must not depend on the order of a map.
	slices.SortFunc(parked, func(a, b *fetching) int { return a.first - b.first })
	for _, f := range parked {
		f.giveUp()
	}
}
