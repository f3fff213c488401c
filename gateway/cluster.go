package gateway

import (
	"cmp"
	"slices"

	"troupe/gateway/protocol"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// describeCluster tells how the cluster looks from here.
func (s *Session) describeCluster(c call) { c.reply(DescribeCluster(s.broker)) }

// DescribeCluster describes the cluster as a broker sees it.
func DescribeCluster(b Broker) *protocol.DescribeClusterResponse {
	state, view := b.Catalog(), b.Cluster()
	answer := &protocol.DescribeClusterResponse{Cluster: view.Cluster, Self: view.Self, Catalog: state.Version}
	if view.Epoch != 0 {
		answer.Epoch = view.Epoch.String()
	}
	for _, t := range state.Topics { // any order: a sum has none
		if !internal(t) {
			answer.Topics++
			answer.Partitions += int64(len(t.Partitions))
		}
	}
	answer.Nodes = clusterNodes(state, view)
	answer.Leaderless = count(b, state, answer.Nodes)
	return answer
}

// clusterNodes lists the brokers that are seen, and those that the catalog expects and nobody sees, ordered by node.
func clusterNodes(state *catalog.State, view partitions.ClusterView) []protocol.ClusterNode {
	var nodes []protocol.ClusterNode
	for _, n := range view.Nodes {
		nodes = append(nodes, protocol.ClusterNode{
			Node: n.Node, Gateway: n.Gateway, Version: n.Version, Alive: n.Alive, Problems: n.Problems, AgeMillis: n.AgeMillis,
		})
	}
	for _, n := range state.NodeIDs() {
		known := state.Nodes[n]
		at := slices.IndexFunc(nodes, func(c protocol.ClusterNode) bool { return c.Node == n })
		if at < 0 {
			if known.State == catalog.Gone {
				continue
			}
			nodes, at = append(nodes, protocol.ClusterNode{Node: n, AgeMillis: -1}), len(nodes)
		}
		nodes[at].State, nodes[at].Rack = known.State.String(), known.Rack
	}
	slices.SortFunc(nodes, func(a, b protocol.ClusterNode) int { return cmp.Compare(a.Node, b.Node) })
	return nodes
}

// count adds up what each broker holds and leads, and returns how many partitions none that lives is known to lead.
func count(b Broker, state *catalog.State, nodes []protocol.ClusterNode) (leaderless int64) {
	at := make(map[id.Node]*protocol.ClusterNode, len(nodes))
	for i := range nodes {
		at[nodes[i].Node] = &nodes[i]
	}
	for _, t := range state.Topics { // any order: sums have none
		for number, a := range t.Partitions {
			for _, p := range a.All() { // those that leave are still there
				if n := at[p.Node]; n != nil {
					n.Replicas++
				}
			}
			leader, _ := b.Leader(id.Partition{Topic: t.ID, Number: int32(number)})
			n := at[leader]
			if n != nil {
				n.Leaders++
			}
			if n == nil || !n.Alive {
				leaderless++
			}
		}
	}
	return leaderless
}
