package main

import (
	"context"
	"net"

	"troupe/gateway/client"
)

// with calls use with a client of the broker that the command line names.
//
// The client's calls keep trying an address where nobody listens, as a service should; a person wants to be told at once,
// so the broker is asked for a sign of life first.
func (s *session) with(ctx context.Context, use func(*client.Client) error, options ...client.Option) error {
	if _, _, err := net.SplitHostPort(s.broker); err != nil {
		return usagef("--broker %q is no address; write it as HOST:PORT, such as %s", s.broker, client.DefaultBroker)
	}
	broker, err := client.New(append(options, client.WithBroker(s.broker), client.WithClientName("troupe "+version()))...)
	if err != nil {
		return err
	}
	defer broker.Close()
	if _, err := broker.Ping(ctx); err != nil {
		return err
	}
	return use(broker)
}
