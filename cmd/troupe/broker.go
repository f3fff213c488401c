package main

import (
	"context"
	"net"
	"strings"
	"time"

	"troupe/gateway/client"
)

// brokerAddresses reads --broker: one address, or several with commas between them.
func brokerAddresses(text string) ([]string, error) {
	addresses := strings.Split(text, ",")
	for i, a := range addresses {
		addresses[i] = strings.TrimSpace(a)
		if _, _, err := net.SplitHostPort(addresses[i]); err != nil {
			return nil, usagef("--broker %q is no address; write it as HOST:PORT, such as %s", a, client.DefaultBroker)
		}
	}
	return addresses, nil
}

// patience is how long a command goes on asking a broker that cannot answer yet: less than a service would.
const patience = 10 * time.Second

// with calls use with a client of the brokers that the command line names.
//
// The client's calls keep trying an address where nobody listens, as a service should; a person wants to be told at once,
// so the broker is asked for a sign of life first.
func (s *session) with(ctx context.Context, use func(*client.Client) error, options ...client.Option) error {
	addresses, err := brokerAddresses(s.broker)
	if err != nil {
		return err
	}
	defaults := []client.Option{
		client.WithBroker(addresses...), client.WithClientName("troupe " + version()), client.WithRequestTimeout(patience),
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
