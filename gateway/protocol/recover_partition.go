package protocol

import "troupe/partitions/id"

// RecoverPartitionRequest asks for a partition whose majority of replicas is lost for ever to go on with what one replica has.
// What only the lost ones had is lost with them. It is answered when that is decided; DescribeTopic tells how far it is.
type RecoverPartitionRequest struct {
	Topic     string
	TopicID   id.TopicID // the life of the name that is meant; 0: whichever there is
	Partition int32
	From      id.Node // whose replica is the survivor; 0: whichever has most
	// AcceptLoss must be set: whoever asks knows that records may be lost.
	AcceptLoss bool
}

// RecoverPartitionResponse answers once the broker asked knows the decision.
type RecoverPartitionResponse struct {
	TopicID  id.TopicID
	Recovery Recovery
}

// Recovery tells how a partition went on after it had lost its majority.
type Recovery struct {
	At       id.Timestamp
	Node     id.Node    // where the survivor was, and its heir is
	Survivor id.Replica // whose log the heir's begins with
	Heir     id.Replica
	Assigned id.Offset    // the version of the assignment that it made
	GivenUp  []id.Replica // all other replicas, as far as they were not known to be lost before
	Nodes    []id.Node    // where they were, in the same order
}

// API returns APIRecoverPartition.
func (*RecoverPartitionRequest) API() API { return APIRecoverPartition }

// API returns APIRecoverPartition.
func (*RecoverPartitionResponse) API() API { return APIRecoverPartition }

func (m *RecoverPartitionRequest) encode(w *writer) {
	w.fields(5)
	w.putStr("topic", m.Topic)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putInt("partition", int64(m.Partition))
	w.putNode("from", m.From)
	w.putBool("accept_loss", m.AcceptLoss)
}

func (m *RecoverPartitionRequest) decode(r *reader) {
	*m = RecoverPartitionRequest{}
	var named, numbered, accepted bool
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic, named = r.str(), true
		case "topic_id":
			m.TopicID = r.topicID()
		case "partition":
			m.Partition, numbered = r.partition(), true
		case "from":
			m.From = r.node()
		case "accept_loss":
			m.AcceptLoss, accepted = r.bool(), true
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
	r.need(numbered, "partition")
	r.need(accepted, "accept_loss")
}

func (m *RecoverPartitionResponse) encode(w *writer) {
	w.fields(2)
	w.putUint("topic_id", uint64(m.TopicID))
	w.str("recovery")
	m.Recovery.encode(w)
}

func (m *RecoverPartitionResponse) decode(r *reader) {
	*m = RecoverPartitionResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "topic_id":
			m.TopicID = r.topicID()
		case "recovery":
			m.Recovery.decode(r)
		default:
			return false
		}
		return true
	})
}

func (m *Recovery) encode(w *writer) {
	w.fields(7)
	w.putInt("at", int64(m.At))
	w.putNode("node", m.Node)
	w.putUint("survivor", uint64(m.Survivor))
	w.putUint("heir", uint64(m.Heir))
	w.putInt("assigned", int64(m.Assigned))
	w.putList("given_up", len(m.GivenUp))
	for _, r := range m.GivenUp {
		w.uint(uint64(r))
	}
	w.putNodes("nodes", m.Nodes)
}

func (m *Recovery) decode(r *reader) {
	*m = Recovery{At: NoTimestamp, Assigned: NoOffset}
	r.fields(func(key string) bool {
		switch key {
		case "at":
			m.At = r.timestamp()
		case "node":
			m.Node = r.node()
		case "survivor":
			m.Survivor = r.replica()
		case "heir":
			m.Heir = r.replica()
		case "assigned":
			m.Assigned = r.offset()
		case "given_up":
			r.list(MaxReplicas, func(int) { m.GivenUp = append(m.GivenUp, r.replica()) })
		case "nodes":
			m.Nodes = r.nodes()
		default:
			return false
		}
		return true
	})
}
