package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"troupe/membership"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// waitingInterval is the time between two lines of the log while a broker waits for a cluster to take it in.
const waitingInterval = 3 * time.Second

// join begins to gossip, and returns when this broker belongs to a cluster.
func (b *service) join(ctx context.Context) error {
	identity, c := b.directory.Identity(), b.config.Cluster
	cluster, seeds, expect := identity.Cluster, c.Seeds(), c.Expect
	if cluster == 0 && (len(seeds) == 0 || b.directory.Registered(catalog.FirstReplica)) {
		cluster = id.Cluster(identity.Node)
	}
	if cluster != 0 {
		seeds, expect = append(seeds, b.remembered()...), 0
	}
	var err error
	b.cluster, err = membership.Open(ctx, membership.Options{
		Self: membership.Member{
			Node: identity.Node, Incarnation: identity.Incarnation, Nonce: b.nonce, Cluster: cluster, Epoch: identity.Epoch,
			Rack: c.Rack, Version: version(),
			Catalog: len(b.directory.Replicas(catalog.Partition())) > 0,
		},
		Bind: b.config.Gossip.Address, Advertise: c.Advertise, Keys: b.trust.gossipKeys(),
		Seeds: seeds, Expect: expect,
		Adopt: b.directory.SetCluster,
		Found: func() (id.Cluster, error) {
			founded := id.Cluster(identity.Node)
			return founded, b.directory.SetCluster(founded, 0)
		},
		Problem: b.refused,
		Log:     b.log,
	})
	switch {
	case errors.Is(err, membership.ErrOption), errors.Is(err, membership.ErrNoSecret):
		return usagef("%v", strings.TrimPrefix(err.Error(), "membership: "))
	case err != nil:
		return err
	}
	return b.awaitCluster(ctx)
}

// awaitCluster waits until a cluster's id is durable here, and tells the log whom it waits for.
func (b *service) awaitCluster(ctx context.Context) error {
	ticker := time.NewTicker(waitingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-b.cluster.Joined():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			waiting := b.cluster.Waiting()
			b.lookout.wait("the broker waits for a cluster: " + waiting)
			b.log.Info("waiting for a cluster", "for", waiting, "gossip", b.cluster.Gossip())
		}
	}
}

// refused is told what gossip has met and refused; gossip itself has logged it.
func (b *service) refused(p membership.Problem) {
	switch {
	case p.Stop:
		b.stop(p.Err)
	case errors.Is(p.Err, membership.ErrForeign):
		b.foreign.Store(&p)
	}
}

// attendInterval is the time between two looks of attend.
const attendInterval = time.Second

// attend begins to look after what no room does by itself: what the others are told of this broker, whom it will look for after
// its next start, and whether its secret has changed.
func (b *service) attend() {
	ctx, cancel := context.WithCancel(context.Background())
	b.attended = cancel
	b.attending.Add(1)
	go func() {
		defer b.attending.Done()
		ticker := time.NewTicker(attendInterval)
		defer ticker.Stop()
		known := b.remembered()
		for {
			b.cluster.SetCatalog(b.node.HoldsCatalog())
			known = b.remember(known)
			b.renewTrust()
			if p := b.foreign.Load(); p != nil && b.lonely() {
				b.stop(fmt.Errorf("%w; this broker alone is a cluster of its own, and has no topic: to join the other one, start it "+
					"over an empty directory, with --join %s", p.Err, p.Member.Gossip))
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// lonely tells whether this broker is a cluster of one that others could reach and nobody has used yet: it was started in the
// belief that it would find them.
func (b *service) lonely() bool {
	state := b.node.Router().Catalog()
	topics, _ := state.Count()
	return state.Cluster != 0 && topics == 0 && len(b.cluster.View().Members()) == 1 && !isLoopback(hostOf(b.cluster.Gossip()))
}

// membersName is the file in the data directory that lists the gossip addresses of the cluster's other brokers, as they were
// seen last. It is a help for the next start, and can be removed.
const membersName = "members"

// remembered reads whom this broker knew before.
func (b *service) remembered() []string {
	text, err := os.ReadFile(filepath.Join(b.config.Data.Directory, membersName))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(strings.Fields(string(text)), func(address string) bool {
		_, _, err := net.SplitHostPort(address)
		return err != nil
	})
}

// remember keeps whom this broker knows, if that has changed, and returns it. Those who died are kept: they may come back.
func (b *service) remember(before []string) []string {
	var known []string
	for _, m := range b.cluster.View().Members() {
		if m.Node != b.directory.Identity().Node && m.Gossip != "" {
			known = append(known, m.Gossip)
		}
	}
	slices.Sort(known)
	if len(known) == 0 || slices.Equal(known, before) {
		return before
	}
	name := filepath.Join(b.config.Data.Directory, membersName)
	err := os.WriteFile(name+".next", []byte(strings.Join(known, "\n")+"\n"), 0o640)
	if err == nil {
		err = os.Rename(name+".next", name)
	}
	if err != nil {
		b.log.Debug("whom this broker knows is not written down; --join names them after a restart", "reason", err)
	}
	return known
}

// checkReach refuses what would let strangers in, or could not reach anybody.
func (b *service) checkReach() error {
	secret := b.config.Cluster.SecretFile != ""
	for _, one := range []struct{ flag, address string }{{"peer", b.config.Peer.Address}, {"gossip", b.config.Gossip.Address}} {
		host, _, err := net.SplitHostPort(one.address)
		if err != nil {
			return usagef("--%s %q is no address; write it as HOST:PORT", one.flag, one.address)
		}
		if !isLoopback(host) && !secret && (one.flag == "gossip" || b.config.Cluster.Certificate == "") {
			return usagef("--%s %s can be reached from other machines; make a secret with `troupe secret new` and give it to every broker "+
				"as --secret-file", one.flag, one.address)
		}
	}
	for _, seed := range b.config.Cluster.Seeds() {
		host, _, err := net.SplitHostPort(seed)
		if err != nil {
			host = seed
		}
		if ip := net.ParseIP(host); ip != nil && !ip.IsLoopback() && !secret {
			return usagef("--join %s is another machine, and without a secret brokers stay on loopback; make one with `troupe secret new` "+
				"and give it to every broker as --secret-file", seed)
		}
	}
	return nil
}

// checkPorts tells early, and in our words, that a port is taken: the rooms that will listen there come later.
func (b *service) checkPorts(ctx context.Context) error {
	for _, one := range []struct{ flag, address string }{{"peer", b.config.Peer.Address}, {"gossip", b.config.Gossip.Address}} {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", one.address)
		if err != nil {
			return cannotListen(one.flag, one.address, err)
		}
		listener.Close()
	}
	return nil
}

// reached is the address under which others reach a port of this broker that is bound like this; "" if that is not known.
func (b *service) reached(bound string) string {
	host, port, err := net.SplitHostPort(bound)
	if err != nil {
		return ""
	}
	told := cmp.Or(b.config.Cluster.Advertise, hostOf(b.cluster.Gossip()))
	ip := net.ParseIP(host)
	switch {
	case host != "" && (ip == nil || !ip.IsUnspecified()) && (isLoopback(host) || b.config.Cluster.Advertise == ""):
		if isLoopback(host) && !isLoopback(told) {
			return "" // to others it would mean themselves
		}
		told = host
	case isLoopback(told):
		return "" // whoever comes from elsewhere stays with the address that they came by
	}
	return net.JoinHostPort(told, port)
}

// hostOf is an address without its port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
