package troupetest

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"troupe/actors"
	"troupe/gateway"
	"troupe/gateway/client"
	"troupe/membership"
	"troupe/partitions/id"
	"troupe/wal"
)

// patience bounds starting and stopping: a broker that takes longer is stuck.
const patience = 30 * time.Second

// syncs bounds how many fsyncs and cold reads run at once, as in cmd/troupe.
const syncs = 8

// Broker is a broker in this process, on a free port of the loopback interface. It ends with the test that started it.
type Broker struct {
	options options
	data    string
	address string // stays the same over restarts
	// cluster is nil for a broker alone; the founder of one begins it.
	cluster  *Cluster
	founder  bool
	identity id.Node

	directory *wal.Directory
	node      *actors.Node
	server    *gateway.Server
	served    chan error // what Serve returned
}

// Option changes what Start starts.
type Option func(*options)

type options struct {
	limits gateway.Limits
	log    *slog.Logger
	topics []topic
}

type topic struct {
	name       string
	partitions int32
}

// WithTopic creates a topic before Start returns.
func WithTopic(name string, partitions int32) Option {
	return func(o *options) { o.topics = append(o.topics, topic{name, partitions}) }
}

// WithLimits sets the gateway's limits. Default: its own defaults.
func WithLimits(limits gateway.Limits) Option { return func(o *options) { o.limits = limits } }

// WithLog sets where the broker logs. Default: nowhere.
func WithLog(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// Start starts a broker on an empty directory and returns when it serves. It fails the test if that is not possible, and
// stops the broker when the test ends.
func Start(t testing.TB, with ...Option) *Broker {
	t.Helper()
	b := newBroker(t, with)
	if err := b.start(); err != nil {
		t.Fatalf("start a broker: %v", err)
	}
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Errorf("stop the broker: %v", err)
		}
	})
	if err := b.createTopics(); err != nil {
		t.Fatal(err)
	}
	return b
}

func newBroker(t testing.TB, with []Option) *Broker {
	b := &Broker{options: options{log: slog.New(slog.DiscardHandler)}, data: t.TempDir(), address: "127.0.0.1:0"}
	for _, option := range with {
		option(&b.options)
	}
	return b
}

// Addr returns the address for clients, host:port.
func (b *Broker) Addr() string { return b.address }

// Client returns a client of the broker, which is closed when the test ends.
func (b *Broker) Client(t testing.TB, with ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(append([]client.Option{client.WithBroker(b.address)}, with...)...)
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// Restart stops the broker in good order and starts it again on the same data and address. Connections break; clients mend
// them by themselves. It fails the test if either is not possible.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	if err := b.stop(); err != nil {
		t.Fatalf("stop the broker: %v", err)
	}
	if err := b.start(); err != nil {
		t.Fatalf("start the broker again: %v", err)
	}
}

// start joins the rooms. A cluster of one takes its broker's id, as cmd/troupe explains.
func (b *Broker) start() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", b.address)
	if err != nil {
		return err
	}
	directory, err := wal.OpenDirectory(b.data, wal.Options{Random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	identity := directory.Identity()
	cluster := cmp.Or(identity.Cluster, id.Cluster(identity.Node))
	b.identity = identity.Node
	o := actors.Options{
		Seams:       actors.Seams{Clock: actors.RealClock{}, Disk: directory, Pool: actors.NewPool(syncs)},
		Cluster:     cluster,
		Epoch:       identity.Epoch,
		Node:        identity.Node,
		Incarnation: identity.Incarnation,
		Gateway:     listener.Addr().String(),
		Version:     "troupetest",
		Bootstrap:   identity.Cluster == 0,
		Log:         b.options.log,
	}
	if c := b.cluster; c != nil {
		cluster = id.Cluster(c.brokers[0].identity)
		o.Cluster, o.Bootstrap = cluster, o.Bootstrap && b.founder
		o.Members, o.Seams.Peers = c, peers{c, identity.Node}
	}
	node, err := actors.NewNode(o)
	if err != nil {
		return errors.Join(err, listener.Close(), directory.Close())
	}
	if b.cluster != nil {
		b.cluster.join(membership.Member{
			Node: identity.Node, Incarnation: identity.Incarnation, Cluster: cluster, Gateway: o.Gateway, Version: o.Version,
			Catalog: b.founder, Alive: true,
		}, node)
	}
	if err := errors.Join(node.Run(ctx), directory.SetCluster(cluster, identity.Epoch)); err != nil {
		return errors.Join(err, listener.Close(), node.Shutdown(ctx), directory.Close())
	}
	b.address, b.directory, b.node = listener.Addr().String(), directory, node
	b.server = gateway.NewServer(node.Router(), b.options.limits, b.options.log)
	b.served = make(chan error, 1)
	go func() { b.served <- b.server.Serve(listener) }()
	return nil
}

// stop drains the broker and closes its data. Stopping one that is stopped does nothing.
func (b *Broker) stop() error {
	if b.node == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := errors.Join(b.server.Close(ctx), b.node.Shutdown(ctx))
	if b.cluster != nil {
		b.cluster.leave(b.identity)
	}
	return errors.Join(err, b.close())
}

// cut ends the broker as if its process were killed: connections are cut, and what is under way is not waited for.
func (b *Broker) cut() error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = b.server.Close(now) // says that it did not wait
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(b.node.Shutdown(ctx), b.close())
}

func (b *Broker) close() error {
	err := b.directory.Close()
	if served := <-b.served; !errors.Is(served, gateway.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	b.node = nil
	return err
}

func (b *Broker) createTopics() error {
	if len(b.options.topics) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := client.New(client.WithBroker(b.address))
	if err != nil {
		return err
	}
	defer c.Close()
	for _, t := range b.options.topics {
		if _, err := c.CreateTopic(ctx, t.name, t.partitions, nil); err != nil {
			return err
		}
	}
	return nil
}
