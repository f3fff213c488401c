package main

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"troupe/actors/remote"
	"troupe/cmd/troupe/metrics"
	"troupe/membership"
	"troupe/partitions/id"
	"troupe/wal"
)

// links carries the node's frames to other brokers, and counts them. It implements actors.Peers: the node is there before its
// links are, and sends nothing meanwhile.
type links struct {
	link  atomic.Pointer[remote.Link]
	meter *metrics.PeersMeter
}

// Send hands a frame to the link to a node.
func (l *links) Send(to id.Node, frame []byte) bool {
	bytes := len(frame) // the frame is the link's from here on
	link := l.link.Load()
	sent := link != nil && link.Send(to, frame)
	l.meter.Sent(bytes, sent)
	return sent
}

// address is where it listens; "" before it is open.
func (l *links) address() string {
	if link := l.link.Load(); link != nil {
		return link.Addr()
	}
	return ""
}

func (l *links) close() {
	if link := l.link.Load(); link != nil {
		link.Close()
	}
}

// met tells the link in which start every other broker was met, before this start.
func (b *service) met(self wal.Identity) []remote.Identity {
	lives, err := b.directory.Met()
	if err != nil {
		b.log.Warn("which starts of other brokers were met is not known; the list begins anew: until it is whole again, do not put an "+
			"older copy of a data directory in place", "reason", err)
	}
	var all []remote.Identity
	for _, l := range lives {
		all = append(all, remote.Identity{Cluster: self.Cluster, Node: l.Node, Incarnation: l.Incarnation, Nonce: l.Nonce})
	}
	return all
}

// meet writes down that a start of another broker was met. Where that fails the other is met all the same: what is lost is only
// the knowledge by which an older copy of its directory would be refused, should this broker be started again before it.
func (b *service) meet(i remote.Identity) {
	if err := b.directory.Meet(wal.Life{Node: i.Node, Incarnation: i.Incarnation, Nonce: i.Nonce}); err != nil {
		b.log.Warn("a start of another broker is not written down", "broker", i.Node.String(), "start", i.Incarnation, "reason", err)
	}
}

// disowned is told that another broker has met a later start of this one. As long as nobody has taken this start in, it ends:
// its data directory is older than what it has acknowledged, or a copy. One that was taken in goes on without that other broker: it
// is the copy that came later.
func (b *service) disowned(err error) {
	if !b.linked.Load() {
		b.stop(fmt.Errorf("%w; %w: this data directory is a copy, or older than the last that this broker had: give it the newest it had, or "+
			"start it over an empty one, with --join", err, membership.ErrTwin))
	}
}

// link opens the port for other brokers, and tells them where it is.
func (b *service) link(identity wal.Identity, cluster id.Cluster) error {
	link, err := remote.Open(remote.Options{
		Listen: b.config.Peer.Address,
		Identity: remote.Identity{
			Cluster: cluster, Node: identity.Node, Incarnation: identity.Incarnation, Nonce: b.nonce, Epoch: identity.Epoch,
		},
		Secrets: b.trust.linkSecrets(), Certificates: b.trust.certificates,
		Address: func(n id.Node) (string, bool) {
			m, found := b.cluster.View().Member(n)
			return m.Peer, found && m.Peer != ""
		},
		Admit:    func(i remote.Identity) error { return b.cluster.Admits(i.Node, i.Incarnation, i.Nonce) },
		Met:      b.met(identity),
		Remember: b.meet,
		Disowned: b.disowned,
		Receive: func(from id.Node, frame []byte) {
			b.links.meter.Received(len(frame))
			b.node.Receive(from, frame)
		},
		Reachable: func(n id.Node, up bool) {
			b.links.meter.Reachable(n, up)
			if up {
				b.linked.Store(true)
			}
			b.node.Reachable(n, up)
		},
		Log: b.log,
	})
	switch {
	case errors.Is(err, remote.ErrOptions), errors.Is(err, remote.ErrUnsecured), errors.Is(err, remote.ErrCertificates):
		return usagef("--peer %s: %v", b.config.Peer.Address, strings.TrimPrefix(err.Error(), "remote: "))
	case err != nil:
		return err
	}
	b.links.link.Store(link)
	return b.cluster.SetAddresses(b.reached(b.listener.Addr().String()), b.reached(link.Addr()))
}
