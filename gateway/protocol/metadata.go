package protocol

import "troupe/partitions/id"

// MetadataRequest asks which topics there are, and where to send requests for their partitions.
type MetadataRequest struct {
	// Topics are the names asked for; none: every topic that is not internal.
	Topics []string
}

// MetadataResponse lists brokers and topics, as far as the broker asked knows.
type MetadataResponse struct {
	Cluster id.Cluster
	Catalog id.Offset       // how far the broker that answers knows the catalog
	Nodes   []MetadataNode  // ordered by node
	Topics  []MetadataTopic // ordered by name, or as they were asked for
}

// MetadataNode is one broker.
type MetadataNode struct {
	Node    id.Node
	Gateway string // host:port for clients
	Alive   bool
}

// MetadataTopic is one topic, or why there is none.
type MetadataTopic struct {
	Topic      string
	TopicID    id.TopicID
	Err        *Error
	Partitions []MetadataPartition // by number
}

// MetadataPartition is one partition. The leader is where requests are answered fastest, as far as is known; any broker
// answers any request.
type MetadataPartition struct {
	Partition int32
	Leader    id.Node   // 0: not known
	Term      id.Term   // in which it leads; 0: nobody told of a leader, and it is a guess
	Replicas  []id.Node // the first is the preferred leader
}

// API returns APIMetadata.
func (*MetadataRequest) API() API { return APIMetadata }

// API returns APIMetadata.
func (*MetadataResponse) API() API { return APIMetadata }

func (m *MetadataRequest) encode(w *writer) {
	w.fields(1)
	w.putStrings("topics", m.Topics)
}

func (m *MetadataRequest) decode(r *reader) {
	*m = MetadataRequest{}
	r.fields(func(key string) bool {
		switch key {
		case "topics":
			m.Topics = r.strings(MaxTopics)
		default:
			return false
		}
		return true
	})
}

func (m *MetadataResponse) encode(w *writer) {
	w.fields(4)
	w.putStr("cluster", m.Cluster.String())
	w.putInt("catalog", int64(m.Catalog))
	w.putList("nodes", len(m.Nodes))
	for _, n := range m.Nodes {
		w.fields(3)
		w.putNode("node", n.Node)
		w.putStr("gateway", n.Gateway)
		w.putBool("alive", n.Alive)
	}
	w.putList("topics", len(m.Topics))
	for i := range m.Topics {
		m.Topics[i].encode(w)
	}
}

func (m *MetadataResponse) decode(r *reader) {
	*m = MetadataResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "cluster":
			m.Cluster = id.Cluster(r.hex())
		case "catalog":
			m.Catalog = r.offset()
		case "nodes":
			m.Nodes = listOf[MetadataNode](r, maxAnswers)
		case "topics":
			m.Topics = listOf[MetadataTopic](r, maxAnswers)
		default:
			return false
		}
		return true
	})
}

func (n *MetadataNode) decode(r *reader) {
	r.fields(func(key string) bool {
		switch key {
		case "node":
			n.Node = r.node()
		case "gateway":
			n.Gateway = r.str()
		case "alive":
			n.Alive = r.bool()
		default:
			return false
		}
		return true
	})
}

func (t *MetadataTopic) encode(w *writer) {
	w.fields(4)
	w.putStr("topic", t.Topic)
	w.putUint("topic_id", uint64(t.TopicID))
	w.putError(t.Err)
	w.putList("partitions", len(t.Partitions))
	for _, p := range t.Partitions {
		w.fields(4)
		w.putInt("partition", int64(p.Partition))
		w.putNode("leader", p.Leader)
		w.putUint("term", uint64(p.Term))
		w.putNodes("replicas", p.Replicas)
	}
}

func (t *MetadataTopic) decode(r *reader) {
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			t.Topic = r.str()
		case "topic_id":
			t.TopicID = r.topicID()
		case "error":
			t.Err = r.error()
		case "partitions":
			t.Partitions = listOf[MetadataPartition](r, maxAnswers)
		default:
			return false
		}
		return true
	})
}

func (p *MetadataPartition) decode(r *reader) {
	r.fields(func(key string) bool {
		switch key {
		case "partition":
			p.Partition = r.partition()
		case "leader":
			p.Leader = r.node()
		case "term":
			p.Term = r.term()
		case "replicas":
			p.Replicas = r.nodes()
		default:
			return false
		}
		return true
	})
}
