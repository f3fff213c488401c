package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

// assignFlags are what the command line of cluster assign says.
type assignFlags struct {
	nodes   []string
	replace []uint
	unless  int64
	wait    bool
}

func clusterAssignCommand(s *session) *cobra.Command {
	var flags assignFlags
	command := &cobra.Command{
		Use:   "assign TOPIC/N --nodes BROKER,...",
		Short: "Move a partition's replicas to other brokers",
		Long: `Assigns a partition to 1, 3 or 5 brokers, the preferred leader first. Brokers that have a replica keep it; new ones get one
that catches up before it counts; those left out let go of theirs when the partition no longer needs them. To cancel a move,
assign the partition back to where it was.

Brokers are named by their ids, of which the first digits are enough where they are clear; ` + "`troupe cluster status`" + ` lists them.`,
		Example: `  troupe cluster assign orders/3 --nodes 1f2e,9a0b,c3d4
  troupe cluster assign orders/3 --nodes 1f2e --wait`,
		Args: func(c *cobra.Command, arguments []string) error {
			if len(arguments) != 1 {
				return fmt.Errorf("`%s` wants one partition, TOPIC/N, not %d words", c.UseLine(), len(arguments))
			}
			return nil
		},
		RunE: func(c *cobra.Command, arguments []string) error {
			topic, number, err := parsePartition(arguments[0])
			if err != nil {
				return err
			}
			if len(flags.nodes) == 0 {
				return usagef("say where to with --nodes BROKER,...; `troupe cluster status` lists the brokers")
			}
			return s.with(c.Context(), func(broker *client.Client) error {
				return s.assign(c.Context(), broker, topic, number, flags)
			})
		},
	}
	f := command.Flags()
	f.StringSliceVar(&flags.nodes, "nodes", nil, "the brokers, the preferred leader first")
	f.UintSliceVar(&flags.replace, "replace", nil, "ids of replicas that lost their log: they leave for ever, and their broker gets new ones")
	f.Int64Var(&flags.unless, "if", int64(protocol.AnyAssignment), "only if the partition is assigned in this version (see cluster partitions); -1: whichever")
	f.BoolVar(&flags.wait, "wait", false, "return when the partition has arrived")
	return command
}

// parsePartition reads TOPIC/N.
func parsePartition(text string) (topic string, number int32, err error) {
	at := strings.LastIndex(text, "/")
	if at > 0 {
		n, err := strconv.ParseInt(text[at+1:], 10, 32)
		if err == nil && n >= 0 {
			return text[:at], int32(n), nil
		}
	}
	return "", 0, usagef("%q is no partition; write it as TOPIC/N, such as orders/3", text)
}

// findNode finds the broker whose id begins with some digits.
func findNode(digits string, nodes []protocol.ClusterNode) (id.Node, error) {
	var found id.Node
	for _, n := range nodes {
		if digits == "" || !strings.HasPrefix(n.Node.String(), strings.ToLower(digits)) {
			continue
		}
		if found != 0 {
			return 0, usagef("--nodes %s: several brokers' ids begin so, %v and %v among them; give more digits", digits, found, n.Node)
		}
		found = n.Node
	}
	if found == 0 {
		return 0, usagef("--nodes %q: no broker's id begins so; `troupe cluster status` lists the brokers", digits)
	}
	return found, nil
}

// assign moves a partition.
func (s *session) assign(ctx context.Context, broker *client.Client, topic string, number int32, flags assignFlags) error {
	cluster, err := broker.DescribeCluster(ctx)
	if err != nil {
		return err
	}
	request := &protocol.AssignReplicasRequest{Topic: topic, Partition: number, If: id.Offset(flags.unless)}
	for _, digits := range flags.nodes {
		n, err := findNode(strings.TrimSpace(digits), cluster.Nodes)
		if err != nil {
			return err
		}
		request.Nodes = append(request.Nodes, n)
	}
	for _, r := range flags.replace {
		request.Replace = append(request.Replace, id.Replica(r))
	}
	assigned, err := broker.AssignReplicas(ctx, request)
	if err != nil {
		return err
	}
	settled := false
	if flags.wait {
		if err := s.arrival(ctx, broker, topic, number, assigned.Assigned); err != nil {
			return err
		}
		settled = true
	}
	if s.output == "json" {
		nodes := []string{}
		for _, n := range assigned.Replicas {
			nodes = append(nodes, n.String())
		}
		return s.json(map[string]any{"topic": topic, "partition": number, "assigned": assigned.Assigned, "replicas": nodes, "settled": settled})
	}
	if settled {
		_, err = fmt.Fprintf(s.out, "%s/%d has arrived on %s\n", topic, number, plural(int64(len(assigned.Replicas)), "broker"))
		return err
	}
	_, err = fmt.Fprintf(s.out, "assigned %s/%d to %s, in version %d; `troupe cluster partitions %s` tells how far it is\n",
		topic, number, plural(int64(len(assigned.Replicas)), "broker"), assigned.Assigned, topic)
	return err
}

// arrivalInterval is the time between two looks at a partition that moves.
const arrivalInterval = 500 * time.Millisecond

// arrival waits until a partition has followed its assignment. Another assignment meanwhile ends the wait.
func (s *session) arrival(ctx context.Context, broker *client.Client, topic string, number int32, version id.Offset) error {
	ticker := time.NewTicker(arrivalInterval)
	defer ticker.Stop()
	for {
		described, err := broker.DescribeTopic(ctx, topic)
		if err != nil {
			return err
		}
		if int(number) < len(described.Partitions) {
			p := &described.Partitions[number]
			switch {
			case p.Assigned > version:
				return fmt.Errorf("%s/%d was assigned anew meanwhile, in version %d; `troupe cluster partitions %s` shows where to",
					topic, number, p.Assigned, topic)
			case p.Assigned == version && p.Settled && p.Ready:
				return nil
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
