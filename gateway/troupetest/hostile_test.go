package troupetest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/gateway/troupetest"
)

// hostile is a client of bytes: it keeps none of the protocol's rules unless told to.
type hostile struct {
	t    testing.TB
	conn *net.TCPConn
	sent int
}

// connect opens a connection that says nothing yet.
func connect(t testing.TB, broker *troupetest.Broker) *hostile {
	t.Helper()
	conn, err := net.Dial("tcp", broker.Addr())
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{t: t, conn: conn.(*net.TCPConn)}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return h
}

// patience turns a test that hangs into one that fails.
const patience = time.Minute

// greeted opens a connection and says Hello.
func greeted(t testing.TB, broker *troupetest.Broker) *hostile {
	t.Helper()
	h := connect(t, broker)
	h.request(&protocol.HelloRequest{Client: "hostile"})
	if _, refusal := h.receive(); refusal != nil {
		t.Fatal(refusal)
	}
	return h
}

// write sends bytes as they are. The broker may have closed the connection meanwhile: what it said before can still be read.
func (h *hostile) write(b []byte) {
	n, err := h.conn.Write(b)
	h.sent += n
	if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		h.t.Fatalf("write: %v", err)
	}
}

// frame sends a payload behind its length.
func (h *hostile) frame(payload string) {
	h.write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...))
}

func (h *hostile) request(m protocol.Message) {
	h.frame(string(protocol.EncodeRequest(9, m).Payload()))
}

// receive returns the next answer.
func (h *hostile) receive() (protocol.Body, *protocol.Error) {
	h.t.Helper()
	payload, err := protocol.ReadFrame(h.conn, protocol.DefaultFrameBytes)
	if err != nil {
		h.t.Fatalf("no answer: %v", err)
	}
	header, body, err := protocol.ParseResponse(payload)
	if err != nil {
		h.t.Fatal(err)
	}
	return body, header.Err
}

// refused demands that the next answer is a refusal of that code.
func (h *hostile) refused(code protocol.Code) *protocol.Error {
	h.t.Helper()
	_, e := h.receive()
	if e == nil || e.Code != code {
		h.t.Fatalf("got %v, want %v", e, code)
	}
	return e
}

// closed demands that the broker says nothing more and ends the connection.
func (h *hostile) closed() {
	h.t.Helper()
	_ = h.conn.CloseWrite()
	rest, err := io.ReadAll(h.conn)
	if len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		h.t.Errorf("the connection goes on: %x, %v", rest, err)
	}
}

// alive demands that the connection still serves.
func (h *hostile) alive() {
	h.t.Helper()
	h.request(&protocol.PingRequest{})
	if _, e := h.receive(); e != nil {
		h.t.Errorf("ping: %v", e)
	}
}

// allocated returns the bytes that f made the process allocate: more than it ever held at a time.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// held returns the heap that is in use.
func held() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// beside runs a well-behaved client while f runs: every record it writes is acknowledged, and there once.
func beside(t *testing.T, broker *troupetest.Broker, records int, f func()) {
	t.Helper()
	c := broker.Client(t)
	topic := "beside-" + strings.ReplaceAll(strings.ReplaceAll(t.Name(), "/", "-"), " ", "-")
	if _, err := c.CreateTopic(t.Context(), topic, 2, nil); err != nil {
		t.Fatal(err)
	}
	finished := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < records && err == nil; i++ {
			err = c.ProduceSync(t.Context(), &client.Record{Topic: topic, Value: fmt.Append(nil, i)})
		}
		finished <- err
	}()
	f()
	if err := <-finished; err != nil {
		t.Fatalf("the client beside: %v", err)
	}
	seen := map[string]bool{}
	for _, values := range consume(t, c, topic, records) {
		for _, v := range values {
			if seen[v] {
				t.Errorf("the client beside finds %s twice", v)
			}
			seen[v] = true
		}
	}
}
