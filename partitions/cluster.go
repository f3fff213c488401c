package partitions

import "troupe/partitions/id"

// ClusterView is a cluster as one broker sees it.
type ClusterView struct {
	Cluster id.Cluster
	Epoch   id.Epoch // 0: its catalog never lost its majority for ever
	Self    id.Node
	Nodes   []NodeView // ordered by node
}

// MovePlan is what is to move in a cluster, as one broker sees it.
type MovePlan struct {
	Moving []Move // under way: From is where the partition was, as far as that can be told
	Next   []Move // what the cluster does by itself, in this order
	Held   []Move // for balance, while somebody else is away who may come back: an operator may order it
	Away   []id.Node
}

// Move is a partition's way from some brokers to others, the preferred leader first.
type Move struct {
	Partition id.Partition
	Assigned  id.Offset // the version of the assignment that it starts from or, under way, that it follows
	From, To  []id.Node
	Why       string // for people
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
