package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"troupe/actors"
	"troupe/cmd/troupe/config"
	"troupe/gateway"
	"troupe/membership"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
	"troupe/wal"
)

// service is one broker: the rooms that it is joined from, in the order in which they open. They close in the opposite order.
type service struct {
	config config.Config
	log    *slog.Logger
	began  time.Time
	nonce  uint64                  // tells this start from one of a copied directory
	stop   context.CancelCauseFunc // ends it, for a reason of its own

	listener  net.Listener
	lookout   *lookout
	trust     trust
	directory *wal.Directory
	cluster   *membership.Cluster
	node      *actors.Node
	links     *links
	server    *gateway.Server

	linked    atomic.Bool                        // another broker has taken this start in
	foreign   atomic.Pointer[membership.Problem] // another cluster was met under this one's secret
	attending sync.WaitGroup
	attended  context.CancelFunc // ends what runs beside the rooms; nil before it has begun
}

// open opens everything up to the node, which is ready when it returns.
func (b *service) open(ctx context.Context) (err error) {
	if err := b.checkReach(); err != nil {
		return err
	}
	if b.trust, err = readTrust(b.config.Cluster); err != nil {
		return err
	}
	if b.listener, err = listen(ctx, b.config.Gateway); err != nil {
		return err
	}
	if b.lookout, err = openLookout(ctx, b.config.HTTP, b.log); err != nil {
		return err
	}
	if err := b.checkPorts(ctx); err != nil {
		return err
	}
	data, err := filepath.Abs(b.config.Data.Directory) // people are told where it is
	if err != nil {
		return err
	}
	b.directory, err = wal.OpenDirectory(data, wal.Options{
		Random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		Holder: fmt.Sprintf("process %d, clients at %s", os.Getpid(), b.listener.Addr()),
	})
	if err != nil {
		return cannotOpen(b.config.Data.Directory, err)
	}
	if err := b.join(ctx); err != nil {
		return err
	}
	return b.start(ctx)
}

// start builds the node over its data, links it with the others, and waits until it is ready.
func (b *service) start(ctx context.Context) error {
	identity, cluster := b.directory.Identity(), b.cluster.ID()
	b.links = &links{meter: b.lookout.metrics.Peers}
	node, err := actors.NewNode(actors.Options{
		Seams: actors.Seams{
			Clock: actors.RealClock{}, Disk: b.directory, Pool: actors.NewPool(b.config.Data.Syncs), Stopwatch: actors.NewStopwatch(), Dispatcher: actors.NewCrew(),
			Peers: b.links,
		},
		Cluster:     cluster,
		Epoch:       identity.Epoch,
		Node:        identity.Node,
		Incarnation: identity.Incarnation,
		Members:     b.cluster,
		Version:     version(),
		Bootstrap:   b.founds(cluster),
		DiskReserve: int64(b.config.Data.Reserve),
		Limits:      actors.Limits{ScrubBytes: int64(b.config.Data.ScrubBytes), ScrubEvery: b.config.Data.ScrubEvery},
		Log:         b.log,
		Meter:       b.lookout.metrics.Actors,
	})
	if err != nil {
		return err
	}
	ready := make(chan error, 1)
	if err := node.Start(func(err error) { ready <- err }); err != nil {
		return err
	}
	b.node = node
	b.lookout.watch(node, b.cluster)
	if err := b.link(identity, cluster); err != nil {
		return err
	}
	b.attend()
	defer tellOpening(node, b.log, openingInterval)()
	select {
	case err = <-ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("the broker does not start on %s: %w", b.config.Data.Directory, err)
	}
	return b.directory.SetCluster(cluster, identity.Epoch)
}

// founds tells whether this directory is to give birth to a cluster's catalog. It never does twice: its register remembers.
//
// A cluster takes its founder's id, which is as random and already durable: a crash anywhere between the choice of the id and
// the first record of the catalog then leaves nothing that contradicts itself.
func (b *service) founds(cluster id.Cluster) bool {
	return cluster == id.Cluster(b.directory.Identity().Node) && !b.directory.Registered(catalog.FirstReplica)
}

// run serves clients until the context ends.
func (b *service) run(ctx context.Context) error {
	b.server = gateway.NewServer(b.node.Router(), b.config.Gateway.Limits, b.log)
	b.server.Tell(b.lookout.metrics.Gateway)
	go keepMemory(ctx)
	served := make(chan error, 1)
	go func() { served <- b.server.Serve(b.listener) }()
	b.lookout.wait("")
	b.log.Info(readyMessage, "gateway", b.listener.Addr().String(), "peer", b.reached(b.links.address()), "gossip", b.cluster.Gossip(),
		"http", b.lookout.address, "data", b.config.Data.Directory, "cluster", b.cluster.ID().String(),
		"node", b.directory.Identity().Node.String(), "version", version(), "pid", os.Getpid(), "after", time.Since(b.began).String())
	for _, problem := range b.node.Problems() {
		b.log.Warn("ready, but not whole; see `troupe cluster status`", "problem", problem)
	}
	select {
	case <-ctx.Done():
		b.log.Info("draining; another signal ends it at once", "at_most", (2 * b.config.Serve.DrainTime).String())
		return nil
	case err := <-served:
		return fmt.Errorf("the gateway stopped accepting: %w", err)
	}
}

// close ends what was opened, in order: others lead what this broker led, clients get their answers, partitions save
// checkpoints and close their logs, the others are told. Clients and partitions may take DrainTime each, so that slow clients
// do not cost the logs their orderly end. A twin leaves without a word: it would speak for the broker that it is a copy of.
func (b *service) close(twin bool) error {
	var problems []error
	if b.lookout != nil {
		b.lookout.wait("the broker is stopping")
		defer b.lookout.close()
	}
	if b.listener != nil {
		defer b.listener.Close()
	}
	if b.node != nil && b.server != nil && within(handOverTime, b.node.HandOver) != nil {
		b.log.Info("not everything that this broker leads was handed over; others will notice that it is gone")
	}
	if b.server != nil && within(b.config.Serve.DrainTime, b.server.Close) != nil {
		problems = append(problems, fmt.Errorf("some clients' requests were not answered within %v and their connections are cut; "+
			"--drain-time gives more", b.config.Serve.DrainTime))
	}
	if b.node != nil && within(b.config.Serve.DrainTime, b.node.Shutdown) != nil {
		problems = append(problems, fmt.Errorf("the logs were not closed within %v; they are repaired when the broker starts, nothing "+
			"acknowledged is lost; --drain-time gives more", b.config.Serve.DrainTime))
	}
	if b.attended != nil {
		b.attended()
		b.attending.Wait()
	}
	if b.cluster != nil {
		leave := b.cluster.Leave
		if twin {
			leave = b.cluster.Close
		}
		if err := leave(); err != nil {
			b.log.Debug("the others were not told that this broker leaves; they will notice", "reason", err)
		}
	}
	if b.links != nil {
		b.links.close()
	}
	if b.directory != nil {
		problems = append(problems, b.directory.Close())
	}
	if b.server != nil {
		b.log.Info("stopped")
	}
	return errors.Join(problems...)
}

// handOverTime bounds the time for handing over what this broker leads: it takes a moment where others are there for it.
const handOverTime = 2 * time.Second

// within gives a step of the end so much time.
func within(limit time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return step(ctx)
}
