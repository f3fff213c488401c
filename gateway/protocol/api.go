package protocol

import "strconv"

// API numbers a kind of request. Numbers are never used again for something else; the gaps are for APIs to come.
type API uint16

// The APIs.
const (
	APIHello            API = 1
	APIPing             API = 2
	APIMetadata         API = 3
	APIDescribeCluster  API = 4
	APIDrainNode        API = 5
	APIDismissNode      API = 6
	APIPlanMoves        API = 7
	APICreateTopic      API = 10
	APIDeleteTopic      API = 11
	APIDescribeTopic    API = 12
	APIAlterTopic       API = 13
	APIAssignReplicas   API = 14
	APIRecoverPartition API = 15
	APICompareReplicas  API = 16
	APIInitProducer     API = 20
	APIProduce          API = 21
	APIFetch            API = 22
	APIListOffsets      API = 23
	APIDeleteRecords    API = 24
)

// apis is the one table of APIs, in the order of their numbers. Each exists in versions 1 to max.
var apis = []struct {
	api      API
	name     string
	max      uint16
	request  func() Message
	response func() Message
}{
	{APIHello, "Hello", 1, func() Message { return new(HelloRequest) }, func() Message { return new(HelloResponse) }},
	{APIPing, "Ping", 1, func() Message { return new(PingRequest) }, func() Message { return new(PingResponse) }},
	{APIMetadata, "Metadata", 2, func() Message { return new(MetadataRequest) }, func() Message { return new(MetadataResponse) }},
	{APIDescribeCluster, "DescribeCluster", 3, func() Message { return new(DescribeClusterRequest) }, func() Message { return new(DescribeClusterResponse) }},
	{APIDrainNode, "DrainNode", 1, func() Message { return new(DrainNodeRequest) }, func() Message { return new(DrainNodeResponse) }},
	{APIDismissNode, "DismissNode", 1, func() Message { return new(DismissNodeRequest) }, func() Message { return new(DismissNodeResponse) }},
	{APIPlanMoves, "PlanMoves", 1, func() Message { return new(PlanMovesRequest) }, func() Message { return new(PlanMovesResponse) }},
	{APICreateTopic, "CreateTopic", 2, func() Message { return new(CreateTopicRequest) }, func() Message { return new(CreateTopicResponse) }},
	{APIDeleteTopic, "DeleteTopic", 1, func() Message { return new(DeleteTopicRequest) }, func() Message { return new(DeleteTopicResponse) }},
	{APIDescribeTopic, "DescribeTopic", 3, func() Message { return new(DescribeTopicRequest) }, func() Message { return new(DescribeTopicResponse) }},
	{APIAlterTopic, "AlterTopic", 1, func() Message { return new(AlterTopicRequest) }, func() Message { return new(AlterTopicResponse) }},
	{APIAssignReplicas, "AssignReplicas", 1, func() Message { return new(AssignReplicasRequest) }, func() Message { return new(AssignReplicasResponse) }},
	{APIRecoverPartition, "RecoverPartition", 1, func() Message { return new(RecoverPartitionRequest) }, func() Message { return new(RecoverPartitionResponse) }},
	{APICompareReplicas, "CompareReplicas", 1, func() Message { return new(CompareReplicasRequest) }, func() Message { return new(CompareReplicasResponse) }},
	{APIInitProducer, "InitProducer", 1, func() Message { return new(InitProducerRequest) }, func() Message { return new(InitProducerResponse) }},
	{APIProduce, "Produce", 1, func() Message { return new(ProduceRequest) }, func() Message { return new(ProduceResponse) }},
	{APIFetch, "Fetch", 1, func() Message { return new(FetchRequest) }, func() Message { return new(FetchResponse) }},
	{APIListOffsets, "ListOffsets", 1, func() Message { return new(ListOffsetsRequest) }, func() Message { return new(ListOffsetsResponse) }},
	{APIDeleteRecords, "DeleteRecords", 1, func() Message { return new(DeleteRecordsRequest) }, func() Message { return new(DeleteRecordsResponse) }},
}

// String returns the API's name, or its number if it has none.
func (a API) String() string {
	for i := range apis {
		if apis[i].api == a {
			return apis[i].name
		}
	}
	return "API " + strconv.Itoa(int(a))
}

// MaxVersion returns the newest version of the API, or 0 if there is no such API.
func (a API) MaxVersion() uint16 {
	for i := range apis {
		if apis[i].api == a {
			return apis[i].max
		}
	}
	return 0
}

// NewRequest returns an empty request of the API, to be decoded into, or nil if there is no such API.
func (a API) NewRequest() Message {
	for i := range apis {
		if apis[i].api == a {
			return apis[i].request()
		}
	}
	return nil
}

// NewResponse returns an empty response of the API, to be decoded into, or nil if there is no such API.
func (a API) NewResponse() Message {
	for i := range apis {
		if apis[i].api == a {
			return apis[i].response()
		}
	}
	return nil
}

// Versions lists every API with its versions, as Hello tells them.
func Versions() []APIVersions {
	list := make([]APIVersions, len(apis))
	for i, a := range apis {
		list[i] = APIVersions{API: a.api, Name: a.name, Min: 1, Max: a.max}
	}
	return list
}
