package protocol

import "troupe/partitions/id"

// EverythingSoFar as DeletePartition.Before deletes every record below the high watermark.
const EverythingSoFar id.Offset = -1

// DeleteRecordsRequest asks for the log start of several partitions to move up: what lies below is deleted.
type DeleteRecordsRequest struct {
	Partitions []DeletePartition
}

// DeletePartition asks one partition.
type DeletePartition struct {
	Topic     string
	TopicID   id.TopicID // 0: whichever the name means
	Partition int32
	Before    id.Offset // the new log start; EverythingSoFar
}

// DeleteRecordsResponse answers in the order of the request.
type DeleteRecordsResponse struct {
	Partitions []DeletedRecords
}

// DeletedRecords is one partition's answer. A log start above Before was there already.
type DeletedRecords struct {
	Topic         string
	TopicID       id.TopicID
	Partition     int32
	Err           *Error
	LogStart      id.Offset
	HighWatermark id.Offset
	Term          id.Term
}

// API returns APIDeleteRecords.
func (*DeleteRecordsRequest) API() API { return APIDeleteRecords }

// API returns APIDeleteRecords.
func (*DeleteRecordsResponse) API() API { return APIDeleteRecords }

func (m *DeleteRecordsRequest) encode(w *writer) {
	w.fields(1)
	w.putList("partitions", len(m.Partitions))
	for _, p := range m.Partitions {
		w.fields(4)
		w.putStr("topic", p.Topic)
		w.putUint("topic_id", uint64(p.TopicID))
		w.putInt("partition", int64(p.Partition))
		w.putInt("before", int64(p.Before))
	}
}

func (m *DeleteRecordsRequest) decode(r *reader) {
	*m = DeleteRecordsRequest{}
	listed := false
	r.fields(func(key string) bool {
		switch key {
		case "partitions":
			m.Partitions, listed = listOf[DeletePartition](r, MaxPartitions), true
		default:
			return false
		}
		return true
	})
	r.need(listed, "partitions")
}

func (p *DeletePartition) decode(r *reader) {
	named, numbered, bounded := false, false, false
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			p.Topic, named = r.str(), true
		case "topic_id":
			p.TopicID = r.topicID()
		case "partition":
			p.Partition, numbered = r.partition(), true
		case "before":
			p.Before, bounded = r.offset(), true
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
	r.need(numbered, "partition")
	r.need(bounded, "before")
}

func (m *DeleteRecordsResponse) encode(w *writer) {
	w.fields(1)
	w.putList("partitions", len(m.Partitions))
	for i := range m.Partitions {
		m.Partitions[i].encode(w)
	}
}

func (m *DeleteRecordsResponse) decode(r *reader) {
	*m = DeleteRecordsResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "partitions":
			m.Partitions = listOf[DeletedRecords](r, maxAnswers)
		default:
			return false
		}
		return true
	})
}

func (p *DeletedRecords) encode(w *writer) {
	w.fields(7)
	w.putStr("topic", p.Topic)
	w.putUint("topic_id", uint64(p.TopicID))
	w.putInt("partition", int64(p.Partition))
	w.putError(p.Err)
	w.putInt("log_start", int64(p.LogStart))
	w.putInt("high_watermark", int64(p.HighWatermark))
	w.putUint("term", uint64(p.Term))
}

func (p *DeletedRecords) decode(r *reader) {
	*p = DeletedRecords{LogStart: NoOffset, HighWatermark: NoOffset}
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			p.Topic = r.str()
		case "topic_id":
			p.TopicID = r.topicID()
		case "partition":
			p.Partition = r.partition()
		case "error":
			p.Err = r.error()
		case "log_start":
			p.LogStart = r.offset()
		case "high_watermark":
			p.HighWatermark = r.offset()
		case "term":
			p.Term = r.term()
		default:
			return false
		}
		return true
	})
}
