package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"troupe/cmd/troupe/accesslog"
	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/partitions/id"
)

const (
	demoTopic      = "access-log"
	demoPartitions = 6
	demoBrokers    = 3
	// demoPasses is how often the log is replayed, and demoLength how long that takes: long enough to watch.
	demoPasses = 40
	demoLength = 20 * time.Second
)

func demoCommand(s *session) *cobra.Command {
	var keep bool
	d := &demo{session: s}
	command := &cobra.Command{
		Use:   "demo",
		Short: "Three brokers, a real web server's log in and out, and kill -9 on the way",
		Long: `Starts three brokers in a temporary directory, which find each other by gossip, and replays 10,000 lines of a real web
server's log several times: in through one broker, out through another. In the middle the broker that leads most partitions is
killed with SIGKILL, and later started again on its data. Checks that every acknowledged line came out once and that the lines
of each client address are in order. Exits 0 only if they are.`,
		Example: `  troupe demo
  troupe demo --keep    # leave the brokers running afterwards`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case d.passes < 1 || d.passes > 1000:
				return usagef("--passes is %d; it can be 1 to 1000", d.passes)
			case d.length < 0 || d.length > time.Hour:
				return usagef("--length is %v; it can be 0 (as fast as possible) to 1h", d.length)
			}
			return d.run(c.Context(), keep)
		},
	}
	command.Flags().BoolVar(&keep, "keep", false, "leave the brokers running until Ctrl-C, with a list of things to try")
	command.Flags().IntVar(&d.passes, "passes", demoPasses, "how often the log is replayed")
	command.Flags().DurationVar(&d.length, "length", demoLength, "how long the replay takes at least; 0: as fast as possible")
	return command
}

// demo is one run of the demonstration.
type demo struct {
	*session
	passes    int
	length    time.Duration
	directory string
	cluster   *localCluster
	nodes     []id.Node          // of the cluster's brokers, in their order; they do not change
	short     map[id.Node]string // the brokers' names for people
	lines     []accesslog.Line
	replay    *replay
}

func (d *demo) run(ctx context.Context, keep bool) (err error) {
	if d.lines, err = accesslog.Lines(); err != nil {
		return err
	}
	if d.directory, err = os.MkdirTemp("", "troupe-demo-"); err != nil {
		return err
	}
	defer func() {
		if d.cluster != nil {
			err = errors.Join(err, d.cluster.drain())
		}
		err = errors.Join(err, os.RemoveAll(d.directory))
	}()
	for _, step := range []func(context.Context) error{d.start, d.create, d.stream, d.judge} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	if keep {
		return d.keep(ctx)
	}
	return nil
}

// title begins a stage.
func (d *demo) title(number int, text string) {
	fmt.Fprintf(d.out, "\n%d. %s\n", number, text)
}

// fact prints one aligned line of a stage.
func (d *demo) fact(name, pattern string, values ...any) {
	fmt.Fprintln(d.out, factLine(name, pattern, values...))
}

func factLine(name, pattern string, values ...any) string {
	return fmt.Sprintf("   %-14s %s", name, fmt.Sprintf(pattern, values...))
}

func (d *demo) start(ctx context.Context) (err error) {
	fmt.Fprintln(d.out, "Troupe: a real web server's log goes through three brokers; one of them is killed on the way; everything comes out.")
	d.title(1, "Start three brokers, which find each other by gossip")
	if d.cluster, err = newLocalCluster(d.directory, demoBrokers, 0); err != nil {
		return err
	}
	began := time.Now()
	if err := d.cluster.start(ctx); err != nil {
		return err
	}
	for _, b := range d.cluster.brokers {
		node, err := id.ParseNode(b.Node)
		if err != nil {
			return err
		}
		d.nodes = append(d.nodes, node)
	}
	d.short = shortNodes(d.nodes)
	for i, b := range d.cluster.brokers {
		d.fact("broker "+d.short[d.nodes[i]], "process %d on %s", b.pid(), b.gateway)
	}
	d.fact("cluster", "complete after %s", durationText(time.Since(began)))
	d.broker = strings.Join(d.cluster.gateways(), ",")
	return nil
}

func (d *demo) create(ctx context.Context) error {
	d.title(2, "Create a topic")
	return d.with(ctx, func(broker *client.Client) error {
		settings := map[string]string{"replicas": strconv.Itoa(demoBrokers)}
		if _, err := broker.CreateTopic(ctx, demoTopic, demoPartitions, settings); err != nil {
			return err
		}
		d.fact("topic", "%s with %d partitions, each on %d brokers; a record counts as written once a majority of", demoTopic, demoPartitions, demoBrokers)
		d.fact("", "them has it on disk, fsynced")
		return d.cluster.await(ctx, func(broker *client.Client) (bool, error) {
			topic, err := broker.DescribeTopic(ctx, demoTopic)
			return err == nil && allThere(topic), err
		})
	})
}

// stream replays the log while the broker that leads most is killed and comes back.
func (d *demo) stream(ctx context.Context) error {
	in, out := d.cluster.brokers[0], d.cluster.brokers[1]
	d.title(3, fmt.Sprintf("Replay the log %d times, a record a line, keyed by client address", d.passes))
	d.fact("in", "through the broker on %s", in.gateway)
	d.fact("out", "through the broker on %s", out.gateway)
	d.replay = newReplay(d)
	return d.replay.run(ctx, in.gateway, out.gateway)
}

// judge prints the verdict and returns an error unless it is flawless.
func (d *demo) judge(context.Context) error {
	d.title(4, "Verdict")
	v := d.replay.books.verdict()
	for _, count := range []struct {
		name   string
		number int
	}{
		{"acknowledged", v.acknowledged}, {"read", v.read}, {"lost", v.lost}, {"duplicated", v.duplicated},
		{"out of order", v.disordered}, {"altered", v.foreign},
	} {
		d.fact(count.name, "%9s", humanize.Comma(int64(count.number)))
	}
	d.fact("fail-over", "%9s  until every partition that the dead broker led acknowledged again", durationText(d.replay.failover))
	switch {
	case v.err() != nil:
		return v.err()
	case v.acknowledged != v.sent:
		return fmt.Errorf("%d of %d records were not acknowledged", v.sent-v.acknowledged, v.sent)
	}
	fmt.Fprintf(d.out, "\nEvery line came out once, and the lines of each of %s addresses in order.\n", humanize.Comma(int64(v.keys)))
	return nil
}

// keep leaves the brokers to visitors until Ctrl-C. Those that they kill are started again.
func (d *demo) keep(ctx context.Context) error {
	if err := d.invite(ctx); err != nil {
		return err
	}
	gone := make(chan *localBroker)
	watch := func(b *localBroker) {
		exited := b.exited // of this process: another one follows
		go func() {
			select {
			case <-exited:
			case <-ctx.Done():
				return
			}
			select {
			case gone <- b:
			case <-ctx.Done():
			}
		}()
	}
	for _, b := range d.cluster.brokers {
		watch(b)
	}
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintf(d.out, "\nThe brokers end, and %s is removed.\n", d.directory)
			return nil
		case b := <-gone:
			fmt.Fprintf(d.out, "\nThe broker on %s is gone; it is started again on its data.\n", b.gateway)
			if err := b.start(ctx); err != nil {
				return err
			}
			d.fact("broker", "process %d on %s", b.pid(), b.gateway)
			watch(b)
		}
	}
}

// invite lists what a visitor can try on the brokers that are left running.
func (d *demo) invite(ctx context.Context) error {
	var moved *protocol.DescribedPartition
	err := d.with(ctx, func(broker *client.Client) error {
		topic, err := broker.DescribeTopic(ctx, demoTopic)
		if err == nil {
			moved = &topic.Partitions[0]
		}
		return err
	})
	if err != nil {
		return err
	}
	var turned []string // the last replica becomes the preferred leader
	for _, n := range slices.Backward(moved.Replicas) {
		turned = append(turned, d.short[n])
	}
	victim := d.cluster.of(moved.Leader.String())
	if victim == nil {
		victim = d.cluster.brokers[0]
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, `
The brokers are still up. In another terminal:

   export TROUPE_BROKER=%[1]s
   export PATH=%[2]s:$PATH
   troupe cluster status
   troupe cluster partitions %[3]s
   troupe consume %[3]s -n 5
   troupe cluster assign %[3]s/0 --nodes %[4]s    # another broker leads it
   troupe consume %[3]s --from end --format '%%p %%o %%v\n'        # and in a third terminal, after the same exports:
   echo "hello from the third terminal" | troupe produce %[3]s
   kill -9 %[5]d      # the others take over, and it is started again

Ctrl-C ends the brokers and removes their data, which is in %[6]s.
`, strings.Join(d.cluster.gateways(), ","), filepath.Dir(self), demoTopic, strings.Join(turned, ","), victim.pid(), d.directory)
	return nil
}
