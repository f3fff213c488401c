package gateway

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// errHelloRequired ends a connection whose first request was another one.
var errHelloRequired = errors.New("gateway: the first request was not Hello")

// errClosing is why a fetch may not wait although there is room.
var errClosing = errors.New("gateway: the session closes")

// Session is one client's conversation: bytes in, replies out. It has no socket, no goroutine and no clock.
//
// Receive is called by one goroutine at a time; Close and the broker's completions may come on any other.
type Session struct {
	broker Broker
	limits Limits
	shared *shared
	send   func(Reply)
	run    func(func()) // runs what would keep a completion of the broker's for too long

	// Only Receive touches these.
	greeted bool // Hello has succeeded
	// arrived is when the frame that is received was complete, by the clock of whoever measures; zero: nobody does.
	arrived time.Time

	// Only whoever carries out requests touches it: see backlog.
	fetches int // counts fetches, so that each begins at another partition

	backlog backlog
	mu      sync.Mutex
	closed  bool                   // nobody waits any more
	waiting map[*fetching]struct{} // fetches that wait for records; empty once closed
}

// NewSession begins a conversation. Zero limits take their defaults. send is called once for every frame received, on any
// goroutine, perhaps before Receive returns; it must not block, nor call the session. Every Reply's Done must be called.
// What has waited for the catalog is carried out within the broker's completion: a Server has goroutines for that.
func NewSession(broker Broker, limits Limits, send func(Reply)) *Session {
	limits = limits.WithDefaults()
	return newSession(broker, limits, newShared(limits, 1), send, func(f func()) { f() })
}

func newSession(broker Broker, limits Limits, shared *shared, send func(Reply), run func(func())) *Session {
	return &Session{broker: broker, limits: limits, shared: shared, send: send, run: run, waiting: make(map[*fetching]struct{})}
}

// expect reserves the bytes that a response may take, before anything is done for it; false: there are none, and the
// request was refused.
func (c *call) expect(bytes int) bool {
	if c.hold.try(bytes) {
		c.reserved += bytes
		return true
	}
	c.refuse(c.session.exhausted())
	return false
}

// exhausted is what a client is told that met the budget of all.
func (s *Session) exhausted() *protocol.Error {
	return s.throttled("inflight_bytes_in_all", "the requests of all clients hold as many bytes as they may")
}

// throttled is what a client is told that met a budget.
func (s *Session) throttled(limit, sentence string) *protocol.Error {
	return throttled(s.limits, limit, sentence)
}

func throttled(limits Limits, limit, sentence string) *protocol.Error {
	e := protocol.NewError(protocol.CodeThrottled, "%s (%s); come back in %d ms", sentence, limit, limits.ThrottleMillis)
	e.Details.Limit, e.Details.WaitMillis = limit, int64(limits.ThrottleMillis)
	return e
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
	return s.receive(payload, s.shared.bytes.hold())
}

// receive is Receive for a frame that holds its part of the budget of all connections already.
func (s *Session) receive(payload []byte, held *hold) (reserved int, err error) {
	c := call{session: s, reserved: len(payload), hold: held, arrived: s.arrived}
	if limit := s.FrameLimit(); len(payload) > limit {
		c.hold.release()
		return c.reserved, s.tooLarge(fmt.Errorf("%w: %d bytes, at most %d", protocol.ErrFrameTooLarge, len(payload), limit))
	}
	header, body, err := protocol.ParseRequest(payload)
	c.correlation, c.api = header.Correlation, header.API
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
	s.dispatch(&c, request)
	return c.reserved, nil
}

// tooLarge answers a frame that is too long to be read, and returns err.
func (s *Session) tooLarge(err error) error {
	e := protocol.NewError(protocol.CodeFrameTooLarge, "%v", err)
	if e.Details.Limit = "frame_bytes"; !s.greeted {
		e.Details.Limit = "hello_frame_bytes"
	}
	call{session: s, arrived: s.arrived}.refuse(e)
	return err
}

// timedOut answers a client that took longer than a limit, before its connection is closed.
func (s *Session) timedOut(limit string, after time.Duration) {
	e := protocol.NewError(protocol.CodeTimedOut, "%v are over (%s)", after, limit)
	e.Details.Limit = limit
	call{session: s, arrived: s.arrived}.refuse(e)
}

// Bounds of what the parts of a response take beside batches, in memory and as a frame.
const (
	answerBytes  = 1 << 10 // for one partition or topic, its error included
	routeBytes   = 128     // for one partition in Metadata, and
	replicaBytes = 32      // for each of its replicas
	memberBytes  = 256     // for each replica of a partition in DescribeTopic
)

// dispatch carries a request out, at once or when its turn has come, and adds what it reserves to the call.
func (s *Session) dispatch(c *call, request protocol.Message) {
	state := s.broker.Catalog()
	bytes := s.answerSize(request, state)
	if bytes > 0 && !c.expect(bytes) {
		return
	}
	if !s.waits(*c, bytes, request, state) {
		s.carryOut(*c, request, sight{State: state})
	}
}

func (s *Session) carryOut(c call, request protocol.Message, seen sight) {
	switch r := request.(type) {
	case *protocol.HelloRequest:
		s.hello(c)
	case *protocol.PingRequest:
		c.reply(&protocol.PingResponse{Now: s.broker.Now()})
	case *protocol.MetadataRequest:
		s.metadata(c, r, seen)
	case *protocol.DescribeClusterRequest:
		s.describeCluster(c)
	case *protocol.CreateTopicRequest:
		s.createTopic(c, r)
	case *protocol.DeleteTopicRequest:
		s.deleteTopic(c, r, seen)
	case *protocol.DescribeTopicRequest:
		s.describeTopic(c, r, seen)
	case *protocol.AlterTopicRequest:
		s.alterTopic(c, r, seen)
	case *protocol.AssignReplicasRequest:
		s.assignReplicas(c, r, seen)
	case *protocol.RecoverPartitionRequest:
		s.recoverPartition(c, r, seen)
	case *protocol.CompareReplicasRequest:
		s.compareReplicas(c, r, seen)
	case *protocol.DrainNodeRequest:
		s.drainNode(c, r)
	case *protocol.DismissNodeRequest:
		s.dismissNode(c, r)
	case *protocol.PlanMovesRequest:
		s.planMoves(c)
	case *protocol.InitProducerRequest:
		s.initProducer(c)
	case *protocol.ProduceRequest:
		s.produce(c, r, seen)
	case *protocol.FetchRequest:
		s.fetch(c, r, seen)
	case *protocol.ListOffsetsRequest:
		s.listOffsets(c, r, seen)
	case *protocol.DeleteRecordsRequest:
		s.deleteRecords(c, r, seen)
	default:
		c.refuse(protocol.NewError(protocol.CodeInternal, "%v is in the table of APIs and not carried out", request.API()))
	}
}

// answerSize bounds what the response to a request with many parts takes; 0 for others.
func (s *Session) answerSize(request protocol.Message, state *catalog.State) int {
	switch r := request.(type) {
	case *protocol.MetadataRequest:
		return s.metadataBytes(r, state)
	case *protocol.PlanMovesRequest:
		return planBytes(state)
	case *protocol.DescribeTopicRequest:
		if t := state.Topic(id.Topic(r.Topic)); t != nil {
			return describedBytes(t)
		}
	case *protocol.ProduceRequest:
		return answerBytes * len(r.Partitions)
	case *protocol.FetchRequest:
		return answerBytes*len(r.Partitions) + s.responseBytes(r)
	case *protocol.ListOffsetsRequest:
		return answerBytes * len(r.Partitions)
	case *protocol.DeleteRecordsRequest:
		return answerBytes * len(r.Partitions)
	}
	return 0
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

// park notes that f waits, and returns nothing; or which limit is against it, or errClosing.
func (s *Session) park(f *fetching) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errClosing
	case len(s.waiting) >= s.limits.ParkedFetches:
		return s.throttled("parked_fetches", "as many fetches of this connection wait for records as may")
	case !s.shared.park(s.limits.ParkedFetchesInAll):
		return s.throttled("parked_fetches_in_all", "as many fetches of all clients wait for records as may")
	}
	s.waiting[f] = struct{}{}
	return nil
}

func (s *Session) unpark(f *fetching) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, parked := s.waiting[f]; parked {
		delete(s.waiting, f)
		s.shared.parked.Add(-1)
	}
}

// Close gives up every wait: what is parked is answered with what there is, and what waits for the catalog by what is known
// of it. Later requests do not wait. It may be called at any time, repeatedly.
func (s *Session) Close() {
	s.mu.Lock()
	s.closed = true
	var parked []*fetching
	for f := range s.waiting {
		parked = append(parked, f)
	}
	awaited := s.backlog.awaited
	s.mu.Unlock()
	s.refreshed(awaited, errLeft)
	// In the order they came: what happens must not depend on the order of a map.
	slices.SortFunc(parked, func(a, b *fetching) int { return a.first - b.first })
	for _, f := range parked {
		f.giveUp()
	}
}
