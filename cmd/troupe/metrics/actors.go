package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"troupe/partitions"
)

// ActorsMeter counts what partitions and their logs do. It is an actors.Meter.
type ActorsMeter struct {
	batches, records, bytes, duplicates prometheus.Counter
	fetches, tailFetches                prometheus.Counter
	checkpoints, elections, restarts    prometheus.Counter
	scrubbed, scrubDamage               prometheus.Counter
	syncTime, syncEntries, readTime     prometheus.Histogram
}

// diskBuckets reach from a fast disk's cache to one that hangs.
var diskBuckets = []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}

func newActorsMeter() *ActorsMeter {
	return &ActorsMeter{
		batches:     counter("troupe_partitions_appended_batches_total", "batches appended as leader"),
		records:     counter("troupe_partitions_appended_records_total", "records appended as leader"),
		bytes:       counter("troupe_partitions_appended_bytes_total", "bytes of those batches, as they are stored: compressed, with their headers"),
		duplicates:  counter("troupe_partitions_duplicate_batches_total", "batches that were there already and were answered without appending"),
		fetches:     counter("troupe_partitions_fetches_total", "fetches answered, one for each partition of a request"),
		tailFetches: counter("troupe_partitions_tail_fetches_total", "fetches answered from memory, without a read of segment files"),
		checkpoints: counter("troupe_partitions_checkpoints_total", "checkpoints taken"),
		elections:   counter("troupe_partitions_elections_total", "elections won"),
		restarts:    counter("troupe_actors_restarts_total", "times a partition's log failed, closed, and was set to open again"),
		scrubbed:    counter("troupe_wal_scrubbed_bytes_total", "bytes of old segments that were read to verify their checksums"),
		scrubDamage: counter("troupe_wal_scrub_damaged_segments_total", "times that an old segment did not verify when it was scrubbed; each round counts it again"),
		syncTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "troupe_wal_sync_duration_seconds",
			Help: "time of one group commit's fsync; without entries to make durable it returns at once", Buckets: diskBuckets}),
		syncEntries: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "troupe_wal_sync_entries",
			Help: "log entries, most of them batches, that one group commit made durable", Buckets: prometheus.ExponentialBuckets(1, 2, 11)}),
		readTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "troupe_wal_read_duration_seconds",
			Help: "time of one read from segment files, for a fetch that memory could not answer", Buckets: diskBuckets}),
	}
}

func (m *ActorsMeter) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.batches, m.records, m.bytes, m.duplicates, m.fetches, m.tailFetches, m.checkpoints,
		m.elections, m.restarts, m.scrubbed, m.scrubDamage, m.syncTime, m.syncEntries, m.readTime}
}

// Counted adds what a replica has done.
func (m *ActorsMeter) Counted(c partitions.Counts) {
	for _, add := range []struct {
		to prometheus.Counter
		n  int64
	}{
		{m.batches, c.Batches}, {m.records, c.Records}, {m.bytes, c.Bytes}, {m.duplicates, c.Duplicates},
		{m.fetches, c.Fetches}, {m.tailFetches, c.TailFetches}, {m.checkpoints, c.Checkpoints}, {m.elections, c.Elections},
	} {
		if add.n != 0 {
			add.to.Add(float64(add.n))
		}
	}
}

// Synced counts one group commit.
func (m *ActorsMeter) Synced(took time.Duration, entries int) {
	m.syncTime.Observe(took.Seconds())
	m.syncEntries.Observe(float64(entries))
}

// Read counts one cold read.
func (m *ActorsMeter) Read(took time.Duration) { m.readTime.Observe(took.Seconds()) }

// Scrubbed counts a segment that was verified, or was to be.
func (m *ActorsMeter) Scrubbed(bytes int64, damaged bool) {
	m.scrubbed.Add(float64(bytes))
	if damaged {
		m.scrubDamage.Inc()
	}
}

// Restarted counts one restart.
func (m *ActorsMeter) Restarted() { m.restarts.Inc() }
