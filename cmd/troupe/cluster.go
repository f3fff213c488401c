package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
)

func clusterCommand(s *session) *cobra.Command {
	return noun("cluster", "Look at the cluster, move partitions, empty brokers", clusterStatusCommand(s), clusterNodesCommand(s),
		clusterPartitionsCommand(s), clusterVerifyCommand(s), clusterAssignCommand(s), clusterTransferCommand(s), clusterRebalanceCommand(s),
		clusterDrainCommand(s), clusterDecommissionCommand(s), clusterRecoverCommand(s), clusterAdoptCommand(s))
}

// statusFlags are what the command line of cluster status says.
type statusFlags struct {
	watch, untilHealthy bool
	interval, timeout   time.Duration
}

func clusterStatusCommand(s *session) *cobra.Command {
	var flags statusFlags
	command := &cobra.Command{
		Use:   "status",
		Short: "Show the brokers and what is wrong with them",
		Long: `Shows the brokers of the cluster as the broker asked sees them, and everything that does not serve as it should: partitions
that are damaged, stopped, restarting or without a leader, disks that are full, brokers that are down. Exits 10 if there is
anything.

What is said of each broker is what that one last told the broker asked; HEARD says how long ago. Where a broker seems alive and
has told nothing for long, that is a problem, too.

--exit-when-healthy asks until nothing is wrong any more, and keeps asking where nobody answers yet: for scripts that have
just started a broker.`,
		Example: `  troupe cluster status --output json
  troupe cluster status --watch
  troupe cluster status --exit-when-healthy --timeout 30s`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if flags.interval <= 0 {
				return usagef("--interval %v is no time to wait between two questions", flags.interval)
			}
			if flags.watch || flags.untilHealthy {
				return s.watchCluster(c.Context(), flags)
			}
			return s.askCluster(c.Context(), s.out)
		},
	}
	f := command.Flags()
	f.BoolVar(&flags.watch, "watch", false, "ask again and again, until interrupted")
	f.BoolVar(&flags.untilHealthy, "exit-when-healthy", false, "ask until nothing is wrong any more, then exit 0")
	f.DurationVar(&flags.interval, "interval", 2*time.Second, "time between two questions of --watch and --exit-when-healthy")
	f.DurationVar(&flags.timeout, "timeout", 0, "exit 10 if it takes --exit-when-healthy longer; 0 waits as long as it takes")
	return command
}

// unhealthyError lists what is wrong with a cluster that answers.
type unhealthyError struct{ problems []string }

// Error counts the problems: the status itself shows them.
func (e *unhealthyError) Error() string {
	return "the cluster is not healthy: " + plural(int64(len(e.problems)), "problem")
}

// askCluster shows the cluster once. It returns an *unhealthyError when something is wrong with it.
func (s *session) askCluster(ctx context.Context, out io.Writer) error {
	return s.with(ctx, func(broker *client.Client) error {
		cluster, err := broker.DescribeCluster(ctx)
		if err != nil {
			return err
		}
		return s.clusterStatus(out, cluster)
	})
}

// watchCluster shows the cluster again and again: over the last status on a terminal, below it elsewhere. What is wrong with
// the question itself, and not with the cluster, ends it.
func (s *session) watchCluster(ctx context.Context, flags statusFlags) error {
	deadline := ctx
	if flags.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, flags.timeout)
		defer cancel()
		deadline = limited
	}
	wait := time.NewTicker(flags.interval)
	defer wait.Stop()
	for {
		var status strings.Builder
		err := s.askCluster(deadline, &status)
		var wrong *usageError
		if errors.As(err, &wrong) {
			return err
		}
		if isTerminal(s.out) {
			fmt.Fprint(s.out, clearScreen)
		}
		fmt.Fprint(s.out, status.String())
		if err == nil && flags.untilHealthy {
			return nil
		}
		if err != nil && deadline.Err() == nil {
			fmt.Fprintf(s.problems, "troupe: %v\n", explain(err, s.broker))
		}
		select {
		case <-wait.C:
		case <-deadline.Done():
			switch {
			case ctx.Err() != nil && flags.untilHealthy:
				return ctx.Err()
			case ctx.Err() != nil:
				return nil // whoever watches ends it this way
			}
			return &timeoutError{flags.timeout, s.broker}
		}
	}
}

// clearScreen moves a terminal's cursor to the top and empties it.
const clearScreen = "\x1b[H\x1b[2J"

// timeoutError tells that a cluster did not get healthy in time.
type timeoutError struct {
	after  time.Duration
	broker string
}

// Error tells how long it was waited for.
func (e *timeoutError) Error() string {
	return fmt.Sprintf("the cluster at %s is not healthy after %v; `troupe cluster status` tells why", e.broker, e.after)
}
