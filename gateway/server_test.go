package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"

	"troupe/gateway/protocol"
)

// line is a client on a connection.
type line struct {
	t    testing.TB
	conn net.Conn
	next uint64
}

func (l *line) send(m protocol.Message) uint64 {
	l.next++
	n := correlation(l.next, m.API())
	if _, err := l.conn.Write(wire(protocol.EncodeRequest(n, m))); err != nil {
		l.t.Errorf("send %v: %v", m.API(), err)
	}
	return n
}

func wire(f protocol.Frame) []byte {
	var all []byte
	for _, part := range f {
		all = append(all, part...)
	}
	return all
}

func (l *line) receive() (uint64, answered) {
	l.t.Helper()
	payload, err := protocol.ReadFrame(l.conn, protocol.DefaultFrameBytes)
	if err != nil {
		l.t.Fatalf("receive: %v", err)
	}
	header, body, err := protocol.ParseResponse(payload)
	if err != nil {
		l.t.Fatal(err)
	}
	a := answered{err: header.Err}
	if a.err == nil {
		a.message = responseOf(header.Correlation).NewResponse()
		if err := body.Decode(a.message); err != nil {
			l.t.Fatal(err)
		}
	}
	return header.Correlation, a
}

func (l *line) hello() *line {
	l.t.Helper()
	l.send(&protocol.HelloRequest{Client: "line"})
	if _, a := l.receive(); a.err != nil {
		l.t.Fatal(a.err)
	}
	return l
}

// ends fails the test unless the server closes the connection without another word.
func (l *line) ends() {
	l.t.Helper()
	if rest, err := io.ReadAll(l.conn); len(rest) > 0 || (err != nil && !errors.Is(err, io.ErrClosedPipe)) {
		l.t.Errorf("the connection goes on: %d bytes, %v", len(rest), err)
	}
}

// serve starts a server that every line reaches over a pipe.
func serve(t testing.TB, b Broker, limits Limits) (*Server, func() *line) {
	s := NewServer(b, limits, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Close(ctx) // cuts what a test left open
	})
	return s, func() *line {
		client, server := net.Pipe()
		t.Cleanup(func() { client.Close() })
		s.Take(server)
		return &line{t: t, conn: client}
	}
}

func TestServerOverTCP(t *testing.T) {
	s, _ := serve(t, newFakeBroker(t, topic("a", 1)), Limits{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	l := (&line{t: t, conn: conn}).hello()
	large := batchOf(t, "v", 20_000, testStart)
	l.send(produceTo("a", 0, large))
	if _, a := l.receive(); a.err != nil || a.message.(*protocol.ProduceResponse).Partitions[0].Err != nil {
		t.Fatalf("produce: %+v", a)
	}
	l.send(fetchOf("a", 1000, 0))
	_, a := l.receive()
	got := fetched(t, a)[0].Batches
	if len(got) != 1 || !bytes.Equal(got[0][16:], large[16:]) {
		t.Errorf("%d batches came back, or another one", len(got))
	}
	// A client that ends its side still gets the answers to what it sent.
	l.send(&protocol.PingRequest{})
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, a := l.receive(); a.err != nil {
		t.Error(a.err)
	}
	l.ends()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, ErrServerClosed) {
		t.Errorf("Serve returned %v", err)
	}
	if err := s.Serve(listener); !errors.Is(err, ErrServerClosed) {
		t.Errorf("serving again returned %v", err)
	}
}

// What is wrong with one connection is told there, ends it, and touches no other.
func TestGarbageEndsItsOwnConnection(t *testing.T) {
	_, dial := serve(t, newFakeBroker(t), Limits{})
	healthy := dial().hello()
	frame := func(payload string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
	}
	for _, c := range []struct {
		name  string
		hello bool
		bytes []byte
		code  protocol.Code
	}{
		{"no msgpack", true, frame("GET / HTTP/1.1"), protocol.CodeMalformed},
		{"an array of billions", true, frame("\xdd\xff\xff\xff\xff"), protocol.CodeMalformed},
		{"nested a thousand times", true, frame(string(bytes.Repeat([]byte{0x91}, 1000))), protocol.CodeMalformed},
		{"nothing", true, frame(""), protocol.CodeMalformed},
		{"a frame of 4 GB", true, []byte("\xff\xff\xff\xff"), protocol.CodeFrameTooLarge},
		{"a large frame before hello", false, []byte{0, 0, 0x10, 0x01}, protocol.CodeFrameTooLarge},
		{"HTTP before hello", false, []byte("GET / HTTP/1.1\r\n\r\n"), protocol.CodeFrameTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := dial()
			l.t = t
			if c.hello {
				l.hello()
			}
			go func() { _, _ = l.conn.Write(c.bytes) }() // the server need not read it all
			if n, a := l.receive(); n != 0 || codeOf(a.err) != c.code {
				t.Errorf("got %v for request %d", a.err, n)
			}
			l.ends()
		})
	}
	healthy.send(&protocol.PingRequest{})
	if _, a := healthy.receive(); a.err != nil {
		t.Error(a.err)
	}
}

// Above the limit of unanswered requests the socket is not read, and it is again when answers leave.
func TestInflightRequestsHoldBackTheSocket(t *testing.T) {
	r := produceTo("a", 0, batchOf(t, "v", 1, testStart))
	size := protocol.EncodeRequest(correlation(9, r.API()), r).Len()
	for _, limits := range []Limits{{InflightRequests: 2}, {InflightBytes: (size + answerBytes) * 3 / 2}} {
		b := newFakeBroker(t, topic("a", 1))
		_, dial := serve(t, b, limits)
		l := dial().hello()
		b.hold()
		go func() {
			for range 5 {
				l.send(r)
			}
		}()
		// The broker gets two, and however long it takes, no third.
		for len(b.seen()) < 2 {
			runtime.Gosched()
		}
		for range 1000 {
			runtime.Gosched()
		}
		if n := len(b.seen()); n != 2 {
			t.Fatalf("%+v: the broker has %d requests", limits, n)
		}
		b.release()
		for range 5 {
			if _, a := l.receive(); a.err != nil {
				t.Fatal(a.err)
			}
		}
		if n := len(b.seen()); n != 5 {
			t.Errorf("the broker has %d requests", n)
		}
	}
}

// Close answers everything that was read, gives up what waits, and ends the connections.
func TestCloseDrains(t *testing.T) {
	b := newFakeBroker(t, topic("a", 1))
	s, dial := serve(t, b, Limits{})
	l, idle := dial().hello(), dial().hello()
	waits := l.send(fetchOf("a", 60_000, 0))
	for b.parked() == 0 {
		runtime.Gosched()
	}
	b.hold()
	produces := l.send(produceTo("a", 0, batchOf(t, "v", 1, testStart)))
	for len(b.seen()) < 2 {
		runtime.Gosched()
	}
	closed := make(chan error)
	go func() { closed <- s.Close(context.Background()) }()
	idle.ends()
	select {
	case err := <-closed:
		t.Fatalf("closed with a request unanswered: %v", err)
	default:
	}
	b.release()
	got := map[uint64]answered{}
	for range 2 {
		n, a := l.receive()
		got[n] = a
	}
	as[*protocol.FetchResponse](t, got[waits])
	as[*protocol.ProduceResponse](t, got[produces])
	l.ends()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	late := dial()
	late.ends()
}

// When the time for draining is over, connections are cut, whatever is unanswered.
func TestCloseCutsWhenItsContextEnds(t *testing.T) {
	b := newFakeBroker(t, topic("a", 1))
	s, dial := serve(t, b, Limits{})
	l := dial().hello()
	b.hold()
	l.send(produceTo("a", 0, batchOf(t, "v", 1, testStart)))
	for len(b.seen()) == 0 {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	l.ends()
	b.release() // the late answer harms nobody
	forgotten(s)
}

// A client that says nothing, nothing more, or half a frame is told which time is over, and let go.
func TestSilentClientsAreLetGo(t *testing.T) {
	for _, c := range []struct {
		limit  string
		limits Limits
		begin  func(dial func() *line) *line
	}{
		{"handshake_ms", Limits{HandshakeTime: time.Millisecond}, func(dial func() *line) *line { return dial() }},
		{"idle_ms", Limits{IdleTime: time.Millisecond}, func(dial func() *line) *line { return dial().hello() }},
		{"frame_ms", Limits{FrameTime: time.Millisecond}, func(dial func() *line) *line {
			l := dial().hello()
			if _, err := l.conn.Write([]byte{0, 0}); err != nil {
				t.Fatal(err)
			}
			return l
		}},
	} {
		s, dial := serve(t, newFakeBroker(t), c.limits)
		l := c.begin(dial)
		if n, a := l.receive(); n != 0 || codeOf(a.err) != protocol.CodeTimedOut || a.err.Details.Limit != c.limit {
			t.Errorf("%s: got %v", c.limit, a.err)
		}
		l.ends()
		forgotten(s)
	}
}

// deadlines is a connection that notes which read deadlines are set.
type deadlines struct {
	net.Conn
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return d.Conn.SetReadDeadline(t)
}

// A client that greets a byte at a time has no more time than one that says nothing: every byte finds the deadline of the first.
// Its last byte never comes, because whoever is slow must not be taken for fast by a timer that is late.
func TestASlowGreetingIsLetGo(t *testing.T) {
	s, _ := serve(t, newFakeBroker(t), Limits{HandshakeTime: 20 * time.Millisecond})
	client, server := net.Pipe()
	defer client.Close()
	noted := &deadlines{Conn: server}
	s.Take(noted)
	go func() {
		greeting := wire(protocol.EncodeRequest(correlation(1, protocol.APIHello), &protocol.HelloRequest{Client: "slow"}))
		for _, b := range greeting[:len(greeting)-1] {
			if _, err := client.Write([]byte{b}); err != nil {
				return
			}
		}
	}()
	l := &line{t: t, conn: client}
	if n, a := l.receive(); n != 0 || codeOf(a.err) != protocol.CodeTimedOut || a.err.Details.Limit != "handshake_ms" {
		t.Errorf("got %v", a.err)
	}
	l.ends()
	forgotten(s)
	for _, at := range noted.set {
		if !at.Equal(noted.set[0]) {
			t.Errorf("a deadline of %v became %v", noted.set[0], at)
		}
	}
}

// While the broker owes an answer, the client is not idle.
func TestAClientThatWaitsIsNotIdle(t *testing.T) {
	b := newFakeBroker(t, topic("a", 1))
	_, dial := serve(t, b, Limits{IdleTime: time.Millisecond})
	l := dial()
	b.hold()
	// In one piece, so that no idle time can pass between the two.
	both := append(wire(protocol.EncodeRequest(correlation(1, protocol.APIHello), &protocol.HelloRequest{})),
		wire(protocol.EncodeRequest(correlation(2, protocol.APIProduce), produceTo("a", 0, batchOf(t, "v", 1, testStart))))...)
	if _, err := l.conn.Write(both); err != nil {
		t.Fatal(err)
	}
	if _, a := l.receive(); a.err != nil {
		t.Fatal(a.err)
	}
	for len(b.seen()) == 0 {
		runtime.Gosched()
	}
	// Many idle times pass.
	<-time.After(20 * time.Millisecond)
	b.release()
	if _, a := l.receive(); a.err != nil {
		t.Errorf("the answer is %v", a.err)
	}
}

// A client that does not read its answers loses its connection, not the broker its memory.
func TestAClientThatDoesNotRead(t *testing.T) {
	b := newFakeBroker(t)
	s, dial := serve(t, b, Limits{WriteTime: time.Millisecond})
	l := dial()
	l.send(&protocol.HelloRequest{})
	forgotten(s)
}

// A client that leaves is forgotten at once, though its fetch could wait for long.
func TestAClientThatLeaves(t *testing.T) {
	b := newFakeBroker(t, topic("a", 1))
	s, dial := serve(t, b, Limits{})
	l := dial().hello()
	l.send(fetchOf("a", 60_000, 0))
	for b.parked() == 0 {
		runtime.Gosched()
	}
	l.conn.Close()
	forgotten(s)
	if b.parked() != 0 {
		t.Errorf("%d fetches still wait", b.parked())
	}
}

// The last word reaches the client even if the server has not read all that the client wrote.
func TestTheLastReplyIsNotOvertakenByAReset(t *testing.T) {
	s, _ := serve(t, newFakeBroker(t), Limits{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(listener) }()
	for range 20 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		l := (&line{t: t, conn: conn}).hello()
		if _, err := conn.Write(append([]byte{0, 0, 0, 1, 0xc1}, make([]byte, 100_000)...)); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		forgotten(s) // the server is done with the connection before the client reads
		if _, a := l.receive(); codeOf(a.err) != protocol.CodeMalformed {
			t.Errorf("got %v", a.err)
		}
		conn.Close()
	}
}

// As many as may be are served; one more is told which limit was met, and closed; a place that is free is given away.
func TestConnectionsAreBounded(t *testing.T) {
	for limit, limits := range map[string]Limits{
		"connections":             {Connections: 3, ConnectionsPerAddress: 9},
		"connections_per_address": {Connections: 9, ConnectionsPerAddress: 3},
	} {
		s, dial := serve(t, newFakeBroker(t), limits)
		served := []*line{dial().hello(), dial().hello(), dial().hello()}
		for range 2 {
			over := dial()
			n, a := over.receive()
			if n != 0 || codeOf(a.err) != protocol.CodeThrottled || !a.err.Retriable || a.err.Details.Limit != limit || a.err.Details.WaitMillis == 0 {
				t.Errorf("%s: got %v %+v", limit, a.err, a.err)
			}
			over.ends()
		}
		for _, l := range served {
			l.send(&protocol.PingRequest{})
			if _, a := l.receive(); a.err != nil {
				t.Errorf("%s: one that is served got %v", limit, a.err)
			}
			l.conn.Close()
		}
		forgotten(s)
		dial().hello()
	}
}

// seen returns the calls so far.
func (b *fakeBroker) seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.calls...)
}

// forgotten waits until the server holds no connection.
func forgotten(s *Server) {
	for {
		s.mu.Lock()
		n := len(s.connections)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		runtime.Gosched()
	}
}
