package config

import (
	"cmp"
	"strings"
	"time"
)

// Setting is something of a broker that can be chosen.
type Setting struct {
	Name        string // section.key, as the file nests it
	Flag        string // of `troupe serve`; "" for those that only --set reaches
	Kind        Kind
	Description string
	standard    string // the default; "" where the room that lives by it has one: see Config.complete
	field       func(*Config) any
}

// table lists every setting in the order in which they are shown. A new one is one line here and its field.
var table = []Setting{
	{"data.directory", "data", Path, "where the broker keeps its data; made if it is not there", "./troupe-data",
		func(c *Config) any { return &c.Data.Directory }},
	{"data.reserve_bytes", "", Reserve, "with less of the disk free, batches and topics are refused; auto: 5 % of it, at most 1 GiB", "auto",
		func(c *Config) any { return &c.Data.Reserve }},
	{"data.syncs", "", Count, "fsyncs and cold reads that run at the same time", "8",
		func(c *Config) any { return &c.Data.Syncs }},
	{"data.scrub_bytes", "", Rate, "of old segments read in a second, to find damage before anybody needs them; or off", "4MiB",
		func(c *Config) any { return &c.Data.ScrubBytes }},
	{"data.scrub_every", "", Duration, "from the beginning of one round over all old segments to the next", "1d",
		func(c *Config) any { return &c.Data.ScrubEvery }},

	{"gateway.address", "gateway", Address, "where clients connect; port 0 takes a free one", "127.0.0.1:9642",
		func(c *Config) any { return &c.Gateway.Address }},
	{"gateway.insecure", "insecure", Switch, "let the gateway listen off loopback, without encryption and logins", "false",
		func(c *Config) any { return &c.Gateway.Insecure }},

	// Hello tells them by the same names, the times in milliseconds.
	{"gateway.frame_bytes", "", Bytes, "longest frame after Hello, either way", "",
		func(c *Config) any { return &c.Gateway.Limits.FrameBytes }},
	{"gateway.batch_bytes", "", Bytes, "largest record batch, whatever its topic allows", "",
		func(c *Config) any { return &c.Gateway.Limits.BatchBytes }},
	{"gateway.batch_records", "", Count, "records in one batch", "",
		func(c *Config) any { return &c.Gateway.Limits.BatchRecords }},
	{"gateway.batch_headers", "", Count, "headers in one batch, over all its records", "",
		func(c *Config) any { return &c.Gateway.Limits.BatchHeaders }},
	{"gateway.record_headers", "", Count, "headers of one record", "",
		func(c *Config) any { return &c.Gateway.Limits.RecordHeaders }},
	{"gateway.decompressed_bytes", "", Bytes, "what one batch may decompress to", "",
		func(c *Config) any { return &c.Gateway.Limits.DecompressedBytes }},
	{"gateway.decompressions", "", Count, "batches being decompressed at the same time, over all connections", "",
		func(c *Config) any { return &c.Gateway.Limits.Decompressions }},
	{"gateway.inflight_requests", "", Count, "unanswered requests of a connection", "",
		func(c *Config) any { return &c.Gateway.Limits.InflightRequests }},
	{"gateway.inflight_bytes", "", Bytes, "what a connection's unanswered requests and their answers hold", "",
		func(c *Config) any { return &c.Gateway.Limits.InflightBytes }},
	{"gateway.inflight_bytes_in_all", "", Bytes, "what those of all connections hold", "",
		func(c *Config) any { return &c.Gateway.Limits.InflightBytesInAll }},
	{"gateway.fetch_bytes", "", Bytes, "batches in one fetch response", "",
		func(c *Config) any { return &c.Gateway.Limits.FetchBytes }},
	{"gateway.wait_time", "", Millis, "longest wait of a fetch", "",
		func(c *Config) any { return &c.Gateway.Limits.WaitMillis }},
	{"gateway.parked_fetches", "", Count, "fetches of a connection that wait for records", "",
		func(c *Config) any { return &c.Gateway.Limits.ParkedFetches }},
	{"gateway.parked_fetches_in_all", "", Count, "fetches of all connections that wait for records", "",
		func(c *Config) any { return &c.Gateway.Limits.ParkedFetchesInAll }},
	{"gateway.throttle_time", "", Millis, "how long a throttled client is asked to wait", "",
		func(c *Config) any { return &c.Gateway.Limits.ThrottleMillis }},
	{"gateway.topics", "", Count, "topics in the cluster", "",
		func(c *Config) any { return &c.Gateway.Limits.Topics }},
	{"gateway.topic_partitions", "", Count, "partitions of one topic", "",
		func(c *Config) any { return &c.Gateway.Limits.TopicPartitions }},
	{"gateway.cluster_partitions", "", Count, "partitions of all topics", "",
		func(c *Config) any { return &c.Gateway.Limits.Partitions }},
	{"gateway.connections", "", Count, "connections open at the same time", "",
		func(c *Config) any { return &c.Gateway.Limits.Connections }},
	{"gateway.connections_per_address", "", Count, "connections from one IP address", "",
		func(c *Config) any { return &c.Gateway.Limits.ConnectionsPerAddress }},
	{"gateway.handshake_time", "", Duration, "from accepting a connection to its Hello", "",
		func(c *Config) any { return &c.Gateway.Limits.HandshakeTime }},
	{"gateway.idle_time", "", Duration, "how long a connection may send no request while none is unanswered", "",
		func(c *Config) any { return &c.Gateway.Limits.IdleTime }},
	{"gateway.frame_time", "", Duration, "from the first byte of a frame to its last", "",
		func(c *Config) any { return &c.Gateway.Limits.FrameTime }},
	{"gateway.write_time", "", Duration, "for a client to take what was written", "",
		func(c *Config) any { return &c.Gateway.Limits.WriteTime }},
	{"gateway.linger_time", "", Duration, "for a client to read the last replies before its connection is closed", "",
		func(c *Config) any { return &c.Gateway.Limits.LingerTime }},

	{"peer.address", "peer", OptionalAddress, "where other brokers connect; empty: 127.0.0.1:9643, with a secret :9643, all interfaces", "",
		func(c *Config) any { return &c.Peer.Address }},
	{"gossip.address", "gossip", OptionalAddress, "where gossip comes in, TCP and UDP; empty: 127.0.0.1:9644, with a secret :9644", "",
		func(c *Config) any { return &c.Gossip.Address }},
	{"cluster.advertise", "advertise", Host, "host under which others reach this broker; empty: the address that reaches the seed", "",
		func(c *Config) any { return &c.Cluster.Advertise }},
	{"cluster.join", "join", Seeds, "gossip addresses of brokers whose cluster to join; empty on an empty directory: a cluster of one", "",
		func(c *Config) any { return &c.Cluster.Join }},
	{"cluster.bootstrap_expect", "bootstrap-expect", OptionalCount, "make a cluster once all of so many brokers, exactly those of --join, are there", "",
		func(c *Config) any { return &c.Cluster.Expect }},
	{"cluster.secret_file", "secret-file", OptionalPath, "secrets that all brokers share, one a line, the first in use; read again when it changes", "",
		func(c *Config) any { return &c.Cluster.SecretFile }},
	{"cluster.certificate_file", "", OptionalPath, "this broker's own certificate for links, PEM, in place of one made from the secret", "",
		func(c *Config) any { return &c.Cluster.Certificate }},
	{"cluster.key_file", "", OptionalPath, "the key of that certificate, PEM", "",
		func(c *Config) any { return &c.Cluster.Key }},
	{"cluster.authority_file", "", OptionalPath, "certificates of who signs brokers' own certificates, and nothing else, PEM", "",
		func(c *Config) any { return &c.Cluster.Authority }},
	{"cluster.rack", "rack", Name, "what this broker shares with those it may fail together with", "",
		func(c *Config) any { return &c.Cluster.Rack }},

	{"http.address", "http", OptionalAddress, "where /metrics, /healthz and /readyz are; empty turns them off", "127.0.0.1:9645",
		func(c *Config) any { return &c.HTTP.Address }},
	{"http.partition_series", "", Count, "partitions that have metrics of their own", "1000",
		func(c *Config) any { return &c.HTTP.PartitionSeries }},
	{"http.pprof", "pprof", Switch, "serve profiles of the process under /debug/pprof/ too", "false",
		func(c *Config) any { return &c.HTTP.Pprof }},

	{"log.level", "log-level", Level, "what is logged: this and worse", "info",
		func(c *Config) any { return &c.Log.Level }},
	{"log.format", "log-format", Format, "text, json, or auto: text on a terminal, json elsewhere", "auto",
		func(c *Config) any { return &c.Log.Format }},

	{"serve.drain_time", "drain-time", Duration, "how long a stopping broker waits for what it has begun", "10s",
		func(c *Config) any { return &c.Serve.DrainTime }},
}

// Settings lists every setting.
func Settings() []Setting { return append([]Setting(nil), table...) }

// Environment returns the variable that gives the setting: TROUPE_SECTION_KEY.
func (s Setting) Environment() string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(s.Name, ".", "_"))
}

// Default returns what a broker does that is told nothing, as it would be written.
func (s Setting) Default() string {
	e, err := Load(Sources{})
	if err != nil {
		panic("config: the table's defaults: " + err.Error())
	}
	return s.text(&e.Config)
}

// set reads text into the setting's field.
func (s Setting) set(c *Config, text string) error {
	switch field := s.field(c).(type) {
	case *string:
		return s.Kind.readText(text, field)
	case *bool:
		return readSwitch(text, field)
	case *time.Duration:
		return readDuration(text, field)
	case *int:
		return s.Kind.readNumber(text, field)
	}
	panic("config: the field of " + s.Name + " has a type that no kind reads")
}

// text writes the setting's field the way set reads it.
func (s Setting) text(c *Config) string {
	switch field := s.field(c).(type) {
	case *string:
		return *field
	case *bool:
		return switchText(*field)
	case *time.Duration:
		return durationText(*field)
	case *int:
		return s.Kind.numberText(*field)
	}
	panic("config: the field of " + s.Name + " has a type that no kind writes")
}

// complete fills in the defaults that belong to the rooms, of which some follow from other settings.
func (c *Config) complete() {
	c.Gateway.Limits = c.Gateway.Limits.WithDefaults()
	host := "127.0.0.1"
	if c.Cluster.SecretFile != "" {
		host = "" // the secret keeps strangers out
	}
	c.Peer.Address = cmp.Or(c.Peer.Address, host+":9643")
	c.Gossip.Address = cmp.Or(c.Gossip.Address, host+":9644")
}
