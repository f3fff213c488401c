package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"troupe/partitions/id"
)

// pair is two brokers that behave, for hostile tests to disturb.
type pair struct {
	*town
	a, b *broker
	sent uint64
}

func newPair(t testing.TB, change ...func(*Options)) *pair {
	w := newTown()
	p := &pair{town: w, a: w.open(t, 1, change...), b: w.open(t, 2, change...)}
	p.undisturbed(t)
	return p
}

// undisturbed sends a frame there and back.
func (p *pair) undisturbed(t testing.TB) {
	t.Helper()
	p.sent++
	p.passes(t, p.a, p.b, numbered(p.sent, 64))
	p.passes(t, p.b, p.a, numbered(p.sent, 64))
}

// passes sends a frame until it arrives: links are at most once.
func (p *pair) passes(t testing.TB, from, to *broker, frame []byte) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for ; ; to.repeated[string(frame)] = true {
		from.Send(to.node, frame)
		for waiting := true; waiting; {
			select {
			case r := <-to.frames:
				if r.from == from.node && string(r.frame) == string(frame) {
					return
				}
			case <-again.C:
				waiting = false
			case <-deadline:
				t.Fatalf("node %v and node %v lost each other", from.node, to.node)
			}
		}
	}
}

// stranger is a gRPC client that a test drives by hand.
type stranger struct {
	remote.RemotingClient
	conn *grpc.ClientConn
}

func dial(t testing.TB, address string, c credentials.TransportCredentials) *stranger {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(c), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &stranger{remote.NewRemotingClient(conn), conn}
}

// credentialsOf makes what a broker with a secret would show.
func credentialsOf(t testing.TB, i Identity, secret string) credentials.TransportCredentials {
	t.Helper()
	k := &keyring{self: i, now: time.Now}
	if err := k.setSecrets(secrets(secret)); err != nil {
		t.Fatal(err)
	}
	c := k.clientTLS("")
	c.VerifyConnection = nil // strangers talk to anyone
	return credentials.NewTLS(c)
}

// stream opens a stream with a hello.
func (s *stranger) stream(t testing.TB, hello string) remote.Remoting_ReceiveClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	if hello != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, helloKey, hello)
	}
	r, err := s.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fate is the error that ends a stream.
func fate(s remote.Remoting_ReceiveClient) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
	}
}

var guest = Identity{Cluster: testCluster, Node: 9, Incarnation: 1, Nonce: 5}

func helloOf(i Identity) string { return string(appendHello(nil, i)) }

func connectRequest() *remote.RemoteMessage {
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_ConnectRequest{ConnectRequest: &remote.ConnectRequest{
		ConnectionType: &remote.ConnectRequest_ServerConnection{ServerConnection: &remote.ServerConnection{SystemId: "x", Address: "y"}},
	}}}
}

// frameMessage is a message that passes, for tests to spoil.
func frameMessage(frame []byte) (*remote.RemoteMessage, *remote.MessageBatch) {
	data, err := proto.Marshal(wrapperspb.Bytes(frame))
	if err != nil {
		panic(err)
	}
	b := &remote.MessageBatch{
		TypeNames: []string{frameType},
		Targets:   []*actor.PID{{Address: "z", Id: receptionName}},
		Envelopes: []*remote.MessageEnvelope{{MessageData: data}},
	}
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: b}}, b
}

// TestHellosRefused has strangers say every wrong hello, with and without TLS.
func TestHellosRefused(t *testing.T) {
	for _, mode := range []string{"plain", "secret"} {
		var change []func(*Options)
		if mode == "secret" {
			change = append(change, withSecrets(first))
		}
		p := newPair(t, change...)
		good := guest
		for _, c := range []struct {
			name  string
			hello string
			cause string
		}{
			{"none", "", "no handshake"},
			{"garbage", "hello", "no handshake"},
			{"cut", helloOf(good)[:39], "no handshake"},
			{"longer", helloOf(good) + "x", "no handshake"},
			{"no epoch where one is said", "\xf5TRL\x02" + helloOf(good)[5:] + string(make([]byte, 8)), "no handshake"},
			{"an epoch that is left out", "\xf5TRL\x02" + helloOf(good)[5:], "no handshake"},
			{"newer version", "\xf5TRL\x03" + helloOf(good)[5:], "incompatible version"},
			{"much newer version", "\xf5TRL\x09whatever may come", "incompatible version"},
			{"no node", helloOf(Identity{Cluster: testCluster, Incarnation: 1}), "no handshake"},
			{"another cluster", helloOf(Identity{Cluster: 0xC2, Node: 9, Incarnation: 1}), "another cluster"},
			{"another epoch", helloOf(Identity{Cluster: testCluster, Node: 9, Incarnation: 1, Epoch: 1 << 32}), "another epoch"},
			{"the broker itself", helloOf(Identity{Cluster: testCluster, Node: 1, Incarnation: 9}), "copied directory"},
			{"a copied directory", helloOf(Identity{Cluster: testCluster, Node: 2, Incarnation: 1, Nonce: 99}), "copied directory"},
		} {
			t.Run(mode+"/"+c.name, func(t *testing.T) {
				creds := insecure.NewCredentials()
				if mode == "secret" {
					claimed, err := parseHello([]byte(c.hello))
					if err != nil {
						claimed = guest
					}
					creds = credentialsOf(t, claimed, first)
				}
				err := fate(dial(t, p.a.Addr(), creds).stream(t, c.hello))
				if code := status.Code(err); code != codes.PermissionDenied && (code != twinCode || c.cause != "copied directory") {
					t.Errorf("it ends with %v", err)
				}
				p.a.log.says(t, "level=WARN", c.cause, "next=")
				p.undisturbed(t)
			})
		}
	}
}

// TestOlderLifeRefused meets a node, then older starts of it, on both sides of a link.
func TestOlderLifeRefused(t *testing.T) {
	p := newPair(t)
	life := guest
	life.Incarnation = 3
	s := dial(t, p.a.Addr(), insecure.NewCredentials()).stream(t, helloOf(life))
	if err := s.Send(connectRequest()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	life.Incarnation = 2
	if err := fate(dial(t, p.a.Addr(), insecure.NewCredentials()).stream(t, helloOf(life))); status.Code(err) != twinCode || !strings.Contains(err.Error(), "start 2, after start 3") {
		t.Errorf("start 2 ends with %v", err)
	}
	p.open(t, guest.Node, func(o *Options) { o.Identity = life }) // now the broker dials it
	p.a.Send(guest.Node, []byte("hello?"))
	p.a.log.says(t, "no link to a broker", "copied directory", "start 2, after start 3")
	p.undisturbed(t)
}

// TestLivesBeforeTheStart refuses what is older than what an earlier start of the broker has met, and tells it so; and remembers
// whom this one meets, once each.
func TestLivesBeforeTheStart(t *testing.T) {
	var met []Identity
	w := newTown()
	a := w.open(t, 1, func(o *Options) {
		o.Met = []Identity{{Node: 2, Incarnation: 7, Nonce: 14}}
		o.Remember = func(i Identity) { met = append(met, i) }
	})
	disowned := make(chan error, 100)
	life := func(incarnation uint64) func(*Options) {
		return func(o *Options) {
			o.Identity.Incarnation = incarnation
			o.Disowned = func(err error) { disowned <- err }
		}
	}
	backup := w.open(t, 2, life(6))
	backup.fails(t, 1)
	if err := <-disowned; !strings.Contains(err.Error(), "start 6, after start 7") {
		t.Error(err)
	}
	backup.Close()
	p := &pair{town: w, a: a, b: w.open(t, 2, life(8))}
	p.undisturbed(t)
	a.acquaintances.mu.Lock()
	defer a.acquaintances.mu.Unlock()
	if diff := cmp.Diff([]Identity{{Cluster: testCluster, Node: 2, Incarnation: 8, Nonce: 14}}, met); diff != "" {
		t.Error(diff)
	}
}

// TestCopiedDirectory starts a broker over a copy of another's data directory: it is told so too.
func TestCopiedDirectory(t *testing.T) {
	p := newPair(t, withSecrets(first))
	original := p.b.Addr()
	twin := p.open(t, 2, withSecrets(first), func(o *Options) { o.Identity.Nonce = 99 })
	p.move(2, original)
	twin.fails(t, 1)
	twin.log.says(t, "cause=\"copied directory\"", "two brokers call themselves node 0000000000000002")
	p.a.log.says(t, "copied directory", "--join")
	p.undisturbed(t)
}

// TestNotTheStartThatGossipShows meets a later start of a node whose earlier one is alive elsewhere, and leaves no trace of it.
func TestNotTheStartThatGossipShows(t *testing.T) {
	p := newPair(t, func(o *Options) {
		o.Admit = func(i Identity) error {
			if i.Node == guest.Node && i.Incarnation != guest.Incarnation {
				return errors.New("its earlier start lives")
			}
			return nil
		}
	})
	life := guest
	life.Incarnation++
	if err := fate(dial(t, p.a.Addr(), insecure.NewCredentials()).stream(t, helloOf(life))); status.Code(err) != codes.PermissionDenied {
		t.Errorf("the later start ends with %v", err)
	}
	p.a.log.says(t, "not this start", "its earlier start lives")
	s := dial(t, p.a.Addr(), insecure.NewCredentials()).stream(t, helloOf(guest))
	if err := s.Send(connectRequest()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Errorf("the earlier start is refused: %v", err)
	}
	p.undisturbed(t)
}

// TestMeantAnother finds another node at the address of the one it means, as a wiped broker's successor is. The links of those
// two must not suffer: the mistake is repeated for as long as the dead node is looked for.
func TestMeantAnother(t *testing.T) {
	p := newPair(t, withSecrets(first))
	p.move(7, p.b.Addr())
	p.a.Send(7, []byte("for 7 only"))
	p.a.log.says(t, "another broker met", "0000000000000007")
	p.a.reaches(t, reached{7, false})
	p.b.log.says(t, "another broker met", "0000000000000007")
	p.undisturbed(t)
	for len(p.a.reach) > 0 {
		if r := <-p.a.reach; r == (reached{2, false}) {
			t.Error("the link to the node that is there has ended")
		}
	}
	for len(p.b.reach) > 0 {
		if r := <-p.b.reach; r == (reached{1, false}) {
			t.Error("the link from the one that errs was replaced")
		}
	}
	if len(p.b.frames) > 0 {
		t.Error("a frame reached another node than the one it was meant for")
	}
}

// TestImpostor has a broker's certificate and another broker's name.
func TestImpostor(t *testing.T) {
	p := newPair(t, withSecrets(first))
	claimed := Identity{Cluster: testCluster, Node: 2, Incarnation: 5}
	err := fate(dial(t, p.a.Addr(), credentialsOf(t, guest, first)).stream(t, helloOf(claimed)))
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("it ends with %v", err)
	}
	p.a.log.says(t, "false name", "node 0000000000000002")
	p.undisturbed(t)
}

// TestWithoutTheSecret has brokers and strangers come with a wrong secret, none, and no certificate.
func TestWithoutTheSecret(t *testing.T) {
	p := newPair(t, withSecrets(first))
	for _, c := range []struct {
		name   string
		change []func(*Options)
		theirs string // cause in its own log
		ours   string
	}{
		{"wrong secret", []func(*Options){withSecrets(second)}, "wrong secret", "wrong secret"},
		{"no secret", nil, "not reached", "no encryption"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wrong := p.open(t, 3, c.change...)
			wrong.fails(t, 1)
			wrong.log.says(t, "no link to a broker", c.theirs)
			p.a.log.says(t, "a connection was refused", c.ours)
			p.a.fails(t, 3)
			p.undisturbed(t)
			if len(p.a.frames)+len(wrong.frames) > 0 {
				t.Error("a frame crossed")
			}
		})
	}
	t.Run("no certificate", func(t *testing.T) {
		conn, err := tls.Dial("tcp", p.a.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err == nil {
			_, err = conn.Read(make([]byte, 1)) // TLS 1.3 tells a client only now
			conn.Close()
		}
		if err == nil {
			t.Error("a client without a certificate was let in")
		}
		p.undisturbed(t)
	})
}

// TestGarbageOnThePort sends what is no broker's: without TLS, cut handshakes, HTTP, silence.
func TestGarbageOnThePort(t *testing.T) {
	for _, mode := range []string{"plain", "secret"} {
		var change []func(*Options)
		if mode == "secret" {
			change = append(change, withSecrets(first))
		}
		p := newPair(t, change...)
		for name, text := range map[string]string{
			"random":    strings.Repeat("\x00\xff\x17garbage\r\n", 1000),
			"http":      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
			"tls":       "\x16\x03\x01\x40\x00\x01" + strings.Repeat("\x00", 100),
			"preface":   preface + "\xff\xff\xff\x00\x00\x00\x00\x00\x00",
			"half":      preface[:10],
			"nothing":   "",
			"huge ping": preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + strings.Repeat("\x7f", 1<<16),
		} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				conn, err := net.Dial("tcp", p.a.Addr())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_, _ = conn.Write([]byte(text)) // it may be cut at any byte
				_ = conn.(*net.TCPConn).CloseWrite()
				for b := make([]byte, 4096); err == nil; {
					_, err = conn.Read(b)
				}
				p.undisturbed(t)
			})
		}
	}
}

// TestCallsRefused makes every call that is not a link's.
func TestCallsRefused(t *testing.T) {
	p := newPair(t, withSecrets(first))
	s := dial(t, p.a.Addr(), credentialsOf(t, guest, first))
	_, err := s.ListProcesses(t.Context(), &remote.ListProcessesRequest{Pattern: ".*", Type: remote.ListProcessesMatchType_MatchRegex})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("ListProcesses: %v", err)
	}
	p.a.log.says(t, "foreign message", "ListProcesses")
	_, err = s.GetProcessDiagnostics(t.Context(), &remote.GetProcessDiagnosticsRequest{Pid: &actor.PID{Id: receptionName}})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("GetProcessDiagnostics: %v", err)
	}
	for _, method := range []string{"/remote.Remoting/Unheard", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.health.v1.Health/Check", "nonsense"} {
		err := s.conn.Invoke(t.Context(), method, &wrapperspb.BytesValue{}, &wrapperspb.BytesValue{})
		if code := status.Code(err); code != codes.Unimplemented && code != codes.Internal {
			t.Errorf("%s: %v", method, err)
		}
	}
	p.undisturbed(t)
}

// TestNewestStreamWins has two streams of one node: frames of the older one stop.
func TestNewestStreamWins(t *testing.T) {
	p := newPair(t)
	open := func() remote.Remoting_ReceiveClient {
		s := dial(t, p.a.Addr(), insecure.NewCredentials()).stream(t, helloOf(guest))
		if err := s.Send(connectRequest()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	frame := func(text string) *remote.RemoteMessage {
		m, _ := frameMessage([]byte(text))
		return m
	}
	older := open()
	if err := older.Send(frame("older")); err != nil {
		t.Fatal(err)
	}
	if got := p.a.next(t); string(got.frame) != "older" || got.from != guest.Node {
		t.Fatalf("got %q of node %v", got.frame, got.from)
	}
	newer := open()
	if err := fate(older); status.Code(err) != codes.Unavailable {
		t.Fatalf("the older stream ends with %v", err)
	}
	if err := newer.Send(frame("newer")); err != nil {
		t.Fatal(err)
	}
	if got := p.a.next(t); string(got.frame) != "newer" {
		t.Fatalf("got %q", got.frame)
	}
	p.undisturbed(t)
}

// TestUnsecuredOffLoopback refuses to listen where others could come in.
func TestUnsecuredOffLoopback(t *testing.T) {
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0"} {
		_, err := Open(Options{Listen: listen, Identity: guest, Address: newTown().address, Receive: func(id.Node, []byte) {}})
		if !errors.Is(err, ErrUnsecured) || !strings.Contains(err.Error(), "--secret-file") {
			t.Errorf("%s: %v", listen, err)
		}
	}
}

// TestPlainStaysHere dials no other machine without a secret.
func TestPlainStaysHere(t *testing.T) {
	p := newPair(t)
	p.move(8, "192.0.2.1:9643")
	p.a.fails(t, 8)
	p.a.log.says(t, "no encryption", "192.0.2.1:9643", "--secret-file")
	p.undisturbed(t)
}

// TestCrowd opens more connections than may be, which say nothing, and then none.
func TestCrowd(t *testing.T) {
	p := newPair(t, withSecrets(first))
	var crowd []net.Conn
	for range mostHandshakes + 20 {
		conn, err := net.Dial("tcp", p.a.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		crowd = append(crowd, conn)
	}
	p.a.log.says(t, "turned away", "too many")
	p.undisturbed(t)
	for _, conn := range crowd {
		conn.Close()
	}
	p.passes(t, p.open(t, 3, withSecrets(first)), p.a, []byte("room again"))
}
