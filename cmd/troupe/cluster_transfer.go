package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

func clusterTransferCommand(s *session) *cobra.Command {
	var to string
	var wait bool
	command := &cobra.Command{
		Use:   "transfer TOPIC/N --to BROKER",
		Short: "Have another of a partition's brokers lead it",
		Long: `Makes a broker that has a replica of a partition its preferred leader. The one that leads hands over to it within seconds, as
soon as it has caught up; writes wait for milliseconds. The replicas stay where they are. A broker that would lead more than its
share does not keep it: the cluster spreads leaders evenly.`,
		Example: `  troupe cluster transfer orders/3 --to 9a0b --wait`,
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
			if to == "" {
				return usagef("say to whom with --to BROKER; `troupe cluster partitions` shows who has replicas")
			}
			return s.withNode(c.Context(), to, func(broker *client.Client, node id.Node) error {
				return s.transfer(c.Context(), broker, topic, number, node, wait)
			})
		},
	}
	f := command.Flags()
	f.StringVar(&to, "to", "", "the broker that is to lead")
	f.BoolVar(&wait, "wait", false, "return when it does")
	return command
}

// transfer puts a broker first in a partition's assignment: that is what a preferred leader is.
func (s *session) transfer(ctx context.Context, broker *client.Client, topic string, number int32, to id.Node, wait bool) error {
	p, err := describePartition(ctx, broker, topic, number)
	if err != nil {
		return err
	}
	at := slices.Index(p.Replicas, to)
	if at < 0 {
		return usagef("broker %v has no replica of %s/%d; `troupe cluster assign` gives it one", to, topic, number)
	}
	if at > 0 {
		nodes := slices.Insert(slices.Delete(slices.Clone(p.Replicas), at, at+1), 0, to)
		if _, err := broker.AssignReplicas(ctx, &protocol.AssignReplicasRequest{Topic: topic, Partition: number, Nodes: nodes, If: p.Assigned}); err != nil {
			return err
		}
	}
	if wait {
		if err := s.leads(ctx, broker, topic, number, to); err != nil {
			return err
		}
	}
	if s.output == "json" {
		return s.json(map[string]any{"topic": topic, "partition": number, "preferred": to.String()})
	}
	what := "is to lead"
	if wait {
		what = "leads"
	}
	_, err = fmt.Fprintf(s.out, "broker %v %s %s/%d\n", to, what, topic, number)
	return err
}

// leads waits until a broker leads a partition.
func (s *session) leads(ctx context.Context, broker *client.Client, topic string, number int32, node id.Node) error {
	ticker := time.NewTicker(arrivalInterval)
	defer ticker.Stop()
	for {
		p, err := describePartition(ctx, broker, topic, number)
		switch {
		case err != nil:
			return err
		case p.Leader == node && p.Ready:
			return nil
		case len(p.Replicas) > 0 && p.Replicas[0] != node:
			return fmt.Errorf("%s/%d was assigned anew meanwhile, and broker %v is to lead it now", topic, number, p.Replicas[0])
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// describePartition describes one partition of a topic.
func describePartition(ctx context.Context, broker *client.Client, topic string, number int32) (*protocol.DescribedPartition, error) {
	described, err := broker.DescribeTopic(ctx, topic)
	if err != nil {
		return nil, err
	}
	if int(number) >= len(described.Partitions) {
		return nil, usagef("topic %s has %s, from 0 on; there is no %d", topic, plural(int64(len(described.Partitions)), "partition"), number)
	}
	return &described.Partitions[number], nil
}
