package protocol

import "troupe/partitions/id"

// HelloRequest opens a connection. It must be the first request; nothing else is answered before it has succeeded.
type HelloRequest struct {
	Client string // name and version of the client, for logs
}

// HelloResponse tells where the client arrived and what is allowed there.
type HelloResponse struct {
	Cluster id.Cluster
	Node    id.Node
	Version string // of the broker
	APIs    []APIVersions
	Limits  Limits
}

// APIVersions says which versions of an API a broker speaks.
type APIVersions struct {
	API      API
	Name     string
	Min, Max uint16
}

// Limits are the bounds that a client can run into. A zero means that the broker did not tell.
type Limits struct {
	HelloFrameBytes       int64 // of a frame until Hello has succeeded, without its length
	FrameBytes            int64 // of one frame afterwards, either way, without its length
	BatchBytes            int64 // of one record batch, whatever the topic allows
	BatchRecords          int64 // in one batch
	BatchHeaders          int64 // in one batch, over all its records
	RecordHeaders         int64 // of one record
	DecompressedBytes     int64 // what one batch may decompress to
	Decompressions        int64 // at the same time, over all connections; above it they wait
	InflightRequests      int64 // unanswered requests per connection; above it the broker stops reading
	InflightBytes         int64 // unanswered requests' bytes, and those reserved for their responses; likewise
	InflightBytesInAll    int64 // over all connections; above it the broker stops reading, and fetches are throttled
	FetchBytes            int64 // of batches in one fetch response
	Partitions            int64 // in one Produce, Fetch or ListOffsets
	WaitMillis            int64 // longest wait of a fetch
	ParkedFetches         int64 // fetches per connection that wait for records; above it they are throttled
	ParkedFetchesInAll    int64 // over all connections; likewise
	ThrottleMillis        int64 // how long a throttled client is asked to wait
	TopicNameBytes        int64
	Topics                int64 // in the cluster, internal ones not counted
	TopicPartitions       int64 // of one topic
	ClusterPartitions     int64 // of all topics
	Connections           int64 // open at the same time; further ones are throttled and closed
	ConnectionsPerAddress int64 // from one IP address; likewise
	HandshakeMillis       int64 // from the connection's beginning to Hello
	IdleMillis            int64 // a connection without a request for so long, and none unanswered, is closed
	FrameMillis           int64 // from the first byte of a frame to its last
	WriteMillis           int64 // for the client to take what was written
	LingerMillis          int64 // for the client to read the last replies before the connection is closed
}

// LimitField is one of the Limits under its name on the wire.
type LimitField struct {
	Name  string
	Value *int64
}

// Fields returns every limit with its name, in the order in which Hello tells them.
func (l *Limits) Fields() []LimitField {
	return []LimitField{
		{"hello_frame_bytes", &l.HelloFrameBytes},
		{"frame_bytes", &l.FrameBytes},
		{"batch_bytes", &l.BatchBytes},
		{"batch_records", &l.BatchRecords},
		{"batch_headers", &l.BatchHeaders},
		{"record_headers", &l.RecordHeaders},
		{"decompressed_bytes", &l.DecompressedBytes},
		{"decompressions", &l.Decompressions},
		{"inflight_requests", &l.InflightRequests},
		{"inflight_bytes", &l.InflightBytes},
		{"inflight_bytes_in_all", &l.InflightBytesInAll},
		{"fetch_bytes", &l.FetchBytes},
		{"partitions", &l.Partitions},
		{"wait_ms", &l.WaitMillis},
		{"parked_fetches", &l.ParkedFetches},
		{"parked_fetches_in_all", &l.ParkedFetchesInAll},
		{"throttle_ms", &l.ThrottleMillis},
		{"topic_name_bytes", &l.TopicNameBytes},
		{"topics", &l.Topics},
		{"topic_partitions", &l.TopicPartitions},
		{"cluster_partitions", &l.ClusterPartitions},
		{"connections", &l.Connections},
		{"connections_per_address", &l.ConnectionsPerAddress},
		{"handshake_ms", &l.HandshakeMillis},
		{"idle_ms", &l.IdleMillis},
		{"frame_ms", &l.FrameMillis},
		{"write_ms", &l.WriteMillis},
		{"linger_ms", &l.LingerMillis},
	}
}

// API returns APIHello.
func (*HelloRequest) API() API { return APIHello }

// API returns APIHello.
func (*HelloResponse) API() API { return APIHello }

func (m *HelloRequest) encode(w *writer) {
	w.fields(1)
	w.putStr("client", m.Client)
}

func (m *HelloRequest) decode(r *reader) {
	*m = HelloRequest{}
	r.fields(func(key string) bool {
		switch key {
		case "client":
			m.Client = r.str()
		default:
			return false
		}
		return true
	})
}

func (m *HelloResponse) encode(w *writer) {
	w.fields(5)
	w.putStr("cluster", m.Cluster.String())
	w.putNode("node", m.Node)
	w.putStr("version", m.Version)
	w.putList("apis", len(m.APIs))
	for _, a := range m.APIs {
		w.fields(4)
		w.putUint("api", uint64(a.API))
		w.putStr("name", a.Name)
		w.putUint("min", uint64(a.Min))
		w.putUint("max", uint64(a.Max))
	}
	w.str("limits")
	m.Limits.encode(w)
}

func (m *HelloResponse) decode(r *reader) {
	*m = HelloResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "cluster":
			m.Cluster = id.Cluster(r.hex())
		case "node":
			m.Node = r.node()
		case "version":
			m.Version = r.str()
		case "apis":
			m.APIs = listOf[APIVersions](r, maxAnswers)
		case "limits":
			m.Limits.decode(r)
		default:
			return false
		}
		return true
	})
}

func (a *APIVersions) decode(r *reader) {
	r.fields(func(key string) bool {
		switch key {
		case "api":
			a.API = API(r.uint(1<<16 - 1))
		case "name":
			a.Name = r.str()
		case "min":
			a.Min = uint16(r.uint(1<<16 - 1))
		case "max":
			a.Max = uint16(r.uint(1<<16 - 1))
		default:
			return false
		}
		return true
	})
}

func (l *Limits) encode(w *writer) {
	fields := l.Fields()
	w.fields(len(fields))
	for _, f := range fields {
		w.putInt(f.Name, *f.Value)
	}
}

func (l *Limits) decode(r *reader) {
	*l = Limits{}
	fields := l.Fields()
	r.fields(func(key string) bool {
		for _, f := range fields {
			if f.Name == key {
				*f.Value = r.int(0, maxInt64)
				return true
			}
		}
		return false
	})
}
