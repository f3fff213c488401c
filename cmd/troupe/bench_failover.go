package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
)

// failoverFlags are what the command line of bench failover says.
type failoverFlags struct {
	kills, stops, nodes int
}

func benchFailoverCommand(s *session) *cobra.Command {
	var flags failoverFlags
	command := &cobra.Command{
		Use:   "failover",
		Short: "Measure how long writes wait when a leader dies, and when it stops in order",
		Long: `Starts a cluster of its own on this machine, in a temporary directory, and writes to a partition with three replicas, a record
at a time from each of a few writers. Then it kills the partition's leader with SIGKILL, again and again, and measures the
longest time without an acknowledgement; each time the broker is started again, and everything has caught up before the next
one. Afterwards leaders are stopped in order, with SIGTERM, and measured in the same way.`,
		Example: `  troupe bench failover
  troupe bench failover --kills 5 --stops 0 --output json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if flags.kills < 0 || flags.stops < 0 || flags.nodes < 3 || flags.nodes > mostLocal {
				return usagef("--kills and --stops count, and three replicas need --nodes from 3 to %d", mostLocal)
			}
			return s.benchFailover(c.Context(), flags)
		},
	}
	f := command.Flags()
	f.IntVar(&flags.kills, "kills", 20, "leaders to kill")
	f.IntVar(&flags.stops, "stops", 5, "leaders to stop in order")
	f.IntVar(&flags.nodes, "nodes", 3, "brokers")
	return command
}

const failoverTopic = "failover"

// pulse is a few writers that write a record at a time, and when one was acknowledged last.
type pulse struct {
	mu   sync.Mutex
	last time.Time
	gap  time.Duration // the longest time without an acknowledgement since measure began
	beat *sync.Cond    // broadcast with every acknowledgement
	lost error         // a writer's failure, which ends it
}

const pulseWriters = 4

// write writes until the context ends.
func (p *pulse) write(ctx context.Context, broker *client.Client, writer int) {
	for number := 0; ctx.Err() == nil; number++ {
		record := &client.Record{Topic: failoverTopic, Value: fmt.Appendf(nil, "record %d of writer %d", number, writer)}
		err := broker.ProduceSync(ctx, record)
		p.mu.Lock()
		switch now := time.Now(); {
		case err == nil:
			p.gap, p.last = max(p.gap, now.Sub(p.last)), now
		case ctx.Err() == nil:
			p.lost = errors.Join(p.lost, err)
		}
		p.beat.Broadcast()
		p.mu.Unlock()
	}
}

// measure returns for how long at most no record was acknowledged, from before something happens until records have been
// acknowledged after it.
func (p *pulse) measure(happens func() error) (time.Duration, error) {
	p.mu.Lock()
	p.gap, p.last = 0, time.Now()
	p.mu.Unlock()
	if err := happens(); err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for after, seen := time.Now(), 0; seen < 2*pulseWriters && p.lost == nil; { // each writer has one on its way from before
		p.beat.Wait()
		if p.last.After(after) {
			after, seen = p.last, seen+1
		}
	}
	return p.gap, p.lost
}

// benchFailover runs the whole measurement.
func (s *session) benchFailover(ctx context.Context, flags failoverFlags) (err error) {
	directory, err := os.MkdirTemp("", "troupe-failover-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	cluster, err := newLocalCluster(directory, flags.nodes, 0)
	if err != nil {
		return err
	}
	if err := cluster.start(ctx); err != nil {
		return err
	}
	defer cluster.kill()
	broker, err := client.New(client.WithBroker(cluster.gateways()...), client.WithLinger(0), client.WithClientName("troupe "+version()))
	if err != nil {
		return err
	}
	defer broker.Close()
	if _, err := broker.CreateTopic(ctx, failoverTopic, 1, map[string]string{"replicas": "3"}); err != nil {
		return err
	}
	writing, stop := context.WithCancel(ctx)
	p := &pulse{}
	p.beat = sync.NewCond(&p.mu)
	var writers sync.WaitGroup
	for writer := range pulseWriters {
		writers.Go(func() { p.write(writing, broker, writer) })
	}
	defer writers.Wait()
	defer stop()
	kills, err := s.failovers(ctx, cluster, p, "killed", flags.kills, func(b *localBroker) error { b.process.kill(); return nil })
	if err != nil {
		return err
	}
	stops, err := s.failovers(ctx, cluster, p, "stopped in order", flags.stops, func(b *localBroker) error { return b.drain() })
	if err != nil {
		return err
	}
	if s.output == "json" {
		return s.json(map[string]any{"nodes": flags.nodes, "kills_ms": inMillis(kills), "stops_ms": inMillis(stops)})
	}
	fmt.Fprintln(s.out, "longest time without an acknowledgement, 3 replicas on one machine")
	return errors.Join(s.tellWaits("leader killed (SIGKILL)", kills), s.tellWaits("leader stopped (SIGTERM)", stops))
}

// failovers ends leaders, one after the other, and returns what each cost those who write.
func (s *session) failovers(ctx context.Context, cluster *localCluster, p *pulse, how string, n int, end func(*localBroker) error) ([]time.Duration, error) {
	var all []time.Duration
	for i := range n {
		var leader *localBroker
		err := cluster.await(ctx, func(broker *client.Client) (bool, error) {
			topic, err := broker.DescribeTopic(ctx, failoverTopic)
			if err != nil || !allThere(topic) {
				return false, err
			}
			catalog, err := broker.DescribeTopic(ctx, "__catalog")
			leader = leaderOf(cluster, topic)
			return err == nil && allThere(catalog) && leader != nil, err
		})
		if err != nil {
			return all, err
		}
		waited, err := p.measure(func() error { return end(leader) })
		if err != nil {
			return all, err
		}
		all = append(all, waited)
		fmt.Fprintf(s.problems, "%2d: broker %s %s, writes waited %v\n", i+1, leader.Node, how, waited.Round(time.Millisecond))
		if err := leader.start(ctx); err != nil {
			return all, err
		}
	}
	return all, nil
}

func leaderOf(cluster *localCluster, topic *protocol.DescribeTopicResponse) *localBroker {
	return cluster.of(topic.Partitions[0].Leader.String())
}

func (s *session) tellWaits(what string, waits []time.Duration) error {
	if len(waits) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(waits))
	_, err := fmt.Fprintf(s.out, "  %-26s %3d times: median %v, worst %v\n", what, len(sorted),
		sorted[len(sorted)/2].Round(time.Millisecond), sorted[len(sorted)-1].Round(time.Millisecond))
	return err
}

func inMillis(all []time.Duration) []int64 {
	millis := []int64{}
	for _, d := range all {
		millis = append(millis, d.Milliseconds())
	}
	return millis
}
