package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"troupe/actors"
	"troupe/partitions"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

// patience is how long Observe waits for partitions to answer. One that does not is counted as silent.
const patience = 2 * time.Second

// partitionsCollector asks a broker's partitions how they are, at every scrape.
type partitionsCollector struct {
	node   func() *actors.Node // nil before there is one
	series int                 // partitions that have series of their own
}

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	replicasDesc    = gauge("troupe_partitions_replicas", "replicas on this broker, by what they are doing", "role")
	parkedDesc      = gauge("troupe_partitions_parked_fetches", "fetches that wait for records")
	uncommittedDesc = gauge("troupe_partitions_uncommitted_bytes", "bytes of batches taken and not yet acknowledged")
	producersDesc   = gauge("troupe_partitions_producers", "producers remembered, over all partitions")
	logBytesDesc    = gauge("troupe_wal_log_bytes", "bytes of all logs on disk")
	segmentsDesc    = gauge("troupe_wal_log_segments", "segment files of all logs")
	silentDesc      = gauge("troupe_actors_silent_partitions", "partitions that did not answer this scrape within 2 s")
	problemsDesc    = gauge("troupe_actors_problems", "sentences that `troupe cluster status` shows for this broker; 0 when all is well")
	freeDesc        = gauge("troupe_wal_disk_free_bytes", "room on the disk of the data directory, when it was last looked at")
	reserveDesc     = gauge("troupe_wal_disk_reserve_bytes", "with less room than this, batches and new topics are refused")
	omittedDesc     = gauge("troupe_cmd_omitted_partitions", "partitions without series of their own: see the setting http.partition_series")

	watermarkDesc = gauge("troupe_partitions_high_watermark_offset", "end of what is acknowledged, of one partition", "topic", "partition")
	logStartDesc  = gauge("troupe_partitions_log_start_offset", "first offset there is, of one partition", "topic", "partition")
	sizeDesc      = gauge("troupe_wal_partition_log_bytes", "bytes on disk, of one partition", "topic", "partition")
)

// roles are all values of the label role: each has a series, also at 0, so that an alert on it is never absent.
var roles = []partitions.Role{
	partitions.RoleOpening, partitions.RoleFollower, partitions.RoleCandidate, partitions.RoleLeader, partitions.RoleLearner,
	partitions.RoleQuarantined, partitions.RoleStopped,
}

// Describe lists what Collect makes.
func (c *partitionsCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{replicasDesc, parkedDesc, uncommittedDesc, producersDesc, logBytesDesc, segmentsDesc,
		silentDesc, problemsDesc, freeDesc, reserveDesc, omittedDesc, watermarkDesc, logStartDesc, sizeDesc} {
		to <- d
	}
}

// Collect looks at the broker.
func (c *partitionsCollector) Collect(to chan<- prometheus.Metric) {
	node := c.node()
	if node == nil {
		return
	}
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	seen := Observe(node)
	byRole := make(map[partitions.Role]int, len(roles))
	var parked, uncommitted, producers, segments int
	var bytes int64
	for _, s := range seen.Partitions {
		byRole[s.Role]++
		parked += s.Parked
		uncommitted += s.Uncommitted
		producers += s.Producers
		bytes += s.Log.Bytes
		segments += s.Log.Segments
	}
	for _, role := range roles {
		send(replicasDesc, float64(byRole[role]), role.String())
	}
	send(parkedDesc, float64(parked))
	send(uncommittedDesc, float64(uncommitted))
	send(producersDesc, float64(producers))
	send(logBytesDesc, float64(bytes))
	send(segmentsDesc, float64(segments))
	send(silentDesc, float64(seen.Silent))
	send(problemsDesc, float64(len(seen.Problems)))
	room, reserve := node.Space()
	send(freeDesc, float64(room.Free))
	send(reserveDesc, float64(reserve))
	send(omittedDesc, float64(c.each(seen.Partitions, node.Router().Catalog(), send)))
}

// each sends the series of single partitions: the first ones, in the order in which their topics were created, so that who
// has a series keeps it. It returns how many have none.
func (c *partitionsCollector) each(all []partitions.Status, state *catalog.State,
	send func(*prometheus.Desc, float64, ...string)) (omitted int) {
	shown := 0
	for _, s := range all {
		topic := state.Topics[s.Partition.Topic]
		if topic == nil || topic.ID < catalog.FirstUserTopic {
			continue // the broker's own, or deleted this moment
		}
		if shown++; shown > c.series {
			omitted++
			continue
		}
		name, number := string(topic.Name), strconv.Itoa(int(s.Partition.Number))
		send(watermarkDesc, offset(s.HighWatermark), name, number)
		send(logStartDesc, offset(s.LogStart), name, number)
		send(sizeDesc, float64(s.Log.Bytes), name, number)
	}
	return omitted
}

func offset(o id.Offset) float64 { return float64(o) }

// Observe waits for every partition's answer, for 2 s at most.
func Observe(node *actors.Node) actors.Observation {
	seen := make(chan actors.Observation, 1)
	giveUp := node.Observe(func(o actors.Observation) { seen <- o })
	timer := time.AfterFunc(patience, giveUp)
	defer timer.Stop()
	return <-seen
}
