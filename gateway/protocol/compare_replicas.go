package protocol

import "troupe/partitions/id"

// CompareReplicasRequest asks for the replicas of a partition to be compared with each other, one piece of their logs for each
// request: whoever asks goes on where the answer ended, as fast as it likes.
type CompareReplicasRequest struct {
	Topic     string
	TopicID   id.TopicID // the life of the name that is meant; 0: whichever there is
	Partition int32
	From      id.Index // the entry to begin with; what not all replicas have any more is passed over
	End       id.Index // the last entry to compare, as the first answer told it; 0: what all of them have applied now
}

// CompareReplicasResponse tells what a piece has shown.
type CompareReplicasResponse struct {
	TopicID id.TopicID
	// From to Through were compared, of what goes up to End. Through = End: that was the last piece.
	From, Through, End      id.Index
	LogStart, HighWatermark id.Offset // of the records that all of the compared have
	Offset                  id.Offset // of the last batch of the piece; NoOffset: it has none
	Bytes                   int64     // that each replica has read
	Replicas                []ComparedReplica
}

// ComparedReplica is one replica in a comparison.
type ComparedReplica struct {
	Node    id.Node
	Replica id.Replica
	Verdict string    // equal, differs, uncompared
	Index   id.Index  // of the first entry that differs
	Offset  id.Offset // of the batch that this replica has there; NoOffset: none
	Reason  string    // why it was not compared
}

// API returns APICompareReplicas.
func (*CompareReplicasRequest) API() API { return APICompareReplicas }

// API returns APICompareReplicas.
func (*CompareReplicasResponse) API() API { return APICompareReplicas }

func (m *CompareReplicasRequest) encode(w *writer) {
	w.fields(5)
	w.putStr("topic", m.Topic)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putInt("partition", int64(m.Partition))
	w.putUint("from", uint64(m.From))
	w.putUint("end", uint64(m.End))
}

func (m *CompareReplicasRequest) decode(r *reader) {
	*m = CompareReplicasRequest{}
	var named, numbered bool
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic, named = r.str(), true
		case "topic_id":
			m.TopicID = r.topicID()
		case "partition":
			m.Partition, numbered = r.partition(), true
		case "from":
			m.From = r.index()
		case "end":
			m.End = r.index()
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
	r.need(numbered, "partition")
}

func (m *CompareReplicasResponse) encode(w *writer) {
	w.fields(9)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putUint("from", uint64(m.From))
	w.putUint("through", uint64(m.Through))
	w.putUint("end", uint64(m.End))
	w.putInt("log_start", int64(m.LogStart))
	w.putInt("high_watermark", int64(m.HighWatermark))
	w.putInt("offset", int64(m.Offset))
	w.putInt("bytes", m.Bytes)
	w.putList("replicas", len(m.Replicas))
	for _, c := range m.Replicas {
		w.fields(6)
		w.putNode("node", c.Node)
		w.putUint("replica", uint64(c.Replica))
		w.putStr("verdict", c.Verdict)
		w.putUint("index", uint64(c.Index))
		w.putInt("offset", int64(c.Offset))
		w.putStr("reason", c.Reason)
	}
}

func (m *CompareReplicasResponse) decode(r *reader) {
	*m = CompareReplicasResponse{LogStart: NoOffset, HighWatermark: NoOffset, Offset: NoOffset}
	r.fields(func(key string) bool {
		switch key {
		case "topic_id":
			m.TopicID = r.topicID()
		case "from":
			m.From = r.index()
		case "through":
			m.Through = r.index()
		case "end":
			m.End = r.index()
		case "log_start":
			m.LogStart = r.offset()
		case "high_watermark":
			m.HighWatermark = r.offset()
		case "offset":
			m.Offset = r.offset()
		case "bytes":
			m.Bytes = r.int(0, maxInt64)
		case "replicas":
			m.Replicas = listOf[ComparedReplica](r, MaxReplicas)
		default:
			return false
		}
		return true
	})
}

func (m *ComparedReplica) decode(r *reader) {
	*m = ComparedReplica{Offset: NoOffset}
	r.fields(func(key string) bool {
		switch key {
		case "node":
			m.Node = r.node()
		case "replica":
			m.Replica = r.replica()
		case "verdict":
			m.Verdict = r.str()
		case "index":
			m.Index = r.index()
		case "offset":
			m.Offset = r.offset()
		case "reason":
			m.Reason = r.str()
		default:
			return false
		}
		return true
	})
}
