package protocol

import "troupe/partitions/id"

// Defaults of a fetch.
const (
	DefaultFetchMinBytes   = 1
	DefaultFetchMaxBytes   = 1 << 20
	DefaultFetchWaitMillis = 500
)

// Form says how a fetch returns records. On the wire it is a word.
type Form uint8

// The forms.
const (
	FormBatch   Form = iota // "batch": whole RecordBatch v2, as they were produced
	FormRecords             // "records": one array per record
)

var formNames = [...]string{"batch", "records"}

// String returns the word.
func (f Form) String() string { return formNames[f] }

// FetchRequest asks for committed records of several partitions. The answer comes as soon as MinBytes are there, or any
// partition has an error, or the wait is over.
type FetchRequest struct {
	Partitions []FetchPartition
	MinBytes   int32 // 0: do not wait
	MaxBytes   int32 // of batches, over all partitions; one batch is returned however large
	WaitMillis int32
	Form       Form
}

// FetchPartition is where to read one partition.
type FetchPartition struct {
	Topic     string
	TopicID   id.TopicID // 0: whichever the name means
	Partition int32
	Offset    id.Offset
	MaxBytes  int32 // of this partition; 0: as much as the request allows
}

// FetchResponse answers in the order of the request.
type FetchResponse struct {
	Partitions []FetchedPartition
}

// FetchedPartition is what one partition had. Beside DAMAGED there may be batches or records: a quarantined partition returns
// what verifies, marked.
type FetchedPartition struct {
	Topic         string
	TopicID       id.TopicID
	Partition     int32
	Err           *Error
	LogStart      id.Offset
	HighWatermark id.Offset
	Term          id.Term
	// Batches are whole RecordBatch v2; the first may begin below the offset asked for. Only in FormBatch.
	Batches [][]byte
	// Records begin at the offset asked for. Only in FormRecords.
	Records Records
	// NextOffset is where to fetch on. Where nothing was returned and it lies above the offset asked for, no record is left in
	// between: see Gap in PROTOCOL.md.
	NextOffset id.Offset
}

// API returns APIFetch.
func (*FetchRequest) API() API { return APIFetch }

// API returns APIFetch.
func (*FetchResponse) API() API { return APIFetch }

func (m *FetchRequest) encode(w *writer) {
	w.fields(5)
	w.putInt("min_bytes", int64(m.MinBytes))
	w.putInt("max_bytes", int64(m.MaxBytes))
	w.putInt("max_wait_ms", int64(m.WaitMillis))
	w.putStr("form", m.Form.String())
	w.putList("partitions", len(m.Partitions))
	for _, p := range m.Partitions {
		w.fields(5)
		w.putStr("topic", p.Topic)
		w.putUint("topic_id", uint64(p.TopicID))
		w.putInt("partition", int64(p.Partition))
		w.putInt("offset", int64(p.Offset))
		w.putInt("max_bytes", int64(p.MaxBytes))
	}
}

func (m *FetchRequest) decode(r *reader) {
	*m = FetchRequest{MinBytes: DefaultFetchMinBytes, MaxBytes: DefaultFetchMaxBytes, WaitMillis: DefaultFetchWaitMillis}
	listed := false
	r.fields(func(key string) bool {
		switch key {
		case "min_bytes":
			m.MinBytes = int32(r.int(0, maxInt32))
		case "max_bytes":
			m.MaxBytes = int32(r.int(0, maxInt32))
		case "max_wait_ms":
			m.WaitMillis = int32(r.int(0, maxInt32))
		case "form":
			m.Form = r.form()
		case "partitions":
			m.Partitions, listed = listOf[FetchPartition](r, MaxPartitions), true
		default:
			return false
		}
		return true
	})
	r.need(listed, "partitions")
}

func (p *FetchPartition) decode(r *reader) {
	named, numbered, placed := false, false, false
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			p.Topic, named = r.str(), true
		case "topic_id":
			p.TopicID = r.topicID()
		case "partition":
			p.Partition, numbered = r.partition(), true
		case "offset":
			p.Offset, placed = id.Offset(r.int(0, maxInt64)), true
		case "max_bytes":
			p.MaxBytes = int32(r.int(0, maxInt32))
		default:
			return false
		}
		return true
	})
	r.need(named, "topic")
	r.need(numbered, "partition")
	r.need(placed, "offset")
}

func (r *reader) form() Form {
	word := r.str()
	for i, name := range formNames {
		if word == name {
			return Form(i)
		}
	}
	r.fail("%q is neither batch nor records", word)
	return FormBatch
}

func (m *FetchResponse) encode(w *writer) {
	w.fields(1)
	w.putList("partitions", len(m.Partitions))
	for i := range m.Partitions {
		m.Partitions[i].encode(w)
	}
}

func (m *FetchResponse) decode(r *reader) {
	*m = FetchResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "partitions":
			m.Partitions = listOf[FetchedPartition](r, maxAnswers)
		default:
			return false
		}
		return true
	})
}

func (p *FetchedPartition) encode(w *writer) {
	w.fields(10)
	w.putStr("topic", p.Topic)
	w.putUint("topic_id", uint64(p.TopicID))
	w.putInt("partition", int64(p.Partition))
	w.putError(p.Err)
	w.putInt("log_start", int64(p.LogStart))
	w.putInt("high_watermark", int64(p.HighWatermark))
	w.putUint("term", uint64(p.Term))
	w.putInt("next_offset", int64(p.NextOffset))
	w.putList("batches", len(p.Batches))
	for _, b := range p.Batches {
		w.bin(b)
	}
	w.putRecords(p.Records)
}

func (p *FetchedPartition) decode(r *reader) {
	*p = FetchedPartition{LogStart: NoOffset, HighWatermark: NoOffset, NextOffset: NoOffset}
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
		case "next_offset":
			p.NextOffset = r.offset()
		case "batches":
			p.Batches = nil
			r.list(maxAnswers, func(int) { p.Batches = append(p.Batches, r.bin()) })
		case "records":
			p.Records = r.records()
		default:
			return false
		}
		return true
	})
}
