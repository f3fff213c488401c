package main

import (
	"context"
	"net"
	"time"

	"troupe/gateway/client"
)

// patience is how long a command goes on asking a broker that cannot answer yet: less than a service would.
const patience = 10 * time.Second

// with calls use with a client of the broker that the command line names.
//
// The client's calls keep trying an address where nobody listens, as a service should; a person wants to be told at once,
// so the broker is asked for a sign of life first.
func (s *session) with(ctx context.Context, use func(*client.Client) error, options ...client.Option) error {
	if _, _, err := net.SplitHostPort(s.broker); err != nil {
		return usagef("--broker %q is no address; write it as HOST:PORT, such as %s", s.broker, client.DefaultBroker)
	}
	defaults := []client.Option{
		client.WithBroker(s.broker), client.WithClientName("troupe " + version()), client.WithRequestTimeout(patience),
	}
	broker, err := client.New(append(defaults, options...)...)
	if err != nil {
		return err
	}
	defer broker.Close()
	if _, err := broker.Ping(ctx); err != nil {
		return err
	}
	return use(broker)
}
