package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
)

// localCluster is a cluster of broker processes on this machine.
type localCluster struct {
	brokers []*localBroker
}

// localBroker is one of its brokers, on addresses that it keeps when it is started again.
type localBroker struct {
	*process
	directory string   // of its data and its log
	arguments []string // of serve, beside data and gateway
	gateway   string
}

// basePorts is the difference between the ports of two brokers of a local cluster.
const basePorts = 10

// newLocalCluster plans a cluster of n brokers below a directory, where an earlier one may have been. The first broker's gateway
// has a port, and the others' are further up; 0 takes free ones.
func newLocalCluster(directory string, n, port int) (*localCluster, error) {
	c := &localCluster{}
	var seeds []string
	for i := range n {
		addresses := make([]string, 4) // gateway, peer, gossip, http
		for j := range addresses {
			addresses[j] = net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i*basePorts+j))
		}
		if port == 0 {
			addresses = []string{"", "127.0.0.1:0", "", "127.0.0.1:0"}
			for _, j := range []int{0, 2} { // those that must stay the same
				free, err := freeLoopback()
				if err != nil {
					return nil, err
				}
				addresses[j] = free
			}
		}
		seeds = append(seeds, addresses[2])
		c.brokers = append(c.brokers, &localBroker{
			directory: filepath.Join(directory, fmt.Sprintf("broker-%d", i+1)), gateway: addresses[0],
			arguments: []string{"--peer", addresses[1], "--gossip", addresses[2], "--http", addresses[3]},
		})
	}
	for _, b := range c.brokers {
		if err := os.MkdirAll(b.directory, 0o750); err != nil {
			return nil, err
		}
		if n > 1 {
			b.arguments = append(b.arguments, "--join", strings.Join(seeds, ","), "--bootstrap-expect", strconv.Itoa(n))
		}
	}
	return c, nil
}

// freeLoopback returns an address of this machine on which nothing listens now. Its port is below those that systems give to
// connections, which could take it before a broker does.
func freeLoopback() (string, error) {
	const first, last, attempts = 20_000, 32_000, 100
	for range attempts {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first))))
		if err == nil {
			defer l.Close()
			return l.Addr().String(), nil
		}
	}
	return "", fmt.Errorf("%d ports of this machine from %d to %d were tried, and all are taken", attempts, first, last)
}

// start starts the broker, for the first time or again, and returns when it is ready.
func (b *localBroker) start(ctx context.Context) (err error) {
	b.process, err = startProcess(ctx, filepath.Join(b.directory, "data"), b.gateway, filepath.Join(b.directory, "broker.log"), b.arguments...)
	return err
}

// start starts all brokers at once, since they wait for each other, and returns when the catalog lives on as many of them as it
// wants to.
func (c *localCluster) start(ctx context.Context) error {
	errs := make([]error, len(c.brokers))
	var starting sync.WaitGroup
	for i, b := range c.brokers {
		starting.Go(func() { errs[i] = b.start(ctx) })
	}
	starting.Wait()
	if err := errors.Join(errs...); err != nil {
		c.kill()
		return err
	}
	return c.await(ctx, func(broker *client.Client) (bool, error) {
		cluster, err := broker.DescribeCluster(ctx)
		if err != nil {
			return false, err
		}
		active := 0
		for _, n := range cluster.Nodes {
			if n.State == "active" && n.Alive {
				active++
			}
		}
		catalog, err := broker.DescribeTopic(ctx, "__catalog")
		return err == nil && active == len(c.brokers) && (len(c.brokers) < 3 || allThere(catalog)), err
	})
}

// allThere tells whether every partition of a topic is where it should be, with all replicas caught up.
func allThere(t *protocol.DescribeTopicResponse) bool {
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if !p.Ready || !p.Settled || len(p.Members) < 3 {
			return false
		}
		for _, r := range p.Members {
			if r.Role != "leader" && (r.Role != "voter" || r.State != "replicate") {
				return false
			}
		}
	}
	return true
}

// localPatience is how long a local cluster may take to become what is waited for.
const localPatience = time.Minute

// await asks the cluster until something is so.
func (c *localCluster) await(ctx context.Context, so func(*client.Client) (bool, error)) error {
	broker, err := client.New(client.WithBroker(c.gateways()...), client.WithClientName("troupe "+version()))
	if err != nil {
		return err
	}
	defer broker.Close()
	deadline, cancel := context.WithTimeout(ctx, localPatience)
	defer cancel()
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		fine, err := so(broker)
		if fine {
			return nil
		}
		select {
		case <-pause.C:
		case <-deadline.Done():
			return errors.Join(fmt.Errorf("the brokers are not ready after %v; their logs are beside their data", localPatience), err)
		}
	}
}

// gateways are the addresses for clients.
func (c *localCluster) gateways() []string {
	var all []string
	for _, b := range c.brokers {
		all = append(all, b.gateway)
	}
	return all
}

// of returns the broker with a node's id; nil if there is none.
func (c *localCluster) of(node string) *localBroker {
	for _, b := range c.brokers {
		if b.process != nil && b.Node == node {
			return b
		}
	}
	return nil
}

// drain stops all brokers in order, at once.
func (c *localCluster) drain() error {
	errs := make([]error, len(c.brokers))
	var stopping sync.WaitGroup
	for i, b := range c.brokers {
		if b.process != nil {
			stopping.Go(func() { errs[i] = b.drain() })
		}
	}
	stopping.Wait()
	return errors.Join(errs...)
}

// kill ends all brokers without a word.
func (c *localCluster) kill() {
	for _, b := range c.brokers {
		if b.process != nil {
			b.process.kill()
		}
	}
}
