package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"troupe/gateway"
	"troupe/gateway/protocol"
)

// GatewayMeter counts what clients ask for and get. It is a gateway.Meter.
type GatewayMeter struct {
	connections, inflight prometheus.Gauge
	accepted, refused     prometheus.Counter
	received, sent        prometheus.Counter
	requests, errors      *prometheus.CounterVec
	durations             *prometheus.HistogramVec
	api                   map[protocol.API]apiMeter // read-only; of what is not in it, other counts
	other                 apiMeter
	code                  map[protocol.Code]prometheus.Counter // read-only
}

// apiMeter is one API's share, looked up once so that no request pays for it.
type apiMeter struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// requestBuckets reach from an answer out of memory to a fetch that waited as long as it may.
var requestBuckets = []float64{0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60}

// otherAPI is the label of requests whose API the broker does not know, or could not read.
const otherAPI = "other"

func newGatewayMeter() *GatewayMeter {
	m := &GatewayMeter{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "troupe_gateway_connections", Help: "clients' connections that are open"}),
		inflight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "troupe_gateway_inflight_requests",
			Help: "requests received and not yet answered, parked fetches among them"}),
		accepted: counter("troupe_gateway_accepted_connections_total", "connections accepted"),
		refused:  counter("troupe_gateway_refused_connections_total", "connections turned away at a limit"),
		received: counter("troupe_gateway_received_bytes_total", "bytes of clients' frames"),
		sent:     counter("troupe_gateway_sent_bytes_total", "bytes of answers handed to sockets"),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "troupe_gateway_requests_total",
			Help: "requests answered, refused ones among them"}, []string{"api"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "troupe_gateway_errors_total",
			Help: "errors told to clients: of whole requests, or of single partitions in an answer"}, []string{"code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "troupe_gateway_request_duration_seconds",
			Help: "from a request's last byte until its answer was made; a fetch's wait for records counts", Buckets: requestBuckets},
			[]string{"api"}),
		api: map[protocol.API]apiMeter{}, code: map[protocol.Code]prometheus.Counter{},
	}
	for _, v := range protocol.Versions() {
		m.api[v.API] = m.of(v.Name)
	}
	m.other = m.of(otherAPI)
	for _, kind := range protocol.Kinds() {
		m.code[kind.Code] = m.errors.WithLabelValues(kind.Name)
	}
	return m
}

func (m *GatewayMeter) of(api string) apiMeter {
	return apiMeter{requests: m.requests.WithLabelValues(api), duration: m.durations.WithLabelValues(api)}
}

func (m *GatewayMeter) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.connections, m.inflight, m.accepted, m.refused, m.received, m.sent, m.requests, m.errors, m.durations}
}

// Connected counts a connection that was accepted.
func (m *GatewayMeter) Connected() {
	m.accepted.Inc()
	m.connections.Inc()
}

// Disconnected counts the end of one.
func (m *GatewayMeter) Disconnected() { m.connections.Dec() }

// TurnedAway counts a connection that was refused at a limit.
func (m *GatewayMeter) TurnedAway() { m.refused.Inc() }

// Received counts a frame.
func (m *GatewayMeter) Received(bytes int) {
	m.inflight.Inc()
	m.received.Add(float64(bytes))
}

// Answered counts the answer to one.
func (m *GatewayMeter) Answered(a gateway.Answered) {
	m.inflight.Dec()
	m.sent.Add(float64(a.Bytes))
	of, known := m.api[a.API]
	if !known {
		of = m.other
	}
	of.requests.Inc()
	of.duration.Observe(a.Took.Seconds())
	for _, code := range a.Errors {
		if c, known := m.code[code]; known {
			c.Inc()
		}
	}
}
