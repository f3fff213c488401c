package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
)

func clusterCommand(s *session) *cobra.Command {
	return noun("cluster", "Look at the cluster", clusterStatusCommand(s))
}

func clusterStatusCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show the brokers and what is wrong with them",
		Long:    "Shows the brokers of the cluster as the broker asked sees them. Exits 10 if one of them is down or has a problem.",
		Example: "  troupe cluster status --output json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.with(c.Context(), func(broker *client.Client) error {
				cluster, err := broker.DescribeCluster(c.Context())
				if err != nil {
					return err
				}
				return s.clusterStatus(cluster)
			})
		},
	}
}

// unhealthyError lists what is wrong with a cluster that answers.
type unhealthyError struct{ problems []string }

// Error lists the problems, one a line.
func (e *unhealthyError) Error() string {
	return "the cluster is not healthy:\n  " + strings.Join(e.problems, "\n  ")
}

// jsonNode is one broker as --output json shows it.
type jsonNode struct {
	Node     string   `json:"node"`
	Gateway  string   `json:"gateway"`
	Version  string   `json:"version"`
	Alive    bool     `json:"alive"`
	Problems []string `json:"problems"`
}

// clusterStatus prints a cluster and returns an error that counts its problems.
func (s *session) clusterStatus(cluster *protocol.DescribeClusterResponse) error {
	nodes := []jsonNode{}
	var rows [][]string
	var problems []string
	for _, n := range cluster.Nodes {
		node := jsonNode{n.Node.String(), n.Gateway, n.Version, n.Alive, append([]string{}, n.Problems...)}
		nodes = append(nodes, node)
		state := "alive"
		if !n.Alive {
			state = "down"
			problems = append(problems, "broker "+node.Node+" is down")
		}
		for _, p := range n.Problems {
			problems = append(problems, "broker "+node.Node+": "+p)
		}
		rows = append(rows, []string{node.Node, node.Gateway, node.Version, state, fmt.Sprint(len(n.Problems))})
	}
	var err error
	if s.output == "json" {
		err = s.json(map[string]any{"cluster": cluster.Cluster.String(), "healthy": len(problems) == 0,
			"topics": cluster.Topics, "partitions": cluster.Partitions, "nodes": nodes})
	} else {
		fmt.Fprintf(s.out, "cluster %s: %s, %s, %s\n\n", cluster.Cluster, plural(int64(len(nodes)), "broker"),
			plural(cluster.Topics, "topic"), plural(cluster.Partitions, "partition"))
		err = s.table([]string{"BROKER", "GATEWAY", "VERSION", "STATE", "PROBLEMS"}, rows)
	}
	if err == nil && len(problems) > 0 {
		return &unhealthyError{problems}
	}
	return err
}
