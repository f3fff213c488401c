package main

import (
	"fmt"
	"io"
	"strings"

	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
)

// clusterHealth is a cluster as cluster status and, over HTTP, a broker show it to programs.
type clusterHealth struct {
	Cluster    string     `json:"cluster"`
	Epoch      string     `json:"epoch"` // empty: its catalog was never recovered
	Asked      string     `json:"asked"` // the broker whose view it is
	Healthy    bool       `json:"healthy"`
	Topics     int64      `json:"topics"`
	Partitions int64      `json:"partitions"`
	Leaderless int64      `json:"leaderless"`
	Nodes      []jsonNode `json:"nodes"`
	Problems   []string   `json:"problems"`
}

// jsonNode is one broker as --output json shows it.
type jsonNode struct {
	Node       string   `json:"node"`
	Gateway    string   `json:"gateway"`
	Version    string   `json:"version"`
	Alive      bool     `json:"alive"`
	AgeSeconds *float64 `json:"age_seconds"`     // since it told what is said of it; null: it never has
	State      string   `json:"state,omitempty"` // whether it may hold replicas
	Rack       string   `json:"rack,omitempty"`
	Replicas   int64    `json:"replicas"`
	Leaders    int64    `json:"leaders"`
	Asked      bool     `json:"asked"`
	Problems   []string `json:"problems"`
}

func jsonNodeOf(n protocol.ClusterNode, asked bool) jsonNode {
	one := jsonNode{
		Node: n.Node.String(), Gateway: n.Gateway, Version: n.Version, Alive: n.Alive, State: n.State, Rack: n.Rack,
		Replicas: n.Replicas, Leaders: n.Leaders, Asked: asked, Problems: append([]string{}, n.Problems...),
	}
	if n.AgeMillis >= 0 {
		one.AgeSeconds = new(float64(n.AgeMillis) / 1000)
	}
	return one
}

// gone tells that the broker was let go for ever: it is nobody's problem that it is not there.
func (n jsonNode) gone() bool { return n.State == catalog.Gone.String() }

// seen says in which state the broker asked sees it.
func (n jsonNode) seen() string {
	switch {
	case n.gone():
		return "gone"
	case !n.Alive:
		return "down"
	case n.State == catalog.Draining.String():
		return "alive, draining"
	}
	return "alive"
}

// heard says how old is what is said of it.
func (n jsonNode) heard() string {
	switch {
	case n.Asked:
		return "now"
	case n.AgeSeconds == nil:
		return "never"
	}
	return fmt.Sprintf("%.1f s ago", *n.AgeSeconds)
}

// judge tells how a cluster is, and everything that is wrong with it.
func judge(cluster *protocol.DescribeClusterResponse) clusterHealth {
	h := clusterHealth{
		Cluster: cluster.Cluster.String(), Epoch: cluster.Epoch, Asked: cluster.Self.String(), Topics: cluster.Topics, Partitions: cluster.Partitions,
		Leaderless: cluster.Leaderless, Nodes: []jsonNode{}, Problems: []string{},
	}
	for _, n := range cluster.Nodes {
		node := jsonNodeOf(n, n.Node == cluster.Self)
		h.Nodes = append(h.Nodes, node)
		if !node.Alive && !node.gone() {
			h.Problems = append(h.Problems, "broker "+node.Node+" is down")
		}
		for _, p := range node.Problems {
			h.Problems = append(h.Problems, "broker "+node.Node+": "+p)
		}
	}
	if n := cluster.Leaderless; n > 0 {
		h.Problems = append(h.Problems, plural(n, "partition")+" without a leader that lives; `troupe cluster partitions --unsettled` tells which")
	}
	h.Healthy = len(h.Problems) == 0
	return h
}

// clusterStatus prints a cluster and returns an error that counts its problems.
func (s *session) clusterStatus(out io.Writer, cluster *protocol.DescribeClusterResponse) error {
	h := judge(cluster)
	var err error
	if s.output == "json" {
		err = writeJSON(out, h)
	} else {
		err = h.print(out)
	}
	if err == nil && !h.Healthy {
		return &unhealthyError{h.Problems}
	}
	return err
}

// print shows it to people.
func (h clusterHealth) print(out io.Writer) error {
	health := "healthy"
	if !h.Healthy {
		health = "NOT HEALTHY"
	}
	name := h.Cluster
	if h.Epoch != "" {
		name += fmt.Sprintf(" (epoch %s: its catalog lost its majority, see `troupe topic describe __catalog`)", h.Epoch)
	}
	fmt.Fprintf(out, "cluster %s: %s, %s, %s, %s\n\n", name, health, plural(int64(len(h.Nodes)), "broker"),
		plural(h.Topics, "topic"), plural(h.Partitions, "partition"))
	var rows [][]string
	for _, n := range h.Nodes {
		rows = append(rows, []string{n.Node, n.Gateway, n.Version, n.seen(), n.heard(), fmt.Sprint(n.Replicas), fmt.Sprint(n.Leaders), fmt.Sprint(len(n.Problems))})
	}
	err := writeTable(out, []string{"BROKER", "GATEWAY", "VERSION", "STATE", "HEARD", "REPLICAS", "LEADERS", "PROBLEMS"}, rows)
	if err == nil && !h.Healthy {
		_, err = fmt.Fprintf(out, "\n%s\n", strings.Join(h.Problems, "\n"))
	}
	return err
}
