package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"troupe/gateway"
)

// Config is what a broker is started with.
type Config struct {
	Data    Data
	Gateway Gateway
	Peer    Peer
	Gossip  Gossip
	Cluster Cluster
	HTTP    HTTP
	Log     Log
	Serve   Serve
}

// Data is where and how a broker keeps its logs.
type Data struct {
	Directory string
	Reserve   int // bytes of the disk that are kept free; 0: partitions.DefaultReserve
	Syncs     int // fsyncs and cold reads that run at once
	// ScrubBytes is how much of old segments is verified in a second, 0 none; ScrubEvery the time between two rounds.
	ScrubBytes int
	ScrubEvery time.Duration
}

// Gateway is how clients reach a broker, and what they can make it hold.
type Gateway struct {
	Address  string // host:port
	Insecure bool   // may listen off loopback
	Limits   gateway.Limits
}

// Peer is where other brokers reach a broker.
type Peer struct {
	Address string // host:port; no host: all interfaces
}

// Gossip is where brokers find a broker.
type Gossip struct {
	Address string // host:port; no host: all interfaces
}

// Cluster is how a broker finds the others, and whom it believes.
type Cluster struct {
	Advertise  string // host; "" for the address that reaches the seed
	Join       string // HOST[:PORT],...
	Expect     int    // 0: this broker waits for nobody to make a cluster with
	SecretFile string
	// Certificate, Key and Authority are files of an operator's own certificates, all or none.
	Certificate, Key, Authority string
	Rack                        string
}

// Seeds are the addresses to join.
func (c Cluster) Seeds() []string {
	if c.Join == "" {
		return nil
	}
	return strings.Split(c.Join, ",")
}

// validate refuses settings that contradict each other.
func (c Cluster) validate() error {
	if n := len(c.Seeds()); c.Expect != 0 && c.Expect != n {
		return fmt.Errorf("cluster.bootstrap_expect (--bootstrap-expect) %d needs a cluster.join (--join) of exactly %d addresses, "+
			"this broker's own among them, not %d", c.Expect, c.Expect, n)
	}
	given := 0
	for _, file := range []string{c.Certificate, c.Key, c.Authority} {
		if file != "" {
			given++
		}
	}
	if given != 0 && given != 3 {
		return errors.New("cluster.certificate_file, cluster.key_file and cluster.authority_file are given together or not at all")
	}
	return nil
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
