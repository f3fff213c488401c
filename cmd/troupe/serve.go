package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"troupe/actors"
	"troupe/cmd/troupe/config"
	"troupe/cmd/troupe/metrics"
	"troupe/gateway"
	"troupe/gateway/client"
	"troupe/membership"
	"troupe/partitions"
	"troupe/partitions/id"
	"troupe/wal"
)

// readyMessage is what the broker's log says once clients are served; the attribute gateway tells where.
const readyMessage = "ready"

func serveCommand(s *session) *cobra.Command {
	var flags settingFlags
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run a broker",
		Long: `Runs a broker until SIGINT or SIGTERM, which drain it: what was asked is answered, the logs are closed. A second signal ends
it at once. Nothing needs to be configured. Whatever stopped it before, kill -9 and power failure included, it starts again
on its data directory with everything it ever acknowledged.

Clients have no encryption and no logins yet, so the gateway stays on loopback unless --insecure says otherwise.

Every setting can stand in a YAML file, in the environment, or on the command line; ` + "`troupe config show`" + ` lists them all.`,
		Example: `  troupe serve
  troupe serve --data /var/lib/troupe --gateway 0.0.0.0:9642 --insecure
  troupe serve --config troupe.yaml --set gateway.idle_time=5m --log-level debug`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			effective, err := flags.load(c)
			if err != nil {
				return err
			}
			return s.serve(c.Context(), effective.Config)
		},
	}
	flags.register(command)
	return command
}

// serve joins the rooms and runs them until the context ends.
func (s *session) serve(ctx context.Context, c config.Config) error {
	log := newLog(s.problems, c.Log)
	listener, err := listen(ctx, c.Gateway)
	if err != nil {
		return err
	}
	defer listener.Close()
	lookout, err := openLookout(ctx, c.HTTP, log)
	if err != nil {
		return err
	}
	defer lookout.close()
	directory, err := wal.OpenDirectory(c.Data.Directory, wal.Options{
		Random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		Holder: fmt.Sprintf("process %d, clients at %s", os.Getpid(), listener.Addr()),
	})
	if err != nil {
		return cannotOpen(c.Data.Directory, err)
	}
	node, err := newNode(directory, c.Data, listener, lookout.metrics.Actors, log)
	if err != nil {
		return errors.Join(err, directory.Close())
	}
	lookout.watch(node)
	began := time.Now()
	opened := tellOpening(node, log, openingInterval)
	err = node.Run(ctx)
	opened()
	if err != nil {
		stopped := errors.Join(stop(c.Serve, nil, node), directory.Close())
		if ctx.Err() != nil {
			log.Info("stopped before it was ready")
			return stopped
		}
		return errors.Join(fmt.Errorf("the broker does not start on %s: %w", c.Data.Directory, err), stopped)
	}
	if err := directory.SetCluster(node.Cluster().Cluster); err != nil {
		return errors.Join(err, stop(c.Serve, nil, node), directory.Close())
	}
	server := gateway.NewServer(node.Router(), c.Gateway.Limits, log)
	server.Tell(lookout.metrics.Gateway)
	go keepMemory(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	lookout.wait("")
	log.Info(readyMessage, "gateway", listener.Addr().String(), "http", lookout.address, "data", c.Data.Directory,
		"node", directory.Identity().Node.String(), "version", version(), "pid", os.Getpid(), "after", time.Since(began).String())
	for _, problem := range node.Problems() {
		log.Warn("ready, but not whole; see `troupe cluster status`", "problem", problem)
	}

	select {
	case <-ctx.Done():
		log.Info("draining; another signal ends it at once", "at_most", (2 * c.Serve.DrainTime).String())
	case err = <-served:
		err = fmt.Errorf("the gateway stopped accepting: %w", err)
	}
	lookout.wait("the broker is stopping")
	err = errors.Join(err, stop(c.Serve, server, node), directory.Close())
	log.Info("stopped")
	return err
}

// openingInterval is the time between two lines of the log while a broker opens its data: much of it may need repair.
const openingInterval = 5 * time.Second

// tellOpening logs how far a node is in opening its partitions, again and again until the function returned is called.
func tellOpening(node *actors.Node, log *slog.Logger, every time.Duration) (end func()) {
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			seen := metrics.Observe(node)
			opening := seen.Silent
			for _, p := range seen.Partitions {
				if p.Role == partitions.RoleOpening {
					opening++
				}
			}
			log.Info("still opening the data", "partitions", len(seen.Partitions)+seen.Silent, "not_open_yet", opening)
		}
	}()
	return func() { close(done) }
}

// stop ends what runs, in order: clients get their answers, then partitions save checkpoints and close their logs. Each may
// take DrainTime, so that slow clients do not cost the logs their orderly end.
func stop(c config.Serve, server *gateway.Server, node *actors.Node) error {
	var problems []error
	if server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), c.DrainTime)
		defer cancel()
		if server.Close(ctx) != nil {
			problems = append(problems, fmt.Errorf("some clients' requests were not answered within %v and their connections are cut; "+
				"--drain-time gives more", c.DrainTime))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.DrainTime)
	defer cancel()
	if node.Shutdown(ctx) != nil {
		problems = append(problems, fmt.Errorf("the logs were not closed within %v; they are repaired when the broker starts, nothing "+
			"acknowledged is lost; --drain-time gives more", c.DrainTime))
	}
	return errors.Join(problems...)
}

// cannotOpen tells what to do about a data directory that does not open.
func cannotOpen(path string, err error) error {
	switch {
	case errors.Is(err, wal.ErrLocked):
		return err // it names the holder, and what to do
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EEXIST):
		return fmt.Errorf("--data %s is a file, not a directory, or lies below one; choose another", path)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("--data %s: this user may not write there (%w); choose another, or change its owner", path, err)
	}
	return fmt.Errorf("cannot open the data: %w", err)
}

// newNode builds the broker's actors over its data.
//
// A cluster of one takes its broker's id, which is as random and already durable: a crash between the first record of the
// catalog and the note in the data directory then leaves nothing that contradicts itself.
func newNode(directory *wal.Directory, c config.Data, listener net.Listener, meter actors.Meter, log *slog.Logger) (*actors.Node, error) {
	identity := directory.Identity()
	member := membership.Member{
		Node: identity.Node, Incarnation: identity.Incarnation, Gateway: advertised(listener), Version: version(),
	}
	return actors.NewNode(actors.Options{
		Seams: actors.Seams{
			Clock: actors.RealClock{}, Disk: directory, Pool: actors.NewPool(c.Syncs), Stopwatch: actors.NewStopwatch(),
		},
		Cluster:   cmp.Or(identity.Cluster, id.Cluster(identity.Node)),
		Node:      identity.Node,
		Members:   membership.Single(member),
		Gateway:   member.Gateway,
		Version:   member.Version,
		Bootstrap: identity.Cluster == 0,

		DiskReserve: int64(c.Reserve),
		Log:         log,
		Meter:       meter,
	})
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
func listen(ctx context.Context, c config.Gateway) (net.Listener, error) {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, usagef("--gateway %q is no address; write it as HOST:PORT, such as %s", c.Address, client.DefaultBroker)
	}
	if !isLoopback(host) && !c.Insecure {
		return nil, usagef("--gateway %s can be reached from other machines, and clients have no encryption and no logins yet; "+
			"add --insecure if your network may be trusted", c.Address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Address)
	if err != nil {
		return nil, cannotListen("gateway", c.Address, err)
	}
	return listener, nil
}

// isLoopback tells whether only this machine reaches a host. A name counts only if it is localhost: others may resolve to
// anything tomorrow.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
