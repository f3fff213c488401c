package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"troupe/actors"
	"troupe/gateway"
	"troupe/gateway/client"
	"troupe/membership"
	"troupe/partitions/id"
	"troupe/wal"
)

// readyMessage is what the broker's log says once clients are served; the attribute gateway tells where.
const readyMessage = "ready"

// drainTime bounds how long a stopping broker waits for requests under way.
const drainTime = 10 * time.Second

// serveFlags are what the command line of serve says.
type serveFlags struct {
	data, gateway string
	insecure      bool
}

func serveCommand(s *session) *cobra.Command {
	var flags serveFlags
	address := os.Getenv("TROUPE_GATEWAY")
	if address == "" {
		address = client.DefaultBroker
	}
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run a broker",
		Long: `Runs a broker until SIGINT or SIGTERM, which drain it: what was asked is answered, the logs are closed. Nothing needs to
be configured. Whatever stopped it before, kill -9 and power failure included, it starts again on its data directory with
everything it ever acknowledged.

Clients have no encryption and no logins yet, so the gateway stays on loopback unless --insecure says otherwise.`,
		Example: `  troupe serve
  troupe serve --data /var/lib/troupe --gateway 0.0.0.0:9642 --insecure`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.serve(c.Context(), flags) },
	}
	f := command.Flags()
	f.StringVar(&flags.data, "data", "./troupe-data", "directory of the broker's data, made if it is not there")
	f.StringVar(&flags.gateway, "gateway", address, "address for clients, HOST:PORT; port 0 takes a free one (environment: TROUPE_GATEWAY)")
	f.BoolVar(&flags.insecure, "insecure", false, "let the gateway listen off loopback, without encryption and logins")
	return command
}

// serve joins the rooms and runs them until the context ends.
func (s *session) serve(ctx context.Context, flags serveFlags) error {
	log := newLog(s.problems)
	listener, err := listen(ctx, flags)
	if err != nil {
		return err
	}
	defer listener.Close()
	directory, err := wal.OpenDirectory(flags.data, wal.Options{Random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))})
	if err != nil {
		return fmt.Errorf("cannot open the data: %w", err)
	}
	node, err := startNode(ctx, directory, listener, log)
	if err != nil {
		return errors.Join(err, directory.Close())
	}
	server := gateway.NewServer(node.Router(), gateway.Limits{}, log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info(readyMessage, "gateway", listener.Addr().String(), "data", flags.data, "node", directory.Identity().Node.String(),
		"version", version(), "pid", os.Getpid())

	select {
	case <-ctx.Done():
		log.Info("draining", "at_most", drainTime.String())
	case err = <-served:
		err = fmt.Errorf("the gateway stopped accepting: %w", err)
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err = errors.Join(err, server.Close(drain), node.Shutdown(drain), directory.Close())
	log.Info("stopped")
	return err
}

// syncs bounds how many fsyncs and cold reads run at once: a disk gains nothing from more.
const syncs = 8

// startNode builds the broker's actors over its data and waits until they serve.
//
// A cluster of one takes its broker's id, which is as random and already durable: a crash between the first record of the
// catalog and the note in the data directory then leaves nothing that contradicts itself.
func startNode(ctx context.Context, directory *wal.Directory, listener net.Listener, log *slog.Logger) (*actors.Node, error) {
	identity := directory.Identity()
	cluster := cmp.Or(identity.Cluster, id.Cluster(identity.Node))
	member := membership.Member{
		Node: identity.Node, Incarnation: identity.Incarnation, Gateway: advertised(listener), Version: version(),
	}
	node, err := actors.NewNode(actors.Options{
		Seams:     actors.Seams{Clock: actors.RealClock{}, Disk: directory, Pool: actors.NewPool(syncs)},
		Cluster:   cluster,
		Node:      identity.Node,
		Members:   membership.Single(member),
		Gateway:   member.Gateway,
		Version:   member.Version,
		Bootstrap: identity.Cluster == 0,
		Log:       log,
	})
	if err != nil {
		return nil, err
	}
	if err := node.Run(ctx); err != nil {
		return nil, errors.Join(err, node.Shutdown(context.WithoutCancel(ctx)))
	}
	return node, directory.SetCluster(cluster)
}

// advertised is the address that clients are told. One that means every address of this machine would mean their own to
// them; told none, they stay with the one they came by.
func advertised(listener net.Listener) string {
	if a, ok := listener.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		return ""
	}
	return listener.Addr().String()
}

// listen opens the gateway's port.
func listen(ctx context.Context, flags serveFlags) (net.Listener, error) {
	host, _, err := net.SplitHostPort(flags.gateway)
	if err != nil {
		return nil, usagef("--gateway %q is no address; write it as HOST:PORT, such as %s", flags.gateway, client.DefaultBroker)
	}
	if !isLoopback(host) && !flags.insecure {
		return nil, usagef("--gateway %s can be reached from other machines, and clients have no encryption and no logins yet; "+
			"add --insecure if your network may be trusted", flags.gateway)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", flags.gateway)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken, perhaps by another broker; ask it with `troupe cluster status --broker %s`, or choose another "+
			"address with --gateway", flags.gateway, flags.gateway)
	}
	return listener, err
}

// isLoopback tells whether only this machine reaches a host. A name counts only if it is localhost: others may resolve to
// anything tomorrow.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// newLog returns the broker's log: text for people at a terminal, JSON elsewhere.
func newLog(out io.Writer) *slog.Logger {
	if isTerminal(out) {
		return slog.New(slog.NewTextHandler(out, nil))
	}
	return slog.New(slog.NewJSONHandler(out, nil))
}
