package client

import (
	"context"
	"fmt"
	"net"
	"time"

	"troupe/gateway/protocol"
	"troupe/partitions/batch"
)

// DefaultBroker is where a client looks for a broker when nobody says otherwise.
const DefaultBroker = "127.0.0.1:9642"

// Option changes one default of a client.
type Option func(*settings)

// Dialer opens a connection; net.Dialer's DialContext is one.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

type settings struct {
	brokers         []string
	name            string
	dial            Dialer
	dialTimeout     time.Duration
	requestTimeout  time.Duration
	acks            protocol.Acks
	linger          time.Duration
	batchBytes      int
	bufferBytes     int
	codec           batch.Codec
	deliveryTimeout time.Duration
	trouble         func(topic string, partition int32, err error) // nil: nobody is told
	fetchBytes      int
	fetchWait       time.Duration
}

func defaults() settings {
	return settings{
		brokers:         []string{DefaultBroker},
		name:            "troupe-go",
		dial:            new(net.Dialer).DialContext,
		dialTimeout:     5 * time.Second,
		requestTimeout:  30 * time.Second,
		acks:            protocol.AcksQuorum,
		linger:          5 * time.Millisecond,
		batchBytes:      256 << 10,
		bufferBytes:     64 << 20,
		deliveryTimeout: 2 * time.Minute,
		fetchBytes:      1 << 20,
		fetchWait:       500 * time.Millisecond,
	}
}

// WithBroker sets the addresses (host:port) to begin with; one that answers is enough, and the others that it tells of are
// asked where it does not answer any more. Default: DefaultBroker.
func WithBroker(addresses ...string) Option { return func(s *settings) { s.brokers = addresses } }

// WithClientName sets the name that brokers log. Default: troupe-go.
func WithClientName(name string) Option { return func(s *settings) { s.name = name } }

// WithDialer replaces the way connections are opened.
func WithDialer(dial Dialer) Option { return func(s *settings) { s.dial = dial } }

// WithDialTimeout bounds the opening of one connection, its greeting included. Default: 5 s.
func WithDialTimeout(d time.Duration) Option { return func(s *settings) { s.dialTimeout = d } }

// WithRequestTimeout sets how long a broker may owe an answer before its connection is given up, and how long a call other
// than Produce is tried again before its last error is returned. A broker that owes one and does not answer a Ping either is
// given up within seconds, where there is another. Default: 30 s.
func WithRequestTimeout(d time.Duration) Option { return func(s *settings) { s.requestTimeout = d } }

// WithAcks sets what must have happened before a record counts as delivered. Only AcksQuorum, the default, is idempotent;
// with the others there is one batch in flight per partition, and an answer that got lost is OUTCOME_UNKNOWN.
func WithAcks(acks protocol.Acks) Option { return func(s *settings) { s.acks = acks } }

// WithLinger sets how long a batch waits for more records; 0 sends at once. Default: 5 ms.
func WithLinger(d time.Duration) Option { return func(s *settings) { s.linger = d } }

// WithBatchBytes sets the size at which a batch waits no longer, before compression. A larger record travels alone.
// Default: 256 KiB.
func WithBatchBytes(n int) Option { return func(s *settings) { s.batchBytes = n } }

// WithBufferBytes bounds the records that are not delivered yet. Full: Produce blocks, TryProduce returns ErrBufferFull.
// Default: 64 MiB.
func WithBufferBytes(n int) Option { return func(s *settings) { s.bufferBytes = n } }

// WithCompression sets how batches are compressed. Default: none.
func WithCompression(codec batch.Codec) Option { return func(s *settings) { s.codec = codec } }

// WithDeliveryTimeout bounds the time from Produce to the callback. Default: 2 min.
func WithDeliveryTimeout(d time.Duration) Option { return func(s *settings) { s.deliveryTimeout = d } }

// WithTrouble has a function told each time that a batch could not be delivered to a partition and will be sent again, and
// why: for showing, to whoever waits, what the waiting is for. It is called by several goroutines and must not block.
func WithTrouble(told func(topic string, partition int32, err error)) Option {
	return func(s *settings) { s.trouble = told }
}

// WithFetchBytes bounds what is fetched ahead for each partition; one batch is fetched however large. Default: 1 MiB.
func WithFetchBytes(n int) Option { return func(s *settings) { s.fetchBytes = n } }

// WithFetchWait sets how long a broker holds a fetch that finds nothing. Default: 500 ms.
func WithFetchWait(d time.Duration) Option { return func(s *settings) { s.fetchWait = d } }

func (s *settings) check() error {
	positive := []struct {
		name  string
		value int64
	}{
		{"dial timeout", int64(s.dialTimeout)}, {"request timeout", int64(s.requestTimeout)},
		{"batch bytes", int64(s.batchBytes)}, {"buffer bytes", int64(s.bufferBytes)},
		{"delivery timeout", int64(s.deliveryTimeout)}, {"fetch bytes", int64(s.fetchBytes)},
		{"brokers", int64(len(s.brokers))},
	}
	for _, p := range positive {
		if p.value <= 0 {
			return fmt.Errorf("%s must be above 0, got %d: %w", p.name, p.value, ErrOption)
		}
	}
	switch {
	case s.dial == nil:
		return fmt.Errorf("no dialer: %w", ErrOption)
	case s.linger < 0 || s.fetchWait < 0:
		return fmt.Errorf("linger %v and fetch wait %v must not be negative: %w", s.linger, s.fetchWait, ErrOption)
	case s.linger >= s.deliveryTimeout:
		return fmt.Errorf("linger %v must be below the delivery timeout %v: %w", s.linger, s.deliveryTimeout, ErrOption)
	case s.fetchWait >= s.requestTimeout:
		return fmt.Errorf("fetch wait %v must be below the request timeout %v: %w", s.fetchWait, s.requestTimeout, ErrOption)
	case s.acks != protocol.AcksQuorum && s.acks != protocol.AcksLeader && s.acks != protocol.AcksNone:
		return fmt.Errorf("acks %d: %w", s.acks, ErrOption)
	case !s.codec.Known():
		return fmt.Errorf("%w: %w", ErrOption, batch.ErrCodec)
	case s.bufferBytes < s.batchBytes:
		return fmt.Errorf("buffer of %d bytes below the batch size of %d: %w", s.bufferBytes, s.batchBytes, ErrOption)
	}
	return nil
}

func (s *settings) idempotent() bool { return s.acks == protocol.AcksQuorum }
