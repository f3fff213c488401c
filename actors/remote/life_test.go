package remote

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"troupe/partitions/id"
)

// TestLargestFrames passes frames of the largest size, whole, and refuses one byte more.
func TestLargestFrames(t *testing.T) {
	p := newPair(t, withSecrets(first))
	random := rand.NewChaCha8([32]byte{1})
	for i := range 20 {
		frame := make([]byte, MaxFrame)
		_, _ = random.Read(frame)
		p.passes(t, p.a, p.b, frame)
		if i == 0 && p.a.Send(2, make([]byte, MaxFrame+1)) {
			t.Error("a frame that is too large was taken")
		}
	}
}

// TestManyLargeFrames has more of them under way than one message of gRPC holds.
func TestManyLargeFrames(t *testing.T) {
	p := newPair(t, func(o *Options) { o.PeerBytes = 40 * charge(MaxFrame) })
	for i := range uint64(40) {
		if !p.a.Send(2, numbered(i, MaxFrame)) {
			t.Fatalf("frame %d was not taken", i)
		}
	}
	for i := range uint64(40) {
		if got := binary.BigEndian.Uint64(p.b.next(t).frame); got != i {
			t.Fatalf("got frame %d, want %d", got, i)
		}
	}
}

// TestEmptyFrame passes a frame of no bytes.
func TestEmptyFrame(t *testing.T) {
	p := newPair(t)
	p.passes(t, p.a, p.b, nil)
}

// TestRotation adds a secret, promotes it and removes the old one, broker by broker, while frames flow.
func TestRotation(t *testing.T) {
	p := newPair(t, withSecrets(first))
	flow := startFlow(p.a, 2)
	defer flow.stop()
	for _, step := range [][]string{{first, second}, {second, first}, {second}} {
		for _, b := range []*broker{p.a, p.b} {
			if err := b.SetSecrets(secrets(step...)); err != nil {
				t.Fatal(err)
			}
			flow.arrives(t, p.b)
		}
	}
	flow.stop()
	late := p.open(t, 4, withSecrets(first))
	late.fails(t, 1)
	late.log.says(t, "wrong secret")
	p.undisturbed(t)
	if err := p.a.SetSecrets(nil); !errors.Is(err, ErrSecret) {
		t.Errorf("no secrets at all: %v", err)
	}
}

// flow is frames that are sent one after the other, numbered, until it stops.
type flow struct {
	sent    atomic.Uint64 // the number of the last frame that was taken
	seen    uint64        // the highest number that arrived
	stopped chan struct{}
	stop    func()
}

func startFlow(from *broker, to id.Node) *flow {
	f := &flow{stopped: make(chan struct{})}
	quit := make(chan struct{})
	f.stop = sync.OnceFunc(func() { close(quit); <-f.stopped })
	go func() {
		defer close(f.stopped)
		pause := time.NewTicker(100 * time.Microsecond)
		defer pause.Stop()
		for {
			select {
			case <-quit:
				return
			case <-pause.C:
			}
			if from.Send(to, numbered(f.sent.Load()+1, 1000)) {
				f.sent.Add(1)
			}
		}
	}()
	return f
}

// arrives waits for a frame that is sent after now. Frames arrive in order, some may be missing.
func (f *flow) arrives(t *testing.T, at *broker) {
	t.Helper()
	for from := f.sent.Load(); f.seen <= from; {
		n := binary.BigEndian.Uint64(at.next(t).frame)
		if n <= f.seen {
			t.Fatalf("frame %d came after frame %d", n, f.seen)
		}
		f.seen = n
	}
}

// TestWithdrawnSecret cuts a link that began under a secret which is accepted no more.
func TestWithdrawnSecret(t *testing.T) {
	p := newPair(t, withSecrets(first))
	if err := p.a.SetSecrets(secrets(second)); err != nil {
		t.Fatal(err)
	}
	p.a.reaches(t, reached{2, false})
	p.b.reaches(t, reached{1, false})
	p.a.fails(t, 2)
	p.b.fails(t, 1)
	if err := p.b.SetSecrets(secrets(second)); err != nil {
		t.Fatal(err)
	}
	p.undisturbed(t)
}

// TestCertificateIsRenewed lets a year pass, week by week.
func TestCertificateIsRenewed(t *testing.T) {
	var passed atomic.Int64
	clock := func(o *Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	}
	p := newPair(t, withSecrets(first), clock)
	before, _ := p.a.keys.certificate()
	for range 52 {
		passed.Add(int64(7 * 24 * time.Hour))
		now, err := p.a.keys.certificate()
		if err != nil || now.Leaf.NotAfter.Equal(before.Leaf.NotAfter) || !now.Leaf.NotAfter.After(p.a.now().Add(24*time.Hour)) {
			t.Fatalf("a certificate until %v, %v; before: %v", now.Leaf.NotAfter, err, before.Leaf.NotAfter)
		}
		before = now
	}
	p.open(t, 5, withSecrets(first), clock).Send(1, []byte("late"))
	if got := p.a.next(t); got.from != 5 {
		t.Errorf("a frame of node %v", got.from)
	}
	p.undisturbed(t)
}

// TestPeerRestarts ends a broker and starts it again on the same address, in its next life.
func TestPeerRestarts(t *testing.T) {
	p := newPair(t, withSecrets(first))
	address := p.b.Addr()
	p.b.Close()
	p.a.reaches(t, reached{2, false})
	p.a.fails(t, 2)
	p.b = p.open(t, 2, withSecrets(first), func(o *Options) {
		o.Listen = address
		o.Identity.Incarnation, o.Identity.Nonce = 2, 1234
	})
	p.undisturbed(t)
	p.a.reaches(t, reached{2, true})
	p.a.log.says(t, "linked to a broker", "0000000000000002")
}

// TestAnswersLost ends the other direction of a link alone: whoever waits for an answer is told.
func TestAnswersLost(t *testing.T) {
	p := newPair(t)
	p.a.reaches(t, reached{2, true})
	c := p.b.correspondents[1]
	c.mu.Lock()
	o := c.outlet
	c.mu.Unlock()
	o.end(errBroken)
	p.a.reaches(t, reached{2, false})
	p.a.reaches(t, reached{2, true})
	p.undisturbed(t)
}

// TestPeerMoves ends a broker and starts it again elsewhere.
func TestPeerMoves(t *testing.T) {
	p := newPair(t)
	p.b.Close()
	p.b = p.open(t, 2, func(o *Options) { o.Identity.Incarnation = 2 })
	p.undisturbed(t)
}

// TestWhoComesInIsReachedAtOnce has a broker come back elsewhere, in its next life, where the clock stands still: the pause before
// the next attempt to reach it never ends.
func TestWhoComesInIsReachedAtOnce(t *testing.T) {
	still := time.Now()
	begin := func(t *testing.T) *pair {
		p := newPair(t, func(o *Options) { o.Now = func() time.Time { return still } })
		p.b.Close()
		again := time.NewTicker(time.Millisecond)
		defer again.Stop()
		for p.a.Send(2, nil) { // until its end was noticed
			<-again.C
		}
		return p
	}
	end := func(t *testing.T, p *pair) {
		p.b = p.open(t, 2, func(o *Options) { o.Identity.Incarnation = 2 })
		p.passes(t, p.b, p.a, []byte("here I am"))
		p.passes(t, p.a, p.b, []byte("welcome"))
	}
	t.Run("during a pause", func(t *testing.T) {
		end(t, begin(t))
	})
	t.Run("during an attempt at its old address", func(t *testing.T) {
		p := begin(t)
		mute, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer mute.Close()
		p.move(2, mute.Addr().String())
		p.a.correspondents[2].renew(Identity{})
		if !p.a.Send(2, nil) {
			t.Fatal("no attempt is made")
		}
		conn, err := mute.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		end(t, p)
	})
}

// TestBudget fills the budget of a peer that takes connections and says nothing, and gets it back when the peer goes.
func TestBudget(t *testing.T) {
	const frames = 8
	p := newPair(t, func(o *Options) { o.PeerBytes = frames * charge(MaxFrame) })
	mute := listenMutely(t, p)
	for i := range frames {
		if !p.a.Send(mutely, make([]byte, MaxFrame)) {
			t.Fatalf("frame %d was not taken", i)
		}
	}
	if p.a.Send(mutely, nil) {
		t.Error("a frame above the budget was taken")
	}
	p.undisturbed(t)
	conn, err := mute.Accept()
	if err != nil {
		t.Fatal(err)
	}
	mute.Close()
	conn.Close()
	p.a.reaches(t, reached{mutely, false})
	p.a.fails(t, mutely)
	if n := p.a.correspondents[mutely].held(); n != 0 {
		t.Errorf("%d bytes are still held for a peer without a link", n)
	}
}

// TestAttemptsLeaveNothing tries to reach a peer that is gone, again and again.
func TestAttemptsLeaveNothing(t *testing.T) {
	var minutes atomic.Int64 // no pause between attempts
	p := newPair(t, func(o *Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(minutes.Add(1)) * time.Minute) }
	})
	p.b.Close()
	p.a.fails(t, 2)
	for range 100 {
		p.a.fails(t, 2)
	}
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	resident := p.open(t, 3).processes() // of a link that has sent nothing
	for range 2000 {
		if p.a.processes() <= resident {
			break
		}
		<-poll.C
	}
	outlets := 0
	p.a.outlets.Range(func(any, any) bool { outlets++; return true })
	if n := p.a.processes(); n > resident || outlets > 0 {
		t.Errorf("100 attempts left %d processes, of %d, and %d outlets", n, resident, outlets)
	}
}

// processes counts the actors and the like of a link.
func (l *Link) processes() (n int) {
	for _, bucket := range l.system.ProcessRegistry.LocalPIDs.LocalPIDs {
		n += bucket.Count()
	}
	return n
}

// TestSilentPeer gives up a peer that takes connections and says nothing.
func TestSilentPeer(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as a connection may")
	}
	p := newPair(t)
	listenMutely(t, p)
	p.a.Send(mutely, []byte("hello?"))
	p.a.reaches(t, reached{mutely, false})
	p.a.log.says(t, "no answer", mutely.String())
	p.undisturbed(t)
}

const mutely id.Node = 6

// listenMutely has node mutely listen, and no more.
func listenMutely(t *testing.T, p *pair) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p.move(mutely, l.Addr().String())
	return l
}

func (c *correspondent) held() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outlet == nil {
		return 0
	}
	return c.outlet.bytes
}

// TestSlowReceiverHoldsPeersBack blocks Receive: the sender's budget fills, and nothing grows without bound.
func TestSlowReceiverHoldsPeersBack(t *testing.T) {
	w := newTown()
	a := w.open(t, 1, func(o *Options) { o.PeerBytes = 2 * charge(MaxFrame) })
	gate := make(chan struct{})
	var got atomic.Int64
	w.open(t, 2, func(o *Options) {
		o.Receive = func(id.Node, []byte) { <-gate; got.Add(1) }
	})
	const size = 1 << 20
	taken, full := 0, time.After(20*time.Second)
	refused := time.NewTicker(time.Millisecond)
	for idle := 0; idle < 500; {
		if a.Send(2, make([]byte, size)) {
			taken, idle = taken+1, 0
			continue
		}
		select {
		case <-refused.C:
			idle++
		case <-full:
			t.Fatalf("%d MiB were taken for a peer that handles nothing", taken)
		}
	}
	if most := (2*mostUndelivered + mergedFrames*size + 2*MaxFrame) / size * 2; taken > most {
		t.Errorf("%d MiB are under way, expected below %d", taken, most)
	}
	close(gate)
	for got.Load() != int64(taken) {
		<-refused.C
	}
}

// TestPanicInReceive costs one frame and a line of the log.
func TestPanicInReceive(t *testing.T) {
	w := newTown()
	a := w.open(t, 1)
	b := w.open(t, 2, func(o *Options) {
		inner := o.Receive
		o.Receive = func(from id.Node, frame []byte) {
			if len(frame) == 0 {
				panic("nothing")
			}
			inner(from, frame)
		}
	})
	for range 50 {
		a.Send(2, nil)
	}
	a.Send(2, []byte("more"))
	if got := b.next(t); string(got.frame) != "more" {
		t.Errorf("got %q", got.frame)
	}
	b.log.says(t, "level=ERROR", "panic=nothing")
}

// TestCloseReleasesThePort closes and opens on one port, again and again.
func TestCloseReleasesThePort(t *testing.T) {
	w := newTown()
	a := w.open(t, 1)
	b := w.open(t, 2)
	address := b.Addr()
	for i := range uint64(10) {
		a.Send(2, numbered(i, 1000))
		b.Close()
		b.Close()
		if b.Send(1, []byte("late")) {
			t.Error("a closed link takes a frame")
		}
		b = w.open(t, 2, func(o *Options) { o.Listen, o.Identity.Incarnation = address, i+2 })
	}
}

// TestListenEverywhere listens where other machines come in, and on the other loopback.
func TestListenEverywhere(t *testing.T) {
	for _, listen := range []string{":0", "0.0.0.0:0", "[::1]:0", "localhost:0"} {
		w := newTown()
		if l, err := net.Listen("tcp", listen); err != nil {
			t.Logf("%s cannot be had on this machine: %v", listen, err)
			continue
		} else {
			l.Close()
		}
		a, b := w.open(t, 1, withSecrets(first)), w.open(t, 2, withSecrets(first), func(o *Options) { o.Listen = listen })
		_, port, err := net.SplitHostPort(b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		host := "127.0.0.1"
		if listen == "[::1]:0" {
			host = "::1"
		}
		w.move(2, net.JoinHostPort(host, port))
		(&pair{town: w, a: a, b: b}).undisturbed(t)
	}
}

// TestPortTaken is an error, not the library's panic.
func TestPortTaken(t *testing.T) {
	w := newTown()
	a := w.open(t, 1)
	_, err := Open(Options{Listen: a.Addr(), Identity: guest, Address: w.address, Receive: func(id.Node, []byte) {}})
	if err == nil {
		t.Fatal("two links on one port")
	}
	t.Log(err)
}

// TestOptions refuses what cannot be meant.
func TestOptions(t *testing.T) {
	fine := Options{Listen: "127.0.0.1:0", Identity: guest, Address: newTown().address, Receive: func(id.Node, []byte) {}}
	for name, change := range map[string]func(*Options){
		"no node":       func(o *Options) { o.Identity.Node = 0 },
		"no life":       func(o *Options) { o.Identity.Incarnation = 0 },
		"no receiver":   func(o *Options) { o.Receive = nil },
		"no port":       func(o *Options) { o.Listen = "127.0.0.1" },
		"a named port":  func(o *Options) { o.Listen = "127.0.0.1:http" },
		"small budget":  func(o *Options) { o.PeerBytes = 1 << 20 },
		"two kinds":     func(o *Options) { o.Secrets, o.Certificates = secrets(first), &Certificates{} },
		"no such port":  func(o *Options) { o.Listen = "127.0.0.1:65536" },
		"negative port": func(o *Options) { o.Listen = "127.0.0.1:-1" },
	} {
		o := fine
		change(&o)
		if l, err := Open(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
			if l != nil {
				l.Close()
			}
		}
	}
}

// TestOwnCertificates links brokers by an operator's certificates, which name hosts.
func TestOwnCertificates(t *testing.T) {
	folder := t.TempDir()
	ours := writeCertificates(t, folder, "ours", "localhost")
	own := func(c Certificates) func(*Options) { return func(o *Options) { o.Certificates = &c } }
	p := newPair(t, own(ours))
	theirs := p.open(t, 3, own(writeCertificates(t, folder, "theirs", "localhost")))
	theirs.fails(t, 1)
	theirs.log.says(t, "wrong secret")
	p.undisturbed(t)
	if err := p.a.SetSecrets(secrets(first)); !errors.Is(err, ErrOptions) {
		t.Errorf("a secret in place of certificates: %v", err)
	}
	if err := p.a.SetCertificates(ours); err != nil {
		t.Error(err)
	}
	p.undisturbed(t)
	if _, err := ReadCertificates("no", "such", "file"); !errors.Is(err, ErrCertificates) {
		t.Errorf("files that are not there: %v", err)
	}
}

// writeCertificates makes an authority and a certificate for 127.0.0.1, writes them as an operator would, and reads them.
func writeCertificates(t *testing.T, folder, name, host string) Certificates {
	t.Helper()
	a, err := newAuthority(Secret{name + "-is-not-known-to-the-brokers-0001"})
	if err != nil {
		t.Fatal(err)
	}
	minted, err := a.mint(guest, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	template := *minted.Leaf
	template.URIs, template.DNSNames, template.IPAddresses = nil, []string{host}, []net.IP{net.IPv4(127, 0, 0, 1)}
	key := minted.PrivateKey
	leaf, err := sign(&template, a.certificate, key.(ed25519.PrivateKey).Public().(ed25519.PublicKey), a.key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(suffix, kind string, der []byte) string {
		var text bytes.Buffer
		if err := pem.Encode(&text, &pem.Block{Type: kind, Bytes: der}); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, name+suffix)
		if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	c, err := ReadCertificates(write(".crt", "CERTIFICATE", leaf.Raw), write(".key", "PRIVATE KEY", der), write(".ca", "CERTIFICATE", a.certificate.Raw))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
