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
	"troupe/gateway/protocol"
)

func clusterCommand(s *session) *cobra.Command {
	return noun("cluster", "Look at the cluster, move partitions, empty brokers", clusterStatusCommand(s), clusterNodesCommand(s),
		clusterPartitionsCommand(s), clusterAssignCommand(s), clusterTransferCommand(s), clusterDrainCommand(s), clusterDecommissionCommand(s))
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
that are damaged, stopped or restarting, disks that are full, brokers that are down. Exits 10 if there is anything.

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

// jsonNode is one broker as --output json shows it.
type jsonNode struct {
	Node     string   `json:"node"`
	Gateway  string   `json:"gateway"`
	Version  string   `json:"version"`
	Alive    bool     `json:"alive"`
	State    string   `json:"state,omitempty"` // whether it may hold replicas
	Rack     string   `json:"rack,omitempty"`
	Replicas int64    `json:"replicas"`
	Leaders  int64    `json:"leaders"`
	Problems []string `json:"problems"`
}

// clusterStatus prints a cluster and returns an error that counts its problems.
func (s *session) clusterStatus(out io.Writer, cluster *protocol.DescribeClusterResponse) error {
	nodes := []jsonNode{}
	var rows [][]string
	problems := []string{}
	for _, n := range cluster.Nodes {
		node := jsonNode{n.Node.String(), n.Gateway, n.Version, n.Alive, n.State, n.Rack, n.Replicas, n.Leaders, append([]string{}, n.Problems...)}
		nodes = append(nodes, node)
		state := "alive"
		if !n.Alive {
			state = "down"
			problems = append(problems, "broker "+node.Node+" is down")
		}
		if n.State == "draining" {
			state += ", draining"
		}
		for _, p := range n.Problems {
			problems = append(problems, "broker "+node.Node+": "+p)
		}
		rows = append(rows, []string{node.Node, node.Gateway, node.Version, state, fmt.Sprint(n.Replicas), fmt.Sprint(n.Leaders), fmt.Sprint(len(n.Problems))})
	}
	var err error
	if s.output == "json" {
		err = writeJSON(out, map[string]any{"cluster": cluster.Cluster.String(), "healthy": len(problems) == 0,
			"topics": cluster.Topics, "partitions": cluster.Partitions, "nodes": nodes, "problems": problems})
	} else {
		health := "healthy"
		if len(problems) > 0 {
			health = "NOT HEALTHY"
		}
		fmt.Fprintf(out, "cluster %s: %s, %s, %s, %s\n\n", cluster.Cluster, health, plural(int64(len(nodes)), "broker"),
			plural(cluster.Topics, "topic"), plural(cluster.Partitions, "partition"))
		err = writeTable(out, []string{"BROKER", "GATEWAY", "VERSION", "STATE", "REPLICAS", "LEADERS", "PROBLEMS"}, rows)
		if err == nil && len(problems) > 0 {
			_, err = fmt.Fprintf(out, "\n%s\n", strings.Join(problems, "\n"))
		}
	}
	if err == nil && len(problems) > 0 {
		return &unhealthyError{problems}
	}
	return err
}
