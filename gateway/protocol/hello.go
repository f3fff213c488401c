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
	FrameBytes       int64 // of one frame, either way, without its length
	BatchBytes       int64 // of one record batch, whatever the topic allows
	InflightRequests int64 // unanswered requests per connection; above it the broker stops reading
	InflightBytes    int64 // unanswered requests' bytes, and those reserved for their responses; likewise
	Partitions       int64 // in one Produce, Fetch or ListOffsets
	WaitMillis       int64 // longest wait of a fetch
	IdleMillis       int64 // a connection without a request for so long is closed
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
	w.fields(7)
	w.putInt("frame_bytes", l.FrameBytes)
	w.putInt("batch_bytes", l.BatchBytes)
	w.putInt("inflight_requests", l.InflightRequests)
	w.putInt("inflight_bytes", l.InflightBytes)
	w.putInt("partitions", l.Partitions)
	w.putInt("wait_ms", l.WaitMillis)
	w.putInt("idle_ms", l.IdleMillis)
}

func (l *Limits) decode(r *reader) {
	*l = Limits{}
	r.fields(func(key string) bool {
		switch key {
		case "frame_bytes":
			l.FrameBytes = r.int(0, maxInt64)
		case "batch_bytes":
			l.BatchBytes = r.int(0, maxInt64)
		case "inflight_requests":
			l.InflightRequests = r.int(0, maxInt64)
		case "inflight_bytes":
			l.InflightBytes = r.int(0, maxInt64)
		case "partitions":
			l.Partitions = r.int(0, maxInt64)
		case "wait_ms":
			l.WaitMillis = r.int(0, maxInt64)
		case "idle_ms":
			l.IdleMillis = r.int(0, maxInt64)
		default:
			return false
		}
		return true
	})
}
