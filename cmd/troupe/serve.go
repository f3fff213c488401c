package main

import (
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
	"troupe/gateway/client"
	"troupe/membership"
	"troupe/partitions"
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

With --join it becomes a part of the cluster whose brokers are named, or goes on looking for them; without, an empty
directory begins a cluster of one, that others can join. Which cluster a directory belongs to is decided once. Brokers of a
cluster share a secret (` + "`troupe secret new`" + `), without which they stay on loopback; --secret-file is read again whenever
it changes.

Clients have no encryption and no logins yet, so the gateway stays on loopback unless --insecure says otherwise.

Every setting can stand in a YAML file, in the environment, or on the command line; ` + "`troupe config show`" + ` lists them all.`,
		Example: `  troupe serve
  troupe serve --data /var/lib/troupe --gateway 0.0.0.0:9642 --insecure
  troupe serve --secret-file /etc/troupe/secret --join 10.0.0.5,10.0.0.6
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
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	b := &service{config: c, log: newLog(s.problems, c.Log), began: time.Now(), nonce: rand.Uint64(), stop: stop}
	err := b.open(ctx)
	if err == nil {
		err = b.run(ctx)
	}
	cause := context.Cause(ctx)
	switch {
	case cause != nil && !errors.Is(cause, context.Canceled):
		err = cause // it has stopped itself
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		b.log.Info("stopped before it was ready")
		err = nil
	}
	return errors.Join(err, b.close(errors.Is(cause, membership.ErrTwin)))
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
	return fmt.Errorf("--data %s cannot be opened: %w; what is there was not changed; choose another directory if that is not the one that was meant", path, err)
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
