package protocol

import (
	"math"

	"troupe/partitions/id"
)

// DescribeTopicRequest asks for everything known about a topic, partition by partition.
type DescribeTopicRequest struct {
	Topic   string
	TopicID id.TopicID // 0: whichever the name means
}

// DescribeTopicResponse describes a topic.
type DescribeTopicResponse struct {
	Topic      string
	TopicID    id.TopicID
	Created    id.Timestamp
	Settings   map[string]string // only those somebody chose
	Partitions []DescribedPartition
}

// DescribedPartition is a partition as its leader sees it.
type DescribedPartition struct {
	Partition     int32
	Leader        id.Node // 0: none known
	Role          string  // of the replica that answered: leader, follower, opening, quarantined, stopped, ...
	Ready         bool    // it answers clients
	Term          id.Term
	LogStart      id.Offset
	HighWatermark id.Offset
	Bytes         int64 // on disk
	Segments      int64
	Replicas      []id.Node // the first is the preferred leader
	Problem       string    // a sentence for the operator; empty when all is well
	Assigned      id.Offset // the version of the assignment
	Settled       bool      // the members are those assigned: nothing moves
	Members       []DescribedReplica
	Recoveries    []Recovery // oldest first
}

// DescribedReplica is one replica of a partition: assigned to it, or still a member of it.
type DescribedReplica struct {
	Replica id.Replica
	Node    id.Node
	Role    string   // leader, voter, learner; joining: assigned and no member yet; leaving: left out by the assignment; empty: not known
	State   string   // as the leader sees it: replicate, probe, snapshot, or away; empty if that is not known
	Match   id.Index // the last entry that the leader knows it holds; 0: not known
}

// API returns APIDescribeTopic.
func (*DescribeTopicRequest) API() API { return APIDescribeTopic }

// API returns APIDescribeTopic.
func (*DescribeTopicResponse) API() API { return APIDescribeTopic }

func (m *DescribeTopicRequest) encode(w *writer) {
	w.fields(2)
	w.putStr("topic", m.Topic)
	w.putUint("topic_id", uint64(m.TopicID))
}

func (m *DescribeTopicRequest) decode(r *reader) {
	*m = DescribeTopicRequest{}
	named := false
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic, named = r.str(), true
		case "topic_id":
			m.TopicID = r.topicID()
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
}

func (m *DescribeTopicResponse) encode(w *writer) {
	w.fields(5)
	w.putStr("topic", m.Topic)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putInt("created", int64(m.Created))
	w.putSettings(m.Settings)
	w.putList("partitions", len(m.Partitions))
	for i := range m.Partitions {
		m.Partitions[i].encode(w)
	}
}

func (m *DescribeTopicResponse) decode(r *reader) {
	*m = DescribeTopicResponse{Created: NoTimestamp}
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic = r.str()
		case "topic_id":
			m.TopicID = r.topicID()
		case "created":
			m.Created = r.timestamp()
		case "settings":
			m.Settings = r.settings()
		case "partitions":
			m.Partitions = listOf[DescribedPartition](r, maxAnswers)
		default:
			return false
		}
		return true
	})
}

func (p *DescribedPartition) encode(w *writer) {
	w.fields(15)
	w.putInt("partition", int64(p.Partition))
	w.putNode("leader", p.Leader)
	w.putStr("role", p.Role)
	w.putBool("ready", p.Ready)
	w.putUint("term", uint64(p.Term))
	w.putInt("log_start", int64(p.LogStart))
	w.putInt("high_watermark", int64(p.HighWatermark))
	w.putInt("bytes", p.Bytes)
	w.putInt("segments", p.Segments)
	w.putNodes("replicas", p.Replicas)
	w.putStr("problem", p.Problem)
	w.putInt("assigned", int64(p.Assigned))
	w.putBool("settled", p.Settled)
	w.putList("members", len(p.Members))
	for _, m := range p.Members {
		w.fields(5)
		w.putUint("replica", uint64(m.Replica))
		w.putNode("node", m.Node)
		w.putStr("role", m.Role)
		w.putStr("state", m.State)
		w.putUint("match", uint64(m.Match))
	}
	w.putList("recoveries", len(p.Recoveries))
	for i := range p.Recoveries {
		p.Recoveries[i].encode(w)
	}
}

func (p *DescribedPartition) decode(r *reader) {
	*p = DescribedPartition{LogStart: NoOffset, HighWatermark: NoOffset, Assigned: NoOffset}
	r.fields(func(key string) bool {
		switch key {
		case "partition":
			p.Partition = r.partition()
		case "leader":
			p.Leader = r.node()
		case "role":
			p.Role = r.str()
		case "ready":
			p.Ready = r.bool()
		case "term":
			p.Term = r.term()
		case "log_start":
			p.LogStart = r.offset()
		case "high_watermark":
			p.HighWatermark = r.offset()
		case "bytes":
			p.Bytes = r.int(0, maxInt64)
		case "segments":
			p.Segments = r.int(0, maxInt64)
		case "replicas":
			p.Replicas = r.nodes()
		case "problem":
			p.Problem = r.str()
		case "assigned":
			p.Assigned = r.offset()
		case "settled":
			p.Settled = r.bool()
		case "members":
			p.Members = listOf[DescribedReplica](r, maxAnswers)
		case "recoveries":
			p.Recoveries = listOf[Recovery](r, maxAnswers)
		default:
			return false
		}
		return true
	})
}

func (m *DescribedReplica) decode(r *reader) {
	r.fields(func(key string) bool {
		switch key {
		case "replica":
			m.Replica = r.replica()
		case "node":
			m.Node = r.node()
		case "role":
			m.Role = r.str()
		case "state":
			m.State = r.str()
		case "match":
			m.Match = id.Index(r.uint(math.MaxUint64))
		default:
			return false
		}
		return true
	})
}
