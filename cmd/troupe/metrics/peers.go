package metrics

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"troupe/membership"
	"troupe/partitions/id"
)

// PeersMeter counts what passes between this broker and the others, and shows whom it sees.
type PeersMeter struct {
	sentFrames, sentBytes, refused prometheus.Counter
	receivedFrames, receivedBytes  prometheus.Counter
	feed                           atomic.Pointer[membership.Feed] // nil before there is one

	mu sync.Mutex
	up map[id.Node]bool
}

func newPeersMeter() *PeersMeter {
	return &PeersMeter{
		sentFrames:     counter("troupe_actors_peer_sent_frames_total", "frames handed to links to other brokers"),
		sentBytes:      counter("troupe_actors_peer_sent_bytes_total", "bytes of those frames"),
		refused:        counter("troupe_actors_peer_refused_frames_total", "frames that no link took: none was up, or too much waited for it"),
		receivedFrames: counter("troupe_actors_peer_received_frames_total", "frames of other brokers"),
		receivedBytes:  counter("troupe_actors_peer_received_bytes_total", "bytes of those frames"),
		up:             map[id.Node]bool{},
	}
}

func (m *PeersMeter) collectors() []prometheus.Collector {
	return []prometheus.Collector{m, m.sentFrames, m.sentBytes, m.refused, m.receivedFrames, m.receivedBytes}
}

// Sent counts a frame that was handed to a link, or that none has taken.
func (m *PeersMeter) Sent(bytes int, taken bool) {
	if !taken {
		m.refused.Inc()
		return
	}
	m.sentFrames.Inc()
	m.sentBytes.Add(float64(bytes))
}

// Received counts a frame of another broker.
func (m *PeersMeter) Received(bytes int) {
	m.receivedFrames.Inc()
	m.receivedBytes.Add(float64(bytes))
}

// Reachable notes that a link has come up, or has ended.
func (m *PeersMeter) Reachable(node id.Node, up bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if up {
		m.up[node] = true
	} else {
		delete(m.up, node)
	}
}

var (
	membersDesc = gauge("troupe_membership_members", "brokers of the cluster as gossip shows them here, this one included", "state")
	viewDesc    = gauge("troupe_membership_view_version", "how often what gossip shows has changed")
	linksDesc   = gauge("troupe_actors_peer_links", "links from this broker to others that are up")
)

// Describe lists what Collect makes.
func (m *PeersMeter) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{membersDesc, viewDesc, linksDesc} {
		to <- d
	}
}

// Collect looks at the newest view.
func (m *PeersMeter) Collect(to chan<- prometheus.Metric) {
	feed := m.feed.Load()
	if feed == nil {
		return
	}
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	var alive, left, down int
	view := (*feed).View()
	for _, member := range view.Members() {
		switch {
		case member.Alive:
			alive++
		case member.Left:
			left++
		default:
			down++
		}
	}
	send(membersDesc, float64(alive), "alive")
	send(membersDesc, float64(left), "left")
	send(membersDesc, float64(down), "down")
	send(viewDesc, float64(view.Version()))
	m.mu.Lock()
	defer m.mu.Unlock()
	send(linksDesc, float64(len(m.up)))
}
