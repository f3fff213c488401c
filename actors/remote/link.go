package remote

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"

	"troupe/partitions/id"
)

// Link is one broker's end of the links to all others.
type Link struct {
	options       Options
	log           *slog.Logger
	now           func() time.Time
	keys          *keyring
	transport     *transport
	acquaintances *acquaintances
	refusals      *refusals
	system        *actor.ActorSystem // of its own: nothing but the reception can be named from outside
	remote        *remote.Remote
	reception     *actor.PID
	ended         chan struct{}
	numbers       atomic.Uint64 // of streams and outlets
	outlets       sync.Map      // key to *outlet, until they end

	mu             sync.RWMutex // held for reading while a frame is handed over
	closed         bool
	correspondents map[id.Node]*correspondent
}

// Open listens for other brokers. It returns ErrOptions, ErrUnsecured, or why the port cannot be had.
func Open(o Options) (*Link, error) {
	host, port, err := o.complete()
	if err != nil {
		return nil, err
	}
	l := &Link{
		options: o, log: o.Log, now: o.Now, keys: &keyring{self: o.Identity, now: o.Now},
		acquaintances:  &acquaintances{self: o.Identity, remember: o.Remember, met: map[id.Node]Identity{}},
		refusals:       &refusals{log: o.Log, now: o.Now, tales: map[tale]*telling{}},
		ended:          make(chan struct{}),
		correspondents: map[id.Node]*correspondent{},
	}
	for _, i := range o.Met {
		l.acquaintances.met[i.Node] = i
	}
	l.transport = &transport{
		keys: l.keys, refusals: l.refusals, host: l.hostDialed, failed: l.connectionFailed,
		answering: make(chan struct{}), handshakes: map[string]int{}, bonds: map[*bond]struct{}{},
	}
	if err := l.takeKeys(); err != nil {
		return nil, err
	}
	l.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return demoted(o.Log) }))
	if err := l.start(host, port); err != nil {
		return nil, err
	}
	if err := l.answers(); err != nil {
		l.Close()
		return nil, err
	}
	l.log.Info("open to other brokers", "address", l.Addr(), "advertised", o.Advertise, "encrypted", l.keys.secured())
	return l, nil
}

func (l *Link) takeKeys() error {
	switch {
	case l.options.Certificates != nil:
		return l.keys.setCertificates(*l.options.Certificates)
	case len(l.options.Secrets) > 0:
		return l.keys.setSecrets(l.options.Secrets)
	}
	return nil
}

// start begins to listen. The library panics where the port cannot be had.
func (l *Link) start(host string, port int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			l.system.Shutdown()
			err = fmt.Errorf("remote: listen on %s: %v; is another broker running?", l.options.Listen, r)
		}
	}()
	if host == "" || net.ParseIP(host) != nil && net.ParseIP(host).To4() == nil {
		host = "[" + host + "]" // the library joins host and port by a colon
	}
	l.remote = remote.NewRemote(l.system, remote.Configure(host, port,
		remote.WithServerOptions(l.serverOptions()...),
		remote.WithDialOptions(l.dialOptions()...),
		remote.WithEndpointWriterBatchSize(mergedFrames),
		remote.WithEndpointWriterQueueSize(queueFrames),
		remote.WithEndpointManagerQueueSize(queueFrames),
		oneAttempt))
	r := &reception{link: l, streams: map[string]*inbound{}, newest: map[id.Node]*inbound{}, up: map[id.Node]bool{}, ended: l.ended}
	l.reception, err = l.system.Root.SpawnNamed(actor.PropsFromFunc(r.Receive), receptionName)
	if err != nil {
		return err
	}
	l.remote.Start() // from here on peers come in
	return nil
}

// answers waits until the port is answered. The library begins to on a goroutine of its own, and a link that is closed
// before that would leave the port taken for a while.
func (l *Link) answers() error {
	conn, err := net.DialTimeout("tcp", l.Addr(), connectTime)
	if err == nil {
		defer conn.Close()
		select {
		case <-l.transport.answering:
			return nil
		case <-time.After(connectTime):
			err = errSilent
		}
	}
	return fmt.Errorf("remote: the port at %s is not answered: %w", l.Addr(), err)
}

// Addr is the address it listens on, with the port that was chosen.
func (l *Link) Addr() string { return l.system.Address() }

// Send hands a frame, which nobody changes from here on, to the link to a node. It never blocks, and frames of one caller
// arrive in their order. It returns false for a frame that was not taken: too large, no address known, no link and the next
// attempt still to come, the peer's budget exhausted, the link closed. true promises nothing.
func (l *Link) Send(to id.Node, frame []byte) bool {
	if len(frame) > MaxFrame || to == l.options.Identity.Node || to == 0 {
		return false
	}
	l.mu.RLock()
	c := l.correspondents[to]
	if c != nil && !l.closed {
		defer l.mu.RUnlock()
		return c.send(frame)
	}
	l.mu.RUnlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if c = l.correspondents[to]; c == nil {
		if len(l.correspondents) >= mostAcquaintances {
			return false
		}
		c = &correspondent{link: l, node: to}
		l.correspondents[to] = c
	}
	return c.send(frame)
}

// renew tells the correspondent of a node, if there is one, that the node has come in.
func (l *Link) renew(life Identity) {
	l.mu.RLock()
	c := l.correspondents[life.Node]
	l.mu.RUnlock()
	if c != nil {
		c.renew(life)
	}
}

// SetSecrets takes secrets in place of the ones before: all are accepted, the first is used from the next connection on.
// Links that began under a secret which is gone end, and begin anew. It returns ErrSecret when there are none and ErrOptions
// where links are plain or have an operator's certificates.
func (l *Link) SetSecrets(secrets []Secret) error {
	if !l.keys.secured() || l.options.Certificates != nil {
		return fmt.Errorf("a broker that began without a secret takes one at its next start: %w", ErrOptions)
	}
	if err := l.keys.setSecrets(secrets); err != nil {
		return err
	}
	l.review()
	return nil
}

// SetCertificates takes an operator's certificates in place of the ones before, for the next connections. Links whose
// authority is gone end, and begin anew. It returns ErrCertificates, or ErrOptions where there were none before.
func (l *Link) SetCertificates(c Certificates) error {
	if l.options.Certificates == nil {
		return fmt.Errorf("a broker that began without certificates takes them at its next start: %w", ErrOptions)
	}
	if err := l.keys.setCertificates(c); err != nil {
		return err
	}
	l.review()
	return nil
}

func (l *Link) tellReception(m any) { l.system.Root.Send(l.reception, m) }

// Close ends all links, and returns when the port is free and Receive is called no more. It must not be called from Receive
// or Reachable.
func (l *Link) Close() {
	l.mu.Lock()
	was := l.closed
	l.closed = true
	l.mu.Unlock()
	if was {
		<-l.ended
		return
	}
	l.outlets.Range(func(_, o any) bool {
		o.(*outlet).end(errReplaced)
		return true
	})
	l.remote.Shutdown(false)
	l.system.Root.Stop(l.reception)
	<-l.ended
	l.system.Shutdown()
}
