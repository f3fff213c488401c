package protocol

import (
	"bytes"

	"troupe/partitions/id"
)

// sample is one message with every key set, none to its default.
type sample struct {
	name string
	Message
}

func sampleRecords() Records {
	w := NewRecordsWriter()
	w.Append(Record{Key: []byte("k"), Value: []byte("v"), Timestamp: 1700000000123, Offset: 41,
		Headers: []Header{{Name: "h", Value: []byte{1}}, {Name: "none"}}})
	w.Append(Record{Value: []byte{}, Timestamp: 1700000000124, Offset: 42})
	return w.Records()
}

func sampleRange() *Error {
	e := NewError(CodeOffsetOutOfRange, "orders/3: asked for 5, the log holds 10 to 20 (exclusive)")
	e.Details = Details{Asked: 5, LogStart: 10, LogEnd: 20}
	return e
}

func sampleLeader() *Error {
	e := NewError(CodeNotLeader, "orders/3: another broker leads")
	e.Details = Details{Leader: 0x1122334455667788, Gateway: "127.0.0.1:9642", Term: 3}
	return e
}

func sampleLimits() (l Limits) {
	for i, f := range l.Fields() {
		*f.Value = int64(i + 1)
	}
	return l
}

func samples() []sample {
	const node, other, cluster = id.Node(0x1122334455667788), id.Node(0x99), id.Cluster(0xcafe)
	large := bytes.Repeat([]byte("batch"), 2000) // long enough to be referred to, not copied
	recovery := Recovery{At: 1700000000000, Node: node, Survivor: 6, Heir: 9, Assigned: 12, GivenUp: []id.Replica{7, 8}, Nodes: []id.Node{other, other}}
	return []sample{
		{"HelloRequest", &HelloRequest{Client: "troupe-go 1"}},
		{"HelloResponse", &HelloResponse{Cluster: cluster, Node: node, Version: "1.0",
			APIs:   []APIVersions{{API: APIProduce, Name: "Produce", Min: 1, Max: 1}},
			Limits: sampleLimits()}},
		{"PingRequest", &PingRequest{}},
		{"PingResponse", &PingResponse{Now: 1700000000000}},
		{"MetadataRequest", &MetadataRequest{Topics: []string{"orders", "events"}}},
		{"MetadataResponse", &MetadataResponse{Cluster: cluster, Catalog: 12,
			Nodes: []MetadataNode{{Node: node, Gateway: "127.0.0.1:9642", Alive: true}},
			Topics: []MetadataTopic{
				{Topic: "orders", TopicID: 17, Partitions: []MetadataPartition{{Partition: 1, Leader: node, Term: 5, Replicas: []id.Node{node, other}}}},
				{Topic: "gone", Err: NewError(CodeUnknownTopic, "topic gone: there is none")}}}},
		{"DescribeClusterRequest", &DescribeClusterRequest{}},
		{"DescribeClusterResponse", &DescribeClusterResponse{Cluster: cluster, Epoch: "1-0000000734", Self: node, Catalog: 12, Topics: 3, Partitions: 18, Leaderless: 2,
			Nodes: []ClusterNode{{Node: node, Gateway: "127.0.0.1:9642", Version: "1.0", Alive: true, Problems: []string{"t1/0 is quarantined"},
				State: "draining", Rack: "north", Replicas: 7, Leaders: 2, AgeMillis: 1500}}}},
		{"PlanMovesRequest", &PlanMovesRequest{}},
		{"PlanMovesResponse", &PlanMovesResponse{Away: []id.Node{other},
			Moving: []PlannedMove{{Topic: "orders", TopicID: 17, Partition: 1, Assigned: 30, From: []id.Node{node}, To: []id.Node{other}, Why: "moves"}},
			Next:   []PlannedMove{{Topic: "orders", TopicID: 17, Partition: 2, Assigned: 20, From: []id.Node{node}, To: []id.Node{other}, Why: "balance"}},
			Held:   []PlannedMove{{Topic: "orders", TopicID: 17, Partition: 3, Assigned: 20, From: []id.Node{other}, To: []id.Node{node}, Why: "balance"}}}},
		{"CreateTopicRequest", &CreateTopicRequest{Topic: "orders", Partitions: 6, Settings: map[string]string{"retention.ms": "7d", "max.message.bytes": "2MiB"}}},
		{"CreateTopicResponse", &CreateTopicResponse{Topic: "orders", TopicID: 17, Partitions: 6, Catalog: 12}},
		{"DeleteTopicRequest", &DeleteTopicRequest{Topic: "orders", TopicID: 17}},
		{"DeleteTopicResponse", &DeleteTopicResponse{TopicID: 17}},
		{"DescribeTopicRequest", &DescribeTopicRequest{Topic: "orders", TopicID: 17}},
		{"DescribeTopicResponse", &DescribeTopicResponse{Topic: "orders", TopicID: 17, Created: 1700000000000,
			Settings: map[string]string{"retention.ms": "7d"},
			Partitions: []DescribedPartition{{Partition: 1, Leader: node, Role: "leader", Ready: true, Term: 3, LogStart: 4, HighWatermark: 500,
				Bytes: 9000, Segments: 2, Replicas: []id.Node{node}, Problem: "none really",
				Assigned: 11, Settled: true, Members: []DescribedReplica{{Replica: 6, Node: node, Role: "voter", State: "replicate", Match: 77}}, Recoveries: []Recovery{recovery}}}}},
		{"CompareReplicasRequest", &CompareReplicasRequest{Topic: "orders", TopicID: 17, Partition: 3, From: 5, End: 900}},
		{"CompareReplicasResponse", &CompareReplicasResponse{TopicID: 17, From: 5, Through: 80, End: 900, LogStart: 4, HighWatermark: 890, Offset: 70, Bytes: 4096,
			Replicas: []ComparedReplica{{Node: node, Replica: 6, Verdict: "differs", Index: 80, Offset: 70}, {Node: other, Replica: 7, Verdict: "uncompared", Offset: NoOffset, Reason: "away"}}}},
		{"InitProducerRequest", &InitProducerRequest{}},
		{"InitProducerResponse", &InitProducerResponse{Producer: 4000, Epoch: 1}},
		{"ProduceRequest", &ProduceRequest{Topic: "orders", TopicID: 17, Acks: AcksLeader, Partitions: []ProducePartition{
			{Partition: 3, Batch: large, ExpectEnd: 70},
			{Partition: 4, Records: sampleRecords(), ExpectEnd: NoOffset}}}},
		{"ProduceResponse", &ProduceResponse{TopicID: 17, Partitions: []ProducedPartition{
			{Partition: 3, BaseOffset: 70, AppendTime: 1700000000000, LogStart: 1, HighWatermark: 75, Term: 2, Duplicate: true},
			{Partition: 4, Err: &Error{Code: CodeThrottled, Name: "THROTTLED", Message: "busy", Retriable: true, Details: Details{WaitMillis: 100}},
				BaseOffset: NoOffset, AppendTime: NoTimestamp, LogStart: NoOffset, HighWatermark: NoOffset}}}},
		{"FetchRequest", &FetchRequest{MinBytes: 2, MaxBytes: 65536, WaitMillis: 250, Form: FormRecords, Partitions: []FetchPartition{
			{Topic: "orders", TopicID: 17, Partition: 3, Offset: 70, MaxBytes: 1000}}}},
		{"FetchResponse", &FetchResponse{Partitions: []FetchedPartition{
			{Topic: "orders", TopicID: 17, Partition: 3, LogStart: 1, HighWatermark: 75, Term: 2, Batches: [][]byte{large, []byte("small")}, NextOffset: 75},
			{Topic: "orders", TopicID: 17, Partition: 4, LogStart: 1, HighWatermark: 43, Term: 2, Records: sampleRecords(), NextOffset: 43},
			{Topic: "orders", TopicID: 17, Partition: 5, Err: sampleRange(), LogStart: 10, HighWatermark: 20, NextOffset: 5}}}},
		{"ListOffsetsRequest", &ListOffsetsRequest{Partitions: []OffsetPartition{
			{Topic: "orders", TopicID: 17, Partition: 3, At: OffsetAtTime, Time: 1700000000000},
			{Topic: "orders", Partition: 4, At: OffsetEarliest, Time: NoTimestamp}}}},
		{"ListOffsetsResponse", &ListOffsetsResponse{Partitions: []ListedOffset{
			{Topic: "orders", TopicID: 17, Partition: 3, Offset: 60, Time: 1700000000001, LogStart: 1, HighWatermark: 75, Term: 2},
			{Topic: "orders", Partition: 4, Err: NewError(CodeNotReady, "orders/4: opening"), Offset: NoOffset, Time: NoTimestamp, LogStart: NoOffset, HighWatermark: NoOffset}}}},
		{"AlterTopicRequest", &AlterTopicRequest{Topic: "orders", TopicID: 17, Settings: map[string]string{"max.message.bytes": "2MiB"}, Unset: []string{"replicas"}}},
		{"AlterTopicResponse", &AlterTopicResponse{TopicID: 17, Settings: map[string]string{"max.message.bytes": "2097152"}}},
		{"DrainNodeRequest", &DrainNodeRequest{Node: node}},
		{"DrainNodeResponse", &DrainNodeResponse{}},
		{"DismissNodeRequest", &DismissNodeRequest{Node: other}},
		{"DismissNodeResponse", &DismissNodeResponse{}},
		{"AssignReplicasRequest", &AssignReplicasRequest{Topic: "orders", TopicID: 17, Partition: 3, Nodes: []id.Node{node, other},
			Replace: []id.Replica{6}, If: 11}},
		{"AssignReplicasResponse", &AssignReplicasResponse{TopicID: 17, Assigned: 12, Replicas: []id.Node{node, other}}},
		{"RecoverPartitionRequest", &RecoverPartitionRequest{Topic: "orders", TopicID: 17, Partition: 3, From: node, AcceptLoss: true}},
		{"RecoverPartitionResponse", &RecoverPartitionResponse{TopicID: 17, Recovery: recovery}},
		{"DeleteRecordsRequest", &DeleteRecordsRequest{Partitions: []DeletePartition{
			{Topic: "orders", TopicID: 17, Partition: 3, Before: 60},
			{Topic: "orders", Partition: 4, Before: EverythingSoFar}}}},
		{"DeleteRecordsResponse", &DeleteRecordsResponse{Partitions: []DeletedRecords{
			{Topic: "orders", TopicID: 17, Partition: 3, LogStart: 60, HighWatermark: 75, Term: 2},
			{Topic: "orders", Partition: 4, Err: sampleRange(), LogStart: NoOffset, HighWatermark: NoOffset}}}},
	}
}

func (s sample) isRequest() bool { return s.name[len(s.name)-len("Request"):] == "Request" }

func (s sample) frame() Frame {
	if s.isRequest() {
		return EncodeRequest(7, s.Message)
	}
	return EncodeResponse(7, s.Message)
}

// empty returns a message of the same type with nothing set.
func (s sample) empty() Message {
	if s.isRequest() {
		return s.API().NewRequest()
	}
	return s.API().NewResponse()
}

// body returns the sample's encoded body.
func (s sample) body() Body {
	parse := func() (Body, error) {
		if s.isRequest() {
			_, body, err := ParseRequest(s.frame().Payload())
			return body, err
		}
		_, body, err := ParseResponse(s.frame().Payload())
		return body, err
	}
	body, err := parse()
	if err != nil {
		panic(err)
	}
	return body
}
