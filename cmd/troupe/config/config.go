package config

import (
	"time"

	"troupe/gateway"
)

// Config is what a broker is started with.
type Config struct {
	Data    Data
	Gateway Gateway
	HTTP    HTTP
	Log     Log
	Serve   Serve
}

// Data is where and how a broker keeps its logs.
type Data struct {
	Directory string
	Reserve   int // bytes of the disk that are kept free; 0: partitions.DefaultReserve
	Syncs     int // fsyncs and cold reads that run at once
}

// Gateway is how clients reach a broker, and what they can make it hold.
type Gateway struct {
	Address  string // host:port
	Insecure bool   // may listen off loopback
	Limits   gateway.Limits
}

// HTTP is where operators and their machines look at a broker.
type HTTP struct {
	Address         string // host:port; "" for none
	PartitionSeries int    // partitions that have metrics of their own
	Pprof           bool
}

// Log is what a broker says of itself.
type Log struct {
	Level  string // debug, info, warn or error
	Format string // auto, text or json
}

// Serve is how a broker runs and ends.
type Serve struct {
	DrainTime time.Duration
}
