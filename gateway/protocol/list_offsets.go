package protocol

import "troupe/partitions/id"

// OffsetAt says which offset of a partition is asked for. On the wire it is a word.
type OffsetAt uint8

// The offsets that can be asked for.
const (
	OffsetEarliest OffsetAt = iota // "earliest": the log start
	OffsetLatest                   // "latest": the high watermark, confirmed with a quorum
	OffsetAtTime                   // "time": the base of the first batch with a record at or after a time
)

var offsetAtNames = [...]string{"earliest", "latest", "time"}

// String returns the word.
func (a OffsetAt) String() string { return offsetAtNames[a] }

// ListOffsetsRequest asks for one offset of each of several partitions.
type ListOffsetsRequest struct {
	Partitions []OffsetPartition
}

// OffsetPartition asks one partition.
type OffsetPartition struct {
	Topic     string
	TopicID   id.TopicID // 0: whichever the name means
	Partition int32
	At        OffsetAt
	Time      id.Timestamp // for OffsetAtTime
}

// ListOffsetsResponse answers in the order of the request.
type ListOffsetsResponse struct {
	Partitions []ListedOffset
}

// ListedOffset is one partition's answer. If no batch is as young as the time asked for, Offset is the high watermark and
// Time is NoTimestamp. Beside DAMAGED there may be an offset: a quarantined partition tells what verifies, marked.
type ListedOffset struct {
	Topic         string
	TopicID       id.TopicID
	Partition     int32
	Err           *Error
	Offset        id.Offset
	Time          id.Timestamp // largest of the batch found by time
	LogStart      id.Offset
	HighWatermark id.Offset
	Term          id.Term
}

// API returns APIListOffsets.
func (*ListOffsetsRequest) API() API { return APIListOffsets }

// API returns APIListOffsets.
func (*ListOffsetsResponse) API() API { return APIListOffsets }

func (m *ListOffsetsRequest) encode(w *writer) {
	w.fields(1)
	w.putList("partitions", len(m.Partitions))
	for _, p := range m.Partitions {
		w.fields(5)
		w.putStr("topic", p.Topic)
		w.putUint("topic_id", uint64(p.TopicID))
		w.putInt("partition", int64(p.Partition))
		w.putStr("at", p.At.String())
		w.putInt("time", int64(p.Time))
	}
}

func (m *ListOffsetsRequest) decode(r *reader) {
	*m = ListOffsetsRequest{}
	listed := false
	r.fields(func(key string) bool {
		switch key {
		case "partitions":
			m.Partitions, listed = listOf[OffsetPartition](r, MaxPartitions), true
		default:
			return false
		}
		return true
	})
	r.need(listed, "partitions")
}

func (p *OffsetPartition) decode(r *reader) {
	p.At, p.Time = OffsetLatest, NoTimestamp
	named, numbered := false, false
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			p.Topic, named = r.str(), true
		case "topic_id":
			p.TopicID = r.topicID()
		case "partition":
			p.Partition, numbered = r.partition(), true
		case "at":
			p.At = r.offsetAt()
		case "time":
			p.Time = r.timestamp()
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
	r.need(numbered, "partition")
	r.need(p.At != OffsetAtTime || p.Time != NoTimestamp, "time")
}

func (r *reader) offsetAt() OffsetAt {
	word := r.str()
	for i, name := range offsetAtNames {
		if word == name {
			return OffsetAt(i)
		}
	}
	r.fail("%q is none of earliest, latest, time", word)
	return OffsetLatest
}

func (m *ListOffsetsResponse) encode(w *writer) {
	w.fields(1)
	w.putList("partitions", len(m.Partitions))
	for i := range m.Partitions {
		m.Partitions[i].encode(w)
	}
}

func (m *ListOffsetsResponse) decode(r *reader) {
	*m = ListOffsetsResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "partitions":
			m.Partitions = listOf[ListedOffset](r, maxAnswers)
		default:
			return false
		}
		return true
	})
}

func (p *ListedOffset) encode(w *writer) {
	w.fields(9)
	w.putStr("topic", p.Topic)
	w.putUint("topic_id", uint64(p.TopicID))
	w.putInt("partition", int64(p.Partition))
	w.putError(p.Err)
	w.putInt("offset", int64(p.Offset))
	w.putInt("time", int64(p.Time))
	w.putInt("log_start", int64(p.LogStart))
	w.putInt("high_watermark", int64(p.HighWatermark))
	w.putUint("term", uint64(p.Term))
}

func (p *ListedOffset) decode(r *reader) {
	*p = ListedOffset{Offset: NoOffset, Time: NoTimestamp, LogStart: NoOffset, HighWatermark: NoOffset}
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
		case "offset":
			p.Offset = r.offset()
		case "time":
			p.Time = r.timestamp()
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
