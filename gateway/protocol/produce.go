package protocol

import "troupe/partitions/id"

// Acks says what must have happened before a produce is answered. The values are Kafka's.
type Acks int8

// The acks.
const (
	AcksQuorum Acks = -1 // durable on a majority of the replicas: the default, and the only one with idempotence
	AcksNone   Acks = 0  // passed the gateway's checks; the answer carries no offset
	AcksLeader Acks = 1  // durable on the leader
)

// ProduceRequest appends record batches to partitions of one topic. Requests of one connection are appended in the order
// in which they were sent, per partition.
type ProduceRequest struct {
	Topic      string
	TopicID    id.TopicID // 0: whichever the name means
	Acks       Acks
	Partitions []ProducePartition
}

// ProducePartition is what one partition is to get: Batch, or Records if Batch is nil.
type ProducePartition struct {
	Partition int32
	// Batch is a whole RecordBatch v2.
	Batch []byte
	// Records become one batch, uncompressed and without a producer id.
	Records Records
	// ExpectEnd appends only if the partition ends at this offset; NoOffset: wherever it ends.
	ExpectEnd id.Offset
}

// ProduceResponse answers in the order of the request.
type ProduceResponse struct {
	TopicID    id.TopicID
	Partitions []ProducedPartition
}

// ProducedPartition tells what became of one batch.
type ProducedPartition struct {
	Partition     int32
	Err           *Error
	BaseOffset    id.Offset // of its first record; NoOffset after an error and with AcksNone
	AppendTime    id.Timestamp
	LogStart      id.Offset
	HighWatermark id.Offset
	Term          id.Term
	Duplicate     bool // appended by an earlier send, at BaseOffset
}

// API returns APIProduce.
func (*ProduceRequest) API() API { return APIProduce }

// API returns APIProduce.
func (*ProduceResponse) API() API { return APIProduce }

func (m *ProduceRequest) encode(w *writer) {
	w.fields(4)
	w.putStr("topic", m.Topic)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putInt("acks", int64(m.Acks))
	w.putList("partitions", len(m.Partitions))
	for i := range m.Partitions {
		m.Partitions[i].encode(w)
	}
}

func (m *ProduceRequest) decode(r *reader) {
	*m = ProduceRequest{Acks: AcksQuorum}
	named, listed := false, false
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic, named = r.str(), true
		case "topic_id":
			m.TopicID = r.topicID()
		case "acks":
			m.Acks = Acks(r.int(-1, 1))
		case "partitions":
			m.Partitions, listed = listOf[ProducePartition](r, MaxPartitions), true
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
	r.need(listed, "partitions")
}

func (p *ProducePartition) encode(w *writer) {
	w.fields(3)
	w.putInt("partition", int64(p.Partition))
	w.putInt("expect_end_offset", int64(p.ExpectEnd))
	if p.Batch != nil {
		w.putBin("batch", p.Batch)
	} else {
		w.putRecords(p.Records)
	}
}

func (p *ProducePartition) decode(r *reader) {
	*p = ProducePartition{ExpectEnd: NoOffset}
	numbered, batch, records := false, false, false
	r.fields(func(key string) bool {
		switch key {
		case "partition":
			p.Partition, numbered = r.partition(), true
		case "batch":
			p.Batch, batch = r.bin(), true
		case "records":
			p.Records, records = r.records(), true
		case "expect_end_offset":
			p.ExpectEnd = r.offset()
		default:
			return false
		}
		return true
	})
	r.need(numbered, "partition")
	if r.err == nil && batch == records {
		r.fail("needs either batch or records, and not both")
	}
}

func (m *ProduceResponse) encode(w *writer) {
	w.fields(2)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putList("partitions", len(m.Partitions))
	for i := range m.Partitions {
		m.Partitions[i].encode(w)
	}
}

func (m *ProduceResponse) decode(r *reader) {
	*m = ProduceResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "topic_id":
			m.TopicID = r.topicID()
		case "partitions":
			m.Partitions = listOf[ProducedPartition](r, maxAnswers)
		default:
			return false
		}
		return true
	})
}

func (p *ProducedPartition) encode(w *writer) {
	w.fields(8)
	w.putInt("partition", int64(p.Partition))
	w.putError(p.Err)
	w.putInt("base_offset", int64(p.BaseOffset))
	w.putInt("append_time", int64(p.AppendTime))
	w.putInt("log_start", int64(p.LogStart))
	w.putInt("high_watermark", int64(p.HighWatermark))
	w.putUint("term", uint64(p.Term))
	w.putBool("duplicate", p.Duplicate)
}

func (p *ProducedPartition) decode(r *reader) {
	*p = ProducedPartition{BaseOffset: NoOffset, AppendTime: NoTimestamp, LogStart: NoOffset, HighWatermark: NoOffset}
	r.fields(func(key string) bool {
		switch key {
		case "partition":
			p.Partition = r.partition()
		case "error":
			p.Err = r.error()
		case "base_offset":
			p.BaseOffset = r.offset()
		case "append_time":
			p.AppendTime = r.timestamp()
		case "log_start":
			p.LogStart = r.offset()
		case "high_watermark":
			p.HighWatermark = r.offset()
		case "term":
			p.Term = r.term()
		case "duplicate":
			p.Duplicate = r.bool()
		default:
			return false
		}
		return true
	})
}
