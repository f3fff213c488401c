package partitions

import "troupe/partitions/id"

// ClusterView is a cluster as one broker sees it.
type ClusterView struct {
	Cluster id.Cluster
	Epoch   id.Epoch // 0: its catalog never lost its majority for ever
	Self    id.Node
	Nodes   []NodeView // ordered by node
}

// NodeView is one broker of a cluster.
type NodeView struct {
	Node    id.Node
	Gateway string // host:port where clients reach it
	Version string
	Alive   bool
	// Problems are sentences for an operator: replicas quarantined, stopped, a disk below its reserve. They are what the broker
	// last told of itself; that it has told nothing for long, while it seems alive, is one of them.
	Problems []string
	// AgeMillis is how long ago that was; -1: it never did. 0 for the broker whose view it is.
	AgeMillis int64
}
