package remote

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"troupe/partitions/id"
)

// What opening a link can fail with, beside ErrSecret, ErrCertificates and the errors of package net.
var (
	// ErrOptions: the options contradict themselves or lack something.
	ErrOptions = errors.New("remote: invalid options")
	// ErrUnsecured: others than this machine would reach the port, and there is nothing to tell them from brokers.
	ErrUnsecured = errors.New("remote: off loopback brokers need a secret: give --secret-file FILE to each (`troupe secret new` makes one), or certificates")
)

// DefaultPeerBytes is PeerBytes where none are given.
const DefaultPeerBytes = 32 << 20

// Options make a Link.
type Options struct {
	Listen    string // host:port; port 0 takes a free one
	Advertise string // host:port by which others reach it, for the log; empty: Listen
	Identity  Identity
	// Secrets are all accepted, the first is used. Certificates are an operator's own, instead. With neither, Listen must be
	// on loopback, and links are plain.
	Secrets      []Secret
	Certificates *Certificates
	// Address tells where a node's peer port is, from the newest View. It must not block.
	Address func(id.Node) (hostport string, ok bool)
	// Admit tells whether gossip lets a peer be this start of its node: its error keeps a copied data directory out, which claims
	// to be a later start of a broker that lives. It must not block. nil: any start later than those met.
	Admit func(Identity) error
	// Met are the lives in which others were met last, before this start: older ones are refused. Remember is told each life that
	// is met, before anything of it is believed, and makes it durable as well as it can. nil: this start's memory is all there is.
	Met      []Identity
	Remember func(Identity)
	// Disowned is told that another broker refuses this one, because it has met a later start of this node, or another one of the
	// same number. It must not block, nor close the link by itself. nil: nobody is told.
	Disowned func(error)
	// Receive is called for each frame of an authenticated peer, in the order in which that peer sent them. The frame is the
	// receiver's to keep. It must not block: all peers' frames pass through it, one at a time.
	Receive func(from id.Node, frame []byte)
	// Reachable is told that this broker's link to a node has come up; or that it has ended or did not come about, and frames
	// that were handed over may be lost. When it is the node's link to this broker that ended, it is told both in turn:
	// answers may be lost. It is called one at a time with Receive, and must not block. nil: nobody is told.
	Reachable func(node id.Node, up bool)
	// PeerBytes bounds the frames that wait to be sent to one peer, each charged a little more than its bytes; 0:
	// DefaultPeerBytes.
	PeerBytes int
	Log       *slog.Logger     // nil: nothing is logged
	Now       func() time.Time // nil: the system's clock
}

// complete checks the options and puts defaults where there are none.
func (o *Options) complete() (host string, port int, err error) {
	if !o.Identity.whole() || o.Address == nil || o.Receive == nil {
		return "", 0, fmt.Errorf("cluster, node, incarnation, Address and Receive must be given: %w", ErrOptions)
	}
	host, number, err := net.SplitHostPort(o.Listen)
	if err == nil {
		port, err = strconv.Atoi(number)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%q is no address HOST:PORT to listen on: %w", o.Listen, ErrOptions)
	}
	if o.Certificates != nil && len(o.Secrets) > 0 {
		return "", 0, fmt.Errorf("a secret and certificates cannot both be used; give one of them: %w", ErrOptions)
	}
	if o.Certificates == nil && len(o.Secrets) == 0 && !isLoopback(o.Listen) {
		return "", 0, fmt.Errorf("%s is reached from other machines: %w", o.Listen, ErrUnsecured)
	}
	if o.PeerBytes == 0 {
		o.PeerBytes = DefaultPeerBytes
	}
	if o.PeerBytes < charge(MaxFrame) {
		return "", 0, fmt.Errorf("a budget of %d bytes holds no largest frame, which takes %d: %w", o.PeerBytes, charge(MaxFrame), ErrOptions)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Admit == nil {
		o.Admit = func(Identity) error { return nil }
	}
	if o.Remember == nil {
		o.Remember = func(Identity) {}
	}
	if o.Disowned == nil {
		o.Disowned = func(error) {}
	}
	if o.Reachable == nil {
		o.Reachable = func(id.Node, bool) {}
	}
	return host, port, nil
}
