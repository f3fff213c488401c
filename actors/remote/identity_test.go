package remote

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/remote"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"troupe/partitions/id"
)

// TestHelloStays holds a hello against the bytes that brokers of other versions say.
func TestHelloStays(t *testing.T) {
	i := Identity{Cluster: 0x0102030405060708, Node: 0x1112131415161718, Incarnation: 3, Nonce: 0xF1F2F3F4F5F6F7F8}
	const want = "f554524c" + "01000000" + "0102030405060708" + "1112131415161718" + "0000000000000003" + "f1f2f3f4f5f6f7f8"
	if got := hex.EncodeToString(appendHello(nil, i)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	i.Epoch = 0x0000000212345678
	const recovered = "f554524c" + "02000000" + "0102030405060708" + "1112131415161718" + "0000000000000003" + "f1f2f3f4f5f6f7f8" + "0000000212345678"
	if got := hex.EncodeToString(appendHello(nil, i)); got != recovered {
		t.Errorf("got  %s\nwant %s", got, recovered)
	}
}

func FuzzParseHello(f *testing.F) {
	f.Add(appendHello(nil, guest))
	f.Add(appendHello(nil, Identity{Cluster: 1, Node: 2, Incarnation: 3, Epoch: 1 << 32}))
	f.Add([]byte("\xf5TRL\x03"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := parseHello(b)
		if err != nil {
			if !errors.Is(err, errHandshake) && !errors.Is(err, errVersion) {
				t.Fatal(err)
			}
			return
		}
		if again := appendHello(nil, i); string(again) != string(b) {
			t.Fatalf("%x parses and encodes to %x", b, again)
		}
	})
}

// FuzzGuard has whatever is a message of the library's pass or not; what passes must have but one form.
func FuzzGuard(f *testing.F) {
	whole, _ := frameMessage([]byte("frame"))
	for _, m := range []*remote.RemoteMessage{connectRequest(), whole, {}} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(remote.RemoteMessage)
		if proto.Unmarshal(b, m) != nil {
			return
		}
		g := guard{connected: true}
		charged, err := g.pass(m)
		if err != nil {
			if !errors.Is(err, errForeign) {
				t.Fatal(err)
			}
			return
		}
		sum := 0
		for _, e := range m.GetMessageBatch().GetEnvelopes() {
			frame, err := remote.Deserialize(e.MessageData, m.GetMessageBatch().TypeNames[e.TypeId], e.SerializerId)
			if err != nil {
				t.Fatal(err)
			}
			sum += charge(len(frame.(interface{ GetValue() []byte }).GetValue()))
			_, _ = m.GetMessageBatch().Targets[e.Target], m.GetMessageBatch().Senders[e.Sender-1]
		}
		if sum != charged {
			t.Fatalf("frames of %d are charged %d", sum, charged)
		}
	})
}

// TestAcquaintances tells lives of nodes apart.
func TestAcquaintances(t *testing.T) {
	a := &acquaintances{self: Identity{Cluster: 1, Node: 1, Incarnation: 1, Epoch: 7}, remember: func(Identity) {}, met: map[id.Node]Identity{}}
	for i, c := range []struct {
		says Identity
		want error
	}{
		{Identity{1, 2, 5, 10, 7}, nil},
		{Identity{1, 2, 5, 10, 7}, nil},
		{Identity{1, 2, 5, 11, 7}, errTwin},
		{Identity{1, 2, 4, 10, 7}, errTwin},
		{Identity{1, 2, 6, 12, 7}, nil},
		{Identity{1, 2, 5, 10, 7}, errTwin},
		{Identity{2, 2, 7, 10, 7}, errCluster},
		{Identity{1, 1, 2, 0, 7}, errTwin},
		{Identity{1, 1, 1, 9, 7}, errTwin},
		{Identity{1, 1, 1, 0, 7}, errMet}, // itself
		{Identity{1, 3, 1, 0, 7}, nil},
		{Identity{1, 2, 6, 12, 7}, nil},
		{Identity{1, 2, 7, 13, 6}, errEpoch},
		{Identity{1, 2, 7, 13, 8}, errEpoch},
		{Identity{1, 2, 6, 12, 7}, nil}, // what is refused is not remembered
	} {
		if err := a.admit(c.says); !errors.Is(err, c.want) {
			t.Errorf("%d: %+v: %v, want %v", i, c.says, err, c.want)
		}
	}
	for n := range id.Node(mostAcquaintances) {
		_ = a.admit(Identity{1, n + 10, 1, 0, 7}) // the last two are too many
	}
	if err := a.admit(Identity{1, 1 << 40, 1, 0, 7}); !errors.Is(err, errCrowd) || len(a.met) != mostAcquaintances {
		t.Errorf("%v, with %d remembered", err, len(a.met))
	}
}

// TestCertificateNames reads the broker's name in a certificate, and takes malformed ones for nobody's.
func TestCertificateNames(t *testing.T) {
	type name struct {
		cluster id.Cluster
		node    id.Node
		named   bool
	}
	for text, want := range map[string]name{
		"troupe://00000000000000c1/0000000000000009":     {0xc1, 9, true},
		"troupe://00000000000000c1/0000000000000000":     {named: true},
		"troupe://c1/0000000000000009":                   {named: true},
		"troupe://00000000000000c1/0000000000000009/":    {named: true},
		"troupe://00000000000000C1/0000000000000009":     {named: true},
		"troupe://00000000000000c1:1/0000000000000009":   {named: true},
		"troupe://00000000000000c1/0000000000000009?a=b": {named: true},
		"troupe:":            {named: true},
		"https://troupe/a/b": {},
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var got name
		got.cluster, got.node, got.named = namedBy(&x509.Certificate{URIs: []*url.URL{u}})
		if d := cmp.Diff(want, got, cmp.AllowUnexported(name{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
	two := []*url.URL{nameOf(1, 2), nameOf(1, 3)}
	if _, node, named := namedBy(&x509.Certificate{URIs: two}); node != 0 || !named {
		t.Errorf("two names are node %v's", node)
	}
}

// TestAuthoritiesAgree makes one authority on two brokers, byte by byte.
func TestAuthoritiesAgree(t *testing.T) {
	var raw [2]string
	for i := range raw {
		a, err := newAuthority(Secret{first})
		if err != nil {
			t.Fatal(err)
		}
		raw[i] = string(a.certificate.Raw)
	}
	if raw[0] != raw[1] {
		t.Error("two brokers make two authorities of one secret")
	}
}

// TestExpired refuses certificates before and after their time.
func TestExpired(t *testing.T) {
	now := time.Now()
	k := &keyring{self: guest, now: func() time.Time { return now }}
	if err := k.setSecrets(secrets(first)); err != nil {
		t.Fatal(err)
	}
	own, err := k.certificate()
	if err != nil {
		t.Fatal(err)
	}
	begun := now
	for _, c := range []struct {
		at   time.Duration
		fine bool
	}{{0, true}, {-validBefore - time.Minute, false}, {validAfter - time.Minute, true}, {validAfter + time.Minute, false}} {
		now = begun.Add(c.at)
		if err := k.verify([]*x509.Certificate{own.Leaf}, x509.ExtKeyUsageClientAuth, ""); (err == nil) != c.fine || err != nil && !errors.Is(err, errStranger) {
			t.Errorf("after %v: %v", c.at, err)
		}
	}
}

// TestRefusalsAreToldOnce counts lines of the log, per cause and peer, and bounds what is remembered.
func TestRefusalsAreToldOnce(t *testing.T) {
	log := newMemory()
	now := time.Now()
	r := &refusals{log: slog.New(log), now: func() time.Time { return now }, tales: map[tale]*telling{}}
	lines := func() int { return strings.Count(log.String(), "level=WARN") }
	for range 1000 {
		r.tell("refused", "a", errTwin)
		r.tell("refused", "a", errCluster)
		r.tell("refused", "b", errTwin)
		r.tell("refused", "b", errReplaced)
	}
	if n := lines(); n != 3 {
		t.Errorf("%d lines, want 3:\n%s", n, log)
	}
	now = now.Add(complainEvery)
	r.tell("refused", "a", errTwin)
	log.says(t, "times=1000", "copied directory", "next=")
	for i := range 10 * mostComplaints {
		r.tell("refused", fmt.Sprint(i), errHandshake)
	}
	if len(r.tales) > mostComplaints+len(nextSteps) {
		t.Errorf("%d tales are remembered", len(r.tales))
	}
	for _, s := range nextSteps {
		if s.cause == "" || s.next == "" {
			t.Errorf("%v has no next step", s.err)
		}
	}
}

func recordSecret(log *memory, s Secret) { slog.New(log).Info("secret", "it", s, "them", []Secret{s}) }
