package gateway

import "troupe/gateway/protocol"

// describeCluster tells how the cluster looks from here.
func (s *Session) describeCluster(c call) {
	state, view := s.broker.Catalog(), s.broker.Cluster()
	answer := &protocol.DescribeClusterResponse{Cluster: view.Cluster, Self: view.Self, Catalog: state.Version}
	for _, t := range state.Topics { // any order: a sum has none
		if !internal(t) {
			answer.Topics++
			answer.Partitions += int64(len(t.Partitions))
		}
	}
	for _, n := range view.Nodes {
		answer.Nodes = append(answer.Nodes, protocol.ClusterNode{
			Node: n.Node, Gateway: n.Gateway, Version: n.Version, Alive: n.Alive, Problems: n.Problems,
		})
	}
	c.reply(answer)
}
