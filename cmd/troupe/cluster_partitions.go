package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

func clusterPartitionsCommand(s *session) *cobra.Command {
	var unsettled bool
	command := &cobra.Command{
		Use:   "partitions [TOPIC...]",
		Short: "Show where partitions live, who leads them, and what moves",
		Long: `Shows every partition of some topics, or of all of them and of the broker's own: its leader, its replicas (the preferred
leader first), and the version of its assignment. A replica is joining until it is a member, a learner until it has caught up,
and leaving until the partition has let go of it.`,
		Example: `  troupe cluster partitions
  troupe cluster partitions orders --unsettled
  troupe cluster partitions --output json`,
		ValidArgsFunction: s.topicNames,
		RunE: func(c *cobra.Command, names []string) error {
			return s.with(c.Context(), func(broker *client.Client) error {
				topics, err := describeAll(c.Context(), broker, names)
				if err != nil {
					return err
				}
				return s.clusterPartitions(topics, unsettled)
			})
		},
	}
	command.Flags().BoolVar(&unsettled, "unsettled", false, "only those that move, have no leader, a problem, or a replica that is away")
	return command
}

// describeAll describes some topics; none named: all, the broker's own first.
func describeAll(ctx context.Context, broker *client.Client, names []string) ([]*protocol.DescribeTopicResponse, error) {
	if len(names) == 0 {
		listed, err := broker.ListTopics(ctx)
		if err != nil {
			return nil, err
		}
		names = []string{string(catalog.Name)}
		for _, t := range listed {
			names = append(names, t.Topic)
		}
	}
	var topics []*protocol.DescribeTopicResponse
	for _, name := range names {
		topic, err := broker.DescribeTopic(ctx, name)
		if err != nil {
			return nil, err
		}
		topics = append(topics, topic)
	}
	return topics, nil
}

// clusterPartitions prints the partitions of topics.
func (s *session) clusterPartitions(topics []*protocol.DescribeTopicResponse, unsettled bool) error {
	type listed struct {
		Topic string `json:"topic"`
		jsonPartition
	}
	all := []listed{}
	var rows [][]string
	var nodes []id.Node
	for _, t := range topics {
		nodes = append(nodes, nodesIn(t)...)
	}
	short, total := shortNodes(nodes), 0
	for _, t := range topics {
		total += len(t.Partitions)
		for i := range t.Partitions {
			p := &t.Partitions[i]
			if unsettled && atRest(p) {
				continue
			}
			all = append(all, listed{t.Topic, jsonPartitionOf(p)})
			rows = append(rows, []string{t.Topic, strconv.Itoa(int(p.Partition)), nodeText(p.Leader), replicasText(p, short),
				strconv.FormatInt(int64(p.Assigned), 10), partitionState(p)})
		}
	}
	switch {
	case s.output == "json":
		return s.json(all)
	case len(rows) == 0:
		_, err := fmt.Fprintf(s.problems, "All of the %s are as they should be.\n", plural(int64(total), "partition"))
		return err
	}
	return s.table([]string{"TOPIC", "PARTITION", "LEADER", "REPLICAS", "ASSIGNED", "STATE"}, rows)
}
