package protocol

import "troupe/partitions/id"

// AnyAssignment as AssignReplicasRequest.If makes no condition.
const AnyAssignment = NoOffset

// MaxReplicas is how many replicas one AssignReplicas may name.
const MaxReplicas = 16

// AssignReplicasRequest asks for a partition's replicas to live on other brokers. It is answered when that is decided; the
// partition moves afterwards, and DescribeTopic tells how far it is.
type AssignReplicasRequest struct {
	Topic     string
	TopicID   id.TopicID // the life of the name that is meant; 0: whichever there is
	Partition int32
	Nodes     []id.Node    // the preferred leader first; those that have a replica keep it
	Replace   []id.Replica // that lost their log: they leave for ever
	If        id.Offset    // the version of the assignment that this one is made from; AnyAssignment: whichever there is
}

// AssignReplicasResponse answers once the broker asked knows the new assignment.
type AssignReplicasResponse struct {
	TopicID  id.TopicID
	Assigned id.Offset // the version of the assignment
	Replicas []id.Node
}

// API returns APIAssignReplicas.
func (*AssignReplicasRequest) API() API { return APIAssignReplicas }

// API returns APIAssignReplicas.
func (*AssignReplicasResponse) API() API { return APIAssignReplicas }

func (m *AssignReplicasRequest) encode(w *writer) {
	w.fields(6)
	w.putStr("topic", m.Topic)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putInt("partition", int64(m.Partition))
	w.putNodes("nodes", m.Nodes)
	w.putList("replace", len(m.Replace))
	for _, r := range m.Replace {
		w.uint(uint64(r))
	}
	w.putInt("if", int64(m.If))
}

func (m *AssignReplicasRequest) decode(r *reader) {
	*m = AssignReplicasRequest{If: AnyAssignment}
	var named, numbered, placed bool
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic, named = r.str(), true
		case "topic_id":
			m.TopicID = r.topicID()
		case "partition":
			m.Partition, numbered = r.partition(), true
		case "nodes":
			placed = true
			r.list(MaxReplicas, func(int) { m.Nodes = append(m.Nodes, r.node()) })
		case "replace":
			r.list(MaxReplicas, func(int) { m.Replace = append(m.Replace, r.replica()) })
		case "if":
			m.If = r.offset()
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
	r.need(numbered, "partition")
	r.need(placed, "nodes")
}

func (m *AssignReplicasResponse) encode(w *writer) {
	w.fields(3)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putInt("assigned", int64(m.Assigned))
	w.putNodes("replicas", m.Replicas)
}

func (m *AssignReplicasResponse) decode(r *reader) {
	*m = AssignReplicasResponse{Assigned: NoOffset}
	r.fields(func(key string) bool {
		switch key {
		case "topic_id":
			m.TopicID = r.topicID()
		case "assigned":
			m.Assigned = r.offset()
		case "replicas":
			m.Replicas = r.nodes()
		default:
			return false
		}
		return true
	})
}
