package main

import (
	"errors"
	"strings"
	"sync/atomic"

	"troupe/actors/remote"
	"troupe/cmd/troupe/metrics"
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
		Admit: func(i remote.Identity) error { return b.cluster.Admits(i.Node, i.Incarnation, i.Nonce) },
		Receive: func(from id.Node, frame []byte) {
			b.links.meter.Received(len(frame))
			b.node.Receive(from, frame)
		},
		Reachable: func(n id.Node, up bool) {
			b.links.meter.Reachable(n, up)
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
