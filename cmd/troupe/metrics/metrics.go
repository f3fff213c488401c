package metrics

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"troupe/actors"
	"troupe/membership"
)

// Metrics is everything that is counted of one broker.
type Metrics struct {
	// Actors and Gateway are given to the rooms that they are named after.
	Actors  *ActorsMeter
	Gateway *GatewayMeter
	// Peers is given to whoever links this broker to others.
	Peers *PeersMeter

	registry *prometheus.Registry
	node     atomic.Pointer[actors.Node] // nil before the broker has its data open
}

// New makes metrics that count from 0. Partitions are not looked at before Watch. series is how many partitions at most have
// series of their own.
func New(version string, series int) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), Actors: newActorsMeter(), Gateway: newGatewayMeter(), Peers: newPeersMeter()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "troupe_cmd_build_info", Help: "always 1; the label is the program's version",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(build, &partitionsCollector{node: m.node.Load, series: series},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.Actors.collectors()...)
	m.registry.MustRegister(m.Gateway.collectors()...)
	m.registry.MustRegister(m.Peers.collectors()...)
	return m
}

// Watch has every scrape look at a broker's partitions, and at whom it sees.
func (m *Metrics) Watch(node *actors.Node, members membership.Feed) {
	m.node.Store(node)
	m.Peers.feed.Store(&members)
}

// Handler serves the metrics in the text format of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapes})
}

// scrapes bounds how many may be under way: each asks every partition.
const scrapes = 4

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}
