package real

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/catalog"
	"troupe/partitions/id"
)

const (
	// grown is how many brokers there are when the cluster is largest.
	grown = 5
	// mostUneven is how far from the even one a broker's share may be.
	mostUneven = 0.1
	// balancePatience bounds the time that replicas and leaders may take until they are where they belong.
	balancePatience = 3 * time.Minute
)

// Grow runs three brokers under load, has two more join, and two of the five decommissioned, the catalog's leader among them.
// Nothing may be lost or doubled by it, and what the brokers hold and lead must be even each time. The changes take the time they
// take; Config's length is that of the calm before, between and after them, which tells what they cost.
func Grow(ctx context.Context, c Config) (*Report, error) {
	return c.run(ctx, shape{places: grown, partitions: 60, rate: 2000, filling: 2000}, (*run).grow)
}

// errUneven: a cluster was given all the time there is, and some broker holds or leads too much or too little.
var errUneven = errors.New("not even")

// grow has brokers come and go.
func (r *run) grow(ctx context.Context) {
	for _, s := range []struct {
		name string
		do   func(*run, context.Context) error
	}{
		{"3 brokers", (*run).wait},
		{"3 to 5", (*run).join},
		{"5 brokers", (*run).wait},
		{"5 to 3", (*run).part},
		{"3 again", (*run).wait},
	} {
		if ctx.Err() != nil {
			return
		}
		stage := &Stage{Name: s.name, from: r.chronicle.now()}
		r.report.Stages = append(r.report.Stages, stage)
		err := s.do(r, ctx)
		if stage.to = r.chronicle.now(); err != nil {
			r.fail(ctx, s.name, err)
			return
		}
		r.say("all", "%s: done after %v", s.name, (stage.to - stage.from).Round(time.Millisecond))
	}
}

// wait is the calm.
func (r *run) wait(ctx context.Context) error {
	rest(ctx, r.config.Length)
	return nil
}

// join starts brokers over empty directories that know nothing but where to join.
func (r *run) join(ctx context.Context) error {
	seeds := r.seeds(nil)
	var come []*broker
	for i := len(r.brokers); i < grown; i++ {
		b, err := r.broker(i, fmt.Sprintf("broker-%d", i+1))
		if err != nil {
			return err
		}
		come = append(come, b)
	}
	r.enrol(slices.Concat(r.brokers, come), nil)
	if err := atOnce(come, func(b *broker) error { return b.start(ctx, "--join", seeds) }); err != nil {
		return err
	}
	return r.awaitEven(ctx)
}

// part decommissions brokers, as an operator does, and stops them when they are let go.
func (r *run) part(ctx context.Context) error {
	leaving, err := r.drawn(ctx, grown-brokers)
	if err != nil {
		return err
	}
	if err := atOnce(leaving, func(b *broker) error { return r.decommission(ctx, b) }); err != nil {
		return err
	}
	r.enrol(slices.DeleteFunc(slices.Clone(r.brokers), func(b *broker) bool { return slices.Contains(leaving, b) }), leaving)
	if err := atOnce(leaving, (*broker).stop); err != nil {
		return err
	}
	return r.awaitEven(ctx)
}

// drawn draws n brokers, the one that leads the catalog among them.
func (r *run) drawn(ctx context.Context, n int) ([]*broker, error) {
	c, err := r.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	topic, err := c.DescribeTopic(ctx, string(catalog.Name))
	if err != nil {
		return nil, err
	}
	all := slices.Clone(r.brokers)
	r.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if at := slices.IndexFunc(all, func(b *broker) bool { return b.node == topic.Partitions[0].Leader }); at > 0 {
		all[0], all[at] = all[at], all[0]
	}
	return all[:n], nil
}

// decommission gives the command, and returns when it has done all it does.
func (r *run) decommission(ctx context.Context, b *broker) error {
	ctx, cancel := context.WithTimeout(ctx, balancePatience)
	defer cancel()
	r.say(b.name, "is decommissioned")
	command := exec.CommandContext(ctx, r.config.Binary, "cluster", "decommission", b.node.String(), "--broker", strings.Join(r.gateways(), ","))
	said, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("decommission %s: %w: %s", b.name, err, strings.TrimSpace(string(said)))
	}
	r.say(b.name, "has no replicas any more, and is let go")
	return nil
}

// enrol writes down who the members are from now on, and who is none any more.
func (r *run) enrol(members, retired []*broker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.brokers, r.retired = members, append(r.retired, retired...)
}

// members is for those who look while brokers come and go.
func (r *run) members() []*broker {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.brokers
}

// atOnce does something with several brokers at one time.
func atOnce(all []*broker, do func(*broker) error) error {
	errs := make([]error, len(all))
	var working sync.WaitGroup
	for i, b := range all {
		working.Go(func() { errs[i] = do(b) })
	}
	working.Wait()
	return errors.Join(errs...)
}

// awaitEven returns when the cluster is whole, and even.
func (r *run) awaitEven(ctx context.Context) error {
	return r.until(ctx, balancePatience, errUneven, func(ctx context.Context, c *client.Client) string {
		if lacks := r.missing(ctx, c); lacks != "" {
			return lacks
		}
		return r.uneven(ctx, c)
	})
}

// uneven tells whose share is not the even one, and notes the shares for the report; "" if all are.
func (r *run) uneven(ctx context.Context, c *client.Client) string {
	cluster, err := c.DescribeCluster(ctx)
	if err != nil {
		return err.Error()
	}
	shares := sharesOf(cluster, r.nodes())
	r.report.Stages[len(r.report.Stages)-1].Shares = shares
	for _, s := range shares {
		if math.Abs(s.OffReplicas) > mostUneven || math.Abs(s.OffLeaders) > mostUneven {
			return fmt.Sprintf("broker %v has %d replicas (%+.1f %% of an even share) and leads %d (%+.1f %%)",
				s.Node, s.Replicas, 100*s.OffReplicas, s.Leaders, 100*s.OffLeaders)
		}
	}
	return ""
}

// Share is what one broker holds and leads, internal partitions included.
type Share struct {
	Node              id.Node
	Replicas, Leaders int64
	// OffReplicas and OffLeaders are how far that is from an even share, as a part of it.
	OffReplicas, OffLeaders float64
}

// sharesOf compares what each of some nodes has with what it would have if all had alike.
func sharesOf(cluster *protocol.DescribeClusterResponse, nodes []id.Node) []Share {
	var all []Share
	var replicas, leaders int64
	for _, n := range cluster.Nodes {
		replicas, leaders = replicas+n.Replicas, leaders+n.Leaders
		if slices.Contains(nodes, n.Node) {
			all = append(all, Share{Node: n.Node, Replicas: n.Replicas, Leaders: n.Leaders})
		}
	}
	off := func(has, total int64) float64 { return float64(has)*float64(len(nodes))/float64(total) - 1 }
	for i := range all {
		all[i].OffReplicas, all[i].OffLeaders = off(all[i].Replicas, replicas), off(all[i].Leaders, leaders)
	}
	return all
}
