package membership

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"troupe/partitions/id"
)

// DefaultGossipPort is the port of a seed that names none.
const DefaultGossipPort = 9644

// KeyBytes is the length of a gossip key.
const KeyBytes = 32

// Options say who this broker is and whom it looks for.
type Options struct {
	// Self is what the others are told: Node, Incarnation, Nonce, Cluster, Epoch, Gateway, Peer, Rack, Version, Catalog. The incarnation
	// must be on disk by now; the nonce is new at every start. Cluster is 0 for a data directory that belongs to none yet.
	Self Member

	Bind string // host:port of gossip, UDP and TCP; no host: all interfaces; port 0: the kernel's choice
	// Advertise is the host under which others reach this one. Empty: Bind's host, or, if that means all interfaces, the
	// address from which this machine reaches the first seed.
	Advertise string
	// Keys encrypt gossip: each of KeyBytes, all accepted, the first used. None are needed on loopback only.
	Keys [][]byte

	Seeds []string // HOST[:PORT] to join, for ever and again
	// Expect is --bootstrap-expect: once exactly the Seeds, this broker among them, are seen without a cluster, one of them
	// creates it. 0: this broker creates none.
	Expect int
	// Adopt makes the id and the epoch of the cluster that was met durable, before others are told. Needed without Self.Cluster. It
	// is called again later after an error, with the same ones.
	Adopt func(id.Cluster, id.Epoch) error
	// Found creates a cluster and makes its id durable. It is called once, with Expect only, and again after an error.
	Found func() (id.Cluster, error)

	// Problem is told what gossip meets and refuses, each once an hour, and logged, too. Like Adopt and Found it may take its time, and
	// must not leave or close the cluster by itself. Nil is told nothing.
	Problem func(Problem)
	Pace    Pace
	Log     *slog.Logger // nil: none
}

// Pace says how fast gossip notices and spreads. The zero value is right for a local network: a dead broker is noticed in
// about six seconds, in up to twenty if nobody is left to confirm it. Shorter times cost traffic and take a busy broker for a dead one.
type Pace struct {
	Probe        time.Duration // between two probes of another broker
	ProbeTimeout time.Duration // after which a probe is tried through others
	Suspicion    int           // a silent broker is dead after this many probes at least
	Gossip       time.Duration // between two packets of news
	Exchange     time.Duration // between two exchanges of all that is known
	Rejoin       time.Duration // at most, between two attempts to join those who are missing
	// Patience is how long an earlier start of this node may be heard of elsewhere, until it counts as alive rather than as a
	// rumour. It must be longer than it takes to notice a dead broker at worst.
	Patience time.Duration
}

func (p Pace) withDefaults() Pace {
	return Pace{
		Probe:        cmp.Or(p.Probe, time.Second),
		ProbeTimeout: cmp.Or(p.ProbeTimeout, 500*time.Millisecond),
		Suspicion:    cmp.Or(p.Suspicion, 4),
		Gossip:       cmp.Or(p.Gossip, 100*time.Millisecond),
		Exchange:     cmp.Or(p.Exchange, 10*time.Second),
		Rejoin:       cmp.Or(p.Rejoin, 10*time.Second),
		Patience:     cmp.Or(p.Patience, time.Minute),
	}
}

// The times and counts that no pace changes.
const (
	streamTime   = 5 * time.Second        // for an exchange with another broker
	spreadTime   = 2 * time.Second        // at most, for a change of tags or a farewell to go out
	farewellTime = 100 * time.Millisecond // for which a broker that left still answers probes
	forgetTime   = 24 * time.Hour         // after which a member that is gone is no longer shown
	// reclaimTime is how long a dead node's address is kept for it. Its later start may come from another at once: admission
	// has looked at it.
	reclaimTime = time.Nanosecond
	// mostSuspicion is by how much longer a silent broker is waited for when nobody else can confirm its silence.
	mostSuspicion = 3
)

// check refuses what cannot work. Its errors unwrap to ErrOption or ErrNoSecret.
func (o Options) check() error {
	switch {
	case o.Self.Node == 0 || o.Self.Incarnation == 0:
		return fmt.Errorf("node %v, incarnation %d: %w", o.Self.Node, o.Self.Incarnation, ErrOption)
	case o.Self.Cluster == 0 && o.Adopt == nil:
		return fmt.Errorf("no cluster, and no way to adopt one: %w", ErrOption)
	case o.Expect != 0 && o.Self.Cluster == 0 && (o.Expect != len(o.Seeds) || o.Found == nil):
		return fmt.Errorf("--bootstrap-expect %d needs a --join list of exactly as many addresses, this broker's included, not of %d: %w",
			o.Expect, len(o.Seeds), ErrOption)
	}
	for _, key := range o.Keys {
		if len(key) != KeyBytes {
			return fmt.Errorf("a gossip key has %d bytes, not %d: %w", len(key), KeyBytes, ErrOption)
		}
	}
	for _, seed := range o.Seeds {
		if _, _, err := splitSeed(seed); err != nil {
			return err
		}
	}
	return nil
}

// splitSeed reads HOST[:PORT].
func splitSeed(seed string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(seed)
	if err != nil { // no port
		host, text, err = net.SplitHostPort(net.JoinHostPort(seed, strconv.Itoa(DefaultGossipPort)))
	}
	number, bad := strconv.ParseUint(text, 10, 16)
	if strings.Contains(host, ":") && net.ParseIP(host) == nil {
		host = ""
	}
	if err != nil || bad != nil || host == "" || number == 0 {
		return "", 0, fmt.Errorf("--join %q: write it as HOST or HOST:PORT: %w", seed, ErrOption)
	}
	return host, uint16(number), nil
}

// serfConfig translates options. What serf would decide by itself is off: conflicts of names are admission's, and
// coordinates nobody reads.
func (o Options) serfConfig(bind net.IP, port int, advertise net.IP) *serf.Config {
	pace := o.Pace.withDefaults()
	m := memberlist.DefaultLANConfig()
	m.BindAddr, m.BindPort, m.AdvertisePort = bind.String(), port, port
	if advertise != nil {
		m.AdvertiseAddr = advertise.String()
	}
	m.Label = "troupe" // other programs on serf stay apart, with or without a key
	m.TCPTimeout = streamTime
	m.ProbeInterval, m.ProbeTimeout = pace.Probe, pace.ProbeTimeout
	m.SuspicionMult = pace.Suspicion
	m.SuspicionMaxTimeoutMult = mostSuspicion
	m.GossipInterval, m.PushPullInterval = pace.Gossip, pace.Exchange
	m.DeadNodeReclaimTime = reclaimTime
	m.EnableCompression = false
	m.LogOutput = nil

	s := serf.DefaultConfig()
	s.Init()
	s.NodeName = nodeName(o.Self.Node)
	s.MemberlistConfig = m
	s.EnableNameConflictResolution = false
	s.DisableCoordinates = true
	s.BroadcastTimeout, s.LeavePropagateDelay = spreadTime, farewellTime
	s.ReconnectTimeout, s.TombstoneTimeout = forgetTime, forgetTime
	s.ReconnectInterval = pace.Rejoin
	return s
}
