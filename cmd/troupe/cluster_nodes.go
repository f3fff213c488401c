package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

func clusterNodesCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "nodes",
		Short: "Show the brokers: state, rack, replicas, leaders",
		Long: `Shows every broker that the cluster knows: whether the broker asked sees it alive, whether it takes replicas (active) or is
being emptied (draining), the rack it stands in, and how many replicas it has and leads. HEARD is how long ago it told the broker asked
of itself.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.with(c.Context(), func(broker *client.Client) error {
				cluster, err := broker.DescribeCluster(c.Context())
				if err != nil {
					return err
				}
				return s.showNodes(cluster)
			})
		},
	}
}

// showNodes prints the brokers of a cluster.
func (s *session) showNodes(cluster *protocol.DescribeClusterResponse) error {
	all := judge(cluster).Nodes
	if s.output == "json" {
		return s.json(all)
	}
	var rows [][]string
	for _, n := range all {
		seen := "down"
		if n.Alive {
			seen = "alive"
		}
		rows = append(rows, []string{n.Node, n.Gateway, cmp.Or(n.Rack, "-"), cmp.Or(n.State, "-"), seen, n.heard(), fmt.Sprint(n.Replicas), fmt.Sprint(n.Leaders), n.Version})
	}
	return s.table([]string{"BROKER", "GATEWAY", "RACK", "STATE", "SEEN", "HEARD", "REPLICAS", "LEADERS", "VERSION"}, rows)
}

// oneBroker demands the id of a broker, and nothing else.
func oneBroker(c *cobra.Command, arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("`%s` wants one broker's id, of which the first digits are enough, not %d words", c.UseLine(), len(arguments))
	}
	return nil
}

func clusterDrainCommand(s *session) *cobra.Command {
	var undo, wait bool
	command := &cobra.Command{
		Use:   "drain BROKER",
		Short: "Move every replica away from a broker",
		Long: `Has a broker take no more replicas, and moves those it has to others, copy by copy, while everything serves on. The broker
stays a member; --undo lets it take replicas again. It is refused where too few brokers would be left for some topic.`,
		Example: `  troupe cluster drain 1f2e --wait
  troupe cluster drain 1f2e --undo`,
		Args: oneBroker,
		RunE: func(c *cobra.Command, arguments []string) error {
			if undo && wait {
				return usagef("--undo is done at once; leave --wait out")
			}
			return s.withNode(c.Context(), arguments[0], func(broker *client.Client, node id.Node) error {
				if err := broker.DrainNode(c.Context(), node, !undo); err != nil {
					return err
				}
				switch {
				case undo:
					return s.told("broker %v takes replicas again", node)
				case !wait:
					return s.told("broker %v is being drained; `troupe cluster nodes` tells how many replicas are left", node)
				}
				if err := s.emptied(c.Context(), broker, node); err != nil {
					return err
				}
				return s.told("broker %v has no replicas any more", node)
			})
		},
	}
	f := command.Flags()
	f.BoolVar(&undo, "undo", false, "let the broker take replicas again")
	f.BoolVar(&wait, "wait", false, "return when it has none any more")
	return command
}

func clusterDecommissionCommand(s *session) *cobra.Command {
	var wait bool
	command := &cobra.Command{
		Use:   "decommission BROKER",
		Short: "Empty a broker and let it go for ever",
		Long: `Drains a broker, waits until it has no replicas any more, and takes it out of the cluster for ever. Then its process can be
stopped and its data directory removed; to have the machine back, start it over an empty directory. Interrupted, it can be
given again; until the broker is let go, ` + "`troupe cluster drain --undo`" + ` takes it back.`,
		Example: `  troupe cluster decommission 1f2e`,
		Args:    oneBroker,
		RunE: func(c *cobra.Command, arguments []string) error {
			return s.withNode(c.Context(), arguments[0], func(broker *client.Client, node id.Node) error {
				if err := broker.DrainNode(c.Context(), node, true); err != nil {
					return err
				}
				if !wait {
					return s.told("broker %v is being drained; give the command again, to let it go when it is empty", node)
				}
				if err := s.emptied(c.Context(), broker, node); err != nil {
					return err
				}
				if err := broker.DismissNode(c.Context(), node); err != nil {
					return err
				}
				return s.told("broker %v has left the cluster for ever; stop its process, and remove its data directory", node)
			})
		},
	}
	command.Flags().BoolVar(&wait, "wait", true, "wait until it is empty, and let it go; --wait=false only begins to drain it")
	return command
}

// withNode calls use with a client and the broker whose id begins with some digits.
func (s *session) withNode(ctx context.Context, digits string, use func(*client.Client, id.Node) error) error {
	return s.with(ctx, func(broker *client.Client) error {
		cluster, err := broker.DescribeCluster(ctx)
		if err != nil {
			return err
		}
		node, err := findNode(digits, cluster.Nodes)
		if err != nil {
			return err
		}
		return use(broker, node)
	})
}

// emptied waits until a broker has no replicas any more, and tells how many are left whenever that changes.
func (s *session) emptied(ctx context.Context, broker *client.Client, node id.Node) error {
	ticker := time.NewTicker(arrivalInterval)
	defer ticker.Stop()
	for last := int64(-1); ; {
		cluster, err := broker.DescribeCluster(ctx)
		if err != nil {
			return err
		}
		left := int64(-1)
		for _, n := range cluster.Nodes {
			if n.Node != node {
				continue
			}
			left = int64(n.Replicas)
			if n.State != "draining" {
				return fmt.Errorf("broker %v is %s: somebody else has decided otherwise", node, n.State)
			}
		}
		switch {
		case left < 0:
			return errors.New("the broker has left the cluster already")
		case left == 0:
			return nil
		case left != last:
			fmt.Fprintf(s.problems, "%s left on broker %v\n", plural(left, "replica"), node)
			last = left
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// told prints what has happened to a broker.
func (s *session) told(pattern string, node id.Node) error {
	if s.output == "json" {
		return s.json(map[string]string{"node": node.String()})
	}
	_, err := fmt.Fprintf(s.out, pattern+"\n", node)
	return err
}
