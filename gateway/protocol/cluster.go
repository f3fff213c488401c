package protocol

import "troupe/partitions/id"

// DescribeClusterRequest asks how the cluster is, as the broker asked sees it.
type DescribeClusterRequest struct{}

// DescribeClusterResponse describes the cluster.
type DescribeClusterResponse struct {
	Cluster    id.Cluster
	Epoch      string  // of the newest recovery of its catalog, as id.Epoch prints it; empty: it never lost its majority
	Self       id.Node // the broker that answers
	Catalog    id.Offset
	Topics     int64 // internal ones not counted
	Partitions int64 // of those topics
	Leaderless int64 // partitions of which no living leader is known, internal ones included
	Nodes      []ClusterNode
}

// ClusterNode is one broker.
type ClusterNode struct {
	Node     id.Node
	Gateway  string // host:port for clients
	Version  string
	Alive    bool
	Problems []string // sentences for an operator, as the broker last told them
	State    string   // whether it may hold replicas: active, draining, gone; empty if the catalog does not know it
	Rack     string   // where it stands; empty: nobody said
	Replicas int64    // of partitions assigned to it, internal ones included
	Leaders  int64    // partitions that it leads, as far as is known, internal ones included
	// AgeMillis is how long ago it told what is said of it here; -1: it never has. 0 for the one that answers.
	AgeMillis int64
}

// API returns APIDescribeCluster.
func (*DescribeClusterRequest) API() API { return APIDescribeCluster }

// API returns APIDescribeCluster.
func (*DescribeClusterResponse) API() API { return APIDescribeCluster }

func (m *DescribeClusterRequest) encode(w *writer) { w.fields(0) }

func (m *DescribeClusterRequest) decode(r *reader) { r.fields(func(string) bool { return false }) }

func (m *DescribeClusterResponse) encode(w *writer) {
	w.fields(8)
	w.putStr("cluster", m.Cluster.String())
	w.putStr("epoch", m.Epoch)
	w.putNode("self", m.Self)
	w.putInt("catalog", int64(m.Catalog))
	w.putInt("topics", m.Topics)
	w.putInt("partitions", m.Partitions)
	w.putInt("leaderless", m.Leaderless)
	w.putList("nodes", len(m.Nodes))
	for _, n := range m.Nodes {
		w.fields(10)
		w.putNode("node", n.Node)
		w.putStr("gateway", n.Gateway)
		w.putStr("version", n.Version)
		w.putBool("alive", n.Alive)
		w.putStrings("problems", n.Problems)
		w.putStr("state", n.State)
		w.putStr("rack", n.Rack)
		w.putInt("replicas", n.Replicas)
		w.putInt("leaders", n.Leaders)
		w.putInt("age_ms", n.AgeMillis)
	}
}

func (m *DescribeClusterResponse) decode(r *reader) {
	*m = DescribeClusterResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "cluster":
			m.Cluster = id.Cluster(r.hex())
		case "epoch":
			m.Epoch = r.str()
		case "self":
			m.Self = r.node()
		case "catalog":
			m.Catalog = r.offset()
		case "topics":
			m.Topics = r.int(0, maxInt64)
		case "partitions":
			m.Partitions = r.int(0, maxInt64)
		case "leaderless":
			m.Leaderless = r.int(0, maxInt64)
		case "nodes":
			m.Nodes = listOf[ClusterNode](r, maxAnswers)
		default:
			return false
		}
		return true
	})
}

func (n *ClusterNode) decode(r *reader) {
	r.fields(func(key string) bool {
		switch key {
		case "node":
			n.Node = r.node()
		case "gateway":
			n.Gateway = r.str()
		case "version":
			n.Version = r.str()
		case "alive":
			n.Alive = r.bool()
		case "problems":
			n.Problems = r.strings(maxAnswers)
		case "state":
			n.State = r.str()
		case "rack":
			n.Rack = r.str()
		case "replicas":
			n.Replicas = r.int(0, maxInt64)
		case "leaders":
			n.Leaders = r.int(0, maxInt64)
		case "age_ms":
			n.AgeMillis = r.int(-1, maxInt64)
		default:
			return false
		}
		return true
	})
}
